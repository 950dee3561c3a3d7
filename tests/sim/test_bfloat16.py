"""bfloat16 beside float32: what rounding to 8 significant bits changes, and what it must not."""

import numpy as np
import pytest
import torch

from network import reference
from network.errors import BadInput
from network.presets import PRESETS
from network.rules import make_rule
from sim.config import TrainConfig, check_resumed
from tests.sim.conftest import engine_of, presentation
from validation.tolerances import TOLERANCES

URFB = make_rule("urfb")
UNTIED = "Local 16 5x5; Maxpool 3; Drop .8; Full 40; Output"
BFLOAT16 = {"dtype": "float32", "compute_dtype": "bfloat16"}
both_forms = pytest.mark.parametrize("kernels", ["plain", "fast"])


def rounded(x):
    return torch.from_numpy(x).to(torch.bfloat16).double().numpy()


def off(ours, theirs):
    """The largest difference of a quantity over its largest value, over the layers."""
    return max(float(np.abs(ours[i] - theirs[i]).max() / np.abs(theirs[i]).max()) for i in theirs)


@pytest.mark.parametrize("net", PRESETS)
@both_forms
def test_activity_stays_near_the_references(net, kernels):
    spec, weights, images, labels = presentation(net, URFB, images=6)
    trace = engine_of("torch", spec, weights, URFB, kernels=kernels, **BFLOAT16).present(images, labels)
    exact = reference.present(spec, weights, images, labels, URFB, eta=0.1)
    assert 1e-4 < off(trace.h, exact.h) <= TOLERANCES["bfloat16"].relative  # it rounds, and no more than that


@pytest.mark.parametrize(
    ("net", "kernels"),
    [("simpnet", "plain"), ("simpnet", "fast"), ("deepnet", "plain"), ("deepnet", "fast"), (UNTIED, "plain")],
)
def test_feedback_and_increments_follow_from_the_activity(net, kernels):
    # Given the activity that was rounded: next to a threshold the algorithm is not continuous.
    spec, weights, images, labels = presentation(net, URFB, images=6, scale=3.0)
    trace = engine_of("torch", spec, weights, URFB, kernels=kernels, **BFLOAT16).present(images, labels)
    exact = reference.present(spec, weights, images, labels, URFB, eta=0.1, seen=trace)
    for quantity in ("delta", "dW", "dR"):
        ours, theirs = getattr(trace, quantity), getattr(exact, quantity)
        assert off(ours, theirs) <= TOLERANCES["bfloat16"].relative, quantity
    assert off(trace.delta, exact.delta) > 1e-4


@both_forms
def test_in_deepernet_pools_compare_rounded_sums(monkeypatch, kernels):
    """Rounding a `SUM` makes ties in the pool above it: other units win, and all the feedback below differs."""
    spec, weights, images, labels = presentation("deepernet", URFB, images=6)
    trace = engine_of("torch", spec, weights, URFB, kernels=kernels, **BFLOAT16).present(images, labels)
    exact = reference.present(spec, weights, images, labels, URFB, eta=0.1, seen=trace)
    assert off(trace.delta, exact.delta) > 0.1

    windows = reference.windows
    monkeypatch.setattr(reference, "windows", lambda pool, anchor, x: windows(pool, anchor, rounded(x)))
    exact = reference.present(spec, weights, images, labels, URFB, eta=0.1, seen=trace)
    for i, delta in trace.delta.items():
        far = np.abs(delta - exact.delta[i]) > TOLERANCES["bfloat16"].relative * np.abs(exact.delta[i]).max()
        # The compiled first layer keeps its h in float32 for the trace alone: one of .9985 is 1 to its gate.
        near_one = np.abs(trace.h[i]) > 1 - 2.0**-8
        assert not (far & ~near_one).any()
        assert far.mean() < 1e-4


def test_increments_too_small_for_bfloat16_change_the_weights():
    spec, weights, images, labels = presentation("Conv 4 3x3; Full 12; Output", URFB, images=6)
    engine = engine_of("torch", spec, weights, URFB, eta=1e-4, kernels="plain", **BFLOAT16)
    before = engine.weights()
    engine.learn(engine.stage(images.astype("float32")), engine.stage(labels), 0)
    after = engine.weights()
    for i, w in before.W.items():
        change = np.abs(after.W[i] - w)
        assert after.W[i].dtype == np.float32
        assert 0 < change.max() < 2.0**-8 * np.abs(w).max()
        assert (change > 0).mean() > 0.5


@pytest.mark.parametrize(
    ("engine", "net", "options", "message"),
    [
        ("reference", "Full 4; Output", {"dtype": "float32"}, "engine 'reference' computes in one precision"),
        ("event", "Full 4; Output", {"dtype": "float32"}, "engine 'event' computes in one precision"),
        ("torch", "Full 4; Output", {"dtype": "float64"}, "weights are float32 then, not float64"),
        ("torch", "Full 4 BN; Output", {"dtype": "float32"}, "batch normalisation needs float32"),
    ],
)
def test_where_it_cannot_be_had_it_is_refused(engine, net, options, message):
    spec, weights, _, _ = presentation(net, URFB)
    with pytest.raises(BadInput, match=message):
        engine_of(engine, spec, weights, URFB, compute_dtype="bfloat16", **options)


@pytest.mark.parametrize("change", [{"compute_dtype": "bfloat16"}, {"dropout_mask": "per-batch"}])
def test_a_resumed_run_computes_what_it_did(change):
    with pytest.raises(BadInput, match="the run was started with"):
        check_resumed(TrainConfig(), change)
    assert TrainConfig(**change).variations
    assert not TrainConfig().variations
