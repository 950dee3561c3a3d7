"""Training through the circuits, and the commands that do it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.interchange import read_trace
from network.randomness import stream
from network.rules import ORDERS, make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.cli import main
from sim.data import load_data
from sim.engine import DROPOUT_MASKS, Settings, open_engine
from tests.sim.conftest import engine_of, presentation
from tests.sim.steps import NET, refused, step, step_file
from validation.compare import compare
from validation.tolerances import TOLERANCES


def largest_difference(a, b):
    """The largest of |a - b| over max |a|, over the layers."""
    assert a.keys() == b.keys() and a
    return max(float(np.abs(a[i] - b[i]).max() / np.abs(a[i]).max()) for i in a)


def test_digits_through_the_circuits_follow_the_algorithm_update_by_update():
    data = load_data("digits", None)
    spec = NetworkSpec.parse("Conv 8 5x5; Maxpool 3; Drop .5; Full 60; Drop .3; Output", data.image_shape, data.classes)
    weights = Weights.draw(spec, 3)
    chosen = Settings(make_rule("urfb"), dtype="float64", device="cpu", seed=3)
    engines = [open_engine(name, spec, weights.copy(), chosen) for name in ("torch", "event")]
    staged = [(engine.stage(data.train.images), engine.stage(data.train.labels)) for engine in engines]
    random = stream(3, "batches", 1)
    wrong = []
    for update in range(200):
        batch = random.permutation(len(data.train))[:50]
        counts = [
            int(engine.learn(images[batch], labels[batch], update))
            for engine, (images, labels) in zip(engines, staged, strict=True)
        ]
        assert counts[0] == counts[1]
        wrong.append(counts[0])
        ours, theirs = (engine.weights() for engine in engines)
        assert largest_difference(ours.W, theirs.W) <= TOLERANCES["trained"].relative
        assert largest_difference(ours.R, theirs.R) <= TOLERANCES["trained"].relative

    assert np.mean(wrong[-20:]) < 0.5 * np.mean(wrong[:20])  # it has learned


@pytest.mark.parametrize("rule", ["urfb", "frfb", "bph"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dropout_mask", DROPOUT_MASKS)
def test_learning_with_dropout_agrees_with_the_reference(rule, order, dropout_mask):
    net = "Drop .2; Conv 4 3x3; Conv 4 3x3; SUM; Maxpool 3; Drop .5; Local 3 2x2; Full 20; Drop .3; Output"
    spec, weights, _, _ = presentation(net, rule, shape=(1, 9, 9), connectivity=0.5)
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (12, 1, 9, 9), dtype=np.uint8), rng.integers(0, 10, 12)
    options = {"order": order, "seed": 5, "dropout_mask": dropout_mask}
    engines = [engine_of(name, spec, weights, rule, **options) for name in ("reference", "event")]
    wrong = [[int(e.learn(e.stage(images), e.stage(labels), step)) for step in range(5)] for e in engines]
    assert wrong[0] == wrong[1]
    ours, theirs = (engine.weights() for engine in engines)
    assert largest_difference(ours.W, theirs.W) <= TOLERANCES["float64"].relative
    if rule != "bph":
        assert largest_difference(ours.R, theirs.R) <= TOLERANCES["float64"].relative
    assert not np.array_equal(ours.W[1], weights.W[1])


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from(["float32", "float64"]), st.sampled_from(ORDERS))
def test_urfb_keeps_the_difference_of_w_and_r(seed, dtype, order):
    spec, weights, _, _ = presentation("Conv 4 3x3; Maxpool 3; Full 12; Output", "urfb", shape=(2, 8, 8), seed=seed)
    engine = engine_of("event", spec, weights, "urfb", order=order, dtype=dtype, seed=seed)
    rng = np.random.default_rng(seed)
    for update in range(10):
        engine.learn(rng.random((6, 2, 8, 8)), rng.integers(0, 10, 6), update)
    before, after = weights.astype(dtype), engine.weights()
    allowed = TOLERANCES["float64" if dtype == "float64" else "accumulated"].relative
    for i, W in after.W.items():
        assert not np.array_equal(W, before.W[i])
        change = np.abs((W - after.R[i]) - (before.W[i] - before.R[i])).max()
        assert change <= allowed * max(np.abs(W).max(), np.abs(after.R[i]).max())


def test_a_batch_is_the_mean_of_its_presentations():
    spec, weights, images, labels = presentation(NET, "urfb", images=4, shape=(2, 8, 8), scale=2.0)
    engine = engine_of("event", spec, weights, "urfb")
    batch = engine.present(images, labels)
    singles = [engine.present(images[n : n + 1], labels[n : n + 1]) for n in range(4)]
    for i in batch.dW:
        mean = np.mean([single.dW[i] for single in singles], axis=0)
        assert np.abs(batch.dW[i] - mean).max() <= TOLERANCES["batch"].relative * np.abs(mean).max()


def train(tmp_path, *flags):
    flags = ["--net", "Conv 4 3x3; Maxpool 3; Full 20; Output", "--data", "digits", "--dtype", "float64", *flags]
    assert main(["train", *flags, "--quiet", "--out", str(tmp_path)]) == 0
    return [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]


def test_hebb_train_by_event_gives_the_rows_of_torch(tmp_path):
    rows = [train(tmp_path / name, "--engine", name, "--epochs", "2") for name in ("torch", "event")]
    for theirs, ours in zip(*rows, strict=True):
        for name in ("train_error", "validation_error", "test_error"):
            assert theirs[name] == ours[name]
        assert theirs["alignment"] == pytest.approx(ours["alignment"], rel=TOLERANCES["trained"].relative)


def test_a_resumed_run_ends_with_the_same_weights(tmp_path):
    whole = train(tmp_path / "whole", "--engine", "event", "--epochs", "2")
    train(tmp_path / "parts", "--engine", "event", "--epochs", "1")
    assert main(["train", "--resume", str(tmp_path / "parts"), "--epochs", "2", "--quiet"]) == 0
    parts = [json.loads(line) for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    for a, b in zip(whole, parts, strict=True):
        assert {**a, "images_per_second": 0} == {**b, "images_per_second": 0}


def test_online_learning_is_a_batch_of_one():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 1, 6, 6), dtype=np.uint8), np.arange(30) % 3
    spec = NetworkSpec.parse("Full 6; Output", (1, 6, 6), 3)
    weights = Weights.draw(spec, 0)
    engines = [engine_of(name, spec, weights, "urfb") for name in ("reference", "event")]
    for n in range(30):
        counts = [int(engine.learn(images[n : n + 1], labels[n : n + 1], n)) for engine in engines]
        assert counts[0] == counts[1]
    assert largest_difference(engines[0].weights().W, engines[1].weights().W) <= TOLERANCES["float64"].relative


def test_step_takes_the_circuits_settings(tmp_path):
    spec, weights, images, labels = step_file(tmp_path / "in.npz")
    flags = ["--epsilon", "0.4", "--M", "64", "--K", "auto", "--gate-phase", "0.5", "--unchecked"]
    assert step(tmp_path, "--engine", "event", "--mu", "0.5", *flags) == 0
    trace = read_trace(tmp_path / "out.npz")
    chosen = {"epsilon": 0.4, "M": 64.0, "K": "auto", "gate_phase": 0.5, "unchecked": True}
    assert {name: trace.meta[name] for name in chosen} == chosen
    assert trace.meta["engine"] == "event" and "numba" in trace.meta["versions"]
    expected = engine_of("event", spec, weights, "urfb", mu=0.5, **chosen).present(images, labels)
    assert compare(expected, trace).worst.largest == 0


@pytest.mark.parametrize("flags", [["--epsilon", ".1"], ["--M", "auto"], ["--gate-phase", "0"], ["--unchecked"]])
@pytest.mark.parametrize("engine", ["torch", "reference"])
def test_engines_that_are_no_circuits_refuse_its_settings(tmp_path, capsys, flags, engine):
    step_file(tmp_path / "in.npz")
    refused(capsys, step(tmp_path, "--engine", engine, *flags), flags[0], engine, "event")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--gate-phase", "1.5"], ["gate phase 1.5", "0 <= phase < 1"]),
        (["--K", "-1"], ["K -1", "positive"]),
        (["--K", "lots"], ["--K", "lots"]),
        (["--M", "0.01"], ["output unit", "M = 0.01", "automatic"]),
        (["--rule", "bp"], ["bp", "bph"]),
    ],
)
def test_what_the_circuit_cannot_do_is_one_line(tmp_path, capsys, flags, words):
    step_file(tmp_path / "in.npz")
    refused(capsys, step(tmp_path, "--engine", "event", *flags), *words)
