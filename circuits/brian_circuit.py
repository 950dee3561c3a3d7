"""What the two Brian2 circuits share: a mapping of named objects, and inputs in all the ways Brian2 knows."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

import brian2
import numpy as np
from brian2.core.names import find_name

from circuits.brian_delay import delay_steps, seconds
from circuits.errors import CircuitError
from circuits.parameters import FeedbackShutdown, OutputError
from circuits.waveform import ARRIVAL, CROSSING, Events

COUPLINGS = ("events", "buffer", "undelayed")

P = TypeVar("P", OutputError, FeedbackShutdown)
Input = Any  # a number, an array, a brian2.TimedArray, a string expression, or brian2.linked_var(...)


class BrianCircuit(Mapping[str, Any]):
    """Brian2 objects by name, to be put into a `brian2.Network`, which takes a mapping as it takes a group.

    Nothing here runs a network, starts a scope or sets a preference: that is the user's.
    """

    def __init__(self, objects: Mapping[str, Any], prefix: str):
        self._objects = dict(objects)
        self.prefix = prefix

    def __getitem__(self, key: str) -> Any:
        try:
            return self._objects[key]
        except KeyError:
            raise KeyError(f"'{key}': this circuit has {', '.join(self._objects)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    @property
    def monitor(self) -> brian2.StateMonitor:
        """The monitor of the circuit's variables.

        Raises
        ------
        CircuitError
            If nothing is recorded.
        """
        if "trace" not in self._objects:
            raise CircuitError(f"circuit '{self.prefix}' records nothing; make it with record=True")
        return self._objects["trace"]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.prefix}': {', '.join(self._objects)}>"


class InputVariable:
    """One input of a circuit, given in any of the ways in which Brian2 takes one.

    ==================================  ====================================================================
    given                               becomes
    ==================================  ====================================================================
    number, or array (units,)           a parameter; also what to give when synapses drive the variable
    ``TimedArray`` (T,) or (T, units)   read at each step
    string                              an expression with `t`, `i` and names of `namespace`
    ``linked_var(group, "x")``          the variable of the user's own group, unit by unit or one for all
    ==================================  ====================================================================
    """

    def __init__(self, name: str, given: Input):
        self.name, self.given = name, given
        self.values: np.ndarray | None = None  # (T, units) or (units,) where they are known beforehand
        self.units: int | None = None
        if isinstance(given, brian2.TimedArray):
            values = np.asarray(given.values)
            self.values = values[:, np.newaxis] if values.ndim == 1 else values
            self.units = values.shape[1] if values.ndim == 2 else None
            self.equation = f"{name} = {name}_input(t{', i' if values.ndim == 2 else ''}) : 1 (constant over dt)"
        elif isinstance(given, str):
            self.equation = f"{name} = {given} : 1 (constant over dt)"
        elif type(given).__name__ == "LinkedVariable":
            self.equation = f"{name} : 1 (linked)"
            # A group of one unit drives all; with an index of the user's own the group does not tell how many.
            size = given.group.N_ if given.index is None else 1
            self.units = int(size) if size > 1 else None
        else:
            self.values = np.asarray(given, dtype=float)
            self.units = self.values.size if self.values.ndim else None
            self.equation = f"{name} : 1"

    @property
    def namespace(self) -> dict[str, Any]:
        """What the equation refers to."""
        return {f"{self.name}_input": self.given} if isinstance(self.given, brian2.TimedArray) else {}

    @property
    def constant(self) -> bool:
        """A parameter: constant unless synapses or the user change it."""
        return self.equation.endswith(f"{self.name} : 1")

    def assign(self, group: brian2.NeuronGroup) -> None:
        """Give the group its values, or its link."""
        if self.equation.endswith("(linked)") or self.constant:
            setattr(group, self.name, self.given)


def count_units(units: int | None, inputs: Mapping[str, int | None]) -> int:
    """How many units the inputs make.

    Parameters
    ----------
    units : int or None
        What the user asked for.
    inputs : mapping of str to int or None
        The length of each input that has one.

    Raises
    ------
    CircuitError
        If they disagree.
    """
    known = {name: length for name, length in {"units": units, **inputs}.items() if length is not None}
    if len(set(known.values())) > 1:
        raise CircuitError("; ".join(f"{name}: {length} units" for name, length in known.items()) + "; give one number")
    return max(known.values(), default=1)


def times(given: Any, default: float, what: str) -> brian2.Quantity:
    """A time constant or delay: what the user gave, else the parameters' own; a scalar, or one per unit.

    Raises
    ------
    CircuitError
        If it is not a time.
    """
    plain = np.asarray(default if given is None else seconds(given, what), dtype=float)
    return cast(brian2.Quantity, brian2.Quantity(plain, dim=brian2.get_dimensions(brian2.second)))


def lengths(**quantities: brian2.Quantity) -> dict[str, int | None]:
    """The number of units that each quantity is given for; None where it is one for all."""
    return {name: quantity.size if quantity.ndim else None for name, quantity in quantities.items()}


def own_times(parameters: P, tau: brian2.Quantity, delay: brian2.Quantity) -> P:
    """The parameters with the times that the circuit has, where all units share them."""
    given = {"tau": tau, "delay": delay}
    return replace(parameters, **{name: float(time / brian2.second) for name, time in given.items() if time.ndim == 0})


def unique_prefix(prefix: str | None, default: str, member: str) -> str:
    """What the names of a circuit's objects begin with: the user's own, or `default`, numbered where it is taken."""
    if prefix is not None:
        return prefix
    return find_name(f"{default}*", names=_prefixes(default, member))


def _prefixes(default: str, member: str) -> set[str]:
    """The prefixes taken by living circuits, and by living objects of the user that are named as if by one."""
    names = {getattr(instance(), "name", "") for instance in set(brian2.Nameable.__instances__())}
    taken = {name.removesuffix(f"_{member}") for name in names if name.endswith(f"_{member}")}
    return taken | {match[0] for name in names if (match := re.match(rf"{default}(_\d+)?(?=_)", name))}


def check_coupling(coupling: str | None, delay: brian2.Quantity, dt: brian2.Quantity | None) -> str:
    """How the delay is made: as asked, or by events where there is one.

    Raises
    ------
    CircuitError
        For an unknown name, or a delay shorter than a time step.
    """
    smallest = float(np.min(delay / brian2.second))
    if coupling is None:
        coupling = "events" if smallest > 0 else "undelayed"
    if coupling not in COUPLINGS:
        raise CircuitError(f"coupling '{coupling}': expected one of {', '.join(COUPLINGS)}")
    step = float((brian2.defaultclock.dt if dt is None else dt) / brian2.second)
    if coupling != "undelayed" and smallest < step / 2:
        raise CircuitError(
            f"delay = {smallest * 1e3:g} ms is less than the time step, dt = {step * 1e3:g} ms; "
            "use a smaller dt, or a delay of 0 with the coupling 'undelayed'"
        )
    return coupling


def collect_events(
    sent: Iterable[tuple[int, brian2.EventMonitor]],
    monitor: brian2.StateMonitor,
    delay: brian2.Quantity | None,
    dt: brian2.Quantity,
) -> Events:
    """The crossings, and the arrivals that follow them, of the units that `monitor` records.

    Parameters
    ----------
    sent : iterable of (int, brian2.EventMonitor)
        Levels, and where each was sent.
    monitor : brian2.StateMonitor
    delay : brian2.Quantity or None
        One for all or one per unit; None where a level acts at once, and no arrival is listed.
    dt : brian2.Quantity
        Time step of the sending group.
    """
    recorded = np.atleast_1d(monitor.record)
    step, last = float(dt / brian2.second), float(np.max(monitor.t / brian2.second, initial=0.0))
    columns: list[tuple[np.ndarray, ...]] = []
    for level, events in sent:
        of_recorded = np.isin(events.i, recorded)
        unit = np.asarray(events.i)[of_recorded]
        # An event carries the time at which its step began; what it saw is the end of that step.
        crossed = np.asarray(events.t / brian2.second)[of_recorded] + step
        columns.append((unit, crossed, np.full(unit.shape, CROSSING), np.full(unit.shape, float(level))))
        if delay is not None:
            arrived = crossed + delay_steps(delay, dt, int(recorded.max()) + 1)[unit] * step
            seen = arrived <= last
            columns.append((unit[seen], arrived[seen], np.full(seen.sum(), ARRIVAL), np.full(seen.sum(), float(level))))
    unit, time, kind, level = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    order = np.lexsort((kind, time, unit))
    return Events(np.searchsorted(recorded, unit)[order], time[order], kind[order], level[order])


def still(values: np.ndarray) -> np.ndarray:
    """(T, units), or (units,) where nothing varies."""
    return values[0] if len(values) and (values == values[0]).all() else values
