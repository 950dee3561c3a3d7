"""Networks of layers with feedback weights learn as the torch engine does, and by any optimiser R moves as W."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from network.layers import Local
from network.rules import make_rule
from sim.torch_layers import Conv2d, HingeLoss, Linear, LocallyConnected2d, Saturate
from sim.updates import Update
from tests.sim.conftest import engine_of, presentation
from tests.sim.torch_small import OF_MODULES, batch, close, small, with_weights
from validation.tolerances import TOLERANCES

SCALED: dict[str, dict[str, Any]] = {name: {"feedback_scale": "biotorch"} for name in ("usf", "brsf", "frsf")}


def sequential(spec, weights, rule) -> Any:
    """A network of the paper's notation as modules, with these weights."""
    modules = []
    for node in spec.weighted:
        shape, source = node.weight_shape, node.source_shapes[0]
        match node.layer:
            case Local() as layer:
                assert layer.padding == "same"
                size, kernel = source[1:], layer.kernel
                made = LocallyConnected2d(source[0], shape[0], size, kernel, layer.stride, "same", False)
            case _ if len(shape) == 4:
                same = node.layer.padding == "same"
                padding = tuple((k - 1) // 2 if same else 0 for k in shape[2:])  # odd kernels
                made = Conv2d(source[0], shape[0], shape[2:], node.layer.stride, padding, bias=False)
            case _:
                made = Linear(shape[1], shape[0], bias=False)
                modules += [nn.Flatten()] if len(source) == 3 else []
        made.double().set_feedback(rule)
        made.weight.data = torch.tensor(weights.W[node.index])
        if node.index in weights.R and made.R is not None:
            made.R.data = torch.tensor(weights.R[node.index])
        if made.factors is not None:
            made.factors.data = torch.tensor(weights.R[node.index] * np.where(weights.W[node.index] < 0, -1, 1))
        modules += [made] if node.is_output else [made, Saturate(spec.gain)]
    return nn.Sequential(*modules)


def loss_of(rule):
    return HingeLoss() if rule.loss == "hinge" else nn.CrossEntropyLoss()


NETS = ("Conv 6 3x3; Conv 5 5x5/2; Full 20; Output", "Conv 4 3x3 valid; Local 3 3x3; Full 20; Full 15; Output")


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("name", OF_MODULES)
def test_a_presentation_is_that_of_the_torch_engine(net, name):
    rule = make_rule(name, **SCALED.get(name, {}))
    spec, weights, images, labels = presentation(net, rule, images=5, shape=(3, 8, 8), scale=1.5, gain=0.8)
    if rule.signs:
        weights.follow_signs(spec, rule.signs, 0, update=0)  # which do not grow with W
    trace = engine_of("torch", spec, weights, rule, eta=float(len(images))).present(images, labels)
    network = sequential(spec, weights, rule).eval()  # where brsf keeps the magnitudes that it is given
    x, h = torch.tensor(images), []
    for layer in network:
        x = layer(x)
        if hasattr(layer, "weight"):
            x.retain_grad()
            h.append(x)
    loss_of(rule)(x, torch.tensor(labels)).backward()
    saturated = 0
    for i, (layer, drive) in enumerate(zip(with_weights(network), h, strict=True), start=1):
        assert close(drive.detach(), torch.tensor(trace.h[i]))
        assert close(-len(images) * drive.grad, torch.tensor(trace.delta[i]))
        assert close(-len(images) * layer.weight.grad, torch.tensor(trace.dW[i]))
        saturated += int((np.abs(trace.x[i]) == 1).sum())
        if i in trace.dR and rule.feedback_rate:
            assert close(-len(images) * layer.R.grad, torch.tensor(trace.dR[i]))
    assert saturated > 20  # what is shut off is shut off alike


@pytest.mark.parametrize(
    ("name", "options", "update", "sgd"),
    [
        ("urfb", {}, Update(), {}),
        ("urfb", {"feedback_rate": 0.3}, Update(momentum=0.9), {"momentum": 0.9}),
        ("urfb", {}, Update(momentum=0.9, weight_decay=0.01), {"momentum": 0.9, "weight_decay": 0.01}),
        ("urfb", {"feedback_decay": 0.001}, Update(), {"weight_decay": 0.01}),  # lambda = eta d: Kolen and Pollack
        ("frfb", {}, Update(momentum=0.9, weight_decay=0.01), {"momentum": 0.9, "weight_decay": 0.01}),
        ("usf", {"feedback_scale": "biotorch"}, Update(momentum=0.9), {"momentum": 0.9}),
        ("frsf", {"feedback_scale": "biotorch"}, Update(momentum=0.9), {"momentum": 0.9}),
        ("bph", {}, Update(momentum=0.5), {"momentum": 0.5}),
    ],
)
def test_twenty_updates_by_SGD_are_those_of_the_torch_engine(name, options, update, sgd):
    rule = make_rule(name, **options)
    spec, weights, images, labels = presentation(NETS[0], rule, images=12, shape=(3, 8, 8))
    engine = engine_of("torch", spec, weights, rule, eta=0.1, update=update)
    without_decay = {key: value for key, value in options.items() if key != "feedback_decay"}
    network = sequential(spec, weights, make_rule(name, **without_decay))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, **sgd)
    x, y = torch.tensor(images), torch.tensor(labels)
    for step in range(20):
        engine.learn(x, y, step)
        optimiser.zero_grad()
        loss_of(rule)(network(x), y).backward()
        optimiser.step()
    learned = engine.weights()
    for i, layer in enumerate(with_weights(network), start=1):
        bound = TOLERANCES["trained"].relative
        pairs = [(layer.weight, learned.W[i], weights.W[i])]
        pairs += [(layer.R, learned.R[i], weights.R[i])] if rule.feedback_rate else []
        for ours, theirs, before in pairs:
            assert np.abs(ours.detach().numpy() - theirs).max() <= bound * np.abs(theirs).max()
            assert np.abs(theirs - before).max() > 1e-3 * np.abs(theirs).max()


OPTIMISERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.0, amsgrad=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=1e-3, momentum=0.5),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-2),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_any_optimiser_gives_R_the_increments_of_W(name):
    network, (x, y) = small(), batch()
    optimiser = OPTIMISERS[name](network.parameters())
    layers = with_weights(network)
    apart = [(layer.weight - layer.R).detach() for layer in layers]
    before = [layer.R.detach().clone() for layer in layers]
    for _ in range(10):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimiser.step()
    for layer, was, start in zip(layers, apart, before, strict=True):
        assert torch.equal(layer.weight.grad, layer.R.grad)
        of_W, of_R = optimiser.state[layer.weight], optimiser.state[layer.R]
        kept = [key for key, value in of_W.items() if torch.is_tensor(value) and value.ndim]
        assert kept and all(
            torch.equal(of_W[key], of_R[key]) for key in kept
        )  # what an increment is made of, bit by bit
        moved = TOLERANCES["accumulated"].relative * max(layer.weight.abs().max(), layer.R.abs().max())
        assert ((layer.weight - layer.R) - was).abs().max() <= moved
        assert (layer.R - start).abs().max() > 100 * moved


def test_increments_are_the_same_bits_where_weights_are_of_the_same_size():
    """SGD adds the same number to both: from the same start they stay the same."""
    network, (x, y) = small(), batch()
    for layer in with_weights(network):
        layer.R.data.copy_(layer.weight)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(10):
        optimiser.zero_grad()
        HingeLoss()(network(x), y).backward()
        optimiser.step()
    assert all(torch.equal(layer.weight, layer.R) for layer in with_weights(network))


def test_weight_decay_brings_R_and_W_together():
    layer: Any = Linear(6, 5, dtype=torch.float64)
    apart = (layer.weight - layer.R).detach()
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(10):
        optimiser.zero_grad()
        layer(torch.ones(2, 6, dtype=torch.float64)).square().sum().backward()
        optimiser.step()
    assert close((layer.weight - layer.R).detach(), apart * 0.95**10)
