"""What a circuit in finite time makes of a requirement that does not hold: every row of the table of `sim.schedule`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from circuits.transfer import saturate
from sim.event.engine import EventEngine
from sim.schedule import Event, Timing
from sim.schedule_plan import Schedule
from sim.schedule_run import Run
from tests.sim.conftest import engine_of, presentation
from validation.tolerances import TOLERANCES

NET = "Full 9; Full 8; Full 7; Output"
ETA, IMAGES, CLASSES = 0.3, 6, 5
TAU = 10e-3
LONG = 40 * TAU
# Everything has settled to e^-40 by the time it is read, Hebbian windows included.
TIMING = replace(Timing.settled(40, TAU), gate=LONG)
SOON = 1.0 * TAU  # too soon: what relaxes has come 1 - e^-1 of its way
WAY = 1 - np.exp(-1.0)
REST = np.exp(-39)  # of what should be silent

SPEC, WEIGHTS, PIXELS, LABELS = presentation(NET, "urfb", images=IMAGES, shape=(1, 4, 4), classes=CLASSES, scale=2.0)
WEIGHTS.W[4] *= 2  # so that there are outputs on both sides of the margin
OWN = np.arange(CLASSES) == LABELS[:, None]
X0 = PIXELS.reshape(IMAGES, -1)


def engine(order) -> EventEngine:
    made = engine_of("event", SPEC, WEIGHTS, "urfb", eta=ETA, order=order, timing=TIMING)
    assert isinstance(made, EventEngine)
    return made


def product(above, below):
    return ETA / IMAGES * above.T @ below


def passes(h):
    return np.abs(h) < 1


def turned(schedule, text):
    """Happens with one requirement turned round."""
    return schedule.swap(next(r for r in schedule.requirements if str(r) == text)).run("record")


def shifted(schedule, shifts):
    """Happens with events at other times than planned; (event, seconds after another event)."""
    times = schedule.times
    moved = {event: times[after] + seconds - times[event] for event, (after, seconds) in shifts.items()}
    return schedule.shift(moved).run("record")


def late(schedule, text, seconds):
    return schedule.run("record", late={next(r for r in schedule.requirements if str(r) == text): seconds})


TEACH, GATE, LATCH, REPLACE, ARRIVE, CONSOLIDATE = (
    lambda layer=0, kind=kind: Event(kind, layer)
    for kind in ("teach", "gate", "latch", "replace", "arrive", "consolidate")
)


def teach_too_soon(schedule):
    return shifted(schedule, {TEACH(): (ARRIVE(4), SOON)})


def another_h(found, right):
    """Outputs that are far enough on their side, and have not come there yet, are updated."""
    h, silent = right.h[4] * WAY, np.abs(right.delta[4]) < REST
    expected = np.where(OWN, 1.0 * (h <= 1), -1 / (CLASSES - 1) * (h >= -1))
    assert np.any(silent & (expected != 0)) and np.any(expected == 0)
    return [(found.delta[4], expected)]


def x_late(schedule):
    """The input reaches layer 1 long after it should, and just before gate(2) closes."""
    return shifted(schedule, {ARRIVE(1): (GATE(2), LONG - SOON)})


@dataclass(frozen=True)
class Row:
    """A row of the table: what is needed, by what, how it is taken away, and what then comes out."""

    needed: str
    by: Event
    happens: Callable[[Schedule], Run]
    otherwise: Callable  # (found, right) -> pairs of arrays that are to agree
    order: str = "before_update"


ROWS = [
    Row("output settled", TEACH(), teach_too_soon, another_h),
    Row(
        "error settled", GATE(4),
        lambda schedule: shifted(schedule, {GATE(4): (TEACH(), -TIMING.reading)}),
        lambda found, right: [(found.dW[4], product(right.h[4], right.x[3]))],
    ),
    Row(
        "error settled", GATE(4),  # after the teaching, but too soon: δ of the outputs to be updated is on its way
        lambda schedule: shifted(schedule, {GATE(4): (TEACH(), SOON)}),
        lambda found, right: [(found.dW[4], product(WAY * right.delta[4], right.x[3]))],
    ),
    Row(
        "delta settled", GATE(1),
        lambda schedule: shifted(schedule, {GATE(1): (REPLACE(1), -LONG)}),
        lambda found, right: [(found.dW[1], product(right.x[1], X0))],
    ),
    Row(
        "delta settled", GATE(1),  # partly: feedback has come some of its way, where u and v let it
        lambda schedule: shifted(schedule, {GATE(1): (REPLACE(1), SOON - LONG)}),
        lambda found, right: [
            (found.dW[1], product(right.delta[1] * WAY + passes(right.h[1]) * right.h[1] * (1 - WAY), X0))
        ],
    ),
    Row(
        "x settled", GATE(2), x_late,
        lambda found, right: [(found.dW[2], product(found.delta[2], saturate(WAY * right.h[1])))],
    ),
    Row(
        "x settled", LATCH(1),
        lambda schedule: shifted(schedule, {LATCH(1): (ARRIVE(1), SOON)}),
        lambda found, right: [(found.delta[1], passes(WAY * right.h[1]) * (right.delta[2] @ WEIGHTS.R[2]))],
    ),
    Row(
        "x feedforward", GATE(2),
        lambda schedule: turned(schedule, "replace(1) needs gate(2): gate closed"),
        lambda found, right: [(found.dW[2], product(right.delta[2], found.delta[1]))],
    ),
    Row(
        "x feedforward", LATCH(2),
        lambda schedule: shifted(schedule, {LATCH(2): (REPLACE(2), LONG)}),
        lambda found, right: [
            (found.delta[2], passes(right.delta[3] @ WEIGHTS.R[3]) * (right.delta[3] @ WEIGHTS.R[3]))
        ],
    ),
    Row(
        "gate closed", REPLACE(2),
        lambda schedule: late(schedule, "replace(2) needs gate(3): gate closed", LONG),
        lambda found, right: [(found.dW[3], product(right.delta[3], right.delta[2]))],
    ),
    Row(
        "latched", REPLACE(2),
        lambda schedule: late(schedule, "replace(2) needs latch(2): latched", np.inf),
        lambda found, right: [(found.delta[2], right.delta[3] @ WEIGHTS.R[3])],
    ),
    Row(
        "feedback arrived", REPLACE(1),
        lambda schedule: shifted(schedule, {LATCH(1): (REPLACE(2), -0.02), REPLACE(1): (REPLACE(2), -0.001)}),
        lambda found, right: [(found.delta[1], passes(right.h[1]) * (right.x[2] @ WEIGHTS.R[2]))],
    ),
    Row(
        "feedback passed", CONSOLIDATE(2),
        lambda schedule: shifted(schedule, {CONSOLIDATE(2): (REPLACE(1), -0.005)}),
        lambda found, right: [
            (found.delta[1], passes(right.h[1]) * (right.delta[2] @ (WEIGHTS.R[2] + right.dR[2])))
        ],
    ),
    Row(
        "weights changed", REPLACE(1),
        lambda schedule: late(schedule, "replace(1) needs consolidate(2): weights changed", np.inf),
        lambda found, right: [(found.delta[1], passes(right.h[1]) * (right.delta[2] @ WEIGHTS.R[2]))],
        "after_update",
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.needed}-{row.by}")
def test_what_happens_otherwise(row):
    schedule = Schedule(SPEC, row.order, TIMING)
    run, present = row.happens(schedule), engine(row.order).present
    assert (row.by, row.needed) in [(violation.event, violation.requirement) for violation in run.violations]
    found, right = present(PIXELS, LABELS, run), present(PIXELS, LABELS, schedule.run())
    pairs = row.otherwise(found, right)
    assert pairs
    for ours, theirs in pairs:
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCES["float64"].relative * scale)
        assert scale > 0


@pytest.mark.parametrize("order", ["before_update", "after_update"])
def test_consolidated_before_the_gate_has_closed_weights_do_not_change(order):
    schedule = Schedule(SPEC, order, TIMING)
    run = shifted(schedule, {CONSOLIDATE(1): (GATE(1), LONG / 2)})
    assert [(v.event, v.requirement) for v in run.violations] == [(CONSOLIDATE(1), "gate closed")]
    made = engine(order)
    made.learn(PIXELS, LABELS, 0, run)
    after = made.weights()
    changed = {i: not np.array_equal(after.W[i], WEIGHTS.W[i]) for i in after.W}
    assert changed == {1: False, 2: True, 3: True, 4: True}


def test_every_row_of_the_table_is_shown():
    from sim import schedule as module

    assert module.__doc__ is not None
    table = [line for line in module.__doc__.splitlines() if "(l)" in line or "teach" in line or "gate(L)" in line]
    named = {(row.needed, row.by.kind) for row in ROWS} | {("gate closed", "consolidate")}
    wanted = {(line[:16].strip(), line[18:33].strip().split("(")[0]) for line in table if line[18:33].strip()}
    assert wanted - named == set()
