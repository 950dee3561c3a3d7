"""What a unit of the output-error circuit does: settle, slide or oscillate; its cycle, and how to read δ from it."""

import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from circuits.errors import CircuitError
from circuits.limit_cycle import ClosedForm, limit_cycle
from circuits.waveform import CROSSING, SLIDING, Trace

if TYPE_CHECKING:  # importing it would load the compiler
    from circuits.exact import Solution

__all__ = [
    "STATES",
    "ClosedForm",
    "Cycles",
    "MeanReadoutWarning",
    "WrongPhaseWarning",
    "analyse",
    "limit_cycle",
    "nearest_zero",
    "value_at_phase",
]

STATES = ("settled", "oscillating", "sliding")
_SETTLED, _OSCILLATING, _SLIDING = range(3)


class MeanReadoutWarning(UserWarning):
    """A time mean was read from units that oscillate: it is not the error of equation (6)."""


class WrongPhaseWarning(UserWarning):
    """δ was read from oscillating units at a phase at which they are not near 0."""


@dataclass(frozen=True)
class Cycles:
    """What each unit does in the settled part of a trace. Arrays are (units,); times in the trace's unit.

    Attributes
    ----------
    since : float
        Where the part begins that is taken to be settled.
    state : numpy.ndarray of str
        ``"settled"``: δ is constant and tc does not change. ``"oscillating"``: tc switches on and off, through a delay.
        ``"sliding"``: without a delay, δ stays on a threshold of σ_t between switches that have no duration.
    low, high, mean, last : numpy.ndarray
        Extremes and time mean of δ, over whole cycles where there are any, and its last value.
    period : numpy.ndarray
        From one crossing of the threshold away from 0 to the next; NaN for a unit without cycles.
    duty : numpy.ndarray
        Share of the time in which tc lets δ be driven away from 0, i.e. 1 - mean |tc|.
    mark : numpy.ndarray
        The last time at which a cycle began, i.e. of phase 0; NaN for a unit without cycles.
    settling : numpy.ndarray
        When the unit began to do what it does at the end: to stay within `tolerance` of its last value, or to repeat
        its last cycle's extremes within it. NaN where the trace is too short to tell.
    """

    since: float
    state: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    last: np.ndarray
    period: np.ndarray
    duty: np.ndarray
    mark: np.ndarray
    settling: np.ndarray

    def phase(self, time: ArrayLike) -> np.ndarray:
        """The phase of each unit's cycle at `time`, from 0 to 1; NaN for a unit without cycles."""
        return ((np.asarray(time, dtype=float) - self.mark) / self.period) % 1.0

    @property
    def nearest_zero(self) -> np.ndarray:
        """The read-out that Appendix 1 suggests: the value of δ nearest 0 over a cycle, or a slide; else the last."""
        return nearest_zero(self.low, self.high, self.last, self.state != "settled")

    def time_mean(self) -> np.ndarray:
        """The time mean of δ as a read-out. Of a unit that should be silent it is about (1 + epsilon)/2, not 0.

        Warns
        -----
        MeanReadoutWarning
            If any unit oscillates: whatever learns from the mean goes on learning at half strength.
        """
        silent = np.count_nonzero(self.state == "oscillating")
        if silent:
            warnings.warn(
                f"{silent} of {self.state.size} units oscillate: their time mean is about half of 1 + epsilon"
                " (or of -mu - epsilon) where equation (6) says 0; read the value nearest 0 over a cycle instead",
                MeanReadoutWarning,
                stacklevel=2,
            )
        return self.mean


def nearest_zero(low: np.ndarray, high: np.ndarray, last: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """The value nearest 0 between the extremes of what oscillates or slides, else the last value; (units,)."""
    return np.where(moves, np.where(low > 0, low, np.where(high < 0, high, 0.0)), last)


def analyse(source: "Trace | Solution", since: float | None = None, tolerance: float = 1e-3) -> Cycles:
    """What each unit does in the settled part of a trace.

    Parameters
    ----------
    source : Trace or Solution
        A trace of any form, or an exact solution, of which the extremes, the mean and the period are then exact.
    since : float, optional
        Where the settled part begins; half the duration where not given. A solution has it built in.
    tolerance : float
        What counts as the same δ, for the time to settle.

    Returns
    -------
    Cycles
    """
    if isinstance(source, Trace):
        return _of_trace(source, since, tolerance)
    if since is not None and since != source.measures.since:
        raise CircuitError("since: give it to solve(), which measures the solution")
    return _of_solution(source, tolerance)


def value_at_phase(source: "Trace | Solution", cycles: Cycles, phase: ArrayLike, tolerance: float = 0.05) -> np.ndarray:
    """δ of each unit at a phase of its last whole cycle; the last value of a unit without cycles.

    Parameters
    ----------
    source : Trace or Solution
    cycles : Cycles
        Of the same source.
    phase : array_like
        From 0, the crossing of the threshold away from 0, to 1; one for all units or (units,). Where δ is nearest 0
        is `ClosedForm.quiet_phase`.
    tolerance : float
        How much further from 0 than at its nearest an oscillating unit may be.

    Returns
    -------
    numpy.ndarray, (units,)

    Warns
    -----
    WrongPhaseWarning
        If a unit that oscillates, so should be silent, is further from 0: a Hebbian gate open then learns from it.
    """
    begins = cycles.mark - cycles.period
    at = begins + np.broadcast_to(np.asarray(phase, dtype=float), begins.shape) * cycles.period
    value = cycles.last.copy()
    for unit in np.flatnonzero(np.isfinite(at)):
        if isinstance(source, Trace):
            value[unit] = np.interp(at[unit], source.times, source.delta[:, unit])
        else:
            own = slice(source.offsets[unit], source.offsets[unit + 1])
            event = np.searchsorted(source.time[own], at[unit], side="right") - 1 + own.start
            target = source.target[event]
            decay = np.exp(-(at[unit] - source.time[event]) / source.tau[unit])
            value[unit] = target + (source.delta[event] - target) * decay
    excess = np.where(cycles.state == "oscillating", np.abs(value) - np.abs(cycles.nearest_zero), 0.0)
    if (excess > tolerance).any():
        unit = int(excess.argmax())
        warnings.warn(
            f"{np.count_nonzero(excess > tolerance)} of {value.size} units oscillate and are not near 0 at this phase:"
            f" unit {unit} is at {value[unit]:.3g}, and comes to {cycles.nearest_zero[unit]:.3g} at another",
            WrongPhaseWarning,
            stacklevel=2,
        )
    return value


def _of_trace(trace: Trace, since: float | None, tolerance: float) -> Cycles:
    times, delta, tc = trace.times, trace.delta, trace.tc
    since = float(times[0] + 0.5 * (times[-1] - times[0])) if since is None else float(since)
    settled = times >= since
    if np.count_nonzero(settled) < 2:
        raise CircuitError(f"since = {since:g}: the trace ends at {times[-1]:g}; leave at least two samples")
    columns = {
        name: np.full(trace.units, np.nan) for name in ("low", "high", "mean", "period", "duty", "mark", "settling")
    }
    state = np.full(trace.units, _SETTLED)
    no_delay = trace.time_unit == "s" and trace.parameters.delay == 0
    area, on = _integral(times, delta), _integral(times, 1 - np.abs(tc))
    for unit in range(trace.units):
        control = tc[settled, unit]
        fraction = (control != np.round(control)).any()
        if fraction or np.ptp(control) > 0:
            state[unit] = _SLIDING if fraction or no_delay else _OSCILLATING
        marks = _marks(trace, unit) if state[unit] == _OSCILLATING else np.empty(0)
        inside = marks[marks >= since]
        begin, end = (inside[0], inside[-1]) if inside.size > 1 else (since, times[-1])
        whole = (times >= begin) & (times <= end)
        values = delta[whole if inside.size > 1 else settled, unit]
        columns["low"][unit], columns["high"][unit] = values.min(), values.max()
        for name, integral in (("mean", area), ("duty", on)):
            columns[name][unit] = np.diff(np.interp([begin, end], times, integral[:, unit]))[0] / (end - begin)
        if inside.size > 1:
            columns["period"][unit], columns["mark"][unit] = (end - begin) / (inside.size - 1), end
        if state[unit] == _OSCILLATING:
            columns["settling"][unit] = _repeats_from(times, delta[:, unit], marks, tolerance)
        else:
            # Without delay δ chatters about its threshold by what a time step allows; its last excursions are its size.
            away = np.abs(delta[:, unit] - delta[-1, unit]) > max(tolerance, np.ptp(values) * (state[unit] == _SLIDING))
            columns["settling"][unit] = (
                times[0] if not away.any() else times[min(np.flatnonzero(away)[-1] + 1, len(times) - 1)]
            )
    return Cycles(since=since, state=np.array(STATES)[state], last=delta[-1].copy(), **columns)


def _of_solution(solution: "Solution", tolerance: float) -> Cycles:
    measures, units = solution.measures, solution.tau.size
    oscillating = measures.state == _OSCILLATING
    mark, settling = np.full(units, np.nan), np.full(units, np.nan)
    duty = np.empty(units)
    for unit in range(units):
        own = slice(solution.offsets[unit], solution.offsets[unit + 1])
        time, delta, target, tc = (
            column[own] for column in (solution.time, solution.delta, solution.target, solution.tc)
        )
        away = (solution.kind[own] == CROSSING) & (solution.level[own] != 0)
        marks = time[away]
        if np.isfinite(measures.period[unit]):
            mark[unit] = marks[-1]
            begin, end = _whole_cycles(marks, measures.since)
        else:
            begin, end = measures.since, measures.duration
        edges = np.append(time, measures.duration).clip(begin, end)
        duty[unit] = np.sum(np.diff(edges) * (1 - np.abs(tc))) / (end - begin)
        if oscillating[unit]:
            settling[unit] = _repeats_from(time, delta, marks, tolerance)
        elif solution.kind[own][-1] == SLIDING:
            settling[unit] = time[-1]
        else:
            # |δ - target| falls as e^{-t/τ} from the last event on.
            distance = np.abs(delta[-1] - target[-1])
            settling[unit] = time[-1] + solution.tau[unit] * np.log(max(distance / tolerance, 1.0))
    return Cycles(
        measures.since, np.array(STATES)[measures.state], measures.low, measures.high, measures.mean, measures.last,
        measures.period, duty, mark, settling,
    )  # fmt: skip


def _whole_cycles(marks: np.ndarray, since: float) -> tuple[float, float]:
    """The first and the last of the marks from `since` on: the whole cycles that a mean is taken over."""
    inside = marks[marks >= since]
    return float(inside[0]), float(inside[-1])


def _marks(trace: Trace, unit: int) -> np.ndarray:
    """When cycles began: exact crossings where the form knows them, else the changes of tc, which follow them by D."""
    if trace.events is not None:
        events = trace.events.of(unit)
        crossings = events.time[(events.kind == CROSSING) & (events.level != 0)]
        if crossings.size:
            return crossings[crossings <= trace.times[-1]]
    tc = trace.tc[:, unit]
    return trace.times[1:][(tc[1:] != 0) & (tc[:-1] == 0)]


def _repeats_from(times: np.ndarray, delta: np.ndarray, marks: np.ndarray, tolerance: float) -> float:
    """The first mark from which all whole cycles have the last one's extremes; NaN where there is no whole cycle."""
    if marks.size < 2:
        return np.nan
    bounds = np.searchsorted(times, marks)
    extremes = np.array(
        [(delta[begin:end].min(), delta[begin:end].max()) for begin, end in pairwise(bounds) if end > begin]
    )
    if len(extremes) < len(bounds) - 1:
        return np.nan  # sampled too rarely to see every cycle
    differs = ~(np.abs(extremes - extremes[-1]) <= tolerance).all(axis=1)
    return float(marks[0] if not differs.any() else marks[np.flatnonzero(differs)[-1] + 1])


def _integral(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The running integral of `values` (T, units) by trapezia, (T, units)."""
    steps = 0.5 * (values[1:] + values[:-1]) * np.diff(times)[:, None]
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(steps, axis=0)])
