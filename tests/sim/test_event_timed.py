"""The event engine with finite timing, on schedules that are right, late, in any order, and with slots of units."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.errors import BadInput
from network.rules import ORDERS
from network.weights import Weights
from sim.event.engine import EventEngine
from sim.schedule import Event, Timing, canonical_order
from sim.schedule_plan import Schedule
from sim.schedule_run import Firing, Run
from sim.schedule_units import broken_units, per_unit
from tests.sim.conftest import engine_of, presentation
from tests.sim.test_schedule import networks, timings
from validation.compare import compare
from validation.tolerances import TOLERANCES

NET = "Full 9; Full 8; Full 7; Output"
LONG = Timing.settled(40)
REST = np.exp(-40)  # what LONG leaves


def engine(spec, weights, rule="urfb", **options) -> EventEngine:
    made = engine_of("event", spec, weights, rule, **options)
    assert isinstance(made, EventEngine)
    return made


def case(net=NET, *, images=6, scale=2.0, shape=(1, 4, 4), classes=5, **options):
    return presentation(net, "urfb", images=images, shape=shape, classes=classes, scale=scale, **options)


def drawn(spec, seed=3, images=2):
    """Weights, images and labels for a network of a strategy."""
    rng = np.random.default_rng(seed)
    return Weights.draw(spec, seed), rng.random((images, *spec.input_shape)), rng.integers(0, spec.classes, images)


@settings(max_examples=60)
@given(networks, timings, st.sampled_from(ORDERS), st.booleans(), st.randoms(use_true_random=False), st.floats(0, 0.05))
def test_events_in_any_order_give_finite_numbers(spec, timing, order, timed, random, pause):
    weights, images, labels = drawn(spec)
    events = list(canonical_order(spec, order))
    random.shuffle(events)
    firings = tuple(Firing(event, n * pause, (), ()) for n, event in enumerate(events))
    run = Run(Schedule(spec, order, timing), firings, ())
    made = engine(spec, weights, order=order, timing=timing if timed else None, unchecked=True)
    trace = made.present(images, labels, run)
    for quantity, arrays in trace.arrays().items():
        assert all(np.isfinite(values).all() for values in arrays.values()), quantity
    assert set(trace.h) == set(trace.dW) == {node.index for node in spec.weighted}
    assert 0 <= made.learn(images, labels, 0, run) <= len(labels)
    assert all(np.isfinite(W).all() for W in made.weights().W.values())


@settings(max_examples=30)
@given(networks, st.sampled_from(ORDERS))
def test_long_settling_is_ideal(spec, order):
    weights, images, labels = drawn(spec)
    ideal, timed = (engine(spec, weights, order=order, timing=t).present(images, labels) for t in (None, LONG))
    for difference in compare(ideal, timed).differences:  # where a layer is silent the smallest rest is all there is
        assert difference.relative <= TOLERANCES["float64"].relative or difference.largest <= 10 * REST, difference


times = st.floats(0, 0.1)


@settings(max_examples=40)
@given(networks, st.sampled_from(ORDERS), times, times, times, times, times, st.floats(0, 0.02))
def test_any_times_that_let_everything_settle_are_ideal(
    spec, order, delay, feedback_delay, gate, latch, consolidation, margin
):
    timing = replace(
        LONG, delay=delay, feedback_delay=feedback_delay, gate=gate, latch=latch, consolidation=consolidation,
        margin=margin,
    )  # fmt: skip
    weights, images, labels = drawn(spec)
    ideal, timed = (engine(spec, weights, order=order, timing=t).present(images, labels) for t in (None, timing))
    for difference in compare(ideal, timed).differences:
        assert difference.relative <= TOLERANCES["float64"].relative or difference.largest <= 10 * REST, difference


def test_learning_in_time_is_learning():
    spec, weights, images, labels = case("Conv 4 3x3; Maxpool 3; Drop .5; Full 8; Output", shape=(1, 8, 8))
    made = [engine(spec, weights, timing=timing, seed=4) for timing in (None, LONG)]
    wrong = [[one.learn(images, labels, step) for step in range(5)] for one in made]
    assert wrong[0] == wrong[1]
    ideal, timed = (one.weights() for one in made)
    for ours, theirs in ((ideal.W, timed.W), (ideal.R, timed.R)):
        for i in ours:
            assert np.abs(ours[i] - theirs[i]).max() <= TOLERANCES["float64"].relative * np.abs(ours[i]).max()
    assert not np.array_equal(timed.W[1], weights.W[1])
    assert made[0].outputs(images) == pytest.approx(made[1].outputs(images))


def test_a_run_of_another_network_is_refused():
    spec, weights, images, labels = case()
    other, *_ = case("Full 9; Output")
    with pytest.raises(BadInput, match="its schedule is of 'Full 9; Output'"):
        engine(spec, weights).present(images, labels, Schedule(other).run())
    run = per_unit(Schedule(spec).run(), spec, {"latch": 1e-3}, 5, 0)
    with pytest.raises(BadInput, match=r"full3: units of shape \[5, 7\] in the run: expected \[6, 7\]"):
        engine(spec, weights).present(images, labels, run)


def lateness(schedule, text, seconds):
    return {next(r for r in schedule.requirements if str(r) == text): seconds}


@pytest.mark.parametrize("timing", [None, LONG])
def test_lost_feedback_is_none(timing):
    spec, weights, images, labels = case("Conv 3 3x3; Conv 3 3x3; SUM; Output")
    schedule = Schedule(spec, timing=LONG)
    present = engine(spec, weights, timing=timing).present
    right = present(images, labels, schedule.run())
    for lost, kept in (("teach", "replace(2)"), ("replace(2)", "teach")):
        late = lateness(schedule, f"replace(1) needs {lost}: feedback arrived", np.inf)
        found = present(images, labels, schedule.run("record", late=late))
        assert np.abs(found.delta[1] - right.delta[1]).max() > 0.01, kept
        assert np.array_equal(found.delta[2], right.delta[2])
    both = {
        r: np.inf for r in schedule.requirements if r.name == "feedback arrived" and r.effect == Event("replace", 1)
    }
    found = present(images, labels, schedule.run("record", late=both))
    assert np.abs(found.delta[1]).max() <= REST


@pytest.mark.parametrize("timing", [None, LONG])
def test_late_feedback_is_what_was_there_before(timing):
    """By so much later than it should that what arrives left while x was still there."""
    spec, weights, images, labels = case()
    schedule = Schedule(spec, timing=LONG)
    late = lateness(schedule, "replace(1) needs replace(2): feedback arrived", 0.5)
    found = engine(spec, weights, timing=timing).present(images, labels, schedule.run("record", late=late))
    received = found.x[2] @ weights.R[2]
    expected = np.where(np.abs(found.h[1]) < 1, received, 0.0)
    assert np.abs(found.delta[1] - expected).max() <= TOLERANCES["float64"].relative * np.abs(expected).max()


@pytest.mark.parametrize("timing", [None, LONG])
def test_a_gate_that_closes_late_takes_what_is_there_then(timing):
    spec, weights, images, labels = case()
    schedule = Schedule(spec, timing=LONG)
    late = lateness(schedule, "replace(2) needs gate(3): gate closed", 0.41)  # just before layer 1 is replaced
    found = engine(spec, weights, timing=timing).present(images, labels, schedule.run("record", late=late))
    expected = 0.1 / len(labels) * found.delta[3].T @ found.delta[2]
    assert np.abs(found.dW[3] - expected).max() <= TOLERANCES["float64"].relative * np.abs(expected).max()


@pytest.mark.parametrize("timing", [None, LONG])
@pytest.mark.parametrize("extra", [0.2, np.inf])
def test_late_u_and_v_let_feedback_pass_until_they_act(timing, extra):
    spec, weights, images, labels = case()
    schedule = Schedule(spec, timing=LONG)
    late = lateness(schedule, "replace(2) needs latch(2): latched", extra)
    present = engine(spec, weights, timing=timing).present
    found, right = (present(images, labels, run) for run in (schedule.run("record", late=late), schedule.run()))
    saturated = np.abs(found.h[2]) >= 1
    assert saturated.any() and not right.delta[2][saturated].any()
    passed = found.delta[2][saturated]
    assert passed.all() if extra == np.inf else not passed.any()  # by the time the gate opens they act


@pytest.mark.parametrize("timing", [None, LONG])
def test_slots_of_units_with_room_for_them_change_nothing(timing):
    """With a margin of many standard deviations every unit has what it needs, whenever it is its turn."""
    spec, weights, images, labels = case("Conv 3 3x3; Maxpool 3; Full 8; Output", shape=(1, 8, 8))
    run = Schedule(spec, timing=replace(LONG, margin=0.05)).run()
    jittered = per_unit(run, spec, {"latch": 2e-3, "replace": 2e-3, "gate": 2e-3}, len(labels), 1)
    assert len(jittered.firings) > 5 * len(run.firings) and broken_units(jittered) == {"latched": 0, "delta settled": 0}
    made = engine(spec, weights, "urfb", timing=timing)
    assert compare(made.present(images, labels, run), made.present(images, labels, jittered)).within(
        TOLERANCES["float64"]
    )


def times_of(run, kind, layer):
    """When each unit of a layer did it."""
    slots = [firing for firing in run.firings if firing.event == Event(kind, layer)]
    return np.sum([firing.time * firing.units for firing in slots], axis=0)


def test_units_replaced_before_their_latch_are_those_that_take_feedback():
    spec, weights, images, labels = case()
    run = Schedule(spec, timing=LONG).run()
    jittered = per_unit(run, spec, {"replace": 5e-3, "latch": 5e-3}, len(labels), 0)
    right, found = (engine(spec, weights).present(images, labels, r) for r in (run, jittered))
    early = times_of(jittered, "replace", 3) < times_of(jittered, "latch", 3)
    saturated = np.abs(right.h[3]) >= 1
    large = np.abs(right.delta[4] @ weights.R[4]) >= 1  # those latch what has replaced x
    assert (saturated & early).any()
    assert np.array_equal(found.delta[3][saturated & ~large] != 0, early[saturated & ~large])
    lag = LONG.of("latch", 3)
    counted = sum(int(np.count_nonzero(times_of(jittered, "replace", i) < times_of(jittered, "latch", i) + lag))
                  for i in (1, 2, 3))  # fmt: skip
    assert broken_units(jittered)["latched"] == counted > 0


def test_slots_are_a_normal_clock_for_every_unit_on_a_grid():
    spec, *_ = case()
    run = Schedule(spec).run()
    sd = 4e-3
    jittered = per_unit(run, spec, {"gate": sd}, 2000, 5)
    errors = (times_of(jittered, "gate", 2) - run.times[Event("gate", 2)]) / (sd / 4)
    assert errors.shape == (2000, 8)
    assert np.abs(errors - np.rint(errors)).max() < 1e-9 and np.abs(errors).max() == pytest.approx(12)
    assert errors.mean() == pytest.approx(0, abs=5 * 4 / errors.size**0.5)
    assert errors.std() == pytest.approx(4, rel=0.03)
    correlations = np.corrcoef(errors.T)[~np.eye(8, dtype=bool)]
    assert np.abs(correlations).max() < 5 / 2000**0.5
    times = [firing.time for firing in jittered.firings]
    assert times == sorted(times)
    for event, time in run.times.items():  # each unit once, and all other events as they were
        slots = [f for f in jittered.firings if f.event == event]
        if event.kind == "gate":
            assert (np.sum([np.asarray(f.units) for f in slots], axis=0) == 1).all()
        else:
            assert [f.time for f in slots] == [time]


@pytest.mark.parametrize(
    ("jitter", "word"), [({"teach": 1e-3}, "'teach'"), ({"gate": -1.0}, "-1 s"), ({"latch": np.nan}, "nan s")]
)
def test_jitter_of_what_is_not_there_is_refused(jitter, word):
    spec, *_ = case()
    with pytest.raises(BadInput, match=word):
        per_unit(Schedule(spec).run(), spec, jitter, 3, 0)
