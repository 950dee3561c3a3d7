"""The exact solution of the output-error circuit: every unit from one threshold crossing to the next."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from circuits import exact_kernels as kernels
from circuits.cycles import STATES, nearest_zero
from circuits.errors import CircuitError, OutOfBounds
from circuits.exact_inputs import per_unit, positive, segments, share, thread_count
from circuits.exact_noise import Noise
from circuits.parameters import OutputError
from circuits.waveform import Events, Trace


@dataclass(frozen=True)
class Measures:
    """What the units did from `since` on, measured event by event, not sampled. Arrays are (units,).

    Attributes
    ----------
    since, duration : float
        Begin and end of what is measured, seconds.
    state : numpy.ndarray of int
        Indices into `circuits.cycles.STATES`. Settled: no crossing happened, and without noise none lies ahead.
    low, high, last : numpy.ndarray
        Extremes of δ, and δ at the end.
    period : numpy.ndarray
        From one crossing away from 0 to the next, over whole cycles, seconds; NaN for less than one.
    mean : numpy.ndarray
        Time average of δ, over whole cycles where there are any. Of a unit that should be silent it tends to
        (1 + epsilon)/2, not 0.
    events : numpy.ndarray of int
        How many events in all.
    """

    since: float
    duration: float
    state: np.ndarray
    low: np.ndarray
    high: np.ndarray
    last: np.ndarray
    period: np.ndarray
    mean: np.ndarray
    events: np.ndarray

    @property
    def nearest_zero(self) -> np.ndarray:
        """The value of δ nearest 0: over the whole of what is measured for a unit that oscillates, else at the end."""
        return nearest_zero(self.low, self.high, self.last, self.state != STATES.index("settled"))


@dataclass(frozen=True)
class Solution:
    """The units' events, with δ between them known in closed form.

    Attributes
    ----------
    parameters : OutputError
    h, s : numpy.ndarray, (segments, units)
    switches : numpy.ndarray, (segments - 1,)
        When h and s change, seconds.
    tau, delay : numpy.ndarray, (units,)
        Seconds.
    measures : Measures
    offsets : numpy.ndarray of int, (units + 1,)
        The events of unit i are those from ``offsets[i]`` to ``offsets[i + 1]``.
    time, kind, level, delta, target, tc : numpy.ndarray, (events,)
        When, what (see `circuits.waveform`), the level sent or brought, and the state just after: δ, what it relaxes
        toward, and the level of tc that acts on it.
    """

    parameters: OutputError
    h: np.ndarray
    s: np.ndarray
    switches: np.ndarray
    tau: np.ndarray
    delay: np.ndarray
    measures: Measures
    offsets: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    level: np.ndarray
    delta: np.ndarray
    target: np.ndarray
    tc: np.ndarray

    @cached_property
    def events(self) -> Events:
        """All events but the start."""
        unit = np.repeat(np.arange(self.tau.size), np.diff(self.offsets))
        keep = np.ones(unit.size, dtype=bool)
        keep[self.offsets[:-1]] = False
        return Events(unit[keep], self.time[keep], self.kind[keep], self.level[keep])

    def sample(self, times: ArrayLike) -> Trace:
        """δ and tc at `times`, (T,) ascending seconds within the duration; an event at that very time has happened.

        Raises
        ------
        CircuitError
            If the times do not ascend or leave the solution.
        """
        at = np.atleast_1d(np.asarray(times, dtype=float))
        if at.size and (np.diff(at).min(initial=0.0) < 0 or at[0] < 0 or at[-1] > self.measures.duration):
            raise CircuitError(f"times to sample: use ascending times from 0 to {self.measures.duration:g} s")
        delta, tc = (np.empty((at.size, self.tau.size)) for _ in range(2))
        kernels.sample_units(self.offsets, self.time, self.delta, self.target, self.tc, self.tau, at, delta, tc)
        h, s = self.h[0], self.s[0]
        if self.switches.size:
            segment = np.searchsorted(self.switches, at, side="right")
            h, s = self.h[segment], self.s[segment]
        # A trace has one delay; it says whether there is any.
        parameters = replace(self.parameters, delay=float(self.delay.max(initial=0.0)))
        return Trace(parameters, h, s, at, delta, tc, self.events)


def solve(
    parameters: OutputError,
    h: ArrayLike,
    s: ArrayLike,
    duration: float,
    *,
    switches: ArrayLike = (),
    tau: ArrayLike | None = None,
    delay: ArrayLike | None = None,
    noise: Noise | None = None,
    since: float | None = None,
    unchecked: bool = False,
    threads: int | None = None,
) -> Solution:
    """Solve the circuit of every unit from δ = tc = 0, keeping all events.

    Parameters
    ----------
    parameters : OutputError
    h, s : array_like, (units,) or (segments, units)
        Input and supervision, dimensionless.
    duration : float
        Seconds.
    switches : array_like, (segments - 1,), optional
        When the next segment of `h` and `s` begins, ascending seconds.
    tau, delay : array_like, (units,), optional
        Time constant and loop delay of every unit, seconds, where they differ from those of `parameters`. A delay of
        0 is the circuit without delay: where its control drives δ back from both sides of a threshold, δ stays there,
        in the state "sliding", and tc takes the mean level that holds it (Filippov's solution).
    noise : Noise, optional
        On the input of tc.
    since : float, optional
        From when `Solution.measures` are taken; half the duration where not given.
    unchecked : bool
        Let |h| >= M pass.
    threads : int, optional
        At most as many as there are processors; by default as many as pay.

    Returns
    -------
    Solution

    Raises
    ------
    OutOfBounds
        If |h| >= M, or a time is out of range.
    CircuitError
        If shapes do not fit, or more than 256 level changes are under way in one loop.
    """
    job = _Job(parameters, h, s, duration, switches, tau, delay, noise, since, unchecked, threads)
    measures = job.run(None)
    offsets = np.zeros(job.units + 1, dtype=np.int64)
    np.cumsum(measures.events, out=offsets[1:])
    columns = [np.empty(offsets[-1], dtype=dtype) for dtype in (float, np.int8, float, float, float, float)]
    job.run((offsets, *columns))
    return Solution(parameters, job.h, job.s, job.switches, job.tau, job.delay, measures, offsets, *columns)


def measure(
    parameters: OutputError,
    h: ArrayLike,
    s: ArrayLike,
    duration: float,
    *,
    switches: ArrayLike = (),
    tau: ArrayLike | None = None,
    delay: ArrayLike | None = None,
    noise: Noise | None = None,
    since: float | None = None,
    unchecked: bool = False,
    threads: int | None = None,
) -> Measures:
    """As `solve`, without keeping the events: for millions of units."""
    return _Job(parameters, h, s, duration, switches, tau, delay, noise, since, unchecked, threads).run(None)


class _Job:
    """Checked inputs of the compiled solution, and the threads that run it."""

    def __init__(self, parameters, h, s, duration, switches, tau, delay, noise, since, unchecked, threads):
        parameters.check(h, s, unchecked)
        self.parameters: OutputError = parameters
        self.switches = np.atleast_1d(np.asarray(switches, dtype=float))
        self.h, self.s = segments(("h", "s"), (h, s), self.switches)
        self.units = self.h.shape[1]
        self.duration = positive("duration", duration)
        if self.switches.size and (np.diff(self.switches, prepend=0.0, append=duration).min() <= 0):
            raise CircuitError(f"switches: use ascending times between 0 and the duration, {duration:g} s")
        self.since = 0.5 * self.duration if since is None else float(since)
        if not 0 <= self.since < self.duration:
            message = f"since = {self.since:g} s is not within the duration of {self.duration:g} s"
            raise OutOfBounds(message, None, self.since, self.duration)
        self.tau = per_unit("tau", parameters.tau if tau is None else tau, self.units)
        self.delay = per_unit("delay", parameters.delay if delay is None else delay, self.units)
        self._check_times()
        self.noise = noise or Noise(0.0)
        self.threads = thread_count(threads, self.units)

    def _check_times(self) -> None:
        if (wrong := self.tau <= 0).any():
            unit = int(wrong.argmax())
            message = f"unit {unit}: tau = {self.tau[unit]:g} s is not a positive number"
            raise OutOfBounds(message, unit, self.tau[unit], 0.0)
        # A loop faster than that makes more events than anyone wants, and drowns in the rounding of absolute times.
        shortest = 1e-9 * np.maximum(self.tau, self.duration)
        if (wrong := (self.delay != 0) & (self.delay < shortest)).any():
            unit = int(wrong.argmax())
            message = f"unit {unit}: delay = {self.delay[unit]:g} s is below {shortest[unit]:g} s; use 0 for no delay"
            raise OutOfBounds(message, unit, self.delay[unit], shortest[unit])

    def run(self, record: tuple[np.ndarray, ...] | None) -> Measures:
        """Follow all units; with `record` (offsets, times, kinds, levels, deltas, targets, controls) fill it."""
        p, noise, empty = self.parameters, self.noise, np.empty(0)
        if record is None:
            record = (np.zeros(self.units + 1, dtype=np.int64), empty, np.empty(0, np.int8), *[empty] * 4)
            recording = False
        else:
            recording = True
        measured = np.empty((self.units, kernels.MEASURES))

        def part(begin: int, end: int) -> None:
            kernels.follow_units(
                begin, end, self.h, self.s, self.switches, p.M, p.S, p.mu, p.epsilon, p.t_upper, p.t_lower,
                self.tau, self.delay, noise.sd, noise.interval, noise.seed, self.duration, self.since,
                measured, recording, *record,
            )  # fmt: skip

        share(part, self.units, self.threads)
        if (wrong := measured[:, kernels.OVERFLOW] > 0).any():
            raise CircuitError(
                f"unit {int(wrong.argmax())}: more than {kernels.IN_FLIGHT} changes of tc are under way at once;"
                " use a longer noise interval or a shorter delay"
            )
        return _measures(self.since, self.duration, measured)


def _measures(since: float, duration: float, measured: np.ndarray) -> Measures:
    column = measured.T
    marks = column[kernels.MARKS]
    spans = np.where(marks > 1, column[kernels.LAST_MARK] - column[kernels.FIRST_MARK], np.nan)
    return Measures(
        since=since,
        duration=duration,
        state=column[kernels.STATE].astype(np.int8),
        low=column[kernels.LOW].copy(),
        high=column[kernels.HIGH].copy(),
        last=column[kernels.LAST].copy(),
        period=spans / np.maximum(marks - 1, 1),
        mean=np.where(
            marks > 1,
            (column[kernels.LAST_AREA] - column[kernels.FIRST_AREA]) / spans,
            column[kernels.AREA] / (duration - since),
        ),
        events=column[kernels.EVENTS].astype(np.int64),
    )
