"""How a clock-driven simulation approaches the exact solution as its time step falls."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike

from circuits.figures import GREY, axes_or_new, styled


def convergence_order(dt: ArrayLike, errors: ArrayLike) -> float:
    """The exponent p of error ∝ dt^p, by least squares in logarithms."""
    return float(np.polyfit(np.log(np.asarray(dt, dtype=float)), np.log(np.asarray(errors, dtype=float)), 1)[0])


@styled
def plot_convergence(dt: ArrayLike, errors: Mapping[str, ArrayLike], ax: Axes | None = None) -> Axes:
    """Errors against the time step, both logarithmic, with the line of first order.

    Parameters
    ----------
    dt : array_like, (steps,)
        Time steps, ms.
    errors : mapping of str to array_like, (steps,)
        By the name of what converges.
    ax : matplotlib.axes.Axes, optional
    """
    ax = axes_or_new(ax)
    dt = np.asarray(dt, dtype=float)
    largest = 0.0
    for (name, values), marker in zip(errors.items(), "osv^Dx" * len(errors), strict=False):
        values = np.asarray(values, dtype=float)
        ax.loglog(dt, values, marker=marker, ms=5, label=f"{name}: order {convergence_order(dt, values):.2f}")
        largest = max(largest, values[dt.argmax()])
    ax.loglog(dt, 1.6 * largest * dt / dt.max(), color=GREY, lw=0.9, ls="--", label="proportional to dt")
    ax.set_xticks(dt, [f"{step:g}" for step in dt])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel="time step dt (ms)", ylabel="mean |difference from the exact solution|")
    ax.legend()
    return ax
