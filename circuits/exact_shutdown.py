"""The exact solution of the feedback-shutdown circuit: every unit from one change of u or v to the next."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from circuits import exact_shutdown_kernels as kernels
from circuits.errors import CircuitError
from circuits.exact_inputs import per_unit, positive, segments, share, thread_count
from circuits.parameters import FeedbackShutdown
from circuits.transfer import inhibited, saturate, shut_off
from circuits.waveform import Events, ShutdownTrace


@dataclass(frozen=True)
class ShutdownSolution:
    """The units' events, with the potential between them known in closed form.

    Attributes
    ----------
    parameters : FeedbackShutdown
    h, delta : numpy.ndarray, (segments, units)
        Input of the units, and the feedback arriving at them.
    switches : numpy.ndarray, (segments - 1,)
        When they change, seconds.
    tau, delay : numpy.ndarray, (units,)
        Seconds.
    duration : float
        Seconds.
    offsets : numpy.ndarray of int, (units + 1,)
        The events of unit i are those from ``offsets[i]`` to ``offsets[i + 1]``.
    time, kind, level, potential, input, arrived : numpy.ndarray, (events,)
        When, what (see `circuits.waveform`), and the state just after: the level u + v that x gives, the potential, the
        h it relaxes toward, and the level u + v that acts on the feedback.
    """

    parameters: FeedbackShutdown
    h: np.ndarray
    delta: np.ndarray
    switches: np.ndarray
    tau: np.ndarray
    delay: np.ndarray
    duration: float
    offsets: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    level: np.ndarray
    potential: np.ndarray
    input: np.ndarray
    arrived: np.ndarray

    @cached_property
    def events(self) -> Events:
        """All events but the start; the level is u + v, as sent by a crossing and as brought by an arrival."""
        unit = np.repeat(np.arange(self.tau.size), np.diff(self.offsets))
        keep = np.ones(unit.size, dtype=bool)
        keep[self.offsets[:-1]] = False
        level = np.where(self.kind == kernels.ARRIVAL, self.arrived, self.level)
        return Events(unit[keep], self.time[keep], self.kind[keep], level[keep])

    def sample(self, times: ArrayLike) -> ShutdownTrace:
        """x, u, v and δ̃ at `times`, (T,) ascending seconds within the duration; an event at that very time is past.

        Raises
        ------
        CircuitError
            If the times do not ascend or leave the solution.
        """
        at = np.atleast_1d(np.asarray(times, dtype=float))
        if at.size and (np.diff(at).min(initial=0.0) < 0 or at[0] < 0 or at[-1] > self.duration):
            raise CircuitError(f"times to sample: use ascending times from 0 to {self.duration:g} s")
        p, level, reached = (np.empty((at.size, self.tau.size)) for _ in range(3))
        kernels.sample_units(
            self.offsets, self.time, self.level, self.potential, self.input, self.arrived, self.tau, at,
            p, level, reached,
        )  # fmt: skip
        segment = np.searchsorted(self.switches, at, side="right")
        delta = self.delta[segment]
        K = self.parameters.K
        delta_tilde = np.asarray(shut_off(inhibited(delta, np.maximum(reached, 0), np.minimum(reached, 0), K), K))
        inputs = (self.h[segment], delta) if self.switches.size else (self.h[0], self.delta[0])
        up, down = np.maximum(level, 0), np.minimum(level, 0)
        return ShutdownTrace(self.parameters, *inputs, at, np.asarray(saturate(p)), up, down, delta_tilde, self.events)


def solve_shutdown(
    parameters: FeedbackShutdown,
    h: ArrayLike,
    delta: ArrayLike,
    duration: float,
    *,
    switches: ArrayLike = (),
    tau: ArrayLike | None = None,
    delay: ArrayLike | None = None,
    unchecked: bool = False,
    threads: int | None = None,
) -> ShutdownSolution:
    """Solve the circuit of every unit from p = 0.

    After a settling time T a unit with |h| > 1 still counts as unsaturated while |h| (1 - e^{-T/τ}) < 1: those
    misjudged are exactly the units with 1 < |h| < 1/(1 - e^{-T/τ}), and besides those with |h| = 1, which get there
    never.

    Parameters
    ----------
    parameters : FeedbackShutdown
    h, delta : array_like, (units,) or (segments, units)
        Input of the units, and the feedback arriving at them, dimensionless.
    duration : float
        Seconds.
    switches : array_like, (segments - 1,), optional
        When the next segment of `h` and `delta` begins, ascending seconds.
    tau, delay : array_like, (units,), optional
        Seconds, where the units differ from `parameters`. The delay is that from x to δ̃; 0 is allowed.
    unchecked : bool
        Let |δ| >= K pass.
    threads : int, optional
        At most as many as there are processors; by default as many as pay.

    Returns
    -------
    ShutdownSolution

    Raises
    ------
    OutOfBounds
        If |δ| >= K, or a time is out of range.
    CircuitError
        If shapes do not fit.
    """
    parameters.check(delta, h, unchecked)
    edges = np.atleast_1d(np.asarray(switches, dtype=float))
    inputs, arriving = segments(("h", "delta"), (h, delta), edges)
    units = inputs.shape[1]
    duration = positive("duration", duration)
    if edges.size and np.diff(edges, prepend=0.0, append=duration).min() <= 0:
        raise CircuitError(f"switches: use ascending times between 0 and the duration, {duration:g} s")
    taus = per_unit("tau", parameters.tau if tau is None else tau, units)
    if (wrong := taus <= 0).any():
        raise CircuitError(f"unit {int(wrong.argmax())}: tau = 0 s is not a positive number")
    delays = per_unit("delay", parameters.delay if delay is None else delay, units)
    counts, empty = np.zeros(units, dtype=np.int64), np.empty(0)

    def run(record: bool, offsets: np.ndarray, *columns: np.ndarray) -> None:
        def part(begin: int, end: int) -> None:
            kernels.follow_units(
                begin, end, inputs, edges, taus, delays, duration, counts, record, offsets, *columns
            )  # fmt: skip

        share(part, units, thread_count(threads, units))

    offsets = np.zeros(units + 1, dtype=np.int64)
    run(False, offsets, empty, np.empty(0, np.int8), *[empty] * 4)
    np.cumsum(counts, out=offsets[1:])
    columns = [np.empty(offsets[-1], dtype=dtype) for dtype in (float, np.int8, float, float, float, float)]
    run(True, offsets, *columns)
    return ShutdownSolution(parameters, inputs, arriving, edges, taus, delays, duration, offsets, *columns)
