"""The certificate as a command: what it prints and writes, and that it can fail."""

import csv
import json
from functools import partial

import numpy as np
import pytest

from network import reference
from sim.cli import main
from sim.data import load_data
from validation import command
from validation.agreement import agree
from validation.cases import cases, images_of, trained_cases
from validation.certificate import Plan, certify, count_of
from validation.variants import REFERENCE, VARIANTS, Variant


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("validate") / "out"
    code = main(["validate", "--quick", "--quiet", "--out", str(out), "--json", str(out) + ".json"])
    return code, out, json.loads((out.parent / "out.json").read_text())


def test_quick_passes_and_says_what_it_could_not_check(quick):
    code, _, found = quick
    assert code == 0 and found["passed"]
    judged = {claim["name"] for claim in found["claims"] if claim["passed"]}
    assert {"steady-state", "output-error", "feedback", "shutdown", "hebbian", "local", "back-propagation"} <= judged
    assert {"torch: feedback", "event: increments", "torch float32: activity", "controls-at-work"} <= judged
    everyone = set(found["checked"]) | {row["engine"] for row in found["not_checked"]}
    assert everyone == {variant.name for variant in VARIANTS}
    assert all(row["reason"] for row in found["not_checked"])
    assert {row["point"] for row in found["training"]} == {"start", "middle", "trained"}


def test_quick_leaves_a_report_that_needs_nothing_else(quick):
    _, out, found = quick
    text = (out / "report.html").read_text()
    # Each figure's caption, which is also what stands for it where it cannot be seen, has the command.
    assert text.count("<figure>") >= 2
    assert text.count("Made by: hebb validate --quick") == 2 * text.count("<figure>")
    assert "http" not in text.replace("http://www.w3.org", "")
    for claim in found["claims"]:
        assert claim["name"] in text
    assert json.loads((out / "agreement.json").read_text())["claims"] == found["claims"]
    with (out / "agreement.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["quantity"] for row in rows} == {"h", "x", "delta", "dW", "dR"}
    assert all(float(row["relative"]) <= float(row["tolerance"]) and row["beyond_tolerance"] == "0" for row in rows)
    with (out / "pairs.csv").open() as file:
        assert {("torch", "event"), ("reference", "torch")} <= {(row["a"], row["b"]) for row in csv.DictReader(file)}


def test_a_claim_that_fails_makes_exit_code_1(monkeypatch, tmp_path, capsys):
    right, few = reference.output_error, [v for v in VARIANTS if v.name in ("reference", "torch")]
    monkeypatch.setattr(reference, "output_error", lambda *given: -right(*given))
    monkeypatch.setattr(command, "certify", partial(certify, variants=few))
    assert main(["validate", "--quick", "--quiet", "--images", "2", "--out", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "FAIL" in text.splitlines()[-2] and "output-error" in text.splitlines()[-2]
    assert "torch: feedback" in text.splitlines()[-2]
    assert "FAILS" in (tmp_path / "report.html").read_text()


def test_an_engine_that_is_not_here_is_told_with_the_reason_and_the_plan_counts_what_is_done():
    told, ghost = [], Variant("ghost", "ghost")
    found = certify(Plan(images=1), [REFERENCE, ghost], told.append)
    assert [(v.name, bool(why)) for v, why in found.missing] == [("ghost", True)]
    assert found.passed
    assert len(told) == count_of(Plan(images=1))


def test_a_failing_engine_is_located_by_case_layer_and_unit(monkeypatch):
    case = next(iter(cases("fully connected", load_data("digits"), images=3, seeds=(0,))))
    torch = next(v for v in VARIANTS if v.name == "torch")
    right = Variant.present

    def wrong(self, presented):
        trace = right(self, presented)
        trace.delta[2] = trace.delta[2].copy()
        trace.delta[2][1, 4] += 0.01
        return trace

    monkeypatch.setattr(Variant, "present", wrong)
    (claim,) = [c for c in agree([case], [torch]).claims([torch]) if c.passed is False]
    assert claim.name == "torch: feedback"
    assert "first beyond: delta at layer 2 (full2), unit 4, image 1" in claim.note


def test_images_are_real_ones_and_their_number_is_checked():
    from network.errors import BadInput

    data = load_data("digits")
    images, labels = images_of(data, 5, seed=1)
    for image, label in zip(images, labels, strict=True):
        same = (data.test.images == np.rint(image * 255)).all(axis=(1, 2, 3))
        assert label in data.test.labels[same]
    with pytest.raises(BadInput, match="--images 400: digits has 359"):
        images_of(data, 400, seed=0)


def test_training_points_are_those_of_one_run():
    data = load_data("digits")
    run = {"images": 2, "seed": 0, "batch": 20, "engine": "torch"}
    whole = {c.point: c.presented.weights.W[1] for c, _ in trained_cases("fully connected", data, updates=8, **run)}
    half = {c.point: c.presented.weights.W[1] for c, _ in trained_cases("fully connected", data, updates=4, **run)}
    assert np.array_equal(whole["middle"], half["trained"])
    assert not np.array_equal(whole["middle"], whole["trained"])
    assert np.array_equal(whole["start"], half["start"])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--quick", "--net", "simpnet"], ["--net", "--quick"]),
        (["--images", "0"], ["--images 0"]),
        (["--data", "nothing"], ["nothing", "cifar10"]),
    ],
)
def test_mistakes_are_one_line(flags, words, capsys):
    assert main(["validate", *flags, "--quiet"]) == 2
    line = capsys.readouterr().err
    assert len(line.splitlines()) == 1 and all(word in line for word in words)
