"""Figure 13: the transfer functions of the error unit and of its control."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from circuits.figures import BLUE, GREY, RED, axes_or_new, new_figure, styled
from circuits.parameters import OutputError
from circuits.transfer import sigma_delta, sigma_t


@styled
def plot_sigma_delta(parameters: OutputError | None = None, ax: Axes | None = None) -> Axes:
    """σ_δ over the unit's whole input H: five levels, 1 + ε to -µ - ε (figure 13, left)."""
    p = parameters or OutputError()
    ax = axes_or_new(ax)
    steps = [-2 * p.M - p.S, -p.M, p.M, 2 * p.M + p.S]
    levels = {-p.mu - p.epsilon: "-µ - ε", -p.mu: "-µ", 0: "0", 1: "1", 1 + p.epsilon: "1 + ε"}
    _staircase(ax, steps, lambda H: sigma_delta(H, p.M, p.S, p.mu, p.epsilon), BLUE)
    ax.set_xticks(steps, ["-2M - S", "-M", "M", "2M + S"])
    _levels(ax, levels)
    for left, right, text in ((-p.M, p.M, "shut off\n(tc = s)"), (steps[2], steps[3], "to be\nupdated")):
        ax.annotate(
            text, ((left + right) / 2, 0.12 if left < 0 else 1.06), ha="center", va="bottom", color=GREY, size=7
        )
    ax.annotate("correct", (1.02 * steps[3], 1.06 + p.epsilon), va="bottom", color=GREY, size=7)
    ax.set(
        xlabel="whole input H = h + 2M s - 2M tc", ylabel=r"$\sigma_\delta(H)$", ylim=(-p.mu - p.epsilon - 0.2, 1.65)
    )
    return ax


@styled
def plot_sigma_t(parameters: OutputError | None = None, ax: Axes | None = None) -> Axes:
    """σ_t over the activity of the error unit, with the levels that δ can rest at (figure 13, right)."""
    p = parameters or OutputError()
    ax = axes_or_new(ax)
    _staircase(ax, [p.t_lower, p.t_upper], lambda delta: sigma_t(delta, p.t_upper, p.t_lower), RED, margin=0.6)
    for level, text in ((-p.mu, "plateau -µ"), (1.0, "plateau 1")):
        ax.axvline(level, color=GREY, lw=0.8, ls=":", zorder=0)
        ax.annotate(
            text,
            (level, -0.9),
            (-3, 0),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="bottom",
            size=7,
            color=GREY,
        )
    names = ("-µ", "1") if p.t_threshold == "paper" else ("-µ - ε/2", "1 + ε/2")
    ax.set_xticks([p.t_lower, 0, p.t_upper], [names[0], "0", names[1]])
    _levels(ax, {-1: "-1", 0: "0", 1: "1"})
    ax.set(xlabel="activity δ of the error unit", ylabel=r"$\sigma_t(\delta)$", ylim=(-1.25, 1.25))
    return ax


@styled
def transfer_figure(parameters: OutputError | None = None) -> Figure:
    """Figure 13: both functions side by side."""
    figure = new_figure(7.5, 2.9)
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    plot_sigma_delta(parameters, left).set_title("error unit")
    plot_sigma_t(parameters, right).set_title("control unit")
    return figure


def _staircase(ax: Axes, steps: list[float], function, color: str, margin: float = 3.0) -> None:
    """A step function with its jumps dotted, and its value at each jump as a filled dot."""
    edges = [steps[0] - margin, *steps, steps[-1] + margin]
    for left, right in pairwise(edges):
        ax.plot([left, right], [function((left + right) / 2)] * 2, color=color, lw=2.2, solid_capstyle="butt")
    for step in steps:
        sides = [function(np.nextafter(step, way)) for way in (-np.inf, np.inf)]
        ax.plot([step, step], sides, color=color, lw=0.8, ls=":")
        ax.plot(step, function(step), "o", ms=4, color=color)


def _levels(ax: Axes, levels: dict[float, str]) -> None:
    ax.set_yticks(list(levels), list(levels.values()))
    ax.axhline(0, color=GREY, lw=0.5, zorder=0)
