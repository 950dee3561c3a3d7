"""Curves of a run: errors (figure 4), alignment of W and R (figure 10), and what they make of delta, by epoch.

Functions take ``ax=None`` and return it.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from circuits.figures import axes_or_new, figure_of, new_figure, style, styled
from network.spec import NetworkSpec
from sim.concordance import MEASURES
from sim.forgetting_figure import plot_forgetting, was_in_blocks
from sim.run_folder import FIGURES, RunFolder

# What is measured beside exact back-propagation: its name on an axis, where chance lies, limits and ticks.
MEASURED: dict[str, tuple[str, float, tuple[float, float], Sequence[float]]] = {
    "delta_angle": ("angle of δ to exact δ (degrees)", 90, (-3, 123), range(0, 121, 30)),
    "increment_angle": ("angle of ΔW to exact ΔW (degrees)", 90, (-3, 123), range(0, 121, 30)),
    "sign_concordance": ("share of δ with the exact sign", 0.5, (0.25, 1.02), (0.25, 0.5, 0.75, 1)),
}


def svg_of(figure: Figure) -> bytes:
    """The figure as SVG, the same bytes each time."""
    buffer = io.BytesIO()
    with style(), rc_context({"svg.hashsalt": "hebb"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


@styled
def plot_errors(
    rows: Sequence[dict[str, Any]], ax: Axes | None = None, *, label: str = "", color: str | None = None
) -> Axes:
    """Training error solid, validation error dotted, test error dashed, against the epoch (as in figure 4).

    Parameters
    ----------
    rows : sequence of dict
        As in ``metrics.jsonl``.
    ax : Axes, optional
    label : str
        Put before the three names in the legend.
    color : str, optional
    """
    ax = axes_or_new(ax, 5.0, 3.4)
    epochs = [row["epoch"] for row in rows]
    color = color or ax._get_lines.get_next_color()  # pyright: ignore[reportAttributeAccessIssue]
    marker = "o" if len(rows) == 1 else None  # a single epoch makes no line
    for key, name, line in (
        ("train_error", "training (dropout on)", "-"),
        ("validation_error", "validation", ":"),
        ("test_error", "test", "--"),
    ):
        text = f"{label} {name}".strip()
        ax.plot(epochs, [row[key] for row in rows], line, color=color, marker=marker, label=text)
    highest = max(np.max(drawn.get_ydata(orig=False)) for drawn in ax.lines)  # of all that share these axes
    ax.set(xlabel="epoch", ylabel="error (fraction)", ylim=(0, 1.05 * highest if highest > 0 else 1))
    ax.legend()
    return ax


@styled
def plot_alignment(
    rows: Sequence[dict[str, Any]], spec: NetworkSpec, ax: Axes | None = None, *, angle: bool = False
) -> Axes:
    """Agreement of W and R in each weighted layer against the epoch (figures 10 and 11).

    Parameters
    ----------
    rows : sequence of dict
        As in ``metrics.jsonl``.
    spec : NetworkSpec
    ax : Axes, optional
    angle : bool
        Draw the angle between W and R as vectors, in degrees, instead of their Pearson correlation.
    """
    if angle:
        ax = _by_layer(rows, spec, "alignment_angle", ax, chance=90)
        ax.set(ylabel="angle between W and R (degrees)", ylim=(-3, 100), yticks=range(0, 91, 30))
    else:
        ax = _by_layer(rows, spec, "alignment", ax, chance=0)
        ax.set(ylabel="correlation of W and R", ylim=(-0.1, 1.05))
    return ax


@styled
def plot_concordance(
    rows: Sequence[dict[str, Any]], spec: NetworkSpec, ax: Axes | None = None, *, measure: str = "delta_angle"
) -> Axes:
    """What `sim.concordance` measures in each weighted layer against the epoch.

    Parameters
    ----------
    rows, spec, ax
        As for `plot_alignment`; rows in which it was not measured are left out.
    measure : str
        A key of `MEASURED`.
    """
    label, chance, limits, ticks = MEASURED[measure]
    ax = _by_layer([row for row in rows if measure in row], spec, measure, ax, chance=chance)
    ax.set(ylabel=label, ylim=limits, yticks=ticks)
    return ax


def _by_layer(rows: Sequence[dict[str, Any]], spec: NetworkSpec, name: str, ax: Axes | None, *, chance: float) -> Axes:
    """A line a layer, and one where chance lies."""
    ax = axes_or_new(ax, 5.0, 3.4)
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) == 1 else None
    for node in spec.weighted:
        values = [row[name][node.index - 1] for row in rows]
        # what is undefined is None in a file
        ax.plot(epochs, np.array(values, dtype=float), marker=marker, label=f"{node.index}: {node.layer}")
    ax.axhline(chance, color="0.7", linewidth=0.8, zorder=0)
    ax.set_xlabel("epoch")
    ax.legend(title="layer", title_fontsize="small")
    return ax


@styled
def alignment_figure(rows: Sequence[dict[str, Any]], spec: NetworkSpec) -> Figure:
    """Correlation and angle side by side."""
    figure = new_figure(9.0, 3.4)
    left, right = figure.subplots(1, 2)
    plot_alignment(rows, spec, left)
    plot_alignment(rows, spec, right, angle=True)
    return figure


@styled
def concordance_figure(rows: Sequence[dict[str, Any]], spec: NetworkSpec) -> Figure:
    """What `sim.concordance` measures, side by side."""
    figure = new_figure(13.0, 3.4)
    for ax, measure in zip(figure.subplots(1, len(MEASURED)), MEASURED, strict=True):
        plot_concordance(rows, spec, ax, measure=measure)
    return figure


def save_run_figures(folder: RunFolder, rows: Sequence[dict[str, Any]], spec: NetworkSpec, title: str) -> None:
    """Write those of `FIGURES` into a run's folder of which there is something to draw."""
    figures: list[Figure | None] = [figure_of(plot_errors(rows)), alignment_figure(rows, spec), None, None]
    if any(MEASURES[0] in row for row in rows):
        figures[2] = concordance_figure(rows, spec)
    if was_in_blocks(rows):
        figures[3] = figure_of(plot_forgetting(rows).axes)
    for name, figure in zip(FIGURES, figures, strict=True):
        if figure:
            figure.suptitle(title, fontsize="medium")
            folder.write(name, svg_of(figure))
