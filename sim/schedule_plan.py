"""A schedule: when each event of a presentation is planned, a check that the plan keeps Remark 1, and its graph."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from network.errors import BadInput
from network.spec import NetworkSpec
from sim.schedule import SIGNALS, Event, Requirement, Timing, canonical_order, requirements_of

if TYPE_CHECKING:
    import networkx as nx

    from sim.schedule_run import Run

RESOLUTION = 1e-12  # s; times that differ by less are the same: they are sums of the same lags in another order


class ScheduleError(BadInput):
    """A schedule that cannot keep Remark 1. The message names the events and the requirement."""


@dataclass(frozen=True)
class Schedule:
    """When every event of a presentation is planned.

    Every event is planned for the moment at which all that it waits for has happened. The methods that return a changed
    schedule make wrong ones as well, on purpose: `check` refuses those, and `run` shows what they lead to.

    Attributes
    ----------
    spec : NetworkSpec
    order : {"before_update", "after_update"}
    timing : Timing
    missing : frozenset of Requirement
        What the plan does not wait for.
    swapped : frozenset of Requirement
        Where the plan has the cause wait for the effect.
    shifts : mapping of Event to float
        Seconds by which events happen after their plan; before it where negative, which only actions can.
    omitted : frozenset of Event
        What never happens, although the others are planned as if it did.

    Raises
    ------
    BadInput
        For an unknown order, event or requirement, or times for another number of layers.
    """

    spec: NetworkSpec
    order: str = "before_update"
    timing: Timing = field(default_factory=Timing)
    missing: frozenset[Requirement] = frozenset()
    swapped: frozenset[Requirement] = frozenset()
    shifts: Mapping[Event, float] = field(default_factory=dict)
    omitted: frozenset[Event] = frozenset()

    def __post_init__(self) -> None:
        known = set(canonical_order(self.spec, self.order))
        for event in (*self.shifts, *self.omitted):
            if event not in known:
                raise BadInput(f"schedule: there is no event {event} in a network of {self.layers} layers with weights")
        for event, shift in self.shifts.items():
            if event.kind in SIGNALS and shift < 0:
                raise BadInput(f"schedule: {event} is a signal, it cannot come {-shift:g} s early; shift its cause")
        for requirement in self.missing | self.swapped:
            if requirement not in self.requirements:
                raise BadInput(f"schedule: '{requirement}' is none of its requirements; see Schedule.requirements")
            if requirement.kind == "signal" and requirement in self.swapped:
                raise BadInput(f"schedule: {requirement.effect} is a signal, it cannot come before {requirement.cause}")

    @property
    def layers(self) -> int:
        """How many layers have weights."""
        return len(self.spec.weighted)

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """All that a right schedule waits for."""
        return requirements_of(self.spec, self.order, self.timing)

    def without(self, *requirements: Requirement) -> "Schedule":
        """The schedule that does not wait for these."""
        return replace(self, missing=self.missing.union(requirements))

    def swap(self, *requirements: Requirement) -> "Schedule":
        """The schedule in which the cause waits for the effect instead."""
        return replace(self, swapped=self.swapped.union(requirements))

    def shift(self, shifts: Mapping[Event, float]) -> "Schedule":
        """The schedule with some events later, or earlier where negative, by so many seconds; nothing else moves."""
        return replace(self, shifts={**self.shifts, **shifts})

    def omit(self, *events: Event) -> "Schedule":
        """The schedule in which these never happen."""
        return replace(self, omitted=self.omitted.union(events))

    @cached_property
    def waits(self) -> tuple[Requirement, ...]:
        """What the plan waits for: `requirements`, less the missing, with the swapped turned round."""
        wrong = self.missing | self.swapped
        # A latch that by custom follows the same gate would have `replace` wait all the same.
        loose = {(r.cause, Event("latch", r.effect.layer)) for r in wrong}
        drop = {r for r in self.requirements if r.kind == "customary" and (r.cause, r.effect) in loose} | wrong
        kept = [r for r in self.requirements if r not in drop]
        turned = [Requirement(r.effect, r.cause, r.name, kind="customary") for r in self.swapped]
        return (*kept, *turned)

    @cached_property
    def graph(self) -> "nx.MultiDiGraph":
        """The events, with attribute ``time`` (planned, s), and what each waits for: ``name``, ``lag`` and ``kind``."""
        import networkx as nx  # here, because it is slow to import

        graph = nx.MultiDiGraph(net=self.spec.notation, order=self.order)
        for event in self.events:
            graph.add_node(event, time=self.times[event])
        for wait in self.waits:
            graph.add_edge(wait.cause, wait.effect, name=wait.name, lag=wait.lag, kind=wait.kind)
        return graph

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All events, each after those it waits for, and otherwise as in `canonical_order`.

        It is also the order in which events of the same time happen. What a missing requirement leaves open is taken
        the wrong way round: nothing is to go well by chance.

        Raises
        ------
        ScheduleError
            Where events wait for each other.
        """
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_edges_from((wait.cause, wait.effect) for wait in self.waits)
        place = {event: n for n, event in enumerate(canonical_order(self.spec, self.order))}
        graph.add_nodes_from(place)
        for wait in self.missing:
            if not nx.has_path(graph, wait.cause, wait.effect):
                graph.add_edge(wait.effect, wait.cause)
        try:
            return tuple(nx.lexicographical_topological_sort(graph, key=place.__getitem__))
        except nx.NetworkXUnfeasible:
            circle = " -> ".join(str(cause) for cause, _ in nx.find_cycle(graph))
            names = ", ".join(sorted({f"'{requirement.name}'" for requirement in self.swapped}))
            raise ScheduleError(f"schedule: events wait for each other, {circle}; turn {names} back round") from None

    @cached_property
    def times(self) -> dict[Event, float]:
        """Planned times in seconds after the first event; shifts not included."""
        acting = {wait.effect for wait in self.waits if wait.effect.kind not in SIGNALS}
        return _latest(self.events, self.waits, {}, dict.fromkeys(acting, self.timing.margin))

    def check(self) -> None:
        """Refuse a schedule that cannot keep Remark 1, before anything runs.

        Raises
        ------
        ScheduleError
            For an omitted event that another needs, a requirement that nothing makes the plan wait for, a shift that
            leaves a requirement no time, or events that wait for each other.
        """
        times = dict(self.times)
        signals = [wait for wait in self.waits if wait.kind == "signal"]
        for event, shift in self.shifts.items():
            times[event] += shift
        times.update(_latest([event for event in self.events if event.kind in SIGNALS], signals, times, self.shifts))
        for r in self.requirements:
            if r.kind == "customary" or r.effect in self.omitted:
                continue
            if r.cause in self.omitted:
                raise ScheduleError(f"schedule: {r} ('{r.name}'), but {r.cause} is omitted")
            if r in self.missing | self.swapped and not self._implied(r):
                raise ScheduleError(f"schedule: nothing makes {r.effect} wait for {r.cause}: '{r.name}' is missing")
            early = times[r.cause] + r.lag - times[r.effect]
            if early > RESOLUTION:
                raise ScheduleError(
                    f"schedule: {r.effect} is {early * 1e3:.4g} ms too early for '{r.name}' ({r.cause})"
                )

    def _implied(self, requirement: Requirement) -> bool:
        """Whether the other waits keep `requirement` as well, whenever its cause may happen."""
        after = {requirement.cause: 0.0}
        for event in self.events:
            for wait in self.waits:
                if wait.effect == event and wait.cause in after:
                    after[event] = max(after.get(event, 0.0), after[wait.cause] + wait.lag)
        return after.get(requirement.effect, -1.0) >= requirement.lag - RESOLUTION

    def run(
        self,
        on_violation: str = "raise",
        *,
        jitter: float | Mapping[str, float] = 0.0,
        late: Mapping[Requirement, float] | None = None,
        seed: int = 0,
        check: bool = True,
    ) -> "Run":
        """Let it happen; see `sim.schedule_run.run`."""
        from sim.schedule_run import run  # here, because Numba is slow to import

        return run(self, on_violation, jitter=jitter, late=late, seed=seed, check=check)

    def to_json(self) -> str:
        """Events with their planned times, what they wait for, and the timing, as JSON."""
        events = [{"event": str(e), "kind": e.kind, "layer": e.layer, "time": self.times[e]} for e in self.events]
        waits = [
            {"cause": str(w.cause), "effect": str(w.effect), "name": w.name, "lag": w.lag, "kind": w.kind}
            for w in self.waits
        ]
        return json.dumps(
            {
                "net": self.spec.notation,
                "order": self.order,
                "timing": asdict(self.timing),
                "events": events,
                "waits": waits,
            },
            indent=1,
        )

    def to_dot(self) -> str:
        """The graph in the language of Graphviz: signals grey, customs dashed."""
        looks = {"needed": "", "signal": ", color=grey, fontcolor=grey", "customary": ", style=dashed"}
        lines = [f'  "{w.cause}" -> "{w.effect}" [label="{w.name}"{looks[w.kind]}];' for w in self.waits]
        return "\n".join(["digraph presentation {", *lines, "}"])


def _latest(
    events: Iterable[Event],
    waits: Iterable[Requirement],
    times: Mapping[Event, float],
    shifts: Mapping[Event, float] | None = None,
) -> dict[Event, float]:
    """When each of `events` has all it waits for, and `shifts` later; `times` are those of events not among them."""
    found = dict(times)
    waits = tuple(waits)
    for event in events:
        reached = [found[wait.cause] + wait.lag for wait in waits if wait.effect == event]
        found[event] = max(reached, default=0.0) + (shifts or {}).get(event, 0.0)
    return found
