"""Oscillation cycles: δ of each unit in time, what its control does, and the events that join them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from circuits.cycles import Cycles, analyse
from circuits.errors import CircuitError
from circuits.figures import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, axes_or_new, new_figure, styled
from circuits.waveform import ARRIVAL, CROSSING, Trace

MOST_PANELS = 12
_TC_COLOURS = {1: ORANGE, -1: PINK}


@styled
def plot_cycles(trace: Trace, unit: int = 0, ax: Axes | None = None, cycles: Cycles | None = None) -> Axes:
    """δ of one unit, with the level of tc that acts on it as background, and the events of its loop.

    Parameters
    ----------
    trace : Trace
        Of any form.
    unit : int
    ax : matplotlib.axes.Axes, optional
    cycles : Cycles, optional
        The analysis of `trace`, where it is there already.
    """
    ax = axes_or_new(ax, 6.0, 3.0)
    cycles = analyse(trace) if cycles is None else cycles
    p = trace.parameters
    scale = 1e3 if trace.time_unit == "s" else 1.0
    times, delta, tc = trace.times * scale, trace.delta[:, unit], trace.tc[:, unit]
    stepped = trace.time_unit != "s"

    for level, colour in _TC_COLOURS.items() if cycles.state[unit] != "sliding" else ():
        ax.fill_between(
            times,
            0,
            1,
            where=tc == level,
            step="post",
            transform=ax.get_xaxis_transform(),
            color=colour,
            alpha=0.22,
            lw=0,
        )
    h, s = (np.broadcast_to(values.reshape(-1, values.shape[-1]), delta.shape + values.shape[-1:])[:, unit]
            for values in (trace.h, trace.s))  # fmt: skip
    target = p.target(h, s)
    side = np.sign(s[-1])
    ax.plot(times, target, color=GREEN, lw=4, alpha=0.45, solid_capstyle="butt")
    ax.axhline(p.t_upper if side > 0 else p.t_lower, color=GREY, lw=0.9, ls="--")
    ax.plot(
        times, delta, color=BLUE, drawstyle="steps-post" if stepped else "default", marker="o" if stepped else "", ms=3
    )
    if trace.events is not None and not stepped and cycles.state[unit] != "sliding":
        _mark_events(ax, trace, unit, scale)
    ends = (-0.12, 1 + p.epsilon + 0.15) if side > 0 else (-p.mu - p.epsilon - 0.15, 0.12)
    ax.set(
        xlim=(times[0], times[-1]), ylim=(min(ends[0], delta.min() - 0.1), max(ends[1], delta.max() + 0.1)),
        xlabel="time (ms)" if trace.time_unit == "s" else "updates", ylabel="δ",
    )  # fmt: skip
    levels = (
        {0: "0", 1: "1", 1 + p.epsilon: "1 + ε"} if side > 0 else {0: "0", -p.mu: "-µ", -p.mu - p.epsilon: "-µ - ε"}
    )
    ax.set_yticks(list(levels), list(levels.values()))
    ax.set_title(_title(trace, unit, cycles, h, s, target, scale), size=8)
    return ax


@styled
def cycles_figure(trace: Trace, cycles: Cycles | None = None, until: float | None = None) -> Figure:
    """A panel for each unit, and under them what everything means.

    Parameters
    ----------
    trace : Trace
        Of any form.
    cycles : Cycles, optional
        The analysis of `trace`, where it is there already.
    until : float, optional
        Where the time axis ends, in the trace's unit.

    Raises
    ------
    CircuitError
        For more units than a page has room for.
    """
    if trace.units > MOST_PANELS:
        raise CircuitError(f"{trace.units} units: a figure has room for {MOST_PANELS}; plot some of them")
    cycles = analyse(trace) if cycles is None else cycles
    columns = 1 if trace.units == 1 else 2
    rows = -(-trace.units // columns)
    figure = new_figure(1 + 4.7 * columns, 1.3 + 2.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for unit, ax in enumerate(grid.flat):
        if unit < trace.units:
            plot_cycles(trace, unit, ax, cycles)
            ax.set_xlim(right=None if until is None else until * (1e3 if trace.time_unit == "s" else 1))
        else:
            ax.set_axis_off()
    figure.suptitle(_heading(trace), size=10, x=0.01, ha="left")
    figure.legend(handles=_legend(trace, cycles), loc="outside lower center", ncols=3)
    return figure


def _mark_events(ax: Axes, trace: Trace, unit: int, scale: float) -> None:
    """Crossings on the curve, and their way to the moment at which the new level acts."""
    assert trace.events is not None
    events = trace.events.of(unit)
    delta = trace.delta[:, unit]
    crossing, arrival = (events.time[events.kind == kind] for kind in (CROSSING, ARRIVAL))
    crossed, arrived = (np.interp(times, trace.times, delta) for times in (crossing, arrival))
    ax.plot(crossing * scale, crossed, "^", ms=5, color=BLACK, zorder=4)
    ax.plot(arrival * scale, arrived, "o", ms=5, mfc="white", mec=RED, mew=1.3, zorder=4)
    for start, end, level in zip(crossing, arrival, crossed, strict=False):
        arrow = {"arrowstyle": "-|>", "color": RED, "lw": 0.9, "shrinkA": 3, "shrinkB": 0}
        ax.annotate("", (end * scale, level), (start * scale, level), arrowprops=arrow, zorder=3)
        ax.plot([end * scale] * 2, [level, np.interp(end, trace.times, delta)], color=RED, lw=0.7, ls=":")


def _title(trace, unit, cycles, h, s, target, scale) -> str:
    """What the unit is given, and what it does."""
    state, unit_of_time = cycles.state[unit], "ms" if trace.time_unit == "s" else "updates"
    if np.ptp(h) or np.ptp(s):
        return f"unit {unit}: h and s vary"
    period = cycles.period[unit] * scale
    period = f", period {period:.3g} {unit_of_time}" if np.isfinite(period) else ""
    judged = "sufficiently correct" if target[-1] == 0 else "not yet correct"
    does = {
        "settled": f"δ stays at {cycles.last[unit]:.3g}",
        "oscillating": f"δ oscillates{period}, nearest to 0: {cycles.nearest_zero[unit]:.3g}",
        "sliding": f"δ slides along {cycles.mean[unit]:.3g}: never shut off",
    }[state]
    return f"h = {h[-1]:g}, s = {s[-1]:+g}: {judged}\n{does}; equation (6): {target[-1]:g}"


def _heading(trace: Trace) -> str:
    p = trace.parameters
    numbers = f"M = {p.M:g}, S = {p.S:g}, µ = {p.mu:g}, ε = {p.epsilon:g}"
    if trace.time_unit != "s":
        return f"Output-error circuit, the paper's update cycle ({numbers})"
    delay = f"loop delay D = {p.delay * 1e3:g} ms" if p.delay else "no delay"
    return f"Output-error circuit, τ = {p.tau * 1e3:g} ms, {delay} ({numbers})"


def _legend(trace: Trace, cycles: Cycles) -> list[Line2D | Patch]:
    """Only what the figure shows."""
    entries: list[Line2D | Patch] = [
        Line2D([], [], color=BLUE, label="δ, activity of the error unit"),
        Line2D([], [], color=GREEN, lw=4, alpha=0.45, label="equation (6): what δ should say"),
        Line2D([], [], color=GREY, lw=0.9, ls="--", label="threshold of the control unit, $\\sigma_t$"),
    ]
    for level, colour in _TC_COLOURS.items():
        if (trace.tc[:, cycles.state != "sliding"] == level).any():
            entries.append(Patch(color=colour, alpha=0.22, lw=0, label=f"tc = {level} acts: the unit is shut off"))
    if trace.time_unit == "s" and (cycles.state == "oscillating").any():
        entries += [
            Line2D([], [], marker="^", color=BLACK, lw=0, ms=5, label="δ passes the threshold: a new tc sets out"),
            Line2D(
                [], [], marker="o", mfc="white", mec=RED, color=RED, lw=0.9, ms=5, label="it arrives, one delay D later"
            ),
        ]
    return entries
