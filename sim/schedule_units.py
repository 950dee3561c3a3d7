"""Jitter of single units: latches, replacements and gates of a layer happen in slots, each for some of its units."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from network.errors import BadInput, unknown
from network.spec import NetworkSpec, Shape
from sim.schedule import Event
from sim.schedule_plan import RESOLUTION
from sim.schedule_run import Firing, Run

KINDS = ("latch", "replace", "gate")
GRID = 4  # slots in a standard deviation
CUT = 3  # standard deviations


def per_unit(run: Run, spec: NetworkSpec, jitter: Mapping[str, float], count: int, seed: int) -> Run:
    """A run in which every unit has a clock of its own.

    The error of each (image, unit) is drawn from a normal distribution, independently of that of the unit's other
    events, cut at 3 standard deviations, and rounded to a quarter of one: a firing becomes at most 25, each with the
    units that share its time. What the firing entails moves with it: the feedback that arrives with a replacement has
    left as much earlier as before, and a gate is open for as long. Which requirements held is as in `run`, in which
    whole layers have one clock; see `broken_units` for those of single units.

    Parameters
    ----------
    run : Run
        Its firings of the kinds named in `jitter` are of whole layers.
    spec : NetworkSpec
    jitter : mapping of str to float
        Standard deviations, seconds, by kind: ``latch``, ``replace``, ``gate``.
    count : int
        How many images are presented.
    seed : int
        The same seed gives the same errors in standard deviations, whatever these are and whatever else has jitter.

    Returns
    -------
    Run
        Firings sorted by time; of those at the same time, those of `run` in its order.

    Raises
    ------
    BadInput
        For another kind, a standard deviation that is negative or not finite, or firings of some units only.
    """
    for kind, sd in jitter.items():
        if kind not in KINDS:
            raise unknown("jitter per unit of", kind, KINDS)
        if not 0 <= sd < float("inf"):
            raise BadInput(f"jitter per unit of {kind}: {sd:g} s; expected 0 or more, in seconds")
    firings: list[Firing] = []
    for firing in run.firings:
        event = firing.event
        if not jitter.get(event.kind):
            firings.append(firing)
            continue
        if firing.units is not None:
            raise BadInput(f"jitter per unit of {event}: it is of some units already; give a run of whole layers")
        firings += _slots(firing, spec.weighted[event.layer - 1].shape, jitter[event.kind], count, seed)
    return replace(run, firings=tuple(sorted(firings, key=lambda firing: firing.time)))


def broken_units(run: Run) -> dict[str, int]:
    """How many (image, unit) pairs of a run with slots lacked what they need of their own layer's slots, by name.

    Counted are the two that follow from a unit's own clock: ``latched``, a unit replaced before its u and v could act,
    and ``delta settled``, one whose gate opened before its delta had settled.
    """
    timing, top = run.schedule.timing, run.schedule.layers
    found = {"latched": 0, "delta settled": 0}
    for layer in range(1, top):
        latched, replaced, gated = (_times(run, Event(kind, layer)) for kind in KINDS)
        for name, before, after, lag in (
            ("latched", latched, replaced, timing.of("latch", layer)),
            ("delta settled", replaced, gated, timing.of("settling", layer)),
        ):
            if before is not None and after is not None:
                early = before + lag > after + RESOLUTION
                found[name] += int(np.count_nonzero(early)) if early.ndim else 0
    return found


def _slots(firing: Firing, shape: Shape, sd: float, count: int, seed: int) -> list[Firing]:
    """One firing as those of its units' slots, in the order of time."""
    stream = np.random.default_rng([seed, KINDS.index(firing.event.kind), firing.event.layer])
    errors = stream.standard_normal((count, *shape)).clip(-CUT, CUT)
    slots = np.rint(errors * GRID).astype(int)
    return [
        replace(firing, time=firing.time + slot * sd / GRID, units=slots == slot) for slot in np.unique(slots).tolist()
    ]


def _times(run: Run, event: Event) -> np.ndarray | None:
    """When each unit did it, seconds; a single number where all did it at once, None where none did."""
    found = [firing for firing in run.firings if firing.event == event]
    if not found:
        return None
    times = np.full(() if found[0].units is None else found[0].units.shape, found[0].time)
    for firing in found:
        if firing.units is not None:
            times[firing.units] = firing.time
    return times
