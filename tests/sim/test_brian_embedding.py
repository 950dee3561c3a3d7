"""A whole network of Brian2 among a user's own neurons: they are its input, and read its units."""

import brian2
import numpy as np
import pytest
from brian2 import ms

from network.errors import BadInput
from sim.brian.engine import BrianEngine
from sim.schedule import Timing
from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.tolerances import TOLERANCES

NET = "Conv 2 3x3; Maxpool 2; Full 6; Output"
OPTIONS = {"shape": (1, 4, 4), "classes": 3, "images": 2, "scale": 3.0}
EXACT = TOLERANCES["float64"]


@pytest.fixture(autouse=True)
def _numpy_target():
    """Nothing is compiled: quick to start."""
    before, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    yield
    brian2.prefs.codegen.target = before


def made(net=NET):
    spec, weights, images, labels = presentation(net, "urfb", **OPTIONS)
    engine = engine_of("brian", spec, weights, "urfb", timing=Timing.settled(4), dt=1e-3)
    assert isinstance(engine, BrianEngine)
    return engine, images, labels


def test_input_linked_to_the_users_rates_is_what_they_are_when_it_is_presented():
    engine, images, labels = made()
    group = brian2.NeuronGroup(images.size, "dr/dt = (goal - r)/(30*ms) : 1\ngoal : 1", method="exact", dt=1 * ms)
    group.goal = images.ravel()
    network = engine.network(brian2.linked_var(group, "r"), labels, begin=60 * ms)
    brian2.Network(group, network).run(network.duration, namespace={})
    shown = np.asarray(network["input"].activity).reshape(images.shape)
    np.testing.assert_allclose(shown, images * -np.expm1(-2), rtol=1e-12)  # and no more, though the rates went on
    assert np.all(group.r > network["input"].activity)
    found = compare(engine.present(shown, labels), network.trace())
    assert found.within(EXACT)
    assert network.misjudged == engine.present(shown, labels).meta["misjudged"]


def test_input_summed_up_by_the_users_synapses_and_a_reader_of_the_outputs():
    engine, images, labels = made("Full 5; Output")
    source = brian2.NeuronGroup(2 * images.size, "x : 1", dt=1 * ms)
    source.x = np.repeat(images.ravel(), 2)
    network = engine.network(np.zeros_like(images), labels, begin=5 * ms, name="theirs")
    into = brian2.Synapses(source, network["input"], "pixel_post = 0.5*x_pre : 1 (summed)", dt=1 * ms)
    into.connect(j="i // 2")
    reader = brian2.NeuronGroup(1, "seen : 1", dt=1 * ms)
    reading = brian2.Synapses(network["output2"], reader, "seen_post = delta_pre : 1 (summed)", dt=1 * ms)
    reading.connect()
    monitor = brian2.StateMonitor(reader, "seen", record=True, dt=1 * ms)
    delta = brian2.StateMonitor(network["output2"], "delta", record=True, clock=network.clock)
    brian2.Network(source, network, into, reader, reading, monitor, delta).run(network.duration, namespace={})
    trace, before = network.trace(), engine.weights().W
    assert compare(engine.present(images, labels), trace).within(EXACT)
    for i, W in network.weights().W.items():  # from which another presentation may go on
        np.testing.assert_array_equal(W, before[i] + trace.dW[i])
        assert trace.dW[i].any()
    np.testing.assert_allclose(monitor.seen[0][1:], delta.delta.sum(axis=0)[:-1], atol=1e-12)
    assert np.abs(monitor.seen).max() > 0.5


@pytest.mark.parametrize(
    ("images", "options", "words"),
    [
        (brian2.TimedArray([0, 1], dt=ms), {}, "expected numbers, N x C x H x W, or brian2.linked_var"),
        ("link of 31", {}, "31 units, but 2 images of 16 pixels"),
        ("images", {"begin": -1 * ms}, "begin = .*expected 0 or more"),
        ("images", {"begin": 5}, "begin = 5: expected a time with a unit"),
    ],
)
def test_refusals_say_what_and_where(images, options, words):
    engine, array, labels = made("Output")
    group = brian2.NeuronGroup(31, "x : 1")
    if isinstance(images, str):
        images = brian2.linked_var(group, "x") if images == "link of 31" else array
    with pytest.raises(BadInput, match=words):
        engine.network(images, labels, **options)
