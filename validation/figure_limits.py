"""Figures of where it breaks: errors of a network against one parameter, phase diagrams of a single output unit."""

import textwrap
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from circuits.figures import BLUE, GREY, ORANGE, axes_or_new, new_figure, styled
from circuits.phase import PhaseDiagram, phase_diagram
from validation.limits import RIGHT, Sweep

FLOOR = 1e-17  # exact agreement, on a logarithmic axis
SYMBOLS = {"delta": "δ", "dW": "ΔW"}
COLOURS = {"delta": BLUE, "dW": ORANGE}


@styled
def plot_sweep(sweep: Sweep, ax: Axes | None = None) -> Axes:
    """Errors against a parameter; grey where the circuit is not the algorithm, with what fails there.

    Parameters
    ----------
    sweep : Sweep
    ax : matplotlib.axes.Axes, optional
    """
    ax = axes_or_new(ax, 4.6, 3.2)
    for quantity, errors in sweep.errors.items():
        label = f"largest error of {SYMBOLS[quantity]}"
        ax.semilogy(sweep.values, np.maximum(errors, FLOOR), "o-", ms=3, color=COLOURS[quantity], label=label)
    ax.axhline(RIGHT, color=GREY, lw=0.8, ls="--")
    if sweep.log:
        ax.set_xscale("log")
        if sweep.values[-1] / sweep.values[0] < 100:  # too short for powers of ten
            ticks = [value for value in (0.25, 0.5, 1, 2, 4) if sweep.values[0] <= value <= sweep.values[-1]]
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
    ax.set_ylim(FLOOR / 3, 1e4)
    ax.set(xlabel=sweep.axis, ylabel="relative to the largest entry")
    edges = _edges(sweep)
    for wrong, members in groupby(range(sweep.values.size), lambda k: not sweep.right[k]):
        places = list(members)
        if wrong:
            ax.axvspan(edges[places[0]], edges[places[-1] + 1], color="0.9", zorder=0, lw=0)
    _say_why(sweep, ax)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, borderaxespad=0.2)
    return ax


def _edges(sweep: Sweep) -> np.ndarray:
    """Halfway between the values, on the axis as it is drawn."""
    values = np.log(sweep.values) if sweep.log else sweep.values
    middle = (values[1:] + values[:-1]) / 2
    edges = np.r_[values[0] - (middle[0] - values[0]), middle, values[-1] + (values[-1] - middle[-1])]
    return np.exp(edges) if sweep.log else edges


def _say_why(sweep: Sweep, ax: Axes) -> None:
    """What fails, over the grey: the mechanisms in the order of the axis, one line each."""
    reasons = list(dict.fromkeys(filter(None, sweep.mechanism)))[:2]
    lines = [line for reason in reasons for line in textwrap.wrap(reason, 42)]
    if not lines:
        return
    left = np.flatnonzero(~sweep.right).mean() < sweep.values.size / 2
    place, side = (0.02, "left") if left else (0.98, "right")
    ax.text(place, 0.35, "\n".join(lines), transform=ax.transAxes, ha=side, va="center", size=7)


@styled
def sweeps_figure(sweeps: Sequence[Sweep]) -> Figure:
    """All sweeps, two in a row."""
    rows = -(-len(sweeps) // 2)
    figure = new_figure(9.4, 3.1 * rows)
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for sweep, ax in zip(sweeps, axes, strict=False):
        plot_sweep(sweep, ax)
    for ax in axes[len(sweeps) :]:
        ax.set_visible(False)
    return figure


def unit_diagrams(points: int) -> list[tuple[PhaseDiagram, str]]:
    """Phase diagrams of a single output unit, and the command that makes each; `points` along either axis."""
    asked = [
        ("delay", np.linspace(0, 6, points), "h", np.linspace(-1, 5, points)),
        ("M", np.linspace(1.5, 6, points), "h", np.linspace(-1, 5, points)),
        ("noise", np.geomspace(1e-3, 1, points), "epsilon", np.geomspace(0.01, 1, points)),
        ("S", np.linspace(0, 3, points), "h", np.linspace(-1, 5, points)),
    ]
    found = []
    for x_name, x, y_name, y in asked:
        words = " ".join(
            f"--{axis} {name} {values[0]:g} {values[-1]:g}"
            for axis, name, values in (("x", x_name, x), ("y", y_name, y))
        )
        logs = " ".join(axis for axis, values in (("x", x), ("y", y)) if values[0] > 0 and values[-1] / values[0] > 50)
        command = f"hebb circuit phase {words}" + (f" --log {logs}" if logs else "") + " --plot phase.png"
        found.append((phase_diagram(x_name, x, y_name, y), command))
    return found
