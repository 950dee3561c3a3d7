"""Batch normalisation: against numerical derivatives, and in both engines."""

import numpy as np
import pytest

from network.normalisation import EPSILON, batch_statistics, feedback_of_normalised, normalise
from network.reference import forward, present
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from validation.tolerances import TOLERANCES

EXACT = TOLERANCES["float64"].relative
NET = "Conv 4 3x3 BN ReLU; Maxpool 2 valid; Local 3 3x3/2 BN-affine; Full 9 BN-affine ReLU; Output"


def case(net=NET, seed=0):
    spec = NetworkSpec.parse(net, (2, 8, 8), 5)
    weights = Weights.draw(spec, seed, make_rule("bp"))
    rng = np.random.default_rng(seed)
    for i in weights.gamma:
        weights.gamma[i] = rng.uniform(0.5, 1.5, weights.gamma[i].shape)
        weights.beta[i] = rng.uniform(-0.5, 0.5, weights.beta[i].shape)
    return spec, weights, rng.random((5, 2, 8, 8)), rng.integers(0, 5, 5)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5, 2)])
def test_features_have_mean_zero_and_deviation_one(shape):
    h = np.random.default_rng(0).normal(3.0, 2.0, shape)
    mean, deviation = batch_statistics(h)
    assert mean.shape == deviation.shape == (3,)
    for c in range(3):
        assert mean[c] == pytest.approx(h[:, c].mean())
        assert deviation[c] == pytest.approx(np.sqrt(h[:, c].var() + EPSILON))
    z = normalise(h, mean, deviation)
    assert np.abs(z.mean(axis=(0, *range(2, h.ndim)))).max() < 1e-12
    assert np.abs(z.std(axis=(0, *range(2, h.ndim))) - 1).max() < 1e-4


def test_a_feature_that_never_varies_does_no_harm():
    h = np.full((4, 2), 7.0)
    mean, deviation = batch_statistics(h)
    z = normalise(h, mean, deviation)
    assert not z.any()
    assert np.isfinite(feedback_of_normalised(np.ones((4, 2)), z, deviation)).all()


def test_feedback_takes_out_what_normalising_would_undo():
    rng = np.random.default_rng(1)
    h, delta = rng.standard_normal((6, 3, 4, 4)), rng.standard_normal((6, 3, 4, 4))
    mean, deviation = batch_statistics(h)
    z = normalise(h, mean, deviation)
    back = feedback_of_normalised(delta, z, deviation)
    assert np.abs(back.sum(axis=(0, 2, 3))).max() < 1e-10
    # Stretching h changes z by nothing but what EPSILON leaves.
    assert np.abs((back * (h - mean[:, None, None])).sum(axis=(0, 2, 3))).max() < 1e-3


def test_increments_are_the_gradient_of_the_loss():
    # Symmetric feedback and softmax: every increment must be -eta/N times the derivative of the cross-entropy.
    spec, weights, images, labels = case()
    count = len(images)

    def loss(changed):
        h, _ = forward(spec, changed, images)
        outputs = h[4] - h[4].max(axis=1, keepdims=True)
        return -(outputs[np.arange(count), labels] - np.log(np.exp(outputs).sum(axis=1))).sum()

    trace = present(spec, weights, images, labels, make_rule("bp"), eta=float(count))
    rng, step = np.random.default_rng(2), 1e-6
    for letter, increments in trace.increments().items():
        for i, increment in increments.items():
            for at in rng.integers(0, increment.size, 4):
                ends = []
                for sign in (1, -1):
                    changed = weights.copy()
                    getattr(changed, letter)[i].flat[at] += sign * step
                    ends.append(loss(changed))
                slope = (ends[0] - ends[1]) / (2 * step)
                assert -increment.flat[at] == pytest.approx(slope, rel=1e-4, abs=1e-7), (letter, i)
    assert trace.dgamma.keys() == trace.dbeta.keys() == {2, 3}


def test_classifying_takes_the_statistics_that_are_kept():
    spec, weights, images, _ = case()
    h, x = forward(spec, weights, images, classify=True)
    alone, _ = forward(spec, weights, images[:1], classify=True)  # nothing depends on the rest of a batch
    assert alone[4] == pytest.approx(h[4][:1], rel=EXACT)
    assert x["conv1"] == pytest.approx(np.maximum(h[1], 0))  # mean 0 and deviation 1 as a run starts
    for i in weights.mean:
        weights.mean[i], weights.deviation[i] = batch_statistics(h[i])
    drive = (h[1] - weights.mean[1].reshape(1, -1, 1, 1)) / weights.deviation[1].reshape(1, -1, 1, 1)
    assert forward(spec, weights, images, classify=True)[1]["conv1"] == pytest.approx(np.maximum(drive, 0))


def test_every_layer_but_the_output_is_normalised():
    spec = NetworkSpec.parse("liao_cifar", (3, 32, 32), 10)
    assert spec.normalised().notation == spec.notation.replace("ReLU", "BN ReLU")
    assert spec.normalised("affine").normalised("") == spec
