"""Silent synapses and units that put out 0 are not gone through, and nothing that is learned depends on that."""

import subprocess
import sys

import numpy as np
import pytest

from network.rules import ORDERS
from sim.event import synapse_kernels as kernels
from sim.event.full import ListedSynapses
from sim.event.pools import Relays
from sim.event.space import Space
from sim.event.synapses import synapses_of
from tests.sim.conftest import engine_of, presentation
from tests.test_imports import ROOT
from validation.tolerances import TOLERANCES

NET = "Conv 16 3x3; Maxpool 3; Drop .8; Full 20; Drop .3; Output"  # 16 maps: what kernels look at together


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("rule", ["urfb", "bph"])
def test_learning_goes_through_lists_and_agrees_with_the_reference(rule, order, monkeypatch):
    spec, weights, images, labels = presentation(NET, rule, shape=(2, 12, 12), images=8, connectivity=0.7)
    passed = []
    monkeypatch.setattr(kernels, "products_of_active", _counting(kernels.products_of_active, passed))
    event, reference = (engine_of(name, spec, weights, rule, order=order) for name in ("event", "reference"))
    for step in range(3):
        assert int(event.learn(images, labels, step)) == int(reference.learn(images, labels, step))
    ours, theirs = event.weights(), reference.weights()
    for found, expected in ((ours.W, theirs.W), (ours.R, theirs.R), (ours.mask_W, theirs.mask_W)):
        assert found.keys() == expected.keys()
        for i in found:
            worst = np.abs(found[i].astype(float) - expected[i]).max()
            assert worst <= TOLERANCES["float64"].relative * np.abs(expected[i]).max()
    assert len(passed) >= 3  # the first layer learned from the winners


def _counting(function, calls):
    def counted(*arguments):
        calls.append(function)
        return function(*arguments)

    return counted


def test_a_list_gives_what_all_units_give():
    spec, weights, _, _ = presentation(NET, "urfb", shape=(2, 12, 12))
    source, node = spec.nodes[2], spec.nodes[3]
    synapses = synapses_of(node, source)
    assert isinstance(synapses, ListedSynapses)
    rng = np.random.default_rng(0)
    W, kept = synapses.inside(weights.W[2]), rng.random((5, *source.shape)) < 0.2
    relays = Relays(spec.semantics, {source.name: kept}, Space(keep=False))
    x = relays.up(source, [rng.standard_normal((5, *source.shape[1:], source.shape[0]))])
    listed, delta = relays.listed(source, x), rng.standard_normal((5, node.units))
    assert listed is not None and listed.counts.sum() == kept.sum()
    for some, everything, call in (
        (np.empty((5, node.units)), np.empty((5, node.units)), lambda out, *with_: synapses.forward(W, x, out, *with_)),
        (np.empty(W.shape), np.empty(W.shape), lambda out, *with_: synapses.products(delta, x, out, *with_)),
    ):
        call(some, listed)
        call(everything)
        assert np.abs(some - everything).max() <= TOLERANCES["float64"].relative * np.abs(everything).max()
    some, everything = np.full(x.shape, np.nan), np.empty(x.shape)
    synapses.backward(W, delta, some, listed)
    synapses.backward(W, delta, everything)
    some, everything = relays.down(source, some), relays.down(source, everything)  # what silent synapses get is lost
    assert np.abs(some - everything).max() <= TOLERANCES["float64"].relative * np.abs(everything).max()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_units_that_put_out_something_are_found(dtype):
    values = np.zeros(96, dtype)
    values[[0, 17, 18, 47, 80, 95]] = [1, -2, np.nan, 1e-30, np.inf, -1e-30]
    values[1] = -0.0
    assert kernels.active(values) == 6


def test_the_circuit_needs_no_torch():
    code = "import sys, sim.event.engine; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.stdout.split() == ["False"], found.stderr
