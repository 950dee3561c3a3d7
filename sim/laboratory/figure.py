"""What the studies found, drawn: angles of the updates, and whether the network still learns."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from circuits.figures import BLUE, GREEN, GREY, LIGHT_BLUE, ORANGE, PINK, RED, axes_or_new, new_figure, styled
from sim.laboratory.studies import Study

COLOURS = (BLUE, RED, GREEN, ORANGE, PINK, LIGHT_BLUE)
MARKERS = "os^Dvp"
RIGHT = 90  # degrees: an update that has nothing to do with the algorithm's

Rows = Sequence[Mapping[str, Any]]


@styled
def plot_angle(rows: Rows, study: Study, ax: Axes | None = None) -> Axes:
    """The angle between the increments and the algorithm's, by series: mean over seeds, and their range.

    Parameters
    ----------
    rows : sequence of mapping
        As `sim.laboratory.measure.measure` yields them.
    study : Study
        The one that they belong to.
    ax : matplotlib.axes.Axes, optional
    """
    ax = axes_or_new(ax, 5.0, 3.4)
    for n, (name, some) in enumerate(_by_series(rows, study).items()):
        _plot(ax, some, lambda row: row["angle"], n, name)
    ax.axhline(RIGHT, color=GREY, lw=0.8, ls=":")
    ax.annotate("unrelated to the algorithm's", (0.01, RIGHT), xycoords=("axes fraction", "data"), xytext=(0, 2),
                textcoords="offset points", size=7, color=GREY)  # fmt: skip
    highest = max((row["angle"] for row in rows if row["angle"] is not None), default=0)
    ax.set(ylabel="angle of the update (degrees)", ylim=(-4, max(100, 1.06 * highest)))
    _label_values(ax, study, rows)
    return ax


@styled
def plot_layers(rows: Rows, study: Study, quantity: str, ylabel: str, ax: Axes | None = None) -> Axes:
    """One quantity of each layer, in the study's first series: mean over seeds, and their range.

    Parameters
    ----------
    rows, study, ax
        As `plot_angle`.
    quantity : str
        ``angle_dW``, ``delta_angle`` or ``delta_error``: see `sim.laboratory.measure.compare_updates`.
    ylabel : str
    """
    ax = axes_or_new(ax, 5.0, 3.4)
    name, some = next(iter(_by_series(rows, study).items()))
    layers = len(some[0][quantity])
    for layer in range(layers):
        label = f"layer {layer + 1}" + (" (output)" if layer == layers - 1 else "")
        _plot(ax, some, lambda row, layer=layer: row[quantity][layer], layer, label)
    ax.set(ylabel=ylabel)
    ax.set_ylim(bottom=min(0, -0.04 * ax.get_ylim()[1]))
    ax.set_title(name, size=8)
    _label_values(ax, study, rows)
    return ax


@styled
def plot_learning(rows: Rows, study: Study, chance: float, ax: Axes | None = None) -> Axes:
    """The test error after training with the disturbance, by series: mean over seeds, and their range.

    Parameters
    ----------
    rows, study, ax
        As `plot_angle`.
    chance : float
        The error of guessing.
    """
    ax = axes_or_new(ax, 5.0, 3.4)
    for n, (name, some) in enumerate(_by_series(rows, study).items()):
        _plot(ax, some, lambda row: row["test_error"], n, name)
    ax.axhline(chance, color=GREY, lw=0.8, ls=":")
    ax.annotate("chance", (0.01, chance), xycoords=("axes fraction", "data"), xytext=(0, 2),
                textcoords="offset points", size=7, color=GREY)  # fmt: skip
    ax.set(ylabel="test error (fraction)", ylim=(-0.03, 1))
    _label_values(ax, study, rows)
    return ax


@styled
def study_figure(rows: Rows, study: Study, chance: float) -> Figure:
    """Angle, delta by layer, and learning, side by side; the study's question above them."""
    moved = any(row["angle"] is None or row["angle"] > 1e-3 for row in rows)
    figure = new_figure(11.0 if moved else 5.0, 3.9)
    if moved:
        left, middle, right = figure.subplots(1, 3)
        plot_angle(rows, study, left)
        plot_layers(rows, study, "angle_dW", "angle of a layer's update (degrees)", middle)
        middle.legend()
    else:  # every presentation makes the algorithm's increments; what differs is when they become weights
        right = figure.subplots()
    plot_learning(rows, study, chance, right)
    figure.suptitle(f"{study.title}\n" + fill(study.why, 120 if moved else 60), size=10, x=0.01, ha="left")
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels) if moved else 2)
    return figure


def _by_series(rows: Rows, study: Study) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of each series that has any, in the study's order."""
    found = {name: [row for row in rows if row["series"] == name] for name in study.series}
    return {name: some for name, some in found.items() if some}


def _plot(ax: Axes, rows: Rows, quantity: Callable[[Mapping[str, Any]], float | None], number: int, name: str) -> None:
    """A line through the means over seeds, and a band from the least to the greatest."""
    values = sorted({row["value"] for row in rows})
    found = [[quantity(row) for row in rows if row["value"] == value] for value in values]
    some = [np.array([each for each in seeds if each is not None]) for seeds in found]
    mean, low, high = (
        [float(of(seeds)) if seeds.size else np.nan for seeds in some] for of in (np.mean, np.min, np.max)
    )
    colour = COLOURS[number % len(COLOURS)]
    ax.plot(values, mean, color=colour, marker=MARKERS[number % len(MARKERS)], ms=4, label=name)
    ax.fill_between(values, low, high, color=colour, alpha=0.15, lw=0)


def _label_values(ax: Axes, study: Study, rows: Rows) -> None:
    """The axis of what is varied: decades where it spans some, with no disturbance at its left end."""
    ax.set_xlabel(f"{study.varied} ({study.unit})" if study.unit else study.varied)
    values = sorted({row["value"] for row in rows})
    least = min((value for value in values if value), default=1.0)
    if study.wide and len(values) > 2:
        ax.set_xscale("log") if values[0] else ax.set_xscale("symlog", linthresh=least)
        ax.set_xlim(values[0] / 1.3 if values[0] else -0.2 * least, 1.3 * values[-1])
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.minorticks_off()
