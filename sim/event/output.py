"""The output units of the event engine: each has a supervisory unit s and a control tc, and is read by the gate."""

from typing import NamedTuple

import numpy as np

from network.errors import BadInput
from network.reference import MARGIN
from network.spec import Node
from sim.engine import Settings
from sim.event import kernels as event_kernels
from sim.event.space import Space
from sim.event.timed_output import ErrorUnits
from sim.event.units import Membrane, Stamp, inside


class Supervised(NamedTuple):
    """What the error units of a batch are given: inputs h and supervision s, (N, classes), and the bound M of |h|."""

    h: np.ndarray
    s: np.ndarray
    M: float


class OutputCircuit:
    """The error units δ = σ_δ(h + 2 M s - 2 M tc) of all classes, with tc = σ_t(δ) (Appendix 1).

    Equation (6) is nowhere in it: δ is what the gate reads from units that have been left to run.

    Attributes
    ----------
    connected : numpy.ndarray of bool, (classes,)
        Whether the unit's control tc reaches it. All do, unless someone cuts one.
    mu : float
        Size of the error of a wrong class.
    settings : Settings
    """

    def __init__(self, classes: int, mu: float, settings: Settings) -> None:
        self.connected = np.ones(classes, dtype=bool)
        self.mu = mu
        self.settings = settings

    @property
    def largest(self) -> float:
        """The largest |δ| that an error unit can reach."""
        return max(1.0, self.mu) + self.settings.epsilon

    def supervise(self, h: np.ndarray, labels: np.ndarray, bound: float) -> Supervised:
        """What the error units are told.

        Parameters
        ----------
        h : numpy.ndarray, (N, classes)
        labels : numpy.ndarray of int, (N,)
        bound : float
            What |h| cannot exceed, as the weights have it.

        Raises
        ------
        BadInput
            If |h| >= M somewhere, naming image, unit, value and bound.
        """
        settings = self.settings
        M = above(bound) if isinstance(settings.M, str) else float(settings.M)
        beyond = np.abs(h) >= M
        if beyond.any() and not settings.unchecked:
            n, unit = (int(k) for k in np.argwhere(beyond)[0])
            raise BadInput(
                f"output unit {unit}, image {n}: |h| = {abs(float(h[n, unit]))!r} is not below M = {M!r}; "
                f"raise M, or leave it automatic"
            )
        return Supervised(h, np.where(np.arange(h.shape[1]) == labels[:, None], 1.0, -1.0), M)

    def ties(self, told: Supervised) -> int:
        """Outputs whose comparison with the margin the network's precision could turn, in the range of this M."""
        # σ_δ compares h + 2 M s - 2 M tc with 2 M + S: the sums lie on floating point numbers this far apart.
        spacing = float(np.spacing(np.asarray(2 * told.M + MARGIN, dtype=self.settings.dtype)))
        return int(np.count_nonzero(np.abs(told.h - told.s * MARGIN) < spacing))

    def settled(self, told: Supervised) -> np.ndarray:
        """δ as the gate reads it from units that have run until they repeat, (N, classes)."""
        settings, delta = self.settings, np.empty_like(told.h)
        phase = -1.0 if isinstance(settings.gate_phase, str) else float(settings.gate_phase)
        event_kernels.output_error(
            told.h, told.s, self.connected, told.M, MARGIN, self.mu, float(settings.epsilon), 1.0, -self.mu, phase,
            delta,
        )  # fmt: skip
        return delta


class OutputUnits(Membrane):
    """The output units in one presentation: linear until they are taught, and error units from then on.

    Parameters
    ----------
    node, images, dtype, tau, space
        As `Membrane`; with tau = 0 what the gate reads is there as soon as the units are taught.
    circuit : OutputCircuit
    """

    def __init__(
        self, node: Node, images: int, dtype: np.dtype, tau: float, space: Space, circuit: OutputCircuit
    ) -> None:
        super().__init__(node, images, dtype, tau, space)
        self._circuit = circuit
        self._errors: ErrorUnits | None = None  # not those of ideal timing, which are read as they are taught
        self._delta: np.ndarray | None = None  # what has been read
        self._read = np.zeros(self.shape, dtype=bool)

    @property
    def replaced(self) -> np.ndarray | None:
        """Which units put out δ; none of them before they are taught."""
        return None if self._delta is None else np.ones(self.shape, dtype=bool)

    @property
    def largest(self) -> float:
        """A bound of |activity|."""
        taught = self._delta is not None
        return self._circuit.largest if taught else self.bound

    def teach(self, labels: np.ndarray, time: float) -> int:
        """s tells every unit whether it is the class; δ and tc run from 0 with the h of this moment. Returns ties."""
        told = self._circuit.supervise(self.potential(time), labels, self.bound)
        timing = self._circuit.settings.timing
        if timing is None:
            self._delta = self._circuit.settled(told)
            self._read[:] = True
        else:
            self._delta = np.zeros_like(told.h)
            self._errors = ErrorUnits(
                np.array(told.h, dtype=float), told.s, told.M, self._circuit.connected, self._circuit.mu,
                self._circuit.settings, timing, time,
            )  # fmt: skip
        self._changes += 1
        return self._circuit.ties(told)

    def activity(self, time: float) -> np.ndarray:
        """p before the units are taught; then δ, as it was read, or as it is at `time` where it has not been."""
        if self._delta is None:
            return self.potential(time)
        if self._errors is not None and not self._read.all():
            np.copyto(self._delta, self._errors.at(time), where=~self._read)
        return self._delta

    def control(self, time: float) -> np.ndarray:
        """tc at `time`; 0 before the units are taught, once they have been read, and with ideal timing."""
        return np.zeros(self.shape) if self._errors is None else np.where(self._read, 0.0, self._errors.control(time))

    def read(self, begin: float, end: float, units: np.ndarray | None = None) -> None:
        """The gate, open from `begin` to `end`, reads δ, which stays the activity from then on."""
        if self._errors is None or self._delta is None:
            return
        where = np.ones_like(self._read) if units is None else inside(units, self.shape, self.node)
        np.copyto(self._delta, self._errors.read(begin, end, where), where=where)
        self._read |= where
        self._changes += 1

    def stamp(self, time: float) -> Stamp:
        if self._delta is None:
            return super().stamp(time)
        return self._changes, 0.0 if self._read.all() else time


def above(bound: float) -> float:
    """The least power of two above `bound`, with room for rounding: sums with it round once. 1 for a bound of 0."""
    if not 0 < bound < 2.0**1000:  # no bound, or one that the weights have outgrown
        return 1.0 if bound == 0 else 2.0**1000
    return float(2.0 ** np.ceil(np.log2(bound * 1.001)))
