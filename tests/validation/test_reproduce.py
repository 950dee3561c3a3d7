"""``hebb reproduce``: verdicts that follow from the numbers, and a page that says what was run."""

import json
from dataclasses import replace

import numpy as np
import pytest

from network.errors import BadInput
from sim.cli import main
from sim.experiments import EXPERIMENTS
from sim.experiments.experiment import Expectation
from sim.experiments.runs import Planned, Result
from sim.grid_job import attempts
from tests.sim.test_experiments import EXAMPLE, row
from validation.experiment_figures import filters_at_places, likeness
from validation.judging import Spread, judge
from validation.tolerances import READINGS

FIG5 = EXPERIMENTS["fig5"]


def results_of(errors):
    """Results of figure 5 from {(data, protocol): [error by seed]}."""
    points = {point.cell: point for point in FIG5.points()}
    return [
        Result(Planned(points[cell], seed, None), [row(test_error=error)])
        for cell, seeds in errors.items()
        for seed, error in enumerate(seeds)
    ]


def verdict(name, **errors):
    results = results_of({("CIFAR10", label): seeds for label, seeds in errors.items()})
    cells = list(dict.fromkeys(point.cell for point in FIG5.points()))
    (claim,) = [each for each in judge(FIG5, results, cells, "after epoch 1") if each.name == f"{name} (CIFAR10)"]
    return claim


def test_a_difference_that_all_seeds_show_is_judged():
    claim = verdict("urfb-beats-frfb", FRFB=[0.80, 0.81, 0.79], URFB=[0.60, 0.62, 0.60])
    assert claim.passed is True
    assert claim.measured == pytest.approx(0.19333333)
    assert verdict("urfb-beats-frfb", FRFB=[0.60, 0.62, 0.60], URFB=[0.80, 0.81, 0.79]).passed is False


def test_what_the_seeds_do_not_decide_is_reported():
    claim = verdict("urfb-beats-frfb", FRFB=[0.80, 0.60, 0.70], URFB=[0.60, 0.70, 0.65])
    assert claim.passed is None and "do not decide" in claim.note
    assert verdict("urfb-beats-frfb", FRFB=[0.80], URFB=[0.60]).passed is None
    assert verdict("urfb-beats-frfb", FRFB=[0.80]).measured == "not run"


def test_differences_are_taken_seed_by_seed():
    """Seeds that differ much, but by the same in both protocols, leave no doubt about the difference."""
    claim = verdict("urfb-beats-frfb", FRFB=[0.90, 0.70, 0.50], URFB=[0.85, 0.65, 0.44])
    assert claim.passed is True


def test_close_is_judged_both_ways():
    fine = {"BP": [0.50, 0.51, 0.52]}
    close = {"BP-H": [0.505, 0.514, 0.526]}
    far = {"BP-H": [0.70, 0.71, 0.72]}
    assert verdict("hinge-costs-little", **fine, **close).passed is True
    assert verdict("hinge-costs-little", **fine, **far).passed is False


def test_intervals_are_students():
    spread = Spread((1.0, 2.0, 3.0))
    assert (spread.mean, spread.deviation) == (2.0, 1.0)
    assert spread.half_width == pytest.approx(4.302652729911275 / np.sqrt(3))
    assert Spread((1.0,)).half_width == np.inf


def test_every_word_of_an_expectation_has_a_reading():
    words = {each.reads for experiment in EXPERIMENTS.values() for each in experiment.expectations}
    assert words <= set(READINGS)
    assert all(reading.reason for reading in READINGS.values())


def test_filters_that_are_the_same_everywhere_are_alike():
    rng = np.random.default_rng(0)
    same = np.broadcast_to(rng.normal(size=(4, 1, 1, 3, 5, 5)), (4, 8, 8, 3, 5, 5))
    free = rng.normal(size=(4, 8, 8, 3, 5, 5))
    assert filters_at_places(same).shape == (4, 4, 3, 5, 5)
    assert all(likeness(each) == pytest.approx(1) for each in filters_at_places(same))
    assert all(abs(likeness(each)) < 0.5 for each in filters_at_places(free))
    unlearned = filters_at_places(same)[0] * np.arange(4).reshape(4, 1, 1, 1)
    assert np.isnan(likeness(unlearned))


@pytest.fixture
def example(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    path = tmp_path / "noise.npz"
    np.savez(path, images=rng.random((60, 1, 4, 4)), labels=np.arange(60) % 3)
    claim = Expectation("alike", "Two words for one.", "nowhere", ((1, {"protocol": "URFB"}),), "more")
    monkeypatch.setitem(EXPERIMENTS, "example", replace(EXAMPLE, expectations=(claim,), seeds=2))
    return [
        "reproduce",
        "example",
        "--datasets",
        str(path),
        "--workers",
        "1",
        "--quiet",
        "--out",
        str(tmp_path / "out"),
    ]


def attempted(tmp_path):
    return {path.name: len(attempts(path)) for path in (tmp_path / "out" / "runs").iterdir()}


def test_a_page_says_what_was_run_and_what_is_missing(example, tmp_path, capsys):
    assert main([*example, "--epochs", "1", "--json", str(tmp_path / "found.json")]) == 0
    page = (tmp_path / "out" / "example.html").read_text()
    for text in (
        "1 of the paper",
        "95 % interval",
        "a thing",
        "hebb train",
        "hebb reproduce example",
        "data:image/svg",
    ):
        assert text in page
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["epochs"], found["seeds"], found["runs"]) == (1, 2, 4)
    assert found["claims"][0]["verdict"] in ("holds", "reported")
    once = attempted(tmp_path)
    assert set(once.values()) == {2}  # began, finished
    assert main([*example, "--epochs", "1"]) == 0
    assert attempted(tmp_path) == once
    assert main([*example, "--epochs", "2"]) == 0
    assert set(attempted(tmp_path).values()) == {4}


def test_a_claim_that_fails_is_an_error_at_full_length_only(example, monkeypatch, capsys):
    urfb = {"protocol": "URFB"}
    claim = Expectation("never", "A number is much more than itself.", "", ((1, urfb), (-1, urfb)), "much more")
    monkeypatch.setitem(EXPERIMENTS, "example", replace(EXAMPLE, expectations=(claim,), seeds=2))
    assert main([*example, "--epochs", "1"]) == 0
    assert "1 claims fail after 1 of 2 epochs" in capsys.readouterr().out
    assert main([*example, "--epochs", "2"]) == 1
    assert "FAILS" in capsys.readouterr().out


def test_the_page_as_markdown_has_its_figures_beside_it(example, tmp_path, capsys):
    folder = tmp_path / "results"
    assert main([*example, "--epochs", "1", "--markdown", str(folder)]) == 0
    page = (folder / "example.md").read_text()
    figures = sorted(path.name for path in folder.glob("*.svg"))
    assert figures and all(f"]({name})" in page for name in figures)
    assert all((folder / name).read_bytes().lstrip().startswith(b"<?xml") for name in figures)
    assert "| --- |" in page and "Device: cpu." in page


def test_a_budget_picks_the_epochs_and_says_so(example, tmp_path, capsys):
    assert main([*example, "--budget", "60s"]) == 0
    assert "2 of the paper" in (tmp_path / "out" / "example.html").read_text()  # no more than the paper's two
    assert "A budget of 1 minutes chose this" in capsys.readouterr().out
    assert main([*example, "--budget", "0.01s", "--out", str(tmp_path / "short")]) == 0
    assert "1 of the paper" in (tmp_path / "short" / "example.html").read_text()


def test_a_small_budget_goes_to_the_first_data_set(example, tmp_path, monkeypatch, capsys):
    """Where both would get fewer epochs than a difference needs; the other is named as missing."""
    other = tmp_path / "other.npz"
    other.write_bytes((tmp_path / "noise.npz").read_bytes())
    data = example.index("--datasets") + 1
    both = [*example[:data], f"{tmp_path / 'noise.npz'},{other}", *example[data + 1 :], "--budget", "60s"]
    monkeypatch.setattr("validation.reproduce_grid.plan", lambda costs, *rest: (1, 2) if len(costs) > 4 else (2, 2))
    assert main(both) == 0
    assert "the first 1 of 2 data sets" in capsys.readouterr().out
    page = (tmp_path / "out" / "example.html").read_text()
    assert "the budget was too small" in page and "2 of the paper" in page
    assert sum("other" in name for name in attempted(tmp_path)) == 0
    monkeypatch.undo()
    monkeypatch.setitem(EXPERIMENTS, "example", replace(EXAMPLE, seeds=2))
    assert main(both) == 0
    assert sum("other" in name for name in attempted(tmp_path)) == 4


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["fgi5"], "fig5"),
        (["fig5", "--epochs", "1", "--budget", "5m"], "one of them"),
        (["fig5", "--budget", "soon"], "90s, 10m"),
        (["fig5", "--seeds", "0"], "at least 1"),
        (["fig5", "--set", "eta"], "NAME=VALUE"),
        (["fig5", "--set", "seed=3"], "--seeds"),
        (["fig5", "--set", "etta=3"], "eta"),
        (["fig5", "--resources", "GPU=1"], "--scheduler"),
    ],
)
def test_mistakes_are_one_line(flags, says, tmp_path, capsys):
    assert main(["reproduce", *flags, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert says in error and len(error.splitlines()) == 1


def test_the_list_names_every_experiment(capsys):
    assert main(["reproduce", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)


def test_a_setting_that_an_axis_tries_makes_one_run_of_it():
    """--set eta=... on a table that takes the best of five learning rates."""
    table, only = EXPERIMENTS["table2"], {"model": ["SGD", "BN"]}
    assert len(table.points(["cifar10"], only=only)) == 10
    points = table.points(["cifar10"], {"eta": "5e-4"}, only)
    assert [point.labels for point in points] == [("CIFAR", "SGD", "5e-4"), ("CIFAR", "BN", "5e-4")]
    assert {point.settings["eta"] for point in points} == {"5e-4"}


def test_a_part_of_a_grid_is_named_by_the_words_of_its_page(example, tmp_path, capsys):
    assert main([*example, "--epochs", "1", "--only", "protocol=BP"]) == 2
    assert "protocol" in capsys.readouterr().err
    with pytest.raises(BadInput, match="BP-H"):
        EXPERIMENTS["fig6"].points(only={"protocol": ["BPH"]})
    assert {p.labels[1] for p in EXPERIMENTS["fig6"].points(only={"net": ["deepnet"]})} == {"deepnet"}
