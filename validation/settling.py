"""How finite timing approaches the algorithm: the error of a circuit that has settled for T time constants, against T.

Every membrane is then within e^{-T/tau} of where it is going, and so is everything that follows from it without a
question that has two answers: whether a unit is saturated, an output far enough on its side, a pixel the largest of its
window. Presentations in which such a question was answered otherwise are no points of the line, and are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from circuits.figures import GREY, axes_or_new, styled
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from sim.engine import Settings, open_engine
from sim.schedule import Timing

QUANTITIES = ("h", "delta", "dW", "dR")
SYMBOLS = {"h": "h", "delta": "δ", "dW": "ΔW", "dR": "ΔR"}
FEWEST = 4  # points that make a line


@dataclass(frozen=True)
class Settling:
    """Errors of a timed circuit, by how long it settled.

    Attributes
    ----------
    ratios : numpy.ndarray, (ratios,)
        T/tau.
    errors : dict of str to numpy.ndarray, (ratios,)
        By quantity, without those that are 0 everywhere: the largest over the layers of max |timed - ideal| / max
        |ideal|.
    misjudged : numpy.ndarray of int, (ratios,)
        Units, over the batch, on the other side of a threshold: hidden ones that are shut off in one of the two and not
        in the other, and outputs that are silenced in one and not in the other.
    """

    ratios: np.ndarray
    errors: dict[str, np.ndarray]
    misjudged: np.ndarray

    @property
    def clean(self) -> np.ndarray:
        """Which points have no misjudged unit."""
        return self.misjudged == 0

    def line(self, quantity: str) -> tuple[float, float, float]:
        """Slope and intercept of ln(error) against T/tau over the clean points, and how far the worst is off the line.

        Raises
        ------
        ValueError
            For fewer than four clean points, or an error of 0: there is no line.
        """
        x, error = self.ratios[self.clean], self.errors[quantity][self.clean]
        if x.size < FEWEST or not (error > 0).all():
            raise ValueError(f"{quantity}: errors {error.tolist()} without misjudged units: that makes no line")
        slope, intercept = np.polyfit(x, np.log(error), 1)
        return float(slope), float(intercept), float(np.abs(np.log(error) - intercept - slope * x).max())


def measure_settling(
    spec: NetworkSpec,
    weights: Weights,
    images: np.ndarray,
    labels: np.ndarray,
    settings: Settings,
    ratios: Sequence[float],
    engine: str = "event",
) -> Settling:
    """Present a batch to a circuit with ideal timing, and settled for each of `ratios` time constants.

    Parameters
    ----------
    spec, weights, images, labels, settings
        As `sim.engine.open_engine` and `sim.engine.Engine.present`; `settings.timing` is replaced.
    ratios : sequence of float
        T/tau: of activity, of the output error, and D/tau of its loop.
    engine : str
        The timed circuit; ideal timing is that of ``event``.
    """
    ideal = open_engine("event", spec, weights, replace(settings, timing=None)).present(images, labels)
    traces = [
        open_engine(engine, spec, weights, replace(settings, timing=Timing.settled(ratio))).present(images, labels)
        for ratio in ratios
    ]
    names = [name for name in QUANTITIES if any(values.any() for values in ideal.arrays()[name].values())]
    errors = {name: np.array([_error(ideal, trace, name) for trace in traces]) for name in names}
    return Settling(np.asarray(ratios, dtype=float), errors, np.array([_misjudged(ideal, trace) for trace in traces]))


def _error(ideal: StepTrace, timed: StepTrace, quantity: str) -> float:
    ours, theirs = ideal.arrays()[quantity], timed.arrays()[quantity]
    return max(float(np.abs(ours[i] - theirs[i]).max() / np.abs(ours[i]).max()) for i in ours if ours[i].any())


def _misjudged(ideal: StepTrace, timed: StepTrace) -> int:
    count, top = 0, max(ideal.delta)
    for layer, right in ideal.delta.items():
        found = timed.delta[layer]
        if layer < top:
            saturated = np.abs(ideal.x[layer]) == 1
            count += int(np.count_nonzero(np.where(saturated, found != 0, (found == 0) & (right != 0))))
        else:  # silent in one: nearer to 0 than to its plateau
            plateau = np.where(right + found > 0, 1.0, ideal.meta["mu"])
            count += int(np.count_nonzero((np.abs(right) < plateau / 2) != (np.abs(found) < plateau / 2)))
    return count


@styled
def plot_convergence(settling: Settling, ax: Axes | None = None) -> Axes:
    """Errors against T/tau, the error logarithmic, with the line e^{-T/tau}; open where units were misjudged.

    Parameters
    ----------
    settling : Settling
    ax : Axes, optional
    """
    ax = axes_or_new(ax, 4.8, 3.4)
    clean, ratios = settling.clean, settling.ratios
    for (name, errors), marker in zip(settling.errors.items(), "osv^", strict=False):
        slope = settling.line(name)[0] if np.count_nonzero(clean) >= FEWEST else np.nan
        (drawn,) = ax.semilogy(ratios[clean], errors[clean], marker, ms=5, label=f"{SYMBOLS[name]}: slope {slope:.3f}")
        ax.semilogy(ratios[~clean], errors[~clean], marker, ms=5, mfc="none", color=drawn.get_color())
    if not clean.all():
        ax.plot([], [], "o", ms=5, mfc="none", color=GREY, label="with misjudged units")
    span = np.array([ratios.min(), ratios.max()])
    ax.semilogy(span, np.exp(-span), "--", color=GREY, lw=0.9, label=r"$e^{-T/\tau}$")
    ax.set(xlabel=r"settling time $T/\tau$", ylabel="largest |timed - ideal| / largest |ideal|")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
    return ax
