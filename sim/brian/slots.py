"""When, within a time step, the parts of a network in Brian2 do what the schedule asks of them."""

from collections.abc import Callable, Iterable
from typing import Any

import brian2
import numpy as np

# All of it comes first in a step, before Brian2 updates the subexpressions that are constant over dt (order 0): what
# happens at a time t acts from t on. What a step integrates, and the output's controls, follow in Brian2's own slots.
SLOT = "before_start"
STEPS = (
    "schedule", "events", "present", "teach", "settle", "gate", "read", "close", "show", "relays up", "tag", "latch",
    "consolidate", "multiply", "relays down", "rise", "arrive", "replace",
)  # fmt: skip


class Slots:
    """The clock that all parts share, and their order within its steps.

    Parameters
    ----------
    dt : float
        Seconds.
    name : str
        Of the clock.
    """

    def __init__(self, dt: float, name: str) -> None:
        self.clock = brian2.Clock(dt * brian2.second, name=name)

    @staticmethod
    def order(step: str) -> int:
        """Brian2's ``order`` of one of `STEPS`."""
        return STEPS.index(step) - len(STEPS)

    def place(self, part: Any, step: str) -> None:
        """Have a Brian2 object run at one of `STEPS`."""
        part.when, part.order = SLOT, self.order(step)

    def on_event(self, group: brian2.NeuronGroup, event: str, code: str, step: str | None = None) -> None:
        """Have `group` run `code` for the units of an event, at the step of that name or another of `STEPS`."""
        group.run_on_event(event, code, when=SLOT, order=self.order(step or event))

    def group(
        self, units: int, equations: str, events: Iterable[str], name: str, namespace: dict[str, Any], **more: Any
    ) -> brian2.NeuronGroup:
        """A group whose units fire `events` when the schedule tells them to.

        Every unit has a variable by which it is told, see `flag`. What else is given is for Brian2's ``NeuronGroup``.
        """
        flags = {event: flag(event) for event in events}
        own = more.pop("own_events", {})
        group = brian2.NeuronGroup(
            units,
            "\n".join([equations, *(f"{variable} : boolean" for variable in flags.values())]),
            events=flags | own,
            namespace=namespace,
            clock=self.clock,
            name=name,
            **more,
        )
        for event in flags:
            group.set_event_schedule(event, when=SLOT, order=self.order("events"))
        return group

    def operation(self, function: Callable[[], None], step: str, name: str) -> brian2.NetworkOperation:
        """A Python function that is called in every time step, at one of `STEPS`."""
        return brian2.NetworkOperation(function, clock=self.clock, when=SLOT, order=self.order(step), name=name)


def flag(event: str) -> str:
    """The variable by which the schedule tells a unit to fire `event`."""
    return f"{event}_now"


def values(group: brian2.Group, variable: str) -> np.ndarray:
    """The numbers of a variable themselves, not a copy; SI units."""
    return group.variables[variable].get_value()
