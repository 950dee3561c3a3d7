"""Identities that hold for any network, weights and images, as properties."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from network.rules import ORDERS, make_rule
from network.trace import StepTrace
from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.tolerances import TOLERANCES

NET = "Conv 4 3x3; Conv 4 2x2; SUM; Maxpool 3; Drop .3; Local 3 3x3; Full 12; Drop .2; Output"
ENGINES = ("reference", "torch")
seeds = st.integers(0, 10_000)


def learn(engine, seed, updates=10):
    rng = np.random.default_rng(seed)
    for step in range(updates):
        images, labels = rng.integers(0, 256, (6, 2, 8, 8), dtype=np.uint8), rng.integers(0, 5, 6)
        engine.learn(engine.stage(images), engine.stage(labels), step)
    return engine.weights()


def start(rule, seed, **options):
    return presentation(NET, rule, shape=(2, 8, 8), classes=5, seed=seed, **options)


@settings(max_examples=10)
@given(seeds, st.sampled_from(ORDERS), st.sampled_from(["float32", "float64"]), st.sampled_from(ENGINES))
def test_urfb_keeps_the_difference_of_w_and_r(seed, order, dtype, name):
    dtype = "float64" if name == "reference" else dtype
    spec, before, *_ = start("urfb", seed)
    after = learn(engine_of(name, spec, before, "urfb", order=order, dtype=dtype, seed=seed), seed)
    before = before.astype(dtype)
    for i, W in after.W.items():
        assert not np.array_equal(W, before.W[i])
        change = np.abs((W - after.R[i]) - (before.W[i] - before.R[i])).max()
        allowed = TOLERANCES["float64" if dtype == "float64" else "accumulated"].relative
        assert change <= allowed * max(np.abs(W).max(), np.abs(after.R[i]).max())


@settings(max_examples=10)
@given(seeds, st.sampled_from(ORDERS), st.sampled_from(ENGINES))
def test_frfb_keeps_r(seed, order, name):
    spec, before, *_ = start("frfb", seed)
    after = learn(engine_of(name, spec, before, "frfb", order=order, seed=seed), seed)
    assert all(np.array_equal(after.R[i], before.R[i]) for i in before.R)
    assert all(not np.array_equal(after.W[i], before.W[i]) for i in before.W)


@settings(max_examples=10)
@given(seeds, st.sampled_from(["urfb", "frfb", "bph"]), st.sampled_from(ENGINES))
def test_weights_without_a_connection_stay_exactly_zero(seed, rule, name):
    spec, before, *_ = start(rule, seed, connectivity=0.5)
    after = learn(engine_of(name, spec, before, rule, seed=seed), seed)
    for values, masks in ((after.W, after.mask_W), (after.R, after.mask_R)):
        for i, mask in masks.items():
            assert not values[i][~mask].any()
            assert values[i][mask].all()


@settings(max_examples=10)
@given(seeds, st.sampled_from(["urfb", "frfb", "bp", "bph"]), st.sampled_from(ENGINES))
def test_a_batch_is_the_mean_of_its_single_images(seed, rule, name):
    spec, weights, images, labels = start(rule, seed, images=4, scale=2.0)
    engine = engine_of(name, spec, weights, rule)
    batch = engine.present(images, labels)
    singles = [engine.present(images[n : n + 1], labels[n : n + 1]) for n in range(4)]
    joined = StepTrace()
    for quantity, arrays in batch.arrays().items():
        join = np.mean if quantity in ("dW", "dR") else np.concatenate
        for i in arrays:
            joined.arrays()[quantity][i] = join([single.arrays()[quantity][i] for single in singles], axis=0)
    found = compare(batch, joined)
    assert found.within(TOLERANCES["batch"]), found.worst


@settings(max_examples=10)
@given(seeds, st.floats(0.001, 0.2))
def test_kolen_pollack_decay_shrinks_the_difference_as_its_closed_form_says(seed, decay):
    spec, before, *_ = start("urfb", seed)
    after = learn(engine_of("torch", spec, before, make_rule("urfb", 1.0, decay), seed=seed), seed, updates=10)
    for i, W in after.W.items():
        expected = (before.W[i] - before.R[i]) * (1 - decay) ** 10
        assert np.abs((W - after.R[i]) - expected).max() <= TOLERANCES["float64"].relative * np.abs(W).max()


def autograd(spec, weights, images, labels, loss):
    """Gradients of the mean loss of PyTorch's own making: modules, hinge_loss written as (4), backward()."""
    W = {i: torch.tensor(w, requires_grad=True) for i, w in weights.W.items()}
    x = {"input": torch.tensor(images)}
    for node in spec.nodes:
        below = x[node.sources[0]]
        kind = node.layer.keyword
        if kind == "Conv":
            kh, kw = node.layer.kernel
            pads = ((kw - 1) // 2, kw - 1 - (kw - 1) // 2, (kh - 1) // 2, kh - 1 - (kh - 1) // 2)
            x[node.name] = F.hardtanh(spec.gain * F.conv2d(F.pad(below, pads), W[node.index]))
        elif kind == "Maxpool":
            (top, bottom), (left, right) = (node.layer.padding("centre", n) for n in below.shape[2:])
            x[node.name] = F.max_pool2d(F.pad(below, (left, right, top, bottom)), node.layer.size, node.layer.stride)
        elif kind == "SUM":
            x[node.name] = below + x[node.sources[1]]
        elif kind == "Drop":
            x[node.name] = below
        else:
            h = F.linear(below.flatten(1), W[node.index])
            x[node.name] = h if node.is_output else F.hardtanh(spec.gain * h)
    outputs, target = x[spec.nodes[-1].name], torch.tensor(labels)
    if loss == "softmax":
        total = F.cross_entropy(outputs, target)
    else:
        right = F.one_hot(target, spec.classes).bool()
        wrong = torch.relu(1 + outputs).masked_fill(right, 0).sum() / (spec.classes - 1)
        total = (torch.relu(1 - outputs[right]).sum() + wrong) / len(labels)
    return {i: g.numpy() for i, g in zip(W, torch.autograd.grad(total, list(W.values())), strict=True)}


@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("rule", "loss"), [("urfb", "hinge"), ("frfb", "hinge"), ("bph", "hinge"), ("bp", "softmax")])
@pytest.mark.parametrize("net", ["simpnet", "deepnet", "deepernet", "deepnet_s"])
def test_with_r_equal_to_w_the_increments_are_autograds(net, rule, loss, name, gain):
    spec, weights, images, labels = presentation(net, rule, scale=2.5, gain=gain)
    weights.R = {i: w.copy() for i, w in weights.W.items()} if weights.R else {}
    trace = engine_of(name, spec, weights, rule, eta=1.0).present(images, labels)
    gradient = StepTrace(dW={i: -g for i, g in autograd(spec, weights, images, labels, loss).items()})
    found = compare(gradient, StepTrace(dW=trace.dW))
    assert found.within(TOLERANCES["float64"]), found.worst


def test_after_update_is_not_back_propagation():
    spec, weights, images, labels = presentation("simpnet", "urfb", scale=2.0)
    weights.R = {i: w.copy() for i, w in weights.W.items()}
    before, after = (
        engine_of("reference", spec, weights, "urfb", order=order).present(images, labels)
        for order in ("before_update", "after_update")
    )
    found = {d.quantity + str(d.layer): d.relative for d in compare(before, after).differences}
    assert found["dW3"] == found["delta3"] == 0
    assert min(found["delta2"], found["dW2"], found["delta1"], found["dW1"]) > 1e-3
