"""When the gate of the output reads units that oscillate: their cycles, in closed form."""

import numpy as np

from circuits.limit_cycle import limit_cycle
from circuits.parameters import OutputError
from network.errors import BadInput
from sim.schedule import Timing


class Cycles:
    """The oscillation that a sufficiently correct output goes through from its teaching on, whatever its h.

    Parameters
    ----------
    s : numpy.ndarray, (N, classes)
        Supervision.
    mu, epsilon : float
    timing : Timing
        For tau and the loop's delay.

    Attributes
    ----------
    period, crossed, quiet : numpy.ndarray, (N, classes)
        Seconds: of a cycle; from the teaching until the first one begins; from there until δ is nearest 0. NaN for
        units that never oscillate.
    """

    def __init__(self, s: np.ndarray, mu: float, epsilon: float, timing: Timing) -> None:
        self.period, self.crossed, self.quiet = (np.full(s.shape, np.nan) for _ in range(3))
        for supervision, plateau in ((1.0, 1.0), (-1.0, mu)):
            if plateau > 0 and epsilon > 0 and timing.loop > 0:
                # In units of its plateau the cycle of a wrong class is that of s = 1.
                cycle = limit_cycle(OutputError(epsilon=epsilon / plateau, tau=timing.tau, delay=timing.loop))
                own = s == supervision
                self.period[own], self.crossed[own] = cycle.period, cycle.first_crossing
                self.quiet[own] = cycle.quiet_phase * cycle.period

    def read_at(self, phase: float, begin: float) -> np.ndarray:
        """When so much of a cycle has passed since δ was nearest 0, for the first time after `begin`.

        Parameters
        ----------
        phase : float
            Share of a cycle.
        begin : float
            Seconds after the teaching.

        Returns
        -------
        numpy.ndarray, (N, classes)
            Seconds after the teaching; infinite where nothing oscillates.
        """
        first = self.crossed + (self.quiet + phase * self.period) % self.period
        found = first + np.maximum(np.ceil((begin - first) / self.period), 0) * self.period
        return np.where(np.isnan(found), np.inf, found)

    def check(self, oscillating: np.ndarray, begin: float, end: float, phase: float | None) -> None:
        """Refuse a window, from `begin` to `end` seconds after the teaching, that a unit's cycle does not fit into.

        Parameters
        ----------
        oscillating : numpy.ndarray of bool, (N, classes)
            Which units do.
        begin, end : float
        phase : float or None
            That is waited for; None where the window is to see all of a cycle.

        Raises
        ------
        BadInput
            Naming unit, cycle and window.
        """
        if phase is None:
            late = oscillating & (self.period > end - begin)
        else:
            late = oscillating & (self.read_at(phase, begin) > end)
        if late.any():
            n, unit = (int(k) for k in np.argwhere(late)[0])
            raise BadInput(
                f"output unit {unit}, image {n}: its cycle of {self.period[n, unit] * 1e3:.4g} ms does not fit into "
                f"the Hebbian window of {(end - begin) * 1e3:.4g} ms; lengthen the timing's reading, or shorten its "
                f"loop"
            )
