"""The circuit is really there: break a part of it, and what that part does is no longer done."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.errors import BadInput
from network.rules import RULES
from sim.engine import Settings
from sim.event.engine import EventEngine
from sim.schedule import Event, canonical_order
from sim.schedule_plan import Schedule
from sim.schedule_run import Run
from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.tolerances import TOLERANCES

NET = "Conv 4 3x3; Maxpool 3; Full 20; Output"
SHAPE = {"shape": (2, 8, 8), "classes": 5}


def traces(rule="urfb", *, scale=4.0, images=20, cut=None, **options):
    """What the reference and the circuit make of one batch, many of whose outputs are sufficiently correct."""
    spec, weights, pixels, labels = presentation(NET, rule, images=images, scale=scale, **SHAPE)
    engine = engine_of("event", spec, weights, rule, mu=0.5, **options)
    if cut is not None:
        assert isinstance(engine, EventEngine)
        engine.cut_control(cut)
    return engine_of("reference", spec, weights, rule, mu=0.5).present(pixels, labels), engine.present(pixels, labels)


def top(trace):
    return trace.delta[len(trace.delta)]


def is_class():
    """Which outputs are the class of their image."""
    *_, labels = presentation(NET, "urfb", images=20, scale=4.0, **SHAPE)
    return np.arange(5) == labels[:, None]


def unsilenced(epsilon):
    """What the outputs' error units are at while tc = 0, all of them."""
    return np.where(is_class(), 1.0 + epsilon, -0.5 - epsilon)


def test_the_batch_has_silent_outputs_of_both_kinds_and_saturated_units():
    reference, _ = traces()
    own = is_class()
    silent = top(reference) == 0
    assert silent[own].any() and silent[~own].any() and not silent.all()
    assert np.any(np.abs(reference.x[1]) == 1) and np.any(np.abs(reference.x[2]) == 1)


def test_without_epsilon_no_output_is_silenced():
    reference, event = traces(epsilon=0.0)
    assert np.array_equal(top(event), unsilenced(0.0))
    assert not np.array_equal(top(event), top(reference))
    updated = top(reference) != 0
    assert np.array_equal(top(event)[updated], top(reference)[updated])


@pytest.mark.parametrize("phase", [0.25, 0.5])
def test_a_gate_that_opens_late_reads_silent_outputs_at_their_highest(phase):
    reference, event = traces(gate_phase=phase, epsilon=0.3)
    silent = top(reference) == 0
    assert np.array_equal(top(event)[silent], unsilenced(0.3)[silent])
    assert np.array_equal(top(event)[~silent], top(reference)[~silent])  # those have settled: any phase will do
    assert not compare(reference, event).within(TOLERANCES["float64"])


@pytest.mark.parametrize("phase", ["auto", 0.0, 0.75])
def test_a_gate_that_opens_while_silent_outputs_are_at_0_reads_equation_6(phase):
    reference, event = traces(gate_phase=phase)
    assert compare(reference, event).within(TOLERANCES["float64"])


def test_with_one_control_cut_only_that_unit_goes_wrong():
    reference, event = traces(cut=2)
    wrong = top(event) != top(reference)
    silent = top(reference) == 0
    assert np.array_equal(wrong[:, 2], silent[:, 2]) and wrong.any()
    assert not np.delete(wrong, 2, axis=1).any()
    assert np.array_equal(top(event)[wrong], unsilenced(0.2)[wrong])


def test_with_a_K_too_small_feedback_leaks_through_saturated_units():
    reference, whole = traces("bph")
    largest = np.abs(whole.delta[2]).max()
    _, event = traces("bph", K=float(largest / 2), unchecked=True)
    saturated = np.abs(reference.x[2]) == 1
    assert not whole.delta[2][saturated].any()
    assert event.delta[2][saturated].any()


def test_a_K_too_small_is_refused_with_unit_value_and_bound():
    with pytest.raises(BadInput, match=r"full3 unit \d+, image \d+: the feedback \|delta\| = [\d.e-]+ is not below K"):
        traces(K=1e-3)


def test_an_M_too_small_is_refused_with_unit_value_and_bound():
    with pytest.raises(BadInput, match=r"output unit \d+, image \d+: \|h\| = [\d.]+ is not below M = 0\.5"):
        traces(M=0.5)


def test_beyond_M_the_outputs_go_wrong():
    reference, event = traces(M=0.5, unchecked=True)
    assert not np.array_equal(top(reference), top(event))


def test_u_and_v_stop_feedback_only_where_they_were_latched_in_time():
    """Another order of the same events: where x is replaced before u and v have seen it, its feedback passes."""
    reference, right = traces()
    spec, weights, pixels, labels = presentation(NET, "urfb", images=20, scale=4.0, **SHAPE)
    engine = engine_of("event", spec, weights, "urfb", mu=0.5)
    assert isinstance(engine, EventEngine)
    order = [event for event in canonical_order(spec) if event != Event("latch", 2)]
    never = engine.present(pixels, labels, Run.in_order(Schedule(spec), order))
    saturated = np.abs(reference.x[2]) == 1
    assert not reference.delta[2][saturated].any() and never.delta[2][saturated].all()
    assert np.array_equal(never.delta[2][~saturated], right.delta[2][~saturated])
    # Latched after, they judge what has replaced x.
    order.insert(order.index(Event("replace", 2)) + 1, Event("latch", 2))
    late = engine.present(pixels, labels, Run.in_order(Schedule(spec), order))
    large = np.abs(never.delta[2]) >= 1
    assert large.any() and not large.all()
    assert np.array_equal(late.delta[2], np.where(large, 0.0, never.delta[2]))


@settings(max_examples=25)
@given(st.integers(0, 1000), st.floats(0.1, 30), st.floats(0, 3), st.sampled_from(["urfb", "bph"]))
def test_the_automatic_bounds_hold_for_any_weights(seed, scale, epsilon, rule):
    net = "Conv 3 3x3; Conv 3 2x2; SUM; Avgpool 2/1; Maxpool 3/2; Local 3 2x2; Full 6; Output"
    spec, weights, images, labels = presentation(net, rule, seed=seed, scale=scale, **SHAPE)
    # One unit that all others excite: the worst case of the bounds.
    weights.W[5][0] = np.abs(weights.W[5]).max()
    expected = engine_of("reference", spec, weights, rule).present(images, labels)
    engine = engine_of("event", spec, weights, rule, epsilon=epsilon + 0.01)
    assert compare(expected, engine.present(images, labels)).within(TOLERANCES["float64"])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"epsilon": -0.1}, "epsilon"),
        ({"M": 0.0}, "M"),
        ({"K": "much"}, "K"),
        ({"gate_phase": 1.0}, "phase"),
        ({"gate_phase": "late"}, "phase"),
    ],
)
def test_settings_of_the_circuit_are_checked(options, word):
    with pytest.raises(BadInput, match=word):
        Settings(RULES["urfb"], **options)
