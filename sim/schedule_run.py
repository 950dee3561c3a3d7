"""What happened in one presentation: which event when, and what it lacked."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from network.errors import BadInput, unknown
from sim.schedule import ACTIONS, IDEAL, SIGNALS, Event, Requirement, TimingViolation
from sim.schedule_plan import RESOLUTION, Schedule
from sim.schedule_queue import CUSTOMARY, NEEDED, SIGNAL, run_queue

KINDS = {"needed": NEEDED, "signal": SIGNAL, "customary": CUSTOMARY}


@dataclass(frozen=True)
class Firing:
    """One event that happened: when (s), and which of its requirements held and which did not, by name.

    With `units`, only those of the event's layer did it then: True where they did, (N, C, H, W) or (N, units).
    """

    event: Event
    time: float
    held: tuple[str, ...]
    broken: tuple[str, ...]
    units: np.ndarray | None = None


@dataclass(frozen=True)
class Run:
    """What happened.

    Attributes
    ----------
    schedule : Schedule
    firings : tuple of Firing
        In the order in which they happened.
    violations : tuple of TimingViolation
        In the same order.
    late : mapping of Requirement to float
        Seconds by which lags were longer than planned, as given to `run`; infinite for what never came.
    """

    schedule: Schedule
    firings: tuple[Firing, ...]
    violations: tuple[TimingViolation, ...]
    late: Mapping[Requirement, float] = field(default_factory=dict)

    @classmethod
    def in_order(cls, schedule: Schedule, events: Iterable[Event]) -> "Run":
        """`events` one after the other where nothing takes time, whatever `schedule` says; nothing is checked."""
        firings = tuple(Firing(event, 0.0, (), ()) for event in events)
        return cls(replace(schedule, timing=IDEAL), firings, ())

    @property
    def events(self) -> tuple[Event, ...]:
        """The events in the order in which they happened: what an engine executes."""
        return tuple(firing.event for firing in self.firings)

    @cached_property
    def times(self) -> dict[Event, float]:
        """Seconds after the start, for each event that happened."""
        return {firing.event: firing.time for firing in self.firings}

    @property
    def counts(self) -> dict[str, int]:
        """How often each requirement was broken, by name."""
        return dict(Counter(violation.requirement for violation in self.violations))

    def to_json(self) -> str:
        """The trace as JSON: a list of events with times (s) and the requirements that held and did not."""
        rows = [
            {"event": str(f.event), "kind": f.event.kind, "layer": f.event.layer, "time": f.time}
            | {"held": f.held, "broken": f.broken}
            for f in self.firings
        ]
        return json.dumps(rows, indent=1)


def run(
    schedule: Schedule,
    on_violation: str = "raise",
    *,
    jitter: float | Mapping[str, float] = 0.0,
    late: Mapping[Requirement, float] | None = None,
    seed: int = 0,
    check: bool = True,
) -> Run:
    """Let a schedule happen: the clock fires actions at their times, signals follow their causes.

    Parameters
    ----------
    schedule : Schedule
    on_violation : {"raise", "record"}
        What to do when an event lacks something: stop, or go on and keep a record.
    jitter : float or mapping of str to float
        Standard deviation, in seconds, of the normal error of the clock: of all actions, or by kind of action.
    late : mapping of Requirement to float
        Seconds by which a lag is longer than planned: a slow signal, late feedback, a gate that closes late. Infinite
        for what never comes.
    seed : int
        Of the jitter.
    check : bool
        With ``"raise"``: have `Schedule.check` refuse a wrong schedule before anything happens.

    Returns
    -------
    Run

    Raises
    ------
    TimingViolation
        At the first event that lacks something, with ``on_violation="raise"``.
    ScheduleError
        For a schedule that cannot keep Remark 1.
    BadInput
        For an unknown way to go on, or jitter of what no clock fires.
    """
    if on_violation not in ("raise", "record"):
        raise unknown("on_violation", on_violation, ("raise", "record"))
    if check and on_violation == "raise":
        schedule.check()
    events, edges = schedule.events, schedule.requirements
    number = {event: n for n, event in enumerate(events)}
    late = dict(late or {})
    for requirement in late:
        if requirement not in edges:
            raise BadInput(f"late: '{requirement}' is none of the schedule's requirements; see Schedule.requirements")
    spread = _spread(jitter)
    noise = np.random.default_rng(seed).standard_normal(len(events))
    shift = np.array([schedule.shifts.get(event, 0.0) for event in events])
    planned = [schedule.times[event] + spread.get(event.kind, 0.0) * z for event, z in zip(events, noise, strict=True)]
    start = np.where([event.kind in SIGNALS for event in events], np.inf, planned + shift)
    lag = [edge.lag + late.get(edge, 0.0) for edge in edges]
    cause, effect = ([number[getattr(edge, end)] for edge in edges] for end in ("cause", "effect"))
    order, happened, broken = run_queue(
        start=start,
        omitted=np.array([event in schedule.omitted for event in events]),
        shift=shift,
        cause=np.array(cause),
        effect=np.array(effect),
        lag=np.array(lag),
        kind=np.array([KINDS[edge.kind] for edge in edges]),
        still=np.array([bool(edge.still) for edge in edges]),
        resolution=RESOLUTION,
        stop=on_violation == "raise",
    )
    times: list[float] = happened.tolist()
    place = {events[n]: k for k, n in enumerate(order)}
    violations = tuple(
        _violation(edges[n], bool(undone), times[cause[n]], times[effect[n]], lag[n], place) for n, undone in broken
    )
    if violations and on_violation == "raise":
        raise violations[0]
    return Run(schedule, tuple(_firing(events[n], times[n], edges, violations) for n in order), violations, late)


def _spread(jitter: float | Mapping[str, float]) -> dict[str, float]:
    """Standard deviations by kind of action."""
    spread: dict[str, float] = dict(jitter) if isinstance(jitter, Mapping) else {kind: jitter for kind in ACTIONS}
    for kind, sd in spread.items():
        if kind not in ACTIONS:
            raise unknown("jitter of", kind, ACTIONS)
        if not 0 <= sd < float("inf"):
            raise BadInput(f"jitter of {kind}: {sd:g} s; expected 0 or more, in seconds")
    return spread


def _violation(
    edge: Requirement, undone: bool, cause: float, effect: float, lag: float, place: Mapping[Event, int]
) -> TimingViolation:
    """What was lacking; `cause` and `effect` are when these happened, `place` is the order in which all did."""
    if undone:
        why = f"{edge.effect} was at {effect * 1e3:.4g} ms"
        return TimingViolation(edge.cause, edge.still, edge.effect, cause, why)
    if place.get(edge.cause, len(place)) > place[edge.effect]:
        why = f"{edge.cause} has not happened"
    else:
        why = f"{edge.cause} was at {cause * 1e3:.4g} ms and takes {lag * 1e3:.4g} ms"
    return TimingViolation(edge.effect, edge.name, edge.cause, effect, why)


def _firing(
    event: Event, time: float, edges: tuple[Requirement, ...], violations: tuple[TimingViolation, ...]
) -> Firing:
    broken = {violation.requirement for violation in violations if violation.event == event}
    needs = {edge.name: None for edge in edges if edge.effect == event and edge.kind == "needed"}
    needs |= {edge.still: None for edge in edges if edge.cause == event and edge.still}
    return Firing(event, time, tuple(n for n in needs if n not in broken), tuple(n for n in needs if n in broken))
