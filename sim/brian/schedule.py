"""A run of the schedule as the clock-driven circuit carries it out: what each layer does in which time step.

Times are rounded to whole steps.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from sim.event.steps import Step

# The parts of a step of the clock, in the order in which they happen: those kinds of `sim.event.steps.Step` that units
# fire as events, and what these need.
PARTS = (
    "present", "teach", "settle", "gate", "close", "latch", "consolidate", "send", "feed", "rise", "arrive", "replace",
)  # fmt: skip

Place = tuple[str, int]  # something that a step reads or changes: what, and of which layer
Places = dict[Place, np.ndarray | None]  # with the units concerned, None for all


def pack(steps: Iterable[Step], sources: Mapping[int, tuple[int, ...]], dt: float) -> dict[int, list[Step]]:
    """Which steps of a run happen in which time step.

    Two that are rounded to the same time step share it where it does not matter which comes first, or where `PARTS` has
    them in their order. If not, the later one waits for the next time step: a lag that vanishes with dt.

    Parameters
    ----------
    steps : iterable of Step
        In order, as `sim.event.steps.steps_of` makes them.
    sources : mapping of int to tuple of int
        As `sim.schedule.sources_of`.
    dt : float
        Seconds.

    Returns
    -------
    dict of int to list of Step
        By time step, from 0 on.
    """
    packed: dict[int, list[Step]] = {}
    used: dict[tuple[str, Place], list[tuple[int, int, np.ndarray | None]]] = {}  # time step, part, units
    for step in steps:
        part = PARTS.index(step.kind)
        reads, changes = _touches(step, sources)
        at = max(0, round(step.time / dt))
        before = [("changes", *item) for item in (*reads.items(), *changes.items())]
        before += [("reads", *item) for item in changes.items()]
        for use, place, units in before:
            for when, other, others in used.get((use, place), ()):
                if when >= at and _overlap(units, others):
                    at = when if other <= part else when + 1
        for use, places in (("reads", reads), ("changes", changes)):
            for place, units in places.items():
                used.setdefault((use, place), []).append((at, part, units))
        packed.setdefault(at, []).append(step)
    return dict(sorted(packed.items()))


def _overlap(some: np.ndarray | None, others: np.ndarray | None) -> bool:
    return some is None or others is None or bool((some & others).any())


def _touches(step: Step, sources: Mapping[int, tuple[int, ...]]) -> tuple[Places, Places]:
    """What a step reads, and what it changes."""
    layer, top, units = step.layer, len(sources), step.units
    own: Places = {("activity", layer): units}
    below: Places = {("activity", source): None for source in sources.get(layer, ())}
    match step.kind:
        case "present":
            return {}, {("activity", 0): None}
        case "teach":
            return {}, {("activity", top): None}
        case "close":
            return {**own, **below}, {("tag", layer): units, **(own if layer == top else {})}
        case "latch":
            return own, {("latched", layer): units}
        case "rise":
            return {("latched", layer): units}, own
        case "consolidate":
            return {("tag", layer): None}, {("weights", layer): None}
        case "send":
            return {("weights", layer): None, **below}, {("arriving", layer): None}
        case "feed":
            readers: Places = {(what, reader): None for reader in step.readers for what in ("weights", "activity")}
            return readers, {("returning", layer): units}
        case "arrive":
            return {("arriving", layer): None}, {("drive", layer): None}
        case "replace":
            return {("returning", layer): units}, {("drive", layer): units, **own}
    return {}, {}  # what settles, or the opening of a gate, is only looked at
