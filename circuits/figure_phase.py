"""Phase diagrams: where the circuit's read-out equals equation (6), and what fails elsewhere."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch

from circuits.figures import axes_or_new, styled
from circuits.phase import AXES, MECHANISMS, PhaseDiagram

# In the order of MECHANISMS: right is white, and each failure keeps its colour in every diagram.
_COLOURS = ("#FFFFFF", "#999999", "#D55E00", "#CC79A7", "#F0E442", "#56B4E9", "#0072B2", "#000000")


@styled
def plot_phase(diagram: PhaseDiagram, ax: Axes | None = None, title: str = "") -> Axes:
    """A phase diagram; white where the read-out equals equation (6).

    Parameters
    ----------
    diagram : PhaseDiagram
    ax : matplotlib.axes.Axes, optional
    title : str
        What is not on the axes, such as the values held fixed.
    """
    ax = axes_or_new(ax, 6.0, 4.2)
    colours = ListedColormap(_COLOURS)
    norm = BoundaryNorm(np.arange(len(MECHANISMS) + 1) - 0.5, len(MECHANISMS))
    ax.pcolormesh(diagram.x, diagram.y, diagram.mechanism, cmap=colours, norm=norm, shading="nearest", rasterized=True)
    for name, values, scale in (("x", diagram.x, ax.set_xscale), ("y", diagram.y, ax.set_yscale)):
        # Values given at equal ratios are drawn at equal distances.
        if values.size > 2 and (values > 0).all() and np.ptp(np.diff(np.log(values))) < 1e-6:
            scale("log")
        getattr(ax, f"set_{name}label")(AXES[getattr(diagram, f"{name}_name")])
    present = np.unique(diagram.mechanism)
    handles = [Patch(facecolor=_COLOURS[i], edgecolor="0.3", lw=0.6, label=MECHANISMS[i]) for i in present]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.16), title="", borderaxespad=0)
    ax.set_title(title or f"read-out within {diagram.tolerance:g} of equation (6)?")
    for side in ("top", "right"):
        ax.spines[side].set_visible(True)
    return ax
