"""The circuit is really there in finite time too: break a part of it, and what that part does is no longer done."""

from dataclasses import replace

import numpy as np
import pytest

from circuits.limit_cycle import limit_cycle
from circuits.parameters import OutputError
from network.errors import BadInput
from sim.schedule import Timing
from tests.sim.test_event_circuit import is_class, top, traces, unsilenced
from validation.compare import compare
from validation.tolerances import TOLERANCES

RATIO = 40
LONG = Timing.settled(RATIO)
REST = 10 * np.exp(-RATIO)  # what LONG leaves of anything, with room for a few layers
ROUNDED = TOLERANCES["float64"].relative


def near(found, expected, rest=REST):
    return np.abs(found - expected).max() <= ROUNDED + rest


def test_settled_the_circuit_is_whole():
    reference, event = traces(timing=LONG)
    assert near(top(event), top(reference)) and compare(reference, event).within(TOLERANCES["float64"])


def test_without_epsilon_no_output_is_silenced():
    reference, event = traces(epsilon=0.0, timing=LONG)
    assert near(top(event), unsilenced(0.0)) and not near(top(event), top(reference), 0.1)


# How much of D the outputs have had, at that phase, since their control last changed; see `circuits.limit_cycle`.
@pytest.mark.parametrize(("phase", "settled"), [(0.25, 0.5), (0.5, 1.0)])
def test_a_gate_that_opens_late_reads_silent_outputs_at_their_highest(phase, settled):
    reference, event = traces(gate_phase=phase, epsilon=0.3, timing=LONG)
    silent, rest = top(reference) == 0, 10 * np.exp(-RATIO * settled)
    assert near(top(event)[silent], unsilenced(0.3)[silent], rest)
    assert near(top(event)[~silent], top(reference)[~silent])  # those have settled: any phase will do


@pytest.mark.parametrize(("phase", "settled"), [("auto", 1.0), (0.0, 1.0), (0.75, 0.5)])
def test_a_gate_that_opens_while_silent_outputs_are_at_0_reads_equation_6(phase, settled):
    reference, event = traces(gate_phase=phase, timing=LONG)
    assert near(top(event), top(reference), 10 * np.exp(-RATIO * settled))


@pytest.mark.parametrize("ratio", [1.0, 3.0, 6.0])
def test_silent_outputs_come_as_near_to_0_as_the_loop_lets_them(ratio):
    """Read by the automatic phase, and at the phase of the closed form: e^{-D/tau}, or mu times that."""
    timing = replace(LONG, loop=ratio * LONG.tau)
    for phase in ("auto", 0.0):
        reference, event = traces(gate_phase=phase, timing=timing)
        silent = top(reference) == 0
        expected = np.where(is_class(), 1.0, -0.5) * np.exp(-ratio)
        assert near(top(event)[silent], expected[silent])


def test_at_half_a_cycle_the_value_is_that_of_the_closed_form():
    timing = replace(LONG, loop=2 * LONG.tau)
    reference, event = traces(gate_phase=0.5, timing=timing)
    own = is_class() & (top(reference) == 0)
    cycle = limit_cycle(OutputError(epsilon=0.2, tau=LONG.tau, delay=timing.loop))
    rising = (1 - cycle.quiet_phase) * cycle.period  # from nearest 0 to the crossing
    assert 0.5 * cycle.period < rising + timing.loop  # half a cycle later it still rises toward 1 + epsilon
    expected = 1.2 + (cycle.nearest_zero - 1.2) * np.exp(-0.5 * cycle.period / LONG.tau)
    assert near(top(event)[own], expected)


def test_with_one_control_cut_only_that_unit_goes_wrong():
    reference, event = traces(cut=2, timing=LONG)
    silent = top(reference) == 0
    wrong = np.abs(top(event) - top(reference)) > 0.1
    assert np.array_equal(wrong[:, 2], silent[:, 2]) and wrong.any()
    assert not np.delete(wrong, 2, axis=1).any()
    assert near(top(event)[wrong], unsilenced(0.2)[wrong])


def test_with_a_K_too_small_feedback_leaks_through_saturated_units():
    reference, whole = traces("bph", timing=LONG)
    largest = np.abs(whole.delta[2]).max()
    _, event = traces("bph", K=float(largest / 2), unchecked=True, timing=LONG)
    saturated = np.abs(reference.x[2]) == 1
    assert not whole.delta[2][saturated].any()
    assert np.abs(event.delta[2][saturated]).max() > largest / 10


def test_bounds_too_small_are_refused_with_unit_value_and_bound():
    with pytest.raises(BadInput, match=r"full3 unit \d+, image \d+: the feedback \|delta\| = [\d.e-]+ is not below K"):
        traces(K=1e-3, timing=LONG)
    with pytest.raises(BadInput, match=r"output unit \d+, image \d+: \|h\| = [\d.]+ is not below M = 0\.5"):
        traces(M=0.5, timing=LONG)


@pytest.mark.parametrize("phase", ["auto", 0.5])
def test_a_window_shorter_than_a_cycle_is_refused_with_unit_period_and_window(phase):
    short = replace(LONG, loop=5 * LONG.tau, reading=0.5 * LONG.tau)
    words = (
        r"output unit \d, image \d+: its cycle of 1\d\d\.?\d* ms does not fit into the Hebbian window of 5 ms; lengthen"
    )
    with pytest.raises(BadInput, match=words):
        traces(timing=short, gate_phase=phase)
    reference, event = traces(timing=short, gate_phase=phase, unchecked=True)
    silent = top(reference) == 0
    assert np.abs(top(event)[silent]).max() > 0.1  # which is what it would have hidden
