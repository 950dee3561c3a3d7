"""What rules forget when classes are shown one after the other: every class after every block, and curves of that."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from circuits.figures import new_figure, styled
from sim.experiments.experiment import Labels
from sim.experiments.quantities import LAST_TEST_ERROR
from sim.experiments.runs import Result
from sim.forgetting_figure import LAST, last_blocks, plot_forgetting, since_shown, was_in_blocks
from validation.experiment_figures import by_panel, color_of, whole_epochs
from validation.report import Picture

FEWEST = 3  # values that a mean of a curve is taken of, at least


def forgetting_pictures(results: Sequence[Result]) -> list[Picture]:
    """Curves, and a figure a data set and presentation; none where no run has blocks on record."""
    panels = in_blocks(results)
    if not panels:
        return []
    curves = (
        f"Test error of a class against the blocks of other classes since its own; means over classes, seeds and the "
        f"last epochs, at most {LAST}. Dotted: the error at the end where the classes come mixed."
    )
    pictures = [Picture.of(forgetting_figure(results), curves)]
    for panel, lines in panels.items():
        caption = (
            f"{', '.join(panel)}: test error of every class after every block, black where none of its images is "
            f"known; a red square marks the class that the block shows, a blue line the end of an epoch."
        )
        pictures.append(Picture.of(blocks_figure(lines), caption))
    return pictures


def in_blocks(results: Sequence[Result]) -> dict[Labels, dict[str, list[Result]]]:
    """Those results of which blocks are on record, by all labels but the last, and by the last."""
    return by_panel([result for result in results if was_in_blocks(result.rows)])


@styled
def blocks_figure(lines: Mapping[str, Sequence[Result]]) -> Figure:
    """The error of every class after every block of the last epochs, a panel a rule, of its first seed.

    Parameters
    ----------
    lines : mapping of str to sequence of Result
        Runs on one network and data set, by rule.
    """
    figure = new_figure(1.4 + 2.7 * len(lines), 3.2)
    axes = figure.subplots(1, len(lines), sharey=True, squeeze=False)[0]
    image = None
    for ax, (name, results) in zip(axes, lines.items(), strict=True):
        image = plot_forgetting(results[0].rows, ax, bar=False)
        ax.set(title=f"{name}, seed {results[0].run.seed}", xlabel="block")
        ax.title.set_fontsize("medium")
        if ax is not axes[0]:
            ax.set_ylabel("")
    if image is not None:
        figure.colorbar(image, ax=axes, label="test error (%)")
    return figure


@styled
def forgetting_figure(results: Sequence[Result]) -> Figure:
    """The error of a class against the blocks since it was shown, a panel a presentation, a line a rule.

    Means over classes, the last `LAST` epochs and seeds; dotted, the error of the same rule at the end of the last
    epoch where the classes come mixed, in a panel of the same data.
    """
    panels, everything = in_blocks(results), by_panel(results)
    figure = new_figure(1.4 + 3.4 * len(panels), 3.4)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, (panel, lines) in zip(axes, panels.items(), strict=True):
        mixed = next(
            (rules for other, rules in everything.items() if other not in panels and other[:1] == panel[:1]), {}
        )
        for place, (name, found) in enumerate(lines.items()):
            curve = forgetting_curve(found)
            ax.plot(np.arange(len(curve)), 100 * curve, color=color_of(name, place), label=name, marker=".")
            values = [value for each in mixed.get(name, []) if (value := each.value(LAST_TEST_ERROR)) is not None]
            if values:
                ax.axhline(100 * float(np.mean(values)), color=color_of(name, place), linestyle=":", linewidth=1)
        ax.set(xlabel="blocks since the class was shown", title=", ".join(panel), ylim=(-2, 102))
        ax.title.set_fontsize("medium")
        whole_epochs(ax)
    axes[0].set_ylabel("test error of the class (%)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return figure


def forgetting_curve(results: Sequence[Result]) -> np.ndarray:
    """The mean error of a class right after its block, a block later, and so on, of the last epochs of all seeds.

    It ends where fewer than `FEWEST` values are left, as classes are shown again.
    """
    by_age: list[list[float]] = []
    for result in results:
        for age, values in enumerate(since_shown(*last_blocks(result.rows, LAST))):
            by_age += [[]] if age == len(by_age) else []
            by_age[age] += list(values[~np.isnan(values)])
    means = [np.mean(values) if len(values) >= FEWEST else np.nan for values in by_age]
    shown = next((age for age, value in enumerate(means) if np.isnan(value)), len(means))
    return np.array(means[:shown])
