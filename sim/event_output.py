"""The output units of the event engine: each has a supervisory unit s and a control tc, and is read by the gate."""

import numpy as np

from network.errors import BadInput
from network.reference import MARGIN
from sim import event_kernels
from sim.engine import Settings


class OutputCircuit:
    """The error units δ = σ_δ(h + 2 M s - 2 M tc) of all classes, with tc = σ_t(δ) (Appendix 1).

    Equation (6) is nowhere in it: δ is what the gate reads from units that have been left to run until they repeat.

    Attributes
    ----------
    connected : numpy.ndarray of bool, (classes,)
        Whether the unit's control tc reaches it. All do, unless someone cuts one.
    """

    def __init__(self, classes: int, mu: float, settings: Settings) -> None:
        self.connected = np.ones(classes, dtype=bool)
        self._mu = mu
        self._settings = settings

    @property
    def largest(self) -> float:
        """The largest |δ| that an error unit can reach."""
        return max(1.0, self._mu) + self._settings.epsilon

    def run(self, h: np.ndarray, labels: np.ndarray, bound: float, delta: np.ndarray) -> int:
        """Teach, let run, and read.

        Parameters
        ----------
        h : numpy.ndarray, (N, classes)
        labels : numpy.ndarray of int, (N,)
        bound : float
            What |h| cannot exceed, as the weights have it.
        delta : numpy.ndarray, (N, classes)
            Written: δ at the phase at which the gate opens.

        Returns
        -------
        int
            Ties: outputs whose comparison with the margin the network's precision could turn, in the range of this M.

        Raises
        ------
        BadInput
            If |h| >= M somewhere, naming image, unit, value and bound.
        """
        settings = self._settings
        M = above(bound) if isinstance(settings.M, str) else float(settings.M)
        outside = np.abs(h) >= M
        if outside.any() and not settings.unchecked:
            n, unit = (int(k) for k in np.argwhere(outside)[0])
            raise BadInput(
                f"output unit {unit}, image {n}: |h| = {abs(float(h[n, unit]))!r} is not below M = {M!r}; "
                f"raise M, or leave it automatic"
            )
        s = np.where(np.arange(h.shape[1]) == labels[:, None], 1.0, -1.0)
        phase = -1.0 if isinstance(settings.gate_phase, str) else float(settings.gate_phase)
        event_kernels.output_error(
            h, s, self.connected, M, MARGIN, self._mu, float(settings.epsilon), 1.0, -self._mu, phase, delta
        )
        # σ_δ compares h + 2 M s - 2 M tc with 2 M + S: the sums lie on floating point numbers this far apart.
        spacing = float(np.spacing(np.asarray(2 * M + MARGIN, dtype=settings.dtype)))
        return int(np.count_nonzero(np.abs(h - s * MARGIN) < spacing))


def above(bound: float) -> float:
    """The least power of two above `bound`, with room for rounding: sums with it round once. 1 for a bound of 0."""
    if not 0 < bound < 2.0**1000:  # no bound, or one that the weights have outgrown
        return 1.0 if bound == 0 else 2.0**1000
    return float(2.0 ** np.ceil(np.log2(bound * 1.001)))
