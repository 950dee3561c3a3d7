"""Figures of the benchmarks: the roofline of training steps, and cost against size."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from circuits.figures import BLACK, BLUE, GREEN, LIGHT_BLUE, ORANGE, PINK, RED, new_figure, styled

# By the beginning of a variant's name, the first that fits.
COLOURS = {
    "fast": BLUE, "Triton": BLUE, "plain": LIGHT_BLUE, "graph": GREEN, "eager": BLACK, "autograd": RED,
    "torch.compile": ORANGE, "BioTorch": PINK,
}  # fmt: skip
LINES = {"float32": "-", "tfloat32": ":", "bfloat16": "--"}
ENGINES = {"fast": BLUE, "plain": LIGHT_BLUE, "event": GREEN, "exact": PINK}
GIGA = 1e9


@styled
def roofline(figures: dict[str, Any]) -> Figure:
    """Speed of every variant on every network against operations per byte, under what the machine can do.

    Parameters
    ----------
    figures : dict
        Of ``hebb bench cpu`` or ``hebb bench gpu``.
    """
    nets = figures["nets"]
    figure = new_figure(7.6, 4.2)
    ax = figure.add_subplot()
    intensities = [intensity(found, precision) for found in nets.values() for precision in found["work"]]
    x = np.geomspace(2, 3 * max(intensities), 200)
    draw_roofs(ax, x, {name: median_of(nets, name) for name in next(iter(nets.values()))["speeds"]})
    for found in nets.values():
        for name, variant in found["variants"].items():
            draw_variant(ax, found, name, variant)
    ax.set(xscale="log", yscale="log", xlim=(x[0], x[-1]), xlabel="operations per byte that must move")
    ax.set_ylabel("speed, 10⁹ operations of dense layers a second")
    ax.set_ylim(bottom=ax.get_ylim()[0] / 4)  # room for the names
    columns = sorted((intensity(found, name), net, name) for net, found in nets.items() for name in found["work"])
    for number, (x_of, net, precision) in enumerate(columns):
        name = net if len(net) < 14 else f"{net[:12]}…"
        ax.axvline(x_of, color="0.9", linewidth=0.8, zorder=0)
        height = 0.02 + 0.05 * (number % 4)  # neighbours are too near for names side by side
        ax.annotate(f"{name}, {precision}", (x_of, height), xycoords=("data", "axes fraction"), ha="center", fontsize=7)
    handles, labels = ax.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    ax.legend(unique.values(), unique.keys(), loc="center left", bbox_to_anchor=(1.01, 0.5))
    machine = figures.get("device") or f"{threads_text(figures)}, {figures['clock']} clock"
    ax.set_title(f"Batches of {figures['batch_size']} images, {machine}")
    return figure


def draw_roofs(ax: Axes, x: np.ndarray, speeds: dict[str, float]) -> None:
    """What copying and dense products measured at the same time allow."""
    copied = speeds["copy"] * x / GIGA
    for precision, line in LINES.items():
        if f"product {precision}" not in speeds:  # tfloat32 of a CPU
            continue
        product = speeds[f"product {precision}"] / GIGA
        label = f"limit, {precision}: product {product:.0f}, copy {speeds['copy'] / GIGA:.0f} GB/s"
        ax.plot(x, np.minimum(copied, product), line, color=BLACK, linewidth=1, label=label)


def draw_variant(ax: Axes, found: dict[str, Any], name: str, variant: dict[str, Any]) -> None:
    """One mark: filled where freed memory is kept, square where images are channels-last, diamond in bfloat16, triangle
    in tfloat32.

    Those of memory as installed stand a little to the left of their place, the others to the right.
    """
    colour = next((colour for start, colour in COLOURS.items() if name.startswith(start)), GREEN)
    shapes = {"bfloat16": "D", "tfloat32": "^"}
    shape = shapes.get(variant["precision"], "s" if "channels_last" in name else "o")
    kept = not name.endswith("installed")
    label = name.removesuffix(", memory kept").replace(", memory installed", " (memory as installed)")
    ax.plot(
        intensity(found, variant["precision"]) * (1.04 if kept else 0.96), speed_of(found, variant) / GIGA, shape,
        color=colour, markerfacecolor=colour if kept else "white", markersize=5, linestyle="none", label=label,
    )  # fmt: skip


def intensity(found: dict[str, Any], precision: str) -> float:
    """Operations per byte of a network."""
    return found["work"][precision]["operations"] / found["work"][precision]["bytes"]


def speed_of(found: dict[str, Any], variant: dict[str, Any]) -> float:
    """Operations of dense layers a second, whether all of them were made or not."""
    return 1e3 * found["work"][variant["precision"]]["operations"] / variant["milliseconds"]


def median_of(nets: dict[str, Any], yardstick: str) -> float:
    """A speed of the machine, over the networks."""
    return float(np.median([found["speeds"][yardstick] for found in nets.values()]))


@styled
def cost_against_size(figures: dict[str, Any]) -> Figure:
    """Time of an update above, memory below, against the size of every sweep; dotted: as the work grows.

    Parameters
    ----------
    figures : dict
        Of ``hebb bench scaling``.
    """
    sweeps = figures["sweeps"]
    figure = new_figure(2.5 * max(len(sweeps), 2), 5.0)
    axes = figure.subplots(2, len(sweeps), squeeze=False, sharex="col")
    for (sweep, found), (above, below) in zip(sweeps.items(), axes.T, strict=True):
        for engine, fit in found["engines"].items():
            sizes, ms, mib = np.array(
                [(point["size"], 1e3 * point[engine]["seconds"], point[engine]["mib"]) for point in found["points"]]
            ).T
            colour = ENGINES[engine]
            above.plot(sizes, ms, "o-", color=colour, markersize=4, label=f"{engine}: {fit['time']:.2f}")
            work = np.array([point["work"] for point in found["points"]], dtype=float)
            above.plot(sizes, ms[-1] * work / work[-1], ":", color=colour, linewidth=0.8)
            if min(mib) > 0:
                below.plot(sizes, mib, "o-", color=colour, markersize=4, label=f"{engine}: {fit['memory']:.2f}")
        above.set_title(f"{sweep}: work ~ size^{found['work']:.2f}")
        below.set_xlabel(found["what"])
        sizes = [point["size"] for point in found["points"]]
        for ax in (above, below):
            ax.set(xscale="log", yscale="log", xticks=sizes, xticklabels=map(short, sizes))
            ax.minorticks_off()
            if not ax.lines:  # too few units for any memory to be seen
                continue
            ax.set_ylim(top=6 * ax.get_ylim()[1])
            ax.legend(loc="upper left", title="exponent", title_fontsize="small")
    axes[0, 0].set_ylabel("time of an update (ms)")
    axes[1, 0].set_ylabel("memory for it (MiB)")
    return figure


def short(size: int) -> str:
    """A size as an axis has it: from 10,000 on 10⁴, 2·10⁴."""
    if size < 10_000:
        return str(size)
    power = len(str(size)) - 1
    first = size / 10**power
    return f"$10^{power}$" if first == 1 else f"${first:g}·10^{power}$"


def threads_text(figures: dict[str, Any]) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{figures['threads']} thread{'' if figures['threads'] == 1 else 's'}"
