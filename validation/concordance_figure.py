"""Rules beside back-propagation: angles and signs of what they send back, layer by layer."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from circuits.figures import new_figure, styled
from network.spec import NetworkSpec
from sim.experiments.runs import Result
from sim.figures import MEASURED
from validation.experiment_figures import color_of, whole_epochs

SHOWN = ("delta_angle", "sign_concordance")
FEW = 4  # layers below the output, up to which each has curves of its own; of more, only their last epoch is drawn


def was_measured(results: Sequence[Result]) -> bool:
    """Whether any run has what `concordance_figure` draws."""
    return any(SHOWN[0] in row for result in results for row in result.rows)


@styled
def concordance_figure(lines: Mapping[str, Sequence[Result]], spec: NetworkSpec) -> Figure:
    """Angle of delta to that of back-propagation (above) and share of its signs (below), means over seeds.

    Parameters
    ----------
    lines : mapping of str to sequence of Result
        Runs on one network and data set, by rule. Epochs in which a seed was not measured are left out.
    spec : NetworkSpec
        The network. Where few layers lie below the output, there is a column for each, against the epoch; else a single
        one, the last epoch against the layer.
    """
    below = [node for node in spec.weighted if not node.is_output]
    columns = len(below) if len(below) <= FEW else 1
    figure = new_figure(1.8 + 2.9 * columns, 5.0)
    axes = figure.subplots(len(SHOWN), columns, sharex=True, sharey="row", squeeze=False)
    for row, measure in zip(axes, SHOWN, strict=True):
        label, chance, limits, ticks = MEASURED[measure]
        for column, ax in enumerate(row):
            for place, (name, results) in enumerate(lines.items()):
                epochs, mean = _mean(results, measure)
                if not len(epochs):
                    continue
                if len(below) <= FEW:
                    x, y = epochs, mean[:, below[column].index - 1]
                else:
                    x, y = np.array([node.index for node in below]), mean[-1, : len(below)]
                marker = "o" if len(x) == 1 or columns != len(below) else None
                ax.plot(x, y, color=color_of(name, place), label=name, marker=marker, markersize=4)
            ax.axhline(chance, color="0.7", linewidth=0.8, zorder=0)
            ax.set(ylim=limits, yticks=ticks)
            whole_epochs(ax)
        row[0].set_ylabel(label)
    _name_columns(axes, [f"layer {node.index}: {node.layer}" for node in below])
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center")
    return figure


def _name_columns(axes: np.ndarray, names: Sequence[str]) -> None:
    by_epoch = len(names) <= FEW
    for ax in axes[-1]:
        ax.set_xlabel("epoch" if by_epoch else "layer, from the input up")
    for ax, name in zip(axes[0], names if by_epoch else ["after the last epoch"], strict=True):
        ax.set_title(name, fontsize="medium")


def _mean(results: Sequence[Result], measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs that all seeds have, and the mean over seeds by epoch and layer."""
    by_seed = [{row["epoch"]: row[measure] for row in result.rows if measure in row} for result in results]
    common = sorted(set.intersection(*map(set, by_seed))) if by_seed else []
    values = np.array([[found[epoch] for epoch in common] for found in by_seed], dtype=float)
    return np.array(common), values.mean(axis=0) if common else values
