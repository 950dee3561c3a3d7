"""What a run forgets that is shown class by class: the error of every class after every block."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from circuits.figures import BLUE, RED, axes_or_new, figure_of, styled

LAST = 3  # epochs that are drawn: of more, blocks are too narrow to be seen


def was_in_blocks(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether rows have what is drawn here."""
    return any(row.get("block_class") for row in rows)


def last_blocks(rows: Sequence[dict[str, Any]], epochs: int = LAST) -> tuple[np.ndarray, np.ndarray]:
    """The class of each block (blocks,) and the error of each class after it (blocks, classes), of the last epochs."""
    some = [row for row in rows if row.get("block_class")][-epochs:]
    shown = np.array([label for row in some for label in row["block_class"]])
    return shown, np.array([errors for row in some for errors in row["block_error"]], dtype=float)


def since_shown(shown: np.ndarray, errors: np.ndarray) -> list[np.ndarray]:
    """The errors of a class by how many blocks ago it was shown, until it is shown again.

    Parameters
    ----------
    shown : array of int, (blocks,)
    errors : array, (blocks, classes)

    Returns
    -------
    list of array
        Of all classes together: right after their own block, after one block more, and so on.
    """
    blocks, classes = errors.shape
    found: list[list[float]] = [[] for _ in range(blocks)]
    for label in range(classes):
        age = None
        for block in range(blocks):
            age = 0 if shown[block] == label else None if age is None else age + 1
            if age is not None:
                found[age].append(errors[block, label])
    return [np.array(values) for values in found if values]


@styled
def plot_forgetting(rows: Sequence[dict[str, Any]], ax: Axes | None = None, *, bar: bool = True) -> AxesImage:
    """The test error of every class (down) after every block (across) as shades, a square around the class shown.

    Parameters
    ----------
    rows : sequence of dict
        As in ``metrics.jsonl``; the last `LAST` epochs are drawn, with lines between them.
    ax : Axes, optional
    bar : bool
        Whether a bar beside it says what the shades mean.
    """
    ax = axes_or_new(ax, 6.2, 3.4)
    shown, errors = last_blocks(rows)
    blocks, classes = errors.shape
    image = ax.imshow(100 * errors.T, cmap="Greys", vmin=0, vmax=100, aspect="auto", interpolation="nearest")
    ax.scatter(np.arange(blocks), shown, s=22 if blocks <= 40 and classes <= 20 else 2, marker="s", color=RED)
    lengths = [len(row["block_class"]) for row in rows if row.get("block_class")][-LAST:]
    for end in np.cumsum(lengths)[:-1]:
        ax.axvline(end - 0.5, color=BLUE, linewidth=1)
    ax.set(xlabel="block (marked: the class that it shows)", ylabel="class")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    first = sum(len(row.get("block_class", [])) for row in rows) - blocks
    ax.xaxis.set_major_formatter(lambda place, _: f"{place + first + 1:g}")
    if bar:
        figure_of(ax).colorbar(image, ax=ax, label="test error (%)")
    return image
