"""Delayed coupling of rate units in Brian2: a step function of one group's state, arriving later at another group.

Brian2 delays events, not continuous variables: a ``(summed)`` variable ignores a delay. The functions of Appendix 1
(σ_t, u and v) take a few values only, so that nothing is lost when each change of value travels as an event with a
delay. `LevelSignal` does that, in every code generation target and in standalone mode; `ring_buffer` is the literal
form, a record of the past that is read one delay later, slower and runtime only, against which the events are tested.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brian2
import numpy as np
from numpy.typing import ArrayLike

from circuits.errors import CircuitError

_WORDS = {-1: "minus_one", 0: "zero", 1: "one"}


@dataclass(frozen=True)
class LevelSignal:
    """A step function of a unit's state that is sent, level by level, over a delayed pathway.

    Attributes
    ----------
    name : str
        The variable of the receiving group that takes the level.
    expression : str
        The step function, dimensionless, in variables of the sending group; its value is always one of `levels`.
    levels : tuple of int
        The values it can take, of -1, 0 and 1. At the start the level is 0.

    Notes
    -----
    Custom events of Brian2 fire in every time step in which their condition is true. The sending group therefore keeps
    the level that it sent last, in ``<name>_sent``, and its events ask for a difference: one event for each change.

    Timing: a change is seen at the end of the time step in which it happens (slot ``thresholds``), and arrives in slot
    ``synapses``, a whole number of time steps later. With exact integration within a step this makes the circuit first
    order in dt, and there is no lag besides.
    """

    name: str
    expression: str
    levels: tuple[int, ...]

    @property
    def equation(self) -> str:
        """The line that the equations of the sending group need."""
        return f"{self.name}_sent : integer"

    def event(self, level: int) -> str:
        """The name of the event that sends `level`."""
        return f"{self.name}_{_WORDS[level]}"

    @property
    def events(self) -> dict[str, str]:
        """For the ``events`` argument of the sending ``NeuronGroup``."""
        return {
            self.event(level): f"{self.expression} == {level} and {self.name}_sent != {level}" for level in self.levels
        }

    def remember(self, source: brian2.NeuronGroup) -> None:
        """Have `source` note the level that it sends with each event; `send` does this."""
        for level in self.levels:
            source.run_on_event(self.event(level), f"{self.name}_sent = {level}")

    def send(
        self,
        source: brian2.NeuronGroup,
        target: brian2.NeuronGroup,
        delay: brian2.Quantity,
        name: str,
        dt: brian2.Quantity | None = None,
    ) -> brian2.Synapses:
        """Connect unit i of `source`, made with `equation` and `events`, to unit i of `target`.

        Parameters
        ----------
        source, target : brian2.NeuronGroup
            Of the same size.
        delay : brian2.Quantity
            One for all, or one per unit; Brian2 rounds it to the nearest multiple of the source's dt.
        name : str
            Of the synapses.
        dt : brian2.Quantity, optional
            That of the two groups; Brian2's default clock where not given.

        Returns
        -------
        brian2.Synapses
            With one pathway per level: its ``on_pre`` sets the variable of the target.
        """
        events = {self.event(level): level for level in self.levels}
        self.remember(source)
        synapses = brian2.Synapses(
            source,
            target,
            # The value is written out, because a variable of the source would be read on arrival, not on sending.
            on_pre={event: f"{self.name}_post = {level}" for event, level in events.items()},
            on_event={event: event for event in events},  # pyright: ignore[reportArgumentType]
            delay={event: delay for event in events} if delay.ndim == 0 else None,
            name=name,
            dt=dt,
        )
        synapses.connect(j="i")
        if delay.ndim:
            for event in events:
                getattr(synapses, event).delay = delay
        return synapses


def ring_buffer(
    source: brian2.NeuronGroup,
    level: Callable[[brian2.NeuronGroup], np.ndarray],
    target: brian2.NeuronGroup,
    name: str,
    delay: brian2.Quantity,
    operation_name: str,
    dt: brian2.Quantity | None = None,
) -> brian2.NetworkOperation:
    """Write ``level(source)`` into a variable of `target`, one delay later.

    Parameters
    ----------
    source, target : brian2.NeuronGroup
        Of the same size.
    level : callable
        From `source` to what the target is to receive, (units,). Asked at the end of each step.
    name : str
        The variable of `target`.
    delay : brian2.Quantity
        One for all, or one per unit; rounded to the nearest multiple of the source's dt.
    operation_name : str
        Of the network operation.
    dt : brian2.Quantity, optional
        That of the two groups; Brian2's default clock where not given.

    Returns
    -------
    brian2.NetworkOperation
        In slot ``synapses``, where delayed events arrive too. Before the first step all was 0. Runtime only, and
        ``store()`` does not save its record.
    """
    record: dict[str, Any] = {}

    def shift() -> None:
        if not record:
            steps = delay_steps(delay, source.dt, len(source))
            record.update(
                steps=steps, past=np.zeros((steps.max() + 1, len(source))), row=0, units=np.arange(len(source))
            )
        past = record["past"]
        past[record["row"]] = level(source)
        then = (record["row"] - record["steps"]) % len(past)
        getattr(target, f"{name}_")[:] = past[then, record["units"]]
        record["row"] = (record["row"] + 1) % len(past)

    return brian2.NetworkOperation(shift, dt=dt, when="synapses", name=operation_name)


def delay_steps(delay: brian2.Quantity, dt: brian2.Quantity, units: int) -> np.ndarray:
    """A delay in time steps, rounded as Brian2 rounds it.

    Parameters
    ----------
    delay : brian2.Quantity
        One for all, or (units,).
    dt : brian2.Quantity
    units : int

    Returns
    -------
    numpy.ndarray of int, (units,)
    """
    steps = np.floor(np.asarray(delay / dt, dtype=float) + 0.5).astype(int)
    return np.broadcast_to(steps, (units,))


def seconds(value: ArrayLike, what: str) -> np.ndarray:
    """A time as plain seconds.

    Raises
    ------
    CircuitError
        If it has another dimension, or none.
    """
    if not brian2.have_same_dimensions(value, brian2.second):
        raise CircuitError(f"{what} = {value}: expected a time with a unit, such as 10*ms")
    return np.asarray(value / brian2.second, dtype=float)
