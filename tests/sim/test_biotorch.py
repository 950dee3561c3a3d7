"""Against BioTorch's own layers, where its definitions are those of Liao, Leibo and Poggio or a rescaling offered here.

What differs, and is therefore not compared: BioTorch draws M of brSF with every forward pass rather than after every
update, has no flipped signs, no NuSF, and draws fixed random feedback (its "fa") Glorot uniform rather than normal. Its
direct feedback lands on what a layer reads and not on what it puts out, which is the same thing where no pool or Drop
lies between; and what lands below a convolution is the same at all places of a map, where here each unit has its own.
"""

import numpy as np
import pytest
import torch
from torch import nn

from network.rules import make_rule
from network.weights import Weights
from tests.sim.conftest import engine_of, presentation
from validation.tolerances import TOLERANCES

layers = pytest.importorskip("biotorch.layers", reason='BioTorch is not installed: pip install "hebb[peers]"')
usf = pytest.importorskip("biotorch.layers.usf")
frsf = pytest.importorskip("biotorch.layers.frsf")
brsf = pytest.importorskip("biotorch.layers.brsf")
fa = pytest.importorskip("biotorch.layers.fa")
dfa = pytest.importorskip("biotorch.layers.dfa")

NET = "Conv 6 3x3; Conv 5 5x5; Full 20; Output"
SHAPE = (3, 8, 8)
KINDS = {"usf": usf, "frsf": frsf, "brsf": brsf, "rndf": fa}


def their_network(kind, weights):
    """The same network of BioTorch's layers, with our W."""
    options = {"padding": 1, "bias": False}, {"padding": 2, "bias": False}
    theirs = [
        kind.Conv2d(3, 6, 3, **options[0]),
        kind.Conv2d(6, 5, 5, **options[1]),
        kind.Linear(5 * 64, 20, bias=False),
        kind.Linear(20, 10, bias=False),
    ]
    for i, layer in enumerate(theirs, start=1):
        layer.double()
        layer.weight.data = torch.tensor(weights.W[i])
    between = nn.Hardtanh(), nn.Hardtanh(), nn.Flatten(), nn.Hardtanh()
    first, second, third, fourth = theirs
    return nn.Sequential(first, between[0], second, between[1], between[2], third, between[3], fourth), theirs


def their_feedback(name, layer):
    """R as BioTorch's backward pass uses it."""
    back = layer.weight_backward.detach().numpy()
    return np.abs(back) * np.sign(layer.weight.detach().numpy()) if name == "frsf" else back


@pytest.mark.parametrize("name", KINDS)
def test_the_same_presentation_as_biotorch(name):
    rule = make_rule(name)
    spec, weights, images, labels = presentation(NET, rule, shape=SHAPE, scale=1.5)
    torch.manual_seed(0)
    network, theirs = their_network(KINDS[name], weights)
    pixels = torch.tensor(images, requires_grad=True)
    outputs = network(pixels)
    nn.functional.cross_entropy(outputs, torch.tensor(labels), reduction="sum").backward()
    for i, layer in enumerate(theirs, start=1):
        weights.R[i] = their_feedback(name, layer)
    trace = engine_of("reference", spec, weights, rule, eta=float(len(images))).present(images, labels)
    assert trace.h[4] == pytest.approx(outputs.detach().numpy(), rel=TOLERANCES["float64"].relative)
    for i, layer in enumerate(theirs, start=1):
        gradient = layer.weight.grad.numpy()
        assert np.abs(trace.dW[i] + gradient).max() <= TOLERANCES["float64"].relative * np.abs(gradient).max()


def test_uniform_feedback_is_theirs_with_their_scale():
    rule = make_rule("usf", feedback_scale="biotorch")
    _, weights, images, _ = presentation(NET, rule, shape=SHAPE)
    network, theirs = their_network(usf, weights)
    network(torch.tensor(images))
    for i, layer in enumerate(theirs, start=1):
        assert weights.R[i] == pytest.approx(layer.weight_backward.detach().numpy(), rel=1e-15)


@pytest.mark.parametrize("name", ["frsf", "brsf"])
def test_random_magnitudes_are_distributed_as_theirs_with_their_scale(name):
    rule = make_rule(name, feedback_scale="biotorch")
    _, weights, images, _ = presentation(NET, rule, shape=SHAPE)
    torch.manual_seed(1)
    network, theirs = their_network(KINDS[name], weights)
    network(torch.tensor(images))
    for i, layer in enumerate(theirs, start=1):
        ours, back = weights.R[i], their_feedback(name, layer)
        assert np.array_equal(np.sign(ours), np.sign(back))
        if i == 3:  # 6400 weights: both uniform from 0 to the same bound
            bound = np.sqrt(6 / (320 + 20))
            for sample in (np.abs(ours), np.abs(back)):
                assert 0.995 * bound < sample.max() <= bound * (1 + 1e-7)
                assert abs(sample.mean() / bound - 0.5) < 4 / np.sqrt(12 * sample.size)


@pytest.mark.filterwarnings("ignore:Using a non-full backward hook:FutureWarning")  # theirs, of one call each
def test_direct_feedback_is_theirs_where_full_layers_follow_one_another():
    spec, weights, images, labels = presentation("Full 30; Full 20; Output", "dfa", shape=(2, 3, 3), scale=1.5)
    torch.manual_seed(2)
    theirs = [
        dfa.Linear(inputs, outputs, output_dim=10, bias=False, layer_config={}).double()
        for inputs, outputs in ((18, 30), (30, 20), (20, 10))
    ]
    for i, layer in enumerate(theirs, start=1):
        layer.weight.data = torch.tensor(weights.W[i])
    first, second, third = theirs
    pixels = torch.tensor(images.reshape(len(images), -1), requires_grad=True)
    outputs = third(nn.functional.hardtanh(second(nn.functional.hardtanh(first(pixels)))))
    outputs.retain_grad()
    loss = nn.functional.cross_entropy(outputs, torch.tensor(labels), reduction="sum")
    error = torch.autograd.grad(loss, outputs, retain_graph=True)[0]
    for i, layer in enumerate(theirs):  # each leads to the layer below it
        layer.loss_gradient = error
        if i:
            weights.R[i] = layer.weight_backward.detach().numpy()
            bound = np.sqrt(6 / (10 + layer.in_features))  # both are Glorot uniform
            assert 0.9 * bound < np.abs(weights.R[i]).max() <= bound * (1 + 1e-7)
            drawn = Weights.draw(spec, 0, make_rule("dfa")).R[i]
            assert drawn.shape == weights.R[i].shape
            assert 0.9 * bound < np.abs(drawn).max() <= bound
    loss.backward()
    trace = engine_of("torch", spec, weights, "dfa", eta=float(len(images))).present(images, labels)
    for i, layer in enumerate(theirs, start=1):
        gradient = layer.weight.grad.numpy()
        assert np.abs(trace.dW[i] + gradient).max() <= TOLERANCES["float64"].relative * np.abs(gradient).max()
        assert gradient.any()
