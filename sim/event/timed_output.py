"""The output's error units in time: δ and tc run from the teaching on, and the gate reads δ while it is open."""

import numpy as np

from circuits import exact_kernels as exact
from circuits.limit_cycle import limit_cycle
from circuits.parameters import OutputError
from circuits.transfer import drive, sigma_delta, sigma_t
from network.errors import BadInput
from network.reference import MARGIN
from sim.engine import Settings
from sim.event import timed_kernels as kernels
from sim.schedule import Timing


class ErrorUnits:
    """tau δ' = -δ + σ_δ(h + 2 M s - 2 M tc) with tc(t) = σ_t(δ(t - D)), from δ = tc = 0 at the teaching; exact.

    Parameters
    ----------
    h, s : numpy.ndarray, (N, classes)
        Input as it was when taught, and supervision.
    M : float
    connected : numpy.ndarray of bool, (classes,)
        Whether the unit's control tc reaches it.
    mu : float
    settings : Settings
        For epsilon, the gate's phase, and whether to go on where a window is too short.
    timing : Timing
        For tau and the loop's delay D.
    taught : float
        When, seconds.
    """

    def __init__(
        self, h: np.ndarray, s: np.ndarray, M: float, connected: np.ndarray, mu: float, settings: Settings,
        timing: Timing, taught: float,
    ) -> None:  # fmt: skip
        self._h, self._s, self._M = h, s, M
        self._connected, self._mu, self._settings, self._timing = connected.copy(), mu, settings, timing
        self._taught = taught

    def at(self, time: float) -> np.ndarray:
        """δ at `time`, seconds; (N, classes)."""
        return self._follow(np.full(self._h.shape, time))[..., exact.LAST]

    def control(self, time: float) -> np.ndarray:
        """tc at `time`, seconds, as it reaches the units; (N, classes), -1, 0 or 1."""
        return self._connected * sigma_t(self.at(time - self._timing.loop), 1.0, -self._mu)

    def read(self, begin: float, end: float, where: np.ndarray) -> np.ndarray:
        """What a gate reads that is open from `begin` to `end`.

        With an automatic phase this is the value of δ nearest 0 in between. Otherwise it is the value when that share
        of a unit's own cycle has passed since δ was nearest 0, for the first time while the gate is open, and the last
        value of a unit that does not oscillate.

        Parameters
        ----------
        begin, end : float
            Seconds.
        where : numpy.ndarray of bool, (N, classes)
            The units whose window this is.

        Returns
        -------
        numpy.ndarray, (N, classes)

        Raises
        ------
        BadInput
            Where a unit oscillates more slowly than the gate is open, so that it need not come near 0 meanwhile, or to
            the phase asked for; unless unchecked, when it is read as it comes.
        """
        begin = max(begin, self._taught)
        period, crossed, quiet_phase = self._cycles()
        phase = self._settings.gate_phase
        late = np.zeros_like(where)
        if isinstance(phase, str):
            late = where & (period > end - begin)
            found = self._follow(np.full(self._h.shape, end), begin)
            low, high, last = (found[..., column] for column in (exact.LOW, exact.HIGH, exact.LAST))
            value = np.where(low > 0, low, np.where(high < 0, high, 0.0))
            value = np.where(low > high, last, value)  # open for no time at all
        else:
            first = crossed + (quiet_phase + phase) % 1.0 * period
            at = first + np.maximum(np.ceil((begin - first) / period), 0) * period
            late = where & (at > end)
            value = self._follow(np.where(np.isfinite(at) & (at <= end), at, end))[..., exact.LAST]
        if late.any() and not self._settings.unchecked:
            n, unit = (int(k) for k in np.argwhere(late)[0])
            raise BadInput(
                f"output unit {unit}, image {n}: its cycle of {period[n, unit] * 1e3:.4g} ms does not fit into the "
                f"Hebbian window of {(end - begin) * 1e3:.4g} ms; lengthen the timing's reading, or shorten its loop"
            )
        return value

    def _follow(self, until: np.ndarray, since: float | None = None) -> np.ndarray:
        """Measures of every unit at `until`, extremes from `since` on, (N, classes, MEASURES); times in seconds."""
        begin = self._taught if since is None else since
        measured = np.empty((self._h.size, exact.MEASURES))
        kernels.follow(
            self._h.reshape(1, -1), self._s.reshape(1, -1), self._connected, self._M, MARGIN, self._mu,
            float(self._settings.epsilon), self._timing.tau, self._timing.loop, begin - self._taught,
            np.maximum(until - self._taught, 0.0).reshape(-1), measured,
        )  # fmt: skip
        return measured.reshape(*self._h.shape, exact.MEASURES)

    def _cycles(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every unit that oscillates: period, when the first cycle begins (s), and the phase nearest 0; else NaN."""
        mu, epsilon, timing = self._mu, float(self._settings.epsilon), self._timing
        unheld = sigma_delta(drive(self._h, self._s, 0.0, self._M), self._M, MARGIN, mu, epsilon)
        oscillates = self._connected & (sigma_t(unheld, 1.0, -mu) != 0) & (timing.loop > 0)
        period, crossed, quiet_phase = (np.full(self._h.shape, np.nan) for _ in range(3))
        for s, level in ((1.0, 1.0), (-1.0, mu)):
            own = oscillates & (self._s == s)
            if level > 0 and own.any():  # with mu = 0 the control holds δ at 0 once it is there
                # In units of its plateau the cycle of a wrong class is that of s = 1.
                cycle = limit_cycle(OutputError(epsilon=epsilon / level, tau=timing.tau, delay=timing.loop))
                period[own], quiet_phase[own] = cycle.period, cycle.quiet_phase
                crossed[own] = self._taught + cycle.first_crossing
        return period, crossed, quiet_phase
