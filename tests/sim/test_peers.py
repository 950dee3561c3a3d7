"""The peers of the benchmarks do the same work as this package, and those that cannot run say why."""

import numpy as np
import pytest
import torch

from benchmarks import peers
from benchmarks.peers import PEERS, Peer
from network.reference import present
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from validation.tolerances import TOLERANCES

SPEC = NetworkSpec.parse("Conv 6 3x3; Conv 6 3x3; SUM; Full 20; Output", (3, 8, 8), 10)


def batch():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (12, 3, 8, 8), dtype=torch.uint8, generator=generator)
    return images, torch.randint(0, 10, (12,), generator=generator)


@pytest.mark.parametrize("name", ["autograd", "autograd channels_last"])
def test_an_update_of_a_peer_is_that_of_back_propagation(name):
    images, labels = batch()
    step, parameters = peers.update(SPEC, images, labels, PEERS[name])
    step()
    weights = Weights.draw(SPEC, 0, dtype="float32").astype("float64")
    trace = present(SPEC, weights, images.numpy() / 255, labels.numpy(), make_rule("bph"), eta=0.1)
    for i, found in enumerate(parameters, start=1):
        wanted = weights.W[i] + trace.dW[i]
        apart = np.abs(found.detach().numpy() - wanted).max() / np.abs(wanted).max()
        assert apart <= TOLERANCES["float32"].relative
        assert np.abs(trace.dW[i]).max() > 100 * TOLERANCES["float32"].relative * np.abs(wanted).max()


def test_peers_that_cannot_run_say_why(monkeypatch):
    def compiler(function, mode):
        raise RuntimeError("\nNo C++ compiler found\nmore of it")

    def without(name, *rest, **options):
        if name.startswith("biotorch"):
            raise ModuleNotFoundError(name=name)
        return real(name, *rest, **options)

    real = __import__
    monkeypatch.setattr(torch, "compile", compiler)
    monkeypatch.setattr("builtins.__import__", without)
    chosen = {"plain": Peer(), "compiled": Peer(mode="default"), "fa": Peer(feedback=True)}
    steps, skipped = peers.peers(SPEC, *batch(), chosen)
    assert list(steps) == ["plain"]
    assert skipped["compiled"] == "does not compile here: No C++ compiler found"
    assert "'biotorch.layers.fa'" in skipped["fa"]
