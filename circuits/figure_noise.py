"""Noise on the control unit's input: what it does to a unit that is not yet correct, with either thresholds."""

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from circuits.exact import measure
from circuits.exact_noise import Noise
from circuits.figures import BLUE, GREY, RED, axes_or_new, styled
from circuits.parameters import T_THRESHOLDS, OutputError


def plateau_under_noise(
    sd: ArrayLike, parameters: OutputError, *, units: int = 64, interval: float = 1e-3, seed: int = 0, periods: int = 40
) -> np.ndarray:
    """The lowest δ of units that are not yet correct (h = S/2, s = 1) and should stay at 1.

    Parameters
    ----------
    sd : array_like, (levels,)
        Standard deviations of the noise on tc's input, in units of δ.
    parameters : OutputError
    units : int
        How many units at each level.
    interval : float
        How long a noise value holds, seconds.
    seed : int
    periods : int
        What is measured lasts so many times D + τ, after 20 τ.

    Returns
    -------
    numpy.ndarray, (levels, units)
    """
    since = 20 * parameters.tau
    duration = since + periods * (parameters.delay + parameters.tau)
    h, s = np.full(units, parameters.S / 2), np.ones(units)
    levels = np.atleast_1d(np.asarray(sd, dtype=float))
    return np.array(
        [measure(parameters, h, s, duration, since=since, noise=Noise(level, interval, seed)).low for level in levels]
    )


@styled
def plot_noise(sd: ArrayLike, parameters: OutputError | None = None, ax: Axes | None = None, **options) -> Axes:
    """The lowest δ of a unit that is not yet correct against the noise, for both sets of thresholds.

    Parameters
    ----------
    sd : array_like
        Standard deviations, positive.
    parameters : OutputError, optional
        With either thresholds: both are drawn.
    ax : matplotlib.axes.Axes, optional
    **options
        For `plateau_under_noise`.
    """
    p = parameters or OutputError()
    ax = axes_or_new(ax)
    names = {"paper": "thresholds 1 and -µ (paper)", "midpoint": "thresholds 1 + ε/2 and -µ - ε/2"}
    for threshold, colour in zip(T_THRESHOLDS, (RED, BLUE), strict=True):
        lowest = plateau_under_noise(sd, replace(p, t_threshold=threshold), **options)
        ax.semilogx(sd, np.median(lowest, axis=1), color=colour, marker="o", ms=3, label=names[threshold])
        ax.fill_between(np.asarray(sd), lowest.min(axis=1), lowest.max(axis=1), color=colour, alpha=0.2, lw=0)
    ax.axhline(1, color=GREY, lw=0.8, ls="--")
    ax.annotate("equation (6): 1", (np.min(sd), 1.02), size=7, color=GREY, va="bottom")
    ax.axvline(p.epsilon / 2, color=GREY, lw=0.8, ls=":")
    ax.annotate("ε/2 ", (p.epsilon / 2, 0.02), size=8, color=GREY, ha="right")
    ax.set(xlabel="noise on the control's input (sd, in units of δ)", ylabel="lowest δ of a unit not yet correct")
    ax.set_ylim(0, 1.12)
    ax.legend(
        loc="center left",
        bbox_to_anchor=(0, 0.68),
        title="median, and range over units",
        alignment="left",
        title_fontsize=8,
    )
    return ax
