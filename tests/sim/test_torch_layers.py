"""Layers for networks of one's own: what goes back is R', and what W learns is exact."""

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

from network.errors import BadInput
from network.feedback import scale_of
from network.layers import Local
from network.rules import make_rule
from network.spec import NetworkSpec
from sim import torch_windows
from sim.torch_layers import Conv2d, HingeLoss, Linear, LocallyConnected2d, Saturate
from tests.sim.torch_small import OF_MODULES, batch, close, small, with_weights


def layer_and_input(kind, feedback="urfb") -> tuple[Any, Any, Any]:
    """A layer of each kind in float64, an input to it, and the same layer as a function of (x, weights, offset)."""
    torch.manual_seed(3)
    like = {"dtype": torch.float64, "feedback": feedback}
    match kind:
        case "linear":
            return Linear(5, 4, **like), torch.randn(3, 5, dtype=torch.float64), F.linear
        case "linear of sequences":
            return Linear(5, 4, **like), torch.randn(2, 3, 5, dtype=torch.float64), F.linear
        case "conv":
            layer = Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, **like)
            x = torch.randn(2, 4, 7, 6, dtype=torch.float64)
            return layer, x, lambda x, W, b: F.conv2d(x, W, b, (2, 1), (1, 2), (1, 2), 2)
        case "conv, even and same":
            layer = Conv2d(2, 3, 4, padding="same", **like)
            return layer, torch.randn(2, 2, 6, 5, dtype=torch.float64), nn.Conv2d(2, 3, 4, padding="same")._conv_forward
        case "conv, reflected":
            layer = Conv2d(2, 3, 3, padding=1, padding_mode="reflect", **like)
            plain = nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect")
            return layer, torch.randn(2, 2, 6, 5, dtype=torch.float64), plain._conv_forward
        case "conv of one image":
            layer = Conv2d(2, 3, 3, padding="valid", **like)
            return layer, torch.randn(2, 6, 5, dtype=torch.float64), F.conv2d
    layer: Any = LocallyConnected2d(2, 3, (6, 5), (3, 2), stride=2, padding=(1, 0), **like)
    layer.bias.data.normal_()
    made = Local(3, (3, 2), stride=2, padding="valid")

    def untied(x, W, b):
        return torch_windows.input_of_units(made, W, F.pad(x, (0, 0, 1, 1))) + b

    return layer, torch.randn(2, 2, 6, 5, dtype=torch.float64), untied


KINDS = (
    "linear", "linear of sequences", "conv", "conv, even and same", "conv, reflected", "conv of one image", "local",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")  # torch's own convolution
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("feedback", ["urfb", "frfb", "usf"])
def test_feedback_passes_through_R_and_increments_are_those_of_autograd(kind, feedback):
    layer, x, function = layer_and_input(kind, feedback)
    R = layer.feedback_weights().clone()
    x.requires_grad_()
    h = layer(x)
    g = torch.randn_like(h)
    h.backward(g)
    W, b = (each.detach().clone().requires_grad_() for each in (layer.weight, layer.bias))
    own = x.detach().clone().requires_grad_()
    wanted = function(own, W, b)
    wanted.backward(g)
    assert torch.equal(h, wanted)
    assert close(layer.weight.grad, W.grad)
    assert close(layer.bias.grad, b.grad)
    back = x.detach().clone().requires_grad_()
    function(back, R, b).backward(g)
    assert close(x.grad, back.grad)
    assert not close(x.grad, own.grad)  # R is not W
    if feedback == "urfb":
        assert torch.equal(layer.R.grad, layer.weight.grad)
        assert layer.R.grad.data_ptr() != layer.weight.grad.data_ptr()
    else:
        assert all(parameter.grad is None for name, parameter in layer.named_parameters() if name == "R")


@pytest.mark.parametrize("kind", KINDS)
def test_with_R_equal_to_W_it_is_back_propagation_by_finite_differences(kind):
    layer, x, _ = layer_and_input(kind, "frfb")
    layer.R.data.copy_(layer.weight)

    def of(x, W, b):
        layer.R.data.copy_(W.detach())
        return torch.func.functional_call(layer, {"weight": W, "bias": b}, (x,))

    inputs = (x.requires_grad_(), layer.weight.detach().requires_grad_(), layer.bias.detach().requires_grad_())
    assert torch.autograd.gradcheck(of, inputs)


@given(
    data=st.data(), kernel=st.tuples(*[st.integers(1, 3)] * 2), stride=st.tuples(*[st.integers(1, 3)] * 2),
    dilation=st.tuples(*[st.integers(1, 2)] * 2), groups=st.sampled_from([1, 2]), bias=st.booleans(),
)  # fmt: skip
def test_a_convolution_of_any_windows(data, kernel, stride, dilation, groups, bias):
    modes = ["zeros", "circular", "replicate"]
    padding = data.draw(st.sampled_from([0, 1, (2, 1), "valid", *(["same"] if stride == (1, 1) else [])]))
    mode = data.draw(st.sampled_from(modes)) if padding != (2, 1) else "zeros"
    options = {"stride": stride, "dilation": dilation, "groups": groups, "bias": bias, "dtype": torch.float64}
    ours: Any = Conv2d(2, 4, kernel, padding=padding, padding_mode=mode, **options)
    plain, back = (nn.Conv2d(2, 4, kernel, padding=padding, padding_mode=mode, **options) for _ in range(2))
    plain.load_state_dict(ours.state_dict(), strict=False)
    back.load_state_dict(ours.state_dict() | {"weight": ours.R}, strict=False)
    through: Any
    found, wanted, through = (torch.ones(2, 2, 6, 7, dtype=torch.float64).cumsum(3).sin() for _ in range(3))
    results = []
    for layer, x in ((ours, found), (plain, wanted), (back, through)):
        h = layer(x.requires_grad_())
        h.backward(h.detach().cos() if not results else results[0].cos())
        results.append(h.detach())
    assert torch.equal(results[0], results[1])
    assert close(found.grad, through.grad)
    assert close(ours.weight.grad, plain.weight.grad) and torch.equal(ours.R.grad, ours.weight.grad)


@pytest.mark.parametrize("name", OF_MODULES)
def test_R_is_made_as_the_rule_says(name):
    rule = make_rule(name, flip_probability=0.25 if name in ("brsf", "frsf") else 0.0)
    torch.manual_seed(0)
    layer = Conv2d(8, 32, 5, groups=2, feedback=rule)
    layer.weight.data[0, 0, 0, :2] = torch.tensor([0.0, -0.0])
    R, W = layer.feedback_weights(), layer.weight.detach()
    size = R.numel()
    glorot = (6 / (25 * (4 + 16))) ** 0.5
    if rule.symmetric:
        assert torch.equal(R, W)
    elif rule.signs and rule.signs.magnitudes == "one":
        c = {"none": 1.0, "inputs": 1 / 100}[rule.signs.scale]
        assert torch.equal(R, torch.where(W < 0, -c, c)) and R[0, 0, 0, 0] == R[0, 0, 0, 1] == c
    elif rule.signs:
        agree = float((torch.sign(R) == torch.where(W < 0, -1.0, 1.0)).double().mean())
        assert abs(agree - 0.75) < 4 * (0.75 * 0.25 / size) ** 0.5
        assert abs(float(R.abs().mean()) - 0.5) < 4 / (12 * size) ** 0.5 and R.abs().max() < 1
    elif name == "rndf":
        assert abs(float(R.std()) / 0.05 - 1) < 4 / (2 * size) ** 0.5
    else:
        assert 0.99 * glorot < R.abs().max() <= glorot
        assert abs(float(R.std()) / (glorot / 3**0.5) - 1) < 4 / (2 * size) ** 0.5
    learns = [parameter for parameter in layer.parameters() if parameter.requires_grad]
    assert len(learns) == (3 if name == "urfb" else 2)


@pytest.mark.parametrize("scale", ["inputs", "biotorch", "sign-symmetry"])
def test_signs_are_scaled_as_in_networks(scale):
    rule: Any = make_rule("usf", feedback_scale=scale)
    spec = NetworkSpec.parse("Conv 6 3x3; Local 4 2x2; Full 7; Output", (3, 8, 8), 10)
    layers = Conv2d(3, 6, 3), LocallyConnected2d(6, 4, 8, 2, padding="same"), Linear(4 * 64, 7), Linear(7, 10)
    for node, layer in zip(spec.weighted, layers, strict=True):
        layer.set_feedback(rule)
        assert layer.weight.shape == node.weight_shape
        assert float(layer.feedback_weights().abs().max()) == pytest.approx(scale_of(node, rule.signs))


def test_magnitudes_of_brsf_are_drawn_anew_by_every_training_pass():
    layer, x = Linear(6, 5, feedback="brsf"), torch.randn(3, 6)
    seen = []
    for training in (True, True, False, False):
        layer.train(training)
        own: Any = x.clone().requires_grad_()
        h = layer(own)
        h.sum().backward()
        R = layer.feedback_weights()
        assert torch.allclose(own.grad, torch.ones(3, 5) @ R)
        seen.append(R)
    assert [torch.equal(a, b) for a, b in pairwise(seen)] == [False, True, True]
    layer.train()
    with torch.no_grad():
        layer(x)
    assert torch.equal(layer.feedback_weights(), seen[-1])


def test_a_pass_made_twice_by_checkpointing_sends_the_same_back():
    for feedback in ("urfb", "usf"):
        network, (x, y) = small(feedback), batch()
        states = copy.deepcopy(network.state_dict())
        gradients = []
        for run in (network, lambda x, network=network: checkpoint(network, x, use_reentrant=False)):
            network.load_state_dict(states)
            network.zero_grad()
            nn.functional.cross_entropy(run(x), y).backward()
            gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
        assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("feedback", ["urfb", "frfb", "usf", "frsf", "brsf"])
def test_copies_and_files_keep_everything(feedback, tmp_path):
    network, (x, y) = small(feedback), batch()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    again = small(feedback)
    for layer in with_weights(again):
        layer.reset_parameters()
        assert not torch.equal(layer.feedback_weights(), with_weights(network)[0].feedback_weights())
    again.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    torch.save(network, tmp_path / "module.pt")
    loaded = torch.load(tmp_path / "module.pt", weights_only=False)
    found = []
    for one in (network, again, copy.deepcopy(network), loaded):
        one.zero_grad()
        own = x.clone().requires_grad_()
        nn.functional.cross_entropy(one.eval()(own), y).backward()
        found.append([own.grad] + [p.grad for p in one.parameters() if p.grad is not None])
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
    assert f"feedback={feedback}" in repr(network)


def test_what_one_cannot_have_is_said_in_a_line():
    def refusal(feedback):
        with pytest.raises(BadInput) as caught:
            Linear(3, 2, feedback=feedback)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "did you mean 'urfb'?" in refusal("urbf")
    assert "hebb train" in refusal("dfa")
    assert "weight_decay" in refusal(make_rule("urfb", feedback_decay=0.1))
    assert "name of a rule" in refusal(3)
    with pytest.raises(BadInput, match="expected N x 2x6x6"):
        LocallyConnected2d(2, 3, 6, 3)(torch.zeros(1, 2, 5, 6))
    with pytest.raises(BadInput, match="window larger"):
        LocallyConnected2d(2, 3, 4, 5)
    with pytest.raises(BadInput, match="slope above 0"):
        Saturate(0)


def test_names_of_biotorch_and_capitals_are_known():
    assert [Linear(2, 2, feedback=name).rule.name for name in ("fa", "backpropagation", "uSF", "URFB")] == [
        "frfb", "bp", "usf", "urfb",
    ]  # fmt: skip


def test_units_at_exactly_one_are_shut_off():
    h: Any = torch.tensor([-2.0, -1.0, -0.5, 0.999, 1.0, 3.0], requires_grad=True)
    Saturate()(h).sum().backward()
    assert h.grad.tolist() == [0, 0, 1, 1, 0, 0]
    h = h.detach().requires_grad_()
    Saturate(2.0)(h).sum().backward()
    assert h.grad.tolist() == [0, 0, 0, 0, 0, 0]


def test_the_gradient_of_the_hinge_loss_is_equation_6():
    outputs: Any = torch.tensor([[1.0, -1.0, 0.5], [1.1, -1.1, 1.0]], requires_grad=True)
    HingeLoss()(outputs, torch.tensor([0, 0])).backward()
    assert (-2 * outputs.grad).tolist() == [[1, -0.5, -0.5], [0, 0, -0.5]]
    outputs = outputs.detach().requires_grad_()
    HingeLoss(mu=0.25)(outputs, torch.tensor([2, 2])).backward()
    assert (-2 * outputs.grad).tolist() == [[-0.25, -0.25, 1], [-0.25, 0, 1]]
