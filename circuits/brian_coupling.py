"""Delayed coupling of continuous variables in Brian2: I_i(t) = Σ_j w_ij r_j(t - D_ij), a delay for each connection.

Brian2 delays events; a ``(summed)`` variable ignores the delay of its synapses. Here the past of the source is kept,
and an ordinary ``(summed)`` variable reads from it what it was one delay ago.
"""

from collections.abc import Callable
from typing import Any

import brian2
import numpy as np
from brian2.core.variables import ArrayVariable
from brian2.devices.device import RuntimeDevice
from numpy.typing import ArrayLike

from circuits.brian_circuit import BrianCircuit, unique_prefix
from circuits.brian_delay import seconds
from circuits.errors import CircuitError

FORMS = ("buffer", "register")
ROUNDINGS = ("refuse", "nearest")
# Of a time step: by how much a delay may miss a whole number of them, as quotients of decimal numbers do.
WHOLE = 1e-6
MOST_VALUES = 100_000_000  # of the past: 0.8 GB

# The past comes after all that a user may do in slot ``start``, and before any group is integrated or summed up.
SLOT = "before_groups"


class DelayedCoupling(BrianCircuit):
    """A variable of one group drives a variable of another, each connection with a weight and a delay.

    Parameters
    ----------
    source : brian2.NeuronGroup or brian2.Subgroup
    of : str
        The variable that is sent: any, subexpressions too.
    target : brian2.NeuronGroup or brian2.Subgroup
        May be `source`.
    into : str
        The variable that receives the sum, a parameter (``I : 1`` in the target's equations) of its own: Brian2 takes
        one sum for each variable, so write ``I = I1 + I2 : 1`` where two couplings meet.
    delay : brian2.Quantity
        One for all, or as `weights`, e.g. ``5*ms``; a whole number of the source's time steps, 0 among them.
    weights : number, Quantity, (connections,) or (targets, sources) array_like
        w, in units of `into` per `of`. A matrix connects the pairs for which it is not 0, row i into target i, as W
        does everywhere in this package. A number or vector goes with `pairs`.
    pairs : (sources, targets), optional
        Indices of the units that are connected; where there is neither this nor a matrix, unit i drives unit i.
    before : number, Quantity, (sources,) or callable
        What the source was before the first step; a function takes times (negative, with unit) of shape (steps, 1) and
        returns (steps, sources). It matters for as long as the longest delay.
    rounding : {"refuse", "nearest"}
        What becomes of a delay that is no whole number of time steps: an error, or the nearest one that is.
    form : {"buffer", "register"}, optional
        How the past is kept. ``"buffer"``, in runtime mode the default: a ring that Python writes and reads, whose cost
        does not grow with the delay. ``"register"``, in standalone mode the default: equations alone move every value
        one place a step. Both give the same numbers to the last bit.
    name : str, optional
        What the names of the objects begin with.

    Attributes
    ----------
    "to_target" : brian2.Synapses
        With the weights `w`, yours to change: by hand, or by rules of your own that read `w`.
    "lagged" : brian2.NeuronGroup
        `value`: what arrives at present, for every unit of the source and each of its delays.
    "sample", "past", "shift" : brian2.NeuronGroup, brian2.NeuronGroup, brian2.NetworkOperation
        The source as it is now; the past, `value`; what moves the ring (not with ``"register"``).

    Raises
    ------
    CircuitError
        If a variable is missing or cannot be summed into, shapes disagree, a delay is negative, has no unit or is no
        whole number of time steps, or the past would take more than 0.8 GB.

    Notes
    -----
    At the beginning of the step from t to t + dt, `into` is Σ w r(t - D), exactly, and it stays so for the step: a
    delayed differential equation is solved to first order in dt. The past is a variable of Brian2: ``store`` and
    ``restore`` know it.

    Examples
    --------
    y' = -a y(t - D), one unit that drives itself:

    >>> group = brian2.NeuronGroup(1, "dy/dt = I/second : 1\\nI : 1", method="euler")
    >>> coupling = DelayedCoupling(group, "y", group, "I", delay=20*ms, weights=-50, before=1)
    >>> brian2.Network(group, coupling).run(200*ms)
    """

    def __init__(
        self,
        source: brian2.NeuronGroup | brian2.Subgroup,
        of: str,
        target: brian2.NeuronGroup | brian2.Subgroup,
        into: str,
        *,
        delay: Any,
        weights: Any = 1.0,
        pairs: tuple[ArrayLike, ArrayLike] | None = None,
        before: Any = 0.0,
        rounding: str = "refuse",
        form: str | None = None,
        name: str | None = None,
    ):
        if form is None:
            form = "buffer" if isinstance(brian2.get_device(), RuntimeDevice) else "register"
        for what, given, options in (("form", form, FORMS), ("rounding", rounding, ROUNDINGS)):
            if given not in options:
                raise CircuitError(f"{what} '{given}': expected one of {', '.join(options)}")
        sent, received = _variable(source, of), _variable(target, into)
        if not isinstance(received, ArrayVariable) or received.read_only:
            raise CircuitError(f"into '{into}': nothing can be summed into it; declare it as a parameter, '{into} : 1'")
        per = received.dim / sent.dim
        w = _plain(weights, per, "weights", f"'{into}' per '{of}'")
        i, j, w, delays = _connections(len(source), len(target), w, seconds(delay, "delay"), pairs)
        dt = float(source.dt / brian2.second)
        steps = _whole_steps(delays, dt, rounding)
        self.delays = brian2.Quantity(steps * dt, dim=brian2.get_dimensions(brian2.second))
        length = int(steps.max(initial=0)) + 1
        if length * len(source) > MOST_VALUES:
            raise CircuitError(
                f"delay = {delays.max():g} s: {length:,} steps of {len(source):,} units would take more than 0.8 GB; "
                f"use a larger dt, or couple only the units you need (a Subgroup)"
            )
        taps, tap = np.unique(steps * len(source) + i, return_inverse=True)
        ago, unit = np.divmod(taps, len(source))
        prefix = unique_prefix(name, "coupling", "lagged")
        whole, first = (source.source, source.start) if isinstance(source, brian2.Subgroup) else (source, 0)
        objects: dict[str, Any] = {}

        def group(key: str, units: int, equations: str) -> brian2.NeuronGroup:
            made = brian2.NeuronGroup(
                units, equations.format(unit=_unit(sent.dim)), namespace={}, clock=source.clock, name=f"{prefix}_{key}"
            )
            objects[key] = made
            return made

        if form == "register":
            past = group("past", length * len(source), "now : {unit} (linked)\nprevious : {unit} (linked)\n" + HELD)
            places = np.arange(len(past))
            past.now = brian2.linked_var(whole, of, index=first + places % len(source))
            past.previous = brian2.linked_var(past, "value", index=np.maximum(places - len(source), 0))
            past.newest = places < len(source)
            # In two parts, or a value could move on twice.
            past.run_regularly("held = now*int(newest) + previous*int(not newest)", when=SLOT, order=0)
            past.run_regularly("value = held", when=SLOT, order=1)
            past.value_[:] = _history(before, sent.dim, -dt * np.arange(1, length + 1), len(source)).ravel()
            lagged = group("lagged", len(taps), "tapped : {unit} (linked)\nvalue : {unit}")
            lagged.tapped = brian2.linked_var(past, "value", index=taps)
            lagged.run_regularly("value = tapped", when=SLOT, order=2)
        else:
            sample = group("sample", len(source), "now : {unit} (linked)\nvalue : {unit}")
            sample.now = brian2.linked_var(whole, of, index=first + np.arange(len(source)))
            sample.run_regularly("value = now", when=SLOT, order=0)
            past = group("past", length * len(source), "value : {unit}\nrow : integer (shared)")
            past.value_[:] = _history(before, sent.dim, -dt * np.arange(length, 0, -1), len(source)).ravel()
            lagged = group("lagged", len(taps), "value : {unit}")
            shift = _ring(sample, past, lagged, ago, unit)
            objects["shift"] = brian2.NetworkOperation(
                shift, clock=source.clock, when=SLOT, order=1, name=f"{prefix}_shift"
            )
        synapses = objects["to_target"] = brian2.Synapses(
            lagged,
            target,
            f"w : {_unit(per)}\n{into}_post = w*value_pre : {_unit(received.dim)} (summed)",
            namespace={},
            name=f"{prefix}_to_target",
        )
        synapses.connect(i=tap, j=j)
        synapses.w_[:] = w
        super().__init__(objects, prefix)


HELD = "value : {unit}\nheld : {unit}\nnewest : boolean (constant)"


def _ring(
    sample: brian2.NeuronGroup, past: brian2.NeuronGroup, lagged: brian2.NeuronGroup, ago: np.ndarray, unit: np.ndarray
) -> Callable[[], None]:
    """Write the present into the oldest row of the past, and read what each tap was so many steps ago."""
    arrays = [group.variables[name] for group, name in ((sample, "value"), (past, "value"), (past, "row"))]

    def shift() -> None:
        now, rows, row = (array.get_value() for array in arrays)
        rows = rows.reshape(-1, len(now))
        rows[row[0]] = now
        lagged.variables["value"].get_value()[:] = rows[(row[0] - ago) % len(rows), unit]
        row[0] = (row[0] + 1) % len(rows)

    return shift


def _variable(group: brian2.NeuronGroup | brian2.Subgroup, name: str) -> Any:
    """A variable of a group, by name."""
    if name not in group.variables:
        has = ", ".join(variable for variable in group.variables if not variable.startswith("_"))
        raise CircuitError(f"group '{group.name}' has no variable '{name}'; it has {has}")
    return group.variables[name]


def _unit(dimension: Any) -> str:
    """A dimension as Brian2's equations take it."""
    return "1" if dimension.is_dimensionless else repr(dimension)


def _plain(value: Any, dimension: Any, what: str, of: str) -> np.ndarray:
    """A quantity as numbers in SI units; `CircuitError` where it is in others than `of`. Zeros need no unit."""
    if brian2.get_dimensions(value) != dimension and np.any(np.asarray(value)):
        raise CircuitError(f"{what} in {_unit(brian2.get_dimensions(value))}: {of} is in {_unit(dimension)}")
    return np.asarray(value, dtype=float)


def _connections(
    sources: int, targets: int, w: np.ndarray, delays: np.ndarray, pairs: tuple[ArrayLike, ArrayLike] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Source, target, weight and delay of every connection: (connections,) each.

    Raises
    ------
    CircuitError
        If shapes disagree, or a unit does not exist.
    """
    if pairs is None and 2 in (w.ndim, delays.ndim):
        given = {"weights": w, "delay": delays}
        for name, values in given.items():
            if values.ndim and values.shape != (targets, sources):
                raise CircuitError(
                    f"{name}: shape {list(values.shape)}; expected targets x sources, {targets} x {sources}"
                )
        w, delays = (np.broadcast_to(values, (targets, sources)) for values in given.values())
        j, i = np.nonzero(w)
        return i, j, w[j, i], delays[j, i]
    if pairs is None and sources != targets:
        raise CircuitError(
            f"{sources} units drive {targets}: give weights as a matrix, {targets} x {sources}, or the connected pairs"
        )
    i, j = (np.atleast_1d(np.asarray(part)) for part in (pairs or (np.arange(sources), np.arange(targets))))
    if i.shape != j.shape or i.ndim != 1:
        raise CircuitError(f"pairs: {i.size} sources and {j.size} targets; expected as many of either")
    for name, indices, size in (("source", i, sources), ("target", j, targets)):
        if indices.dtype.kind not in "iu" or np.any((indices < 0) | (indices >= size)):
            raise CircuitError(
                f"pairs: a {name} of {np.unique(indices)[[0, -1]]}; expected whole numbers, 0 to {size - 1}"
            )
    for name, values in (("weights", w), ("delay", delays)):
        if values.shape not in ((), i.shape):
            raise CircuitError(
                f"{name}: shape {list(values.shape)}; expected one, or one for each of {len(i)} connections"
            )
    return i, j, np.broadcast_to(w, i.shape), np.broadcast_to(delays, i.shape)


def _whole_steps(delays: np.ndarray, dt: float, rounding: str) -> np.ndarray:
    """Delays, seconds, in time steps.

    Raises
    ------
    CircuitError
        If one is negative or not finite, or no whole number where these are refused.
    """
    if not np.all(np.isfinite(delays) & (delays >= 0)):
        raise CircuitError(f"delay = {delays[~(np.isfinite(delays) & (delays >= 0))][0]:g} s: expected 0 or more")
    steps = np.floor(delays / dt + 0.5)
    off = np.abs(delays / dt - steps) > WHOLE
    if off.any() and rounding == "refuse":
        first = int(np.argmax(off))
        low = np.floor(delays[first] / dt) * dt
        raise CircuitError(
            f"connection {first}: delay = {delays[first] * 1e3:g} ms is no whole number of time steps, dt = "
            f"{dt * 1e3:g} ms; use {low * 1e3:g} or {(low + dt) * 1e3:g} ms, a dt that divides it, or "
            f"rounding='nearest'"
        )
    return steps.astype(int)


def _history(before: Any, dimension: Any, times: np.ndarray, sources: int) -> np.ndarray:
    """What the sources were at `times`, seconds: (steps, sources).

    Raises
    ------
    CircuitError
        For another unit than that of the variable, or another shape.
    """
    given = before(times[:, np.newaxis] * brian2.second) if callable(before) else before
    values = _plain(given, dimension, "before", "the variable")
    try:
        return np.broadcast_to(values, (len(times), sources))
    except ValueError:
        raise CircuitError(f"before: shape {list(values.shape)}; expected one for each of {sources} units") from None
