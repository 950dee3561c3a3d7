"""Curves of a run: errors (figure 4) and the alignment of W and R (figure 10), as functions of the epoch.

Functions take ``ax=None`` and return it.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from network.spec import NetworkSpec
from sim.run_folder import FIGURES, RunFolder


def new_axes(width: float = 5.0, height: float = 3.4) -> Axes:
    """Axes on a figure of their own, outside pyplot, so that nothing is left open."""
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def svg_of(ax: Axes) -> bytes:
    """The figure that `ax` is on, as SVG, the same bytes each time."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


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
    ax = ax or new_axes()
    epochs = [row["epoch"] for row in rows]
    color = color or ax._get_lines.get_next_color()  # pyright: ignore[reportAttributeAccessIssue]
    marker = "o" if len(rows) == 1 else None  # a single epoch makes no line
    for key, name, style in (
        ("train_error", "training (dropout on)", "-"),
        ("validation_error", "validation", ":"),
        ("test_error", "test", "--"),
    ):
        text = f"{label} {name}".strip()
        ax.plot(epochs, [row[key] for row in rows], style, color=color, marker=marker, label=text)
    highest = max(np.max(line.get_ydata(orig=False)) for line in ax.lines)  # of all that share these axes
    ax.set(xlabel="epoch", ylabel="error (fraction)", ylim=(0, 1.05 * highest if highest > 0 else 1))
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_alignment(rows: Sequence[dict[str, Any]], spec: NetworkSpec, ax: Axes | None = None) -> Axes:
    """Correlation of W and R in each weighted layer against the epoch (figures 10 and 11)."""
    ax = ax or new_axes()
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) == 1 else None
    for node in spec.weighted:
        values = [row["alignment"][node.index - 1] for row in rows]
        ax.plot(epochs, values, marker=marker, label=f"{node.index}: {node.layer}")
    ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    ax.set(xlabel="epoch", ylabel="correlation of W and R", ylim=(-0.1, 1.05))
    ax.legend(frameon=False, fontsize="small", title="layer", title_fontsize="small")
    return ax


def save_run_figures(folder: RunFolder, rows: Sequence[dict[str, Any]], spec: NetworkSpec, title: str) -> None:
    """Write ``errors.svg`` and ``alignment.svg`` into a run's folder."""
    for name, ax in zip(FIGURES, (plot_errors(rows), plot_alignment(rows, spec)), strict=True):
        ax.set_title(title)
        folder.write(name, svg_of(ax))
