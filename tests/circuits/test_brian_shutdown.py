"""The feedback-shutdown circuit in Brian2."""

import brian2
import numpy as np
import pytest
from brian2 import Hz, ms

from circuits.brian import FeedbackShutdownCircuit
from circuits.errors import CircuitError, OutOfBounds
from circuits.parameters import FeedbackShutdown

pytestmark = pytest.mark.usefixtures("numpy_target")


def simulate(*args, duration=100 * ms, **kwargs):
    """Run a circuit and return its trace."""
    circuit = FeedbackShutdownCircuit(*args, **kwargs)
    brian2.Network(circuit).run(duration, namespace={})
    return circuit.trace()


def events_of(trace):
    """The events of a Brian2 trace, which has them."""
    assert trace.events is not None
    return trace.events


def test_saturated_units_lose_their_feedback_and_others_keep_it():
    h = np.array([2, 0.5, -2, -0.5, 0, 1.5, -1.5])
    delta = np.array([1, 1, -1, -1, 3, -3, 3.0])
    trace = simulate(h, delta, FeedbackShutdown(K=4))
    np.testing.assert_array_equal(trace.delta_tilde[-1], FeedbackShutdown(K=4).target(h, delta))
    np.testing.assert_array_equal(trace.u[-1], [1, 0, 0, 0, 0, 1, 0])
    np.testing.assert_array_equal(trace.v[-1], [0, 0, -1, 0, 0, 0, -1])
    # Until the control units act, feedback passes everywhere: a level needs the delay, at least.
    np.testing.assert_array_equal(trace.delta_tilde[trace.times < 5e-3], np.tile(delta, (50, 1)))


def test_a_unit_is_shut_off_when_its_potential_passes_one_and_the_delay_is_over():
    h = np.array([1.1, 2, 5, -3])
    trace = simulate(h, 1, FeedbackShutdown(tau=10e-3, delay=5e-3), units=4)
    shut = trace.times[np.argmax(trace.delta_tilde == 0, axis=0)]
    # p = h (1 - exp(-t / tau)) reaches 1 at tau log(|h| / (|h| - 1)).
    expected = 10e-3 * np.log(np.abs(h) / (np.abs(h) - 1)) + 5e-3
    assert (shut >= expected).all()
    np.testing.assert_allclose(shut, expected, atol=0.1e-3, rtol=0)  # one dt late at most


def test_misjudged_are_the_units_just_above_saturation():
    h = np.random.default_rng(1).uniform(-3, 3, 1000)
    settling = 20e-3
    trace = simulate(h, 1, FeedbackShutdown(tau=10e-3), coupling="undelayed", units=1000, duration=21 * ms)
    wrong = trace.delta_tilde[trace.times == settling][0] != trace.parameters.target(h, 1)
    bound = 1 / (1 - np.exp(-settling / 10e-3))
    np.testing.assert_array_equal(wrong, (np.abs(h) >= 1) & (np.abs(h) < bound))
    assert wrong.sum() > 20


@pytest.mark.parametrize("delay", [5 * ms, 0.1 * ms, [1, 2.22, 3, 8] * ms], ids=["D", "one dt", "per unit"])
def test_events_equal_the_ring_buffer(delay):
    h = brian2.TimedArray([[2, 0.5, -2, -1.01], [0, 3, 2, 1.3], [-3, 3, 1, -2]], dt=30 * ms)
    delta = brian2.TimedArray([1, -2, 0.5], dt=25 * ms)
    events, buffer = (
        simulate(h, delta, tau=[10, 5, 10, 8] * ms, delay=delay, coupling=coupling) for coupling in ("events", "buffer")
    )
    for name in ("x", "u", "v", "delta_tilde"):
        # The same arithmetic in the same order: equal to the last bit.
        np.testing.assert_array_equal(getattr(events, name), getattr(buffer, name))
    for one, other in zip(events_of(events), events_of(buffer), strict=True):
        np.testing.assert_array_equal(one, other)
    assert events.u.max() == 1 and events.v.min() == -1


def test_input_and_feedback_in_time():
    trace = simulate("2.5*sin(2*pi*frequency*t)", "0.5*cos(2*pi*frequency*t)", namespace={"frequency": 20 * Hz})
    assert trace.u.max() == 1 and trace.v.min() == -1
    lag = 50  # 5 ms in steps of 0.1 ms
    silent = (np.abs(trace.x) >= 1)[:-lag]
    np.testing.assert_array_equal(trace.delta_tilde[lag:], np.where(silent, 0, trace.delta[lag:]))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (([0, 1], [1, -4]), r"unit 1: \|delta\| = 4.0 is not below K = 4.0"),
        (([0, np.nan], [1, 1]), "unit 1: h = nan"),
        (([0, 1, 2], [1, 1]), "h: 3 units; delta: 2 units"),
    ],
)
def test_refusals_say_what_and_where(args, words):
    with pytest.raises(CircuitError, match=words):
        FeedbackShutdownCircuit(*args)


def test_feedback_of_exactly_K_passes_where_bounds_are_not_checked():
    trace = simulate([2.0], [4.0], FeedbackShutdown(K=4), unchecked=True)
    assert trace.delta_tilde[-1] == -4
    with pytest.raises(OutOfBounds):
        simulate([2.0], "4*int(t > 50*ms)")
