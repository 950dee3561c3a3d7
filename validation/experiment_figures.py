"""Figures of an experiment: bars, learning curves, alignment, filters, our table against the paper's.

Functions take the results of runs and return a figure; those that draw on one pair of axes take ``ax=None``.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from circuits.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    LIGHT_BLUE,
    ORANGE,
    PINK,
    RED,
    axes_or_new,
    new_figure,
    styled,
)
from network.spec import NetworkSpec
from sim.experiments.experiment import Experiment, Labels
from sim.experiments.runs import Result, by_cell
from validation.judging import Spread

# As in figures 4 and 7: green BP, blue URFB, red FRFB.
COLORS = {"BP": GREEN, "BP-H": ORANGE, "URFB": BLUE, "FRFB": RED, "URFB 50 %": LIGHT_BLUE, "FRFB 50 %": PINK}
COLORS |= {"uSF scaled": PINK, "brSF scaled": ORANGE, "frSF scaled": LIGHT_BLUE, "RndF": GREY, "DFA": BLACK}
OTHERS = (BLUE, RED, GREEN, ORANGE, PINK, LIGHT_BLUE, BLACK)
PLACES = ((0.2, 0.2), (0.2, 0.8), (0.8, 0.2), (0.8, 0.8))  # of the grid, as shares of its height and width


def color_of(label: str, position: int) -> str:
    return COLORS.get(label, OTHERS[position % len(OTHERS)])


def by_panel(results: Sequence[Result]) -> dict[Labels, dict[str, list[Result]]]:
    """Results by all labels but the last, and by the last."""
    panels: dict[Labels, dict[str, list[Result]]] = {}
    for result in results:
        *panel, last = result.run.point.cell
        panels.setdefault(tuple(panel), {}).setdefault(last, []).append(result)
    return panels


@styled
def bars_figure(experiment: Experiment, results: Sequence[Result]) -> Figure:
    """A bar a cell with the interval over seeds, dots for the seeds, and a line where the paper prints a number."""
    panels = by_panel(results)
    figure = new_figure(1.2 + sum(0.9 + 0.55 * len(panel) for panel in panels.values()), 3.4)
    shares = [1 + len(panel) for panel in panels.values()]
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False, width_ratios=shares)[0]
    values = by_cell(results, experiment.quantity)
    scale = 100 if experiment.quantity.is_error else 1
    for ax, (panel, lines) in zip(axes, panels.items(), strict=True):
        labels = [label for label in lines if (*panel, label) in values]
        for place, label in enumerate(labels):
            cell = (*panel, label)
            seeds = np.array(list(values[cell].values())) * scale
            spread = Spread(tuple(seeds))
            ax.bar(place, spread.mean, width=0.7, color=color_of(label, place), alpha=0.75)
            if len(seeds) > 1:
                ax.errorbar(place, spread.mean, spread.half_width, color=BLACK, capsize=3, linewidth=1)
            ax.plot(np.full(len(seeds), place) + np.linspace(-0.15, 0.15, len(seeds)), seeds, ".", color=GREY, ms=4)
            if cell in experiment.numbers:
                ax.hlines(experiment.numbers[cell] * scale, place - 0.4, place + 0.4, BLACK, "dashed", linewidth=1)
        ax.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_title(", ".join(panel), fontsize="medium")
        ax.set_ylim(0, min(ax.get_ylim()[1], 1.02 * scale))  # intervals of few seeds reach beyond what can be
    axes[0].set_ylabel(f"{experiment.quantity.name} (%)" if scale == 100 else experiment.quantity.name)
    return figure


@styled
def curves_figure(results: Sequence[Result]) -> Figure:
    """Training (solid) and validation error (dotted) against the epoch, as figure 4; means, and the range of seeds."""
    panels = by_panel(results)
    figure = new_figure(1.2 + 3.6 * len(panels), 3.6)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (panel, lines) in zip(axes, panels.items(), strict=True):
        for place, (label, found) in enumerate(lines.items()):
            _curves(ax, found, label, color_of(label, place))
        ax.set(xlabel="epoch", title=", ".join(panel))
        ax.title.set_fontsize("medium")
        whole_epochs(ax)
    axes[0].set_ylabel("error (%)")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center")
    return figure


def whole_epochs(ax: Axes) -> None:
    """Ticks at whole epochs only, also where there is a single one."""
    first, last = ax.get_xlim()
    if last - first < 1:
        ax.set_xticks([round((first + last) / 2)])
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _curves(ax: Axes, found: Sequence[Result], label: str, color: str) -> None:
    epochs = min((len(result.rows) for result in found if result.rows), default=0)
    marker = "o" if epochs == 1 else None
    for key, line in (("train_error", "-"), ("validation_error", ":")):
        curves = 100 * np.array([[row[key] for row in r.rows[:epochs]] for r in found if r.rows])
        if not curves.size:
            continue
        along = np.arange(1, epochs + 1)
        name = label if key == "train_error" else None
        ax.plot(along, curves.mean(0), line, color=color, label=name, marker=marker, markersize=4)
        if key == "validation_error":
            ax.fill_between(along, curves.min(0), curves.max(0), color=color, alpha=0.15, linewidth=0)


@styled
def alignment_figure(results: Sequence[Result], spec_of: Mapping[Labels, NetworkSpec]) -> Figure:
    """Correlation of W and R by layer against the epoch, a panel a cell; means over seeds."""
    cells: dict[Labels, list[Result]] = {}
    for result in results:
        if result.rows:
            cells.setdefault(result.run.point.cell, []).append(result)
    figure = new_figure(1.2 + 3.4 * len(cells), 3.6)
    axes = figure.subplots(1, len(cells), sharey=True, squeeze=False)[0]
    for ax, (cell, found) in zip(axes, cells.items(), strict=True):
        epochs = min(len(result.rows) for result in found)
        mean = np.array([[row["alignment"] for row in r.rows[:epochs]] for r in found], dtype=float).mean(axis=0)
        for node in spec_of[cell].weighted:
            name, again = f"{node.index}: {node.layer}", (node.index - 1) // len(OTHERS) % 3
            marker = "os^"[again] if epochs == 1 else None
            line = ("-", "--", ":")[again]
            ax.plot(range(1, epochs + 1), mean[:, node.index - 1], line, label=name, marker=marker, markersize=4)
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)  # where independent weights lie
        ax.set(xlabel="epoch", title=", ".join(cell), ylim=(-0.1, 1.05))
        ax.title.set_fontsize("medium")
        whole_epochs(ax)
        ax.legend(title="layer", title_fontsize="small")
    axes[0].set_ylabel("correlation of W and R")
    return figure


@styled
def filters_figure(layers: Mapping[str, np.ndarray], count: int = 3) -> Figure:
    """The filters of untied layers that are most alike at four places of the grid, a row of places a filter.

    Parameters
    ----------
    layers : mapping of str to numpy.ndarray
        W of a `Local` layer, or what it has learned, by label; (out, H, W, in, kh, kw).
    count : int
        Filters a layer.
    """
    figure = new_figure(1.1 + 3.0 * len(layers), 1.2 + 0.75 * count)
    for part, (label, W) in zip(figure.subfigures(1, len(layers), squeeze=False)[0], layers.items(), strict=True):
        filters = filters_at_places(W)
        likenesses = np.array([likeness(places) for places in filters])
        alike = np.argsort(-likenesses)[:count]  # those that are not numbers last
        everywhere = np.nanmean(likenesses)
        part.suptitle(f"{label}\nmean of all filters: {everywhere:.2f}", fontsize="medium")
        for row, axes in zip(alike, part.subplots(count, len(PLACES), squeeze=False), strict=True):
            for ax, (down, right), image in zip(axes, PLACES, filters[row], strict=True):
                ax.imshow(_as_colors(image))
                ax.set_xticks([])
                ax.set_yticks([])
                if row == alike[0]:
                    ax.set_title(f"({down:g}, {right:g})", fontsize="x-small")
            axes[0].set_ylabel(f"{row + 1}: {likenesses[row]:.2f}", fontsize="x-small")
    return figure


def filters_at_places(W: np.ndarray) -> np.ndarray:
    """Filters of a `Local` layer, (out, H, W, in, kh, kw), at `PLACES`: (out, places, in, kh, kw)."""
    height, width = W.shape[1:3]
    return np.stack([W[:, int(down * height), int(right * width)] for down, right in PLACES], axis=1)


def likeness(places: np.ndarray) -> float:
    """The mean correlation of a filter at different places; `places` (places, in, kh, kw).

    NaN where at one of them all its weights are the same, as what is learned by a unit that never wins its window.
    """
    flat = places.reshape(len(places), -1)
    if (flat == flat[:, :1]).all(axis=1).any():
        return float("nan")
    correlations = np.corrcoef(flat)
    return float(correlations[np.triu_indices(len(places), 1)].mean())


def _as_colors(image: np.ndarray) -> np.ndarray:
    """(in, kh, kw) weights as (kh, kw, 3) colours, 0 grey; the mean over channels where they are not three."""
    image = image if len(image) == 3 else np.repeat(image.mean(0, keepdims=True), 3, axis=0)
    largest = np.abs(image).max()
    return (0.5 + 0.5 * image / largest if largest > 0 else np.full(image.shape, 0.5)).transpose(1, 2, 0)


@styled
def against_paper(experiment: Experiment, results: Sequence[Result], ax: Axes | None = None) -> Axes:
    """Our numbers against the paper's, a point a cell, a colour and marker a model."""
    ax = axes_or_new(ax, 5.4, 4.2)
    values = by_cell(results, experiment.quantity)
    both = [cell for cell in values if cell in experiment.numbers]
    models = list(dict.fromkeys(cell[-1] for cell in both))
    for place, name in enumerate(models):
        cells = [cell for cell in both if cell[-1] == name]
        ours = [100 * Spread(tuple(values[cell].values())).mean for cell in cells]
        theirs, marker = [100 * experiment.numbers[cell] for cell in cells], "os^"[place // len(OTHERS) % 3]
        ax.plot(theirs, ours, marker, color=color_of(name, place), label=name)
    ax.plot([0, 100], [0, 100], color="0.7", linewidth=0.8, zorder=0)
    ax.set(xlabel="error in the paper (%)", ylabel=f"{experiment.quantity.name} here (%)", xlim=(0, 100), ylim=(0, 100))
    ax.legend(fontsize="small")
    return ax
