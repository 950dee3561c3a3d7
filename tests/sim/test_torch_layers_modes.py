"""Layers with feedback weights where PyTorch does more than run them: autocast, compiling, torch.func, processes."""

import shutil
import subprocess
import sys
import textwrap
from typing import Any

import pytest
import torch
from torch import nn

from sim.torch_layers import Conv2d, Linear, LocallyConnected2d, Saturate
from tests.sim.torch_small import OF_MODULES, batch, close, small, with_weights
from tests.test_imports import ROOT
from validation.tolerances import TOLERANCES

COMPILER = any(map(shutil.which, ("g++", "c++", "clang++")))
without = pytest.mark.skipif(not COMPILER, reason="torch.compile needs a C++ compiler: there is none")
COMPILED = [("urfb", "aot_eager"), ("frsf", "aot_eager"), pytest.param("urfb", "inductor", marks=without)]
OF_TORCH = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")  # of itself, as it traces


def gradients(network, x, y, run=None) -> dict[str, Any]:
    network.zero_grad()
    nn.functional.cross_entropy((network if run is None else run)(x), y).backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("feedback", OF_MODULES)
def test_autocast_computes_in_bfloat16_and_gives_W_and_R_the_same(feedback):
    network, (x, y) = small(feedback), batch()
    exact = gradients(network, x, y)
    seen = []
    for layer in with_weights(network):
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(x)
    network.zero_grad()
    nn.functional.cross_entropy(outputs.float(), y).backward()
    assert seen == [torch.bfloat16] * 3
    for layer in with_weights(network):
        assert layer.weight.grad.dtype == torch.float32
        if feedback == "urfb":
            assert torch.equal(layer.R.grad, layer.weight.grad)
    if feedback != "brsf":  # which has drawn anew
        for name, gradient in exact.items():
            found = dict(network.named_parameters())[name].grad
            # Saturation sets apart what rounding brings over its threshold: most, and not all, of it agrees
            cosine = torch.nn.functional.cosine_similarity(found.flatten(), gradient.flatten(), dim=0)
            assert cosine > 0.99 and not torch.equal(found, gradient)


@OF_TORCH
@pytest.mark.parametrize(("feedback", "backend"), COMPILED)
def test_compiled_in_one_piece_it_computes_the_same(feedback, backend):
    torch.manual_seed(2)
    network = nn.Sequential(
        Conv2d(3, 4, 3, stride=2, padding=1, groups=1, feedback=feedback), Saturate(),
        LocallyConnected2d(4, 4, 4, 3, padding="same", feedback=feedback), Saturate(), nn.Flatten(),
        Linear(64, 10, feedback=feedback),
    )  # fmt: skip
    x, y = batch()
    wanted = gradients(network, x, y)
    torch._dynamo.reset()
    found = gradients(network, x, y, torch.compile(network, backend=backend, fullgraph=True))
    assert wanted.keys() == found.keys()
    assert all(close(found[name], wanted[name], "float32") for name in wanted)
    if feedback == "urfb":
        assert all(torch.equal(layer.weight.grad, layer.R.grad) for layer in with_weights(network))


@OF_TORCH
def test_magnitudes_are_drawn_anew_where_it_is_compiled():
    torch._dynamo.reset()
    layer, x = Linear(6, 5, feedback="brsf"), torch.randn(3, 6, requires_grad=True)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    for _ in range(3):
        before = layer.feedback_weights()
        (to_x,) = torch.autograd.grad(compiled(x).sum(), x)
        assert close(to_x, torch.ones(3, 5) @ layer.feedback_weights(), "float32")
        assert not torch.equal(before, layer.feedback_weights())


@pytest.mark.parametrize("feedback", ["urfb", "usf"])
def test_gradients_of_every_image_by_torch_func(feedback):
    network, (x, y) = small(feedback), batch(5)
    parameters = {name: p.detach() for name, p in network.named_parameters()}

    def loss(parameters, image, label):
        outputs = torch.func.functional_call(network, parameters, (image[None],))
        return nn.functional.cross_entropy(outputs, label[None])

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
    for name, wanted in gradients(network, x, y).items():
        assert close(each[name].mean(0), wanted, "float32")
        assert not close(each[name][0], wanted, "float32")
    if feedback == "urfb":
        assert torch.equal(each["4.R"], each["4.weight"])


def test_channels_last_computes_the_same():
    network, (x, y) = small(), batch()
    wanted = gradients(network, x, y)
    network.to(memory_format=torch.channels_last)
    found = gradients(network, x.to(memory_format=torch.channels_last), y)
    assert all(close(found[name], wanted[name], "float32") for name in wanted)
    assert torch.equal(network[0].R.grad, network[0].weight.grad)


SHARE = """
    import sys, torch
    import torch.distributed as dist
    from torch import nn
    from tests.sim.torch_small import batch, small
    rank, folder = int(sys.argv[1]), sys.argv[2]
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    for feedback in ("urfb", "frfb", "brsf"):
        network, (x, y) = small(feedback), batch()
        shared = nn.parallel.DistributedDataParallel(network)
        optimiser = torch.optim.SGD(network.parameters(), lr=.1, momentum=.9)
        torch.manual_seed(rank)  # each process draws other numbers from here on
        for _ in range(3):
            optimiser.zero_grad()
            nn.functional.cross_entropy(shared(x[rank::2]), y[rank::2]).backward()
            optimiser.step()
        torch.save(network.state_dict(), f"{folder}/{feedback}-{rank}.pt")
    dist.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_learn_as_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    command = [sys.executable, "-c", textwrap.dedent(SHARE)]
    started = [subprocess.Popen([*command, str(rank), str(tmp_path)], cwd=ROOT) for rank in range(2)]
    assert [process.wait(timeout=240) for process in started] == [0, 0]
    for feedback in ("urfb", "frfb", "brsf"):
        first, second = (torch.load(tmp_path / f"{feedback}-{rank}.pt", weights_only=True) for rank in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first if not name.endswith("factors"))
        if feedback == "brsf":
            continue
        network, (x, y) = small(feedback), batch()
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        for _ in range(3):
            gradients(network, x, y)
            optimiser.step()
        bound = TOLERANCES["float32"].relative
        for name, wanted in network.state_dict().items():
            assert (first[name] - wanted).abs().max() <= bound * wanted.abs().max()
            moves = feedback == "urfb" or not name.endswith("R")
            assert ((wanted - before[name]).abs().max() > 10 * bound * wanted.abs().max()) == moves
