"""What a run has the circuit do, step by step: packets leave before they arrive, gates close after they have opened."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from network.errors import BadInput
from network.spec import NetworkSpec
from sim.schedule import Event, sources_of
from sim.schedule_plan import RESOLUTION
from sim.schedule_run import Run

_OWN = float("inf")  # an event comes after everything that is put before it


class Step(NamedTuple):
    """One thing that the circuit does.

    Attributes
    ----------
    kind : str
        A kind of `sim.schedule.Event`, or ``send`` (activity leaves for a layer), ``feed`` (feedback leaves for it),
        ``close`` (of a gate), ``rise`` (u and v act).
    layer : int
        That of the event.
    time : float
        Seconds after the start.
    firing : int
        Which of the run's firings it belongs to.
    units : numpy.ndarray of bool, optional
        Where only some units of the layer do it.
    readers : frozenset of int
        Of ``feed``: which layers send their feedback now.
    waits : bool
        Of ``feed``: whether something else happens before the feedback arrives.
    opened : float
        Of ``close``: when the gate was opened, seconds.
    """

    kind: str
    layer: int
    time: float
    firing: int
    units: np.ndarray | None = None
    readers: frozenset[int] = frozenset()
    waits: bool = False
    opened: float = 0.0


def steps_of(run: Run, spec: NetworkSpec) -> tuple[Step, ...]:
    """The firings of a run, and what they entail, in order.

    What is late in the run is late here: feedback leaves as much earlier than it arrives, or never; a gate closes
    later; u and v, and consolidated weights, come later by their whole lag and by what is late. Other lags of a run
    are how long one has to wait for things to settle; how they do settle is the circuit's own affair.

    Events with a signal on the way, and with a gate that closes, are put in their place by time. At the same time
    gates close first, as the next event needs it, and packets leave last, so that they take the newest.

    Parameters
    ----------
    run : Run
    spec : NetworkSpec

    Returns
    -------
    tuple of Step

    Raises
    ------
    BadInput
        Where the run is one of another network.
    """
    if sources_of(run.schedule.spec) != sources_of(spec):
        raise BadInput(f"run: its schedule is of '{run.schedule.spec.notation}', not of '{spec.notation}'")
    placed = sorted(_placed(run, sources_of(spec)), key=lambda entry: entry[:2])
    return tuple(step for _, _, step in placed)


def _placed(run: Run, sources: dict[int, tuple[int, ...]]) -> Iterator[tuple[int, float, Step]]:
    """Every step with the number of the firing that it comes before, and its place among those that do."""
    timing, late, top = run.schedule.timing, _Lateness(run), len(sources)
    times = [firing.time for firing in run.firings]
    end = times[-1] if times else 0.0

    def before(number: int, kind: str, layer: int, time: float, readers: tuple[int, ...] = ()):
        place = min(number, bisect_right(times, time + RESOLUTION))
        step = Step(kind, layer, time, number, run.firings[number].units, frozenset(readers), place < number)
        return place, time + 2 * RESOLUTION, step

    def after(number: int, kind: str, layer: int, time: float):
        place = max(number + 1, bisect_left(times, time - RESOLUTION))
        return place, time, Step(kind, layer, time, number, run.firings[number].units, opened=times[number])

    for number, (event, time) in enumerate(zip(run.events, times, strict=True)):
        layer = event.layer
        if event.kind == "arrive":
            yield before(number, "send", layer, time - timing.of("delay", layer))
        if event.kind == "replace":
            leaving: dict[float, list[int]] = {}
            for reader, below in sources.items():
                if layer in below:
                    takes = timing.of("feedback_delay", reader) + late.feedback(reader, layer, top)
                    leaving.setdefault(time - takes, []).append(reader)
            for moment, readers in leaving.items():
                if moment > -_OWN:
                    yield before(number, "feed", layer, moment, tuple(readers))
        if event.kind == "consolidate" and (extra := late.longest("weights changed", event)):
            yield after(number, event.kind, layer, min(end, time + timing.of("consolidation", layer) + extra))
        else:
            yield number, _OWN, Step(event.kind, layer, time, number, run.firings[number].units)
        if event.kind == "gate":
            extra = late.longest("gate closed", event)
            yield after(number, "close", layer, time + timing.window(layer, top) + extra if extra < _OWN else end)
        if event.kind == "latch":
            extra = late.longest("latched", event)
            rise = time + timing.of("latch", layer) + extra if extra else time
            if rise < _OWN:
                yield after(number, "rise", layer, rise)


class _Lateness:
    """What is late in a run, by the name of the requirement and the event that it waits for."""

    def __init__(self, run: Run) -> None:
        self._late = run.late

    def longest(self, name: str, cause: Event) -> float:
        """The longest of the delays of that name after `cause`, seconds."""
        found = (extra for late, extra in self._late.items() if (late.name, late.cause) == (name, cause))
        return max(found, default=0.0)

    def feedback(self, reader: int, layer: int, top: int) -> float:
        """Seconds by which the feedback of `reader` to `layer` is late."""
        cause = Event("teach") if reader == top else Event("replace", reader)
        wanted = ("feedback arrived", cause, Event("replace", layer))
        found = (extra for late, extra in self._late.items() if (late.name, late.cause, late.effect) == wanted)
        return max(found, default=0.0)
