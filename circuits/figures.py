"""What all figures of the circuits share: the style, its colours, and the axes to draw on.

The figures themselves are in the ``figure_*`` modules; each of their functions takes ``ax=None`` and returns the axes.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeVar, cast

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from circuits.errors import CircuitError

BLUE, RED, GREEN, PINK, ORANGE, LIGHT_BLUE, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
GREY = "0.45"

Draw = TypeVar("Draw", bound=Callable[..., Any])


@contextmanager
def style() -> Iterator[None]:
    """Within it, matplotlib draws in the package's style."""
    with as_file(files("circuits") / "hebb.mplstyle") as path, matplotlib.style.context(str(path)):
        yield


def styled(draw: Draw) -> Draw:
    """Have a drawing function work in the package's style."""

    @wraps(draw)
    def in_style(*args: Any, **kwargs: Any) -> Any:
        with style():
            return draw(*args, **kwargs)

    return cast(Draw, in_style)


def axes_or_new(ax: Axes | None, width: float = 4.5, height: float = 3.0) -> Axes:
    """The given axes, or those of a new figure of so many inches."""
    if ax is not None:
        return ax
    return new_figure(width, height).add_subplot()


def new_figure(width: float, height: float) -> Figure:
    """A figure of so many inches, outside pyplot, so that nothing is left open; to be made in a `styled` function."""
    return Figure(figsize=(width, height), layout="constrained")


def figure_of(ax: Axes) -> Figure:
    """The figure that axes belong to."""
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure, whole or not at all; the ending of the name says how (png, svg, pdf).

    Raises
    ------
    CircuitError
        If matplotlib knows no such format, or the folder is not there.
    """
    path = Path(path)
    formats = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in formats:
        raise CircuitError(f"figure '{path}': '{path.suffix}' is no image format; use .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise CircuitError(f"figure '{path}': there is no folder '{path.parent}'")
    part = path.with_name(f".{path.name}.tmp")
    try:
        with style():
            figure.savefig(part, format=path.suffix.lstrip(".").lower())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return path
