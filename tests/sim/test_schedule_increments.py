"""What a circuit makes of a schedule that lacks a requirement: the increments go wrong as `sim.schedule` says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.rules import ORDERS
from network.weights import Weights
from sim.event.engine import EventEngine
from sim.schedule import IDEAL, Event
from sim.schedule_plan import Schedule
from tests.sim.conftest import engine_of, presentation
from tests.sim.test_schedule import networks, timings
from validation.compare import compare
from validation.tolerances import TOLERANCES

NET = "Full 9; Full 8; Full 7; Output"
ETA = 0.3
IMAGES = 6


@pytest.fixture(scope="module")
def case():
    """Spec, weights, images and labels; a third or so of the hidden units are saturated."""
    return presentation(NET, "urfb", images=IMAGES, shape=(1, 4, 4), classes=5, scale=2.0)


def circuit(case, schedule):
    """The trace of a circuit that has the events happen as the schedule lets them, whatever they lack."""
    spec, weights, images, labels = case
    engine = engine_of("event", spec, weights, "urfb", eta=ETA, order=schedule.order)
    assert isinstance(engine, EventEngine)
    return engine.present(images, labels, schedule.run("record"))


def requirement(schedule, text):
    return next(r for r in schedule.requirements if str(r) == text)


def turned(case, order, text):
    """The circuit with one requirement turned round, and the right one."""
    right = Schedule(case[0], order, IDEAL)
    return circuit(case, right.swap(requirement(right, text))), circuit(case, right)


def agree(found, expected):
    np.testing.assert_allclose(found, expected, atol=TOLERANCES["float64"].relative * np.abs(expected).max(), rtol=0)


def product(above, below):
    return ETA / IMAGES * above.T @ below


def passes(h):
    """Units that are not saturated."""
    return np.abs(h) < 1


def wrong(found, right):
    """Quantities of the traces that are not the same, as (name, layer); dR is as dW, and left out."""
    pairs = [(name, getattr(found, name), getattr(right, name)) for name in ("h", "x", "delta", "dW")]
    return {(name, i) for name, ours, theirs in pairs for i in ours if not np.allclose(ours[i], theirs[i])}


def test_the_case_has_saturated_units(case):
    found = circuit(case, Schedule(case[0]))
    for layer in (1, 2, 3):
        assert 0.1 < np.mean(~passes(found.h[layer])) < 0.9


@pytest.mark.parametrize("order", ORDERS)
def test_a_gate_before_delta_tags_the_product_of_two_feedforward_activities(case, order):
    found, right = turned(case, order, "gate(1) needs replace(1): delta settled")
    agree(found.dW[1], product(found.x[1], case[2].reshape(IMAGES, -1)))
    assert wrong(found, right) == {("dW", 1)}


def test_a_gate_before_the_output_error_tags_the_output_itself(case):
    found, right = turned(case, "before_update", "gate(4) needs teach: error settled")
    agree(found.dW[4], product(found.h[4], found.x[3]))
    assert wrong(found, right) == {("dW", 4)}


def test_a_gate_that_closes_too_late_tags_the_product_of_two_feedbacks(case):
    found, right = turned(case, "before_update", "replace(2) needs gate(3): gate closed")
    agree(found.dW[3], product(found.delta[3], found.delta[2]))
    assert wrong(found, right) == {("dW", 3)}


def test_without_the_latch_saturated_units_take_feedback(case):
    schedule = Schedule(case[0], timing=IDEAL)
    found, right = circuit(case, schedule.omit(Event("latch", 2))), circuit(case, schedule)
    received = right.delta[3] @ case[1].R[3]
    agree(found.delta[2], received)
    assert np.any(found.delta[2][~passes(found.h[2])])
    agree(right.delta[2], passes(found.h[2]) * received)
    assert wrong(found, right) == {("delta", 2), ("dW", 2), ("delta", 1), ("dW", 1)}


def test_a_latch_after_the_replacement_judges_the_feedback(case):
    found, right = turned(case, "before_update", "replace(2) needs latch(2): latched")
    received = right.delta[3] @ case[1].R[3]
    agree(found.delta[2], passes(received) * received)
    assert np.any(~passes(received)) and np.any(found.delta[2][~passes(found.h[2])])
    assert wrong(found, right) == {("delta", 2), ("dW", 2), ("delta", 1), ("dW", 1)}


def test_feedback_before_its_time_is_the_activity_above(case):
    schedule = Schedule(case[0])
    # Just before delta replaces x in layer 2, which layer 1 gets its feedback from.
    early = schedule.times[Event("replace", 2)] - 0.001
    shifts = {event: early - schedule.times[event] for event in (Event("latch", 1), Event("replace", 1))}
    shifts[Event("latch", 1)] -= schedule.timing.of("latch", 1)
    found = circuit(case, schedule.shift(shifts))
    lacks = [v.requirement for v in schedule.shift(shifts).run("record").violations if v.event == Event("replace", 1)]
    assert lacks == ["gate closed", "feedback arrived"]
    agree(found.delta[1], passes(found.h[1]) * (found.x[2] @ case[1].R[2]))


def test_weights_that_change_too_early_change_the_feedback(case):
    found, right = turned(case, "before_update", "consolidate(2) needs replace(1): feedback passed")
    agree(found.delta[1], passes(found.h[1]) * (right.delta[2] @ (case[1].R[2] + right.dR[2])))
    assert wrong(found, right) == {("delta", 1), ("dW", 1)}


def test_weights_that_change_too_late_do_not_change_the_feedback(case):
    found, right = turned(case, "after_update", "replace(1) needs consolidate(2): weights changed")
    agree(found.delta[1], passes(found.h[1]) * (right.delta[2] @ case[1].R[2]))
    assert wrong(found, right) == {("delta", 1), ("dW", 1)}


@pytest.mark.parametrize("order", ORDERS)
def test_latching_before_the_gate_changes_nothing(case, order):
    """Figure 15 draws u and v after the gate; the circuit does not need that."""
    schedule = Schedule(case[0], order)
    early = schedule.shift({Event("latch", layer): -0.03 for layer in (1, 2, 3)})
    assert early.run().events != schedule.run().events
    assert wrong(circuit(case, early), circuit(case, schedule)) == set()


@settings(max_examples=40)
@given(networks, timings, st.sampled_from(ORDERS))
def test_any_times_that_keep_the_requirements_give_what_the_algorithm_says(spec, timing, order):
    weights = Weights.draw(spec, 3)
    rng = np.random.default_rng(4)
    case = spec, weights, rng.random((2, *spec.input_shape)), rng.integers(0, spec.classes, 2)
    reference = engine_of("reference", spec, weights, "urfb", eta=ETA, order=order).present(*case[2:])
    found = compare(reference, circuit(case, Schedule(spec, order, timing)))
    assert found.within(TOLERANCES["float64"]), found.worst
