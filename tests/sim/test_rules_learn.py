"""How R changes as W learns: both engines against a plain restatement, update by update."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.randomness import stream
from network.rules import make_rule
from tests.sim.conftest import engine_of, presentation

NET = "Conv 4 3x3; Maxpool 3; Local 3 2x2; Full 12; Drop .2; Output"
SEED = 11


def plain_feedback(name, W, i, update, p=0.0):
    """R as section 2 of Liao, Leibo and Poggio says, for the W that `update` updates have made."""
    sign = np.where(W >= 0, 1.0, -1.0)
    if name == "usf":
        return sign
    if name == "nusf":
        return sign / {1: 2 * 9, 2: 4 * 4, 3: 3 * 4 * 4, 4: 12}[i]
    draw = update if name == "brsf" else 0
    M = stream(SEED, "magnitudes", i, draw).random(W.shape)
    S = np.where(stream(SEED, "flips", i, draw).random(W.shape) < p, -1.0, 1.0)
    return M * sign * S


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", ["reference", "torch"])
@pytest.mark.parametrize(
    ("name", "p"), [("usf", 0.0), ("nusf", 0.0), ("brsf", 0.0), ("frsf", 0.0), ("brsf", 0.25), ("frsf", 0.25)]
)
def test_feedback_follows_w_after_every_update(name, p, engine, dtype):
    if engine == "reference" and dtype == "float32":
        pytest.skip("the reference computes in float64")
    rule = make_rule(name, flip_probability=p)
    spec, weights, *_ = presentation(NET, rule, shape=(2, 8, 8), classes=5, seed=SEED)
    runner = engine_of(engine, spec, weights, rule, seed=SEED, dtype=dtype, eta=2.0)
    rng = np.random.default_rng(0)
    crossed = 0
    for step in range(3):
        before = runner.weights()
        for i, R in before.R.items():  # the R that this presentation's feedback passes through
            expected = plain_feedback(name, before.W[i], i, step, p)
            assert np.abs(R - expected).max() <= np.finfo(dtype).eps
        images, labels = rng.integers(0, 256, (8, 2, 8, 8), dtype=np.uint8), rng.integers(0, 5, 8)
        runner.learn(runner.stage(images), runner.stage(labels), step)
        for i, W in runner.weights().W.items():
            crossed += int(np.count_nonzero(np.sign(W) != np.sign(before.W[i])))
    assert crossed > 20  # signs did change, so R had something to follow


@settings(max_examples=6)
@given(st.sampled_from(["brsf", "frsf", "usf"]), st.integers(0, 1000), st.sampled_from(["reference", "torch"]))
def test_weights_without_a_connection_stay_zero(name, seed, engine):
    spec, weights, *_ = presentation(NET, name, shape=(2, 8, 8), classes=5, seed=seed, connectivity=0.5)
    runner = engine_of(engine, spec, weights, name, seed=seed)
    rng = np.random.default_rng(seed)
    for step in range(3):
        images, labels = rng.integers(0, 256, (4, 2, 8, 8), dtype=np.uint8), rng.integers(0, 5, 4)
        runner.learn(runner.stage(images), runner.stage(labels), step)
    after = runner.weights()
    after.check(spec)
    for i, mask in after.mask_W.items():
        assert np.array_equal(after.R[i] != 0, mask & after.mask_R[i])


@pytest.mark.parametrize("engine", ["reference", "torch"])
def test_rndf_never_changes_its_feedback(engine):
    spec, weights, *_ = presentation(NET, "rndf", shape=(2, 8, 8), classes=5)
    runner = engine_of(engine, spec, weights, "rndf")
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (8, 2, 8, 8), dtype=np.uint8), rng.integers(0, 5, 8)
    runner.learn(runner.stage(images), runner.stage(labels), 0)
    after = runner.weights()
    assert all(np.array_equal(after.R[i], weights.R[i]) for i in weights.R)
    assert all(not np.array_equal(after.W[i], weights.W[i]) for i in weights.W)


@pytest.mark.parametrize("engine", ["reference", "torch"])
def test_uniform_feedback_ignores_magnitudes(engine):
    # With the same signs, usf sends down the same feedback whatever the size of the weights above.
    spec, weights, images, labels = presentation("Full 20; Full 15; Output", "usf", shape=(1, 4, 4), images=6)
    other = weights.copy()
    other.W[2] *= np.random.default_rng(0).uniform(0.5, 2, other.W[2].shape)
    traces = [engine_of(engine, spec, w, "usf").present(images, labels) for w in (weights, other)]
    for trace in traces:
        expected = (np.abs(trace.h[1]) < 1) * (trace.delta[2] @ np.sign(weights.W[2]))
        assert trace.delta[1] == pytest.approx(expected, rel=1e-12)
        assert not trace.dR
