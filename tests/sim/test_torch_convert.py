"""A model that somebody else wrote, with the feedback weights of a rule."""

import copy
import os
from itertools import product
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.resnet import ResNet18
from network.errors import BadInput
from network.rules import make_rule
from sim.data import load_data
from sim.torch_convert import convert
from sim.torch_layers import Conv2d, LocallyConnected2d
from sim.torch_rules import TwoPathways

DATA_DIR = os.environ.get("HEBB_DATA")  # here, since tests are run without it
RULES = {"urfb": {}, "frfb": {}, "usf": {"feedback_scale": "biotorch"}}


@pytest.fixture(scope="module")
def images():
    """Sixteen images of CIFAR-10, where $HEBB_DATA has it; else of a kind that can be told apart as well."""
    if DATA_DIR:
        train = load_data("cifar10", DATA_DIR).train[:16]
        return torch.from_numpy(train.images).float() / 255, torch.from_numpy(train.labels)
    generator, labels = torch.Generator().manual_seed(0), torch.arange(16) % 10
    patterns = torch.rand(10, 3, 32, 32, generator=generator)
    return (patterns[labels] + torch.rand(16, 3, 32, 32, generator=generator)) / 2, labels


def resnet(seed=0, width=64) -> Any:
    torch.manual_seed(seed)
    return ResNet18(width=width)


def layers_of(model) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, TwoPathways)]


def updates(model, images, labels, count=10, run=None, autocast=False):
    """Losses of `count` updates of one batch by SGD with momentum, and its optimiser."""
    optimiser, losses = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9), []
    for _ in range(count):
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = nn.functional.cross_entropy((model if run is None else run)(images), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, optimiser


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")  # of itself, as it traces
@pytest.mark.parametrize(("rule", "mode"), list(product(RULES, ("plain", "amp", "compiled"))))
def test_a_resnet_learns_by_every_rule_in_every_mode(rule, mode, images):
    model = resnet(width=64 if mode == "plain" else 16)
    convert(model, rule, **RULES[rule])
    before = copy.deepcopy(model.state_dict())
    run = None
    if mode == "compiled":  # one graph; what a C++ compiler makes of it is in test_torch_layers_modes.py
        torch._dynamo.reset()
        run = torch.compile(model, backend="aot_eager", fullgraph=True)
    losses, optimiser = updates(model, *images, run=run, autocast=mode == "amp")
    assert losses[-1] < 0.75 * losses[0]
    module: Any
    for name, module in model.named_modules():
        if not hasattr(module, "rule"):
            continue
        assert not torch.equal(module.weight, before[f"{name}.weight"])
        if rule == "urfb":
            assert torch.equal(module.R.grad, module.weight.grad)
            of_W, of_R = (optimiser.state[w]["momentum_buffer"] for w in (module.weight, module.R))
            assert torch.equal(of_W, of_R) and of_W.any()  # what the optimiser adds to both, bit by bit
        elif rule == "frfb":
            assert torch.equal(module.R, before[f"{name}.R"]) and module.R not in optimiser.state
        else:
            assert module.R is None


def test_the_report_has_every_layer_and_every_other_module():
    model = resnet(width=4)
    names = {name for name, module in model.named_modules() if not list(module.children())}
    report = convert(model, "urfb")
    assert len(report.converted) == 21 and not report.already and not report.through_W
    assert {layer.name for layer in report.converted} == {
        name for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)
    }
    assert {layer.name for layer in report.converted} | {each.name for each in report.left} == names
    text = str(report)
    assert text.startswith("feedback by rule 'urfb': 21 layers\n")
    assert "feedback through their own weights, as in back-propagation: 0 modules\n" in text
    assert "layer2.0.downsample.0  Conv2d 8x4x1x1" in text
    assert "BatchNorm2d (normalises each feature by itself): bn1, layer1.0.bn1," in text
    assert all(name in text for name in names) and max(map(len, text.splitlines())) <= 120


def test_weights_outputs_hooks_and_references_stay():
    model = resnet(width=4)
    stem, weights = model.conv1, dict(model.named_parameters())
    called = []
    stem.register_forward_hook(lambda *_: called.append(True))
    x = torch.rand(2, 3, 32, 32)
    wanted = model.eval()(x)
    convert(model)
    assert model.conv1 is stem and type(stem) is Conv2d and not stem.training
    assert all(dict(model.named_parameters())[name] is parameter for name, parameter in weights.items())
    assert torch.equal(model(x), wanted) and len(called) == 2
    assert {name for name, _ in model.named_parameters()} - set(weights) == {
        f"{name}.R" for name, module in model.named_modules() if isinstance(module, TwoPathways)
    }
    assert all(parameter.dtype == torch.float64 for parameter in model.double().parameters())


def test_twice_is_as_good_as_once_and_another_rule_replaces_the_first():
    model = resnet(width=4)
    convert(model, "urfb")
    R = [layer.R for layer in layers_of(model)]
    again = convert(model, "URFB")
    assert not again.converted and len(again.already) == 21 and "0 layers, and 21 before" in str(again)
    assert all(layer.R is kept for layer, kept in zip(layers_of(model), R, strict=True))
    other = convert(model, "urfb", skip=["layer1", "fc"], feedback_rate=0.5)
    assert len(other.converted) == 16 and [each.name for each in other.left if each.feeds_back_through == "R"] == [
        "layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1", "layer1.1.conv2", "fc",
    ]  # fmt: skip
    assert "by another rule, which they keep: 5 modules" in str(other)
    convert(model, "bp")
    assert all(layer.R is None for layer in layers_of(model))
    x = torch.rand(2, 3, 32, 32)
    plain = resnet(width=4)
    plain.load_state_dict(model.state_dict())
    for one in (model, plain):
        one(x).sum().backward()
    ours, theirs = ([parameter.grad for parameter in one.parameters()] for one in (model, plain))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


class Mixed(nn.Module):
    """What convert has to leave, and to say so."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4, 4))
        self.words = nn.Embedding(10, 8)
        self.lines = nn.Conv1d(8, 8, 3)
        self.look = nn.MultiheadAttention(8, 2)
        self.norm, self.kink = nn.LayerNorm(8), nn.PReLU()
        self.untied = LocallyConnected2d(1, 2, 4, 3, feedback="frfb")
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)
        self.read = nn.Linear(8, 10, bias=False)
        self.read.weight = self.words.weight
        self.alone = nn.Linear(2, 2)


def test_what_is_left_is_said_with_the_reason():
    report = convert(Mixed(), "frsf", skip=["alone"])
    assert [layer.name for layer in report.converted] == ["untied", "up", "down", "read"]
    assert report.converted[-1].note.startswith("W is also words.weight")
    why = {each.name: (each.feeds_back_through, each.why) for each in report.left}
    assert why["(the model)"] == ("W", "its own scale, used in a way of its own")
    assert why["lines"] == ("W", "no counterpart with feedback weights for its weight, bias")
    assert why["look"][0] == "W" and "in_proj_weight" in why["look"][1]
    assert why["look.out_proj"] == ("W", "not Linear itself, and may read its weights in its own way")
    assert why["alone"] == ("W", "skipped")
    assert why["norm"][0] == why["kink"][0] == why["words"][0] == "nothing"
    assert len(report.through_W) == 5 and "as in back-propagation: 5 modules" in str(report)


def test_a_layer_by_itself_and_a_frozen_one():
    layer: Any = nn.Linear(3, 2)
    layer.weight.requires_grad_(False)
    report = convert(layer, make_rule("urfb"))
    assert report.converted[0].name == "(the model)" and not report.left
    assert not layer.R.requires_grad  # a frozen layer keeps both


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (nn.ReLU(), {}, "has no Linear and no Conv2d layer"),
        (nn.Linear, {}, "no torch.nn.Module"),
        (nn.Sequential(nn.Linear(2, 2)), {"skip": ["one"]}, "no module of that name"),
        (nn.Sequential(nn.Linear(2, 2)), {"rule": "dfa"}, "straight from the output"),
        (nn.Sequential(nn.Linear(2, 2)), {"rule": "usff"}, "did you mean 'usf'"),
        (nn.Sequential(nn.Linear(2, 2)), {"feedback_scale": "biotorch"}, "takes no feedback scale"),
        (nn.Sequential(nn.Linear(2, 2)), {"rule": make_rule("usf"), "feedback_scale": "inputs"}, "give make_rule"),
        (nn.Sequential(nn.LazyLinear(2)), {}, "run a batch through first"),
        (torch.compile(nn.Sequential(nn.Linear(2, 2)), backend="eager"), {}, "convert first, then torch.compile"),
    ],
)
def test_mistakes_are_a_line_and_change_nothing(model, options, message):
    with pytest.raises(BadInput, match=message) as caught:
        convert(model, **options)
    assert "\n" not in str(caught.value)
    if isinstance(model, nn.Module):
        assert not layers_of(model)
