"""``hebb step``: what it writes, and what it refuses."""

import json
from typing import Any

import numpy as np
import pytest

from network.interchange import Step, read_trace, write_step
from network.rules import RULES
from sim.engine import CIRCUITS, ENGINES
from tests.sim.conftest import engine_of, presentation
from tests.sim.steps import NET, refused, step, step_file
from validation.compare import compare
from validation.tolerances import TOLERANCES


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "brian"])  # exact: see test_brian_command.py
def test_step_writes_what_the_engine_did(tmp_path, rule, engine, capsys):
    signs = RULES[rule].signs
    without_R: dict[str, Any] = {f"R_{i}": None for i in (1, 2, 3)} if signs else {}
    direct = RULES[rule].feedback_from == "output"
    spec, weights, images, labels = step_file(tmp_path / "in.npz", rule=rule if direct else "urfb", **without_R)
    code = step(tmp_path, "--engine", engine, "--rule", rule, "--eta", "0.2", "--mu", "0.4", "--gain", "0.8")
    if RULES[rule].loss == "softmax" and engine in CIRCUITS:
        words = ("made anew", "--engine torch") if signs else ("no circuit", "bph")
        refused(capsys, code, f"rule '{rule}'", *(("no fibres", "--engine torch") if direct else words))
        return
    assert code == 0
    trace = read_trace(tmp_path / "out.npz")
    spec = type(spec).parse(NET, (2, 7, 6), 4, gain=0.8)
    if RULES[rule].symmetric:
        weights.R = {}
    if signs:
        weights.follow_signs(spec, signs, seed=0, update=0)
    expected = engine_of("reference", spec, weights, rule, eta=0.2, mu=0.4).present(images, labels)
    found = compare(expected, trace)
    assert found.within(TOLERANCES["float64"]), found.worst
    assert {q: sorted(a) for q, a in trace.arrays().items()} == {q: sorted(a) for q, a in expected.arrays().items()}
    meta = trace.meta
    assert (meta["engine"], meta["rule"], meta["eta"], meta["mu"], meta["gain"]) == (engine, rule, 0.2, 0.4, 0.8)
    assert (meta["net"], meta["dtype"], meta["order"]) == (spec.notation, "float64", "before_update")
    assert "numpy" in meta["versions"]


@pytest.mark.parametrize(
    ("rule", "R", "made"), [("usf", 0.5, "makes 1"), ("nusf", 1.0, "makes 0.1"), ("brsf", -0.5, "")]
)
def test_step_refuses_feedback_that_the_rule_would_not_make(tmp_path, rule, R, made, capsys):
    _, weights, *_ = presentation(NET, "usf", shape=(2, 7, 6), classes=4)
    W = np.abs(weights.W[3])
    step_file(tmp_path / "in.npz", W_3=W, R_2=weights.W[2] * 0, R_3=np.full_like(W, R))
    refused(capsys, step(tmp_path, "--rule", rule), "in.npz: R/3 is", f"rule '{rule}'", made, "leave every R out")
    allowed = {"usf": 1.0, "nusf": 1 / 8, "brsf": 0.5}[rule]
    step_file(tmp_path / "in.npz", W_3=W, R_2=weights.W[2] * 0, R_3=np.full_like(W, allowed))
    assert step(tmp_path, "--rule", rule) == 0


def test_step_in_float32_and_after_update(tmp_path):
    step_file(tmp_path / "in.npz")
    assert step(tmp_path, "--dtype", "float32", "--order", "after_update", "--json", str(tmp_path / "r.json")) == 0
    trace = read_trace(tmp_path / "out.npz")
    assert trace.delta[1].dtype == np.float32
    assert trace.meta["order"] == "after_update"
    assert json.loads((tmp_path / "r.json").read_text())["layers"]["dR"] == [2, 3]


@pytest.mark.parametrize("first", [None, np.full((2, 2), np.nan)])
def test_the_first_r_is_left_aside_whatever_it_is(tmp_path, first):
    step_file(tmp_path / "in.npz", R_1=first)
    assert step(tmp_path) == 0
    assert sorted(read_trace(tmp_path / "out.npz").dR) == [2, 3]


def test_rules_through_w_need_no_r_and_always_run_before_update(tmp_path, capsys):
    step_file(tmp_path / "in.npz", R_1=None, R_2=None, R_3=np.full((9, 9), np.nan))
    assert step(tmp_path, "--rule", "bph", "--order", "after_update") == 0
    assert "always runs before_update" in capsys.readouterr().err
    trace = read_trace(tmp_path / "out.npz")
    assert trace.meta["order"] == "before_update"
    assert not trace.dR


def test_step_respects_masks(tmp_path):
    _, weights, images, labels = presentation(NET, "urfb", shape=(2, 7, 6), classes=4, connectivity=0.5)
    write_step(tmp_path / "in.npz", Step(images, labels, weights))
    assert step(tmp_path) == 0
    trace = read_trace(tmp_path / "out.npz")
    for increments, masks in ((trace.dW, weights.mask_W), (trace.dR, weights.mask_R)):
        assert all(not increments[i][~masks[i]].any() and increments[i].any() for i in masks if i in increments)
    assert len(trace.dR) == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("engine", "dtype"), [("reference", "float64"), ("torch", "float64"), ("torch", "float32")])
def test_step_refuses_numbers_that_overflow(tmp_path, capsys, engine, dtype):
    step_file(tmp_path / "in.npz", images=np.full((3, 2, 7, 6), 1e308))
    refused(capsys, step(tmp_path, "--engine", engine, "--dtype", dtype), "in.npz", dtype)
    assert not (tmp_path / "out.npz").exists()


def test_step_refuses_masks_that_are_not_masks(tmp_path, capsys):
    _, weights, images, labels = presentation(NET, "urfb", shape=(2, 7, 6), classes=4)
    weights.mask_W[2] = np.full(weights.W[2].shape, 0.5)
    write_step(tmp_path / "in.npz", Step(images, labels, weights))
    refused(capsys, step(tmp_path), "mask_W/2", "other than 0 and 1")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": None}, ["'images' is missing"]),
        ({"labels": None}, ["'labels' is missing"]),
        ({"W_2": None}, ["W/2 is missing", "full3"]),
        ({"R_3": None}, ["R/3 is missing"]),
        ({"W_3": None}, ["W/3 is missing", "W/1, W/2"]),
        ({"W_1": np.zeros((3, 2, 3, 4))}, ["W/1 has shape 3x2x3x4", "3x2x3x3"]),
        ({"R_2": np.zeros((8, 5))}, ["R/2 has shape 8x5"]),
        ({"W_4": np.zeros((8, 5))}, ["W/4", "3 layers with weights"]),
        ({"images": np.zeros((3, 7, 6))}, ["images has shape 3x7x6"]),
        ({"images": np.zeros((3, 2, 7, 6), np.uint8)}, ["images has dtype uint8"]),
        ({"images": np.full((3, 2, 7, 6), np.nan)}, ["images is nan at [0, 0, 0, 0]"]),
        ({"images": np.full((3, 2, 7, 6), np.inf)}, ["images is inf"]),
        ({"W_2": np.full((8, 36), np.nan)}, ["W/2 is nan at [0, 0]"]),
        ({"labels": np.array([0, 1])}, ["labels has shape 2"]),
        ({"labels": np.array([0, 4, 1])}, ["labels[1] is 4", "0 to 3"]),
        ({"labels": np.array([0, -1, 1])}, ["labels[1] is -1"]),
        ({"labels": np.array([0.0, 1.0, 2.0])}, ["labels has dtype float64"]),
        ({"labels": np.array([{}, 1, 2])}, ["'labels'", "Python objects"]),
        ({"W_x": np.zeros(2)}, ["'W/x'"]),
        ({"W_²": np.zeros(2)}, ["'W/²'"]),
        ({"W_01": np.zeros(2)}, ["'W/01'"]),
    ],
)
def test_step_refuses_by_name(tmp_path, capsys, changes, words):
    step_file(tmp_path / "in.npz", **changes)
    refused(capsys, step(tmp_path), "in.npz", *words)
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--classes", "5"), ["4 rows", "5 classes"]),
        (("--rule", "ufrb"), ["did you mean 'urfb'"]),
        (("--engine", "troch"), ["did you mean 'torch'"]),
        (("--order", "after"), ["before_update, after_update"]),
        (("--dtype", "float23"), ["did you mean 'float32'"]),
        (("--eta", "-1"), ["eta -1"]),
        (("--eta", "quick"), ["--eta", "quick"]),
        (("--mu", "nan"), ["mu nan"]),
        (("--gain", "0"), ["gain 0"]),
        (("--device", "cuda:99"), ["device 'cuda:99'"]),
        (("--device", "tpu"), ["device 'tpu'"]),
        (("--engine", "reference", "--dtype", "float32"), ["float64, not float32"]),
        (("--fedback-rate", "1"), ["did you mean '--feedback-rate'"]),
        (("--semantics", "code"), ["semantics 'code'"]),
    ],
)
def test_step_refuses_flags(tmp_path, capsys, flags, words):
    step_file(tmp_path / "in.npz")
    refused(capsys, step(tmp_path, *flags), *words)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut"])
def test_step_refuses_files_that_are_no_npz(tmp_path, capsys, content):
    (tmp_path / "in.npz").write_bytes(content)
    refused(capsys, step(tmp_path), "in.npz", "expected an .npz file")


def test_step_refuses_a_single_array_and_a_missing_file(tmp_path, capsys):
    with (tmp_path / "in.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    refused(capsys, step(tmp_path), "single array")
    (tmp_path / "in.npz").unlink()
    refused(capsys, step(tmp_path), "no such file")


def test_step_refuses_a_corrupted_entry_by_name(tmp_path, capsys):
    step_file(tmp_path / "in.npz")
    data = bytearray((tmp_path / "in.npz").read_bytes())
    at = data.index(b"W/2.npy") + 400
    data[at : at + 8] = b"spoiled!"
    (tmp_path / "in.npz").write_bytes(bytes(data))
    refused(capsys, step(tmp_path), "entry 'W/2'")
