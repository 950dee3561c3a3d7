"""The feedback-shutdown circuit in time: single units, the timing of figure 15, and which units are misjudged."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from circuits.errors import CircuitError
from circuits.exact_shutdown import solve_shutdown
from circuits.figures import BLUE, GREEN, GREY, ORANGE, PINK, RED, axes_or_new, new_figure, styled
from circuits.parameters import FeedbackShutdown
from circuits.waveform import ShutdownTrace

MOST_PANELS = 12


@styled
def plot_shutdown(trace: ShutdownTrace, unit: int = 0, ax: Axes | None = None) -> Axes:
    """One unit: its activity x, whether u or v is active, and the feedback δ̃ that gets through."""
    ax = axes_or_new(ax, 5.5, 2.6)
    scale = 1e3 if trace.time_unit == "s" else 1.0
    times = trace.times * scale
    h, delta = (np.broadcast_to(values, trace.x.shape)[:, unit] for values in (trace.h, trace.delta))
    for active, colour in ((trace.u[:, unit] > 0, ORANGE), (trace.v[:, unit] < 0, PINK)):
        ax.fill_between(
            times, 0, 1, where=active, step="post", transform=ax.get_xaxis_transform(), color=colour, alpha=0.22, lw=0
        )
    for bound in (-1, 1):
        ax.axhline(bound, color=GREY, lw=0.8, ls="--")
    stepped = "default" if trace.time_unit == "s" else "steps-post"
    ax.plot(times, delta, color=GREEN, lw=3.5, alpha=0.4, drawstyle="steps-post")
    ax.plot(times, trace.x[:, unit], color=BLUE, lw=2.8, drawstyle=stepped)
    ax.plot(times, trace.delta_tilde[:, unit], color=RED, drawstyle="steps-post")
    ax.set(xlabel="time (ms)" if trace.time_unit == "s" else "updates", ylabel="activity", xlim=(times[0], times[-1]))
    bound = max(1.25, 1.15 * np.abs(delta).max())
    ax.set_ylim(-bound, bound)
    given = f"h = {h[-1]:g}, δ = {delta[-1]:g}" if not (np.ptp(h) or np.ptp(delta)) else f"unit {unit}: inputs vary"
    passes = trace.delta_tilde[-1, unit]
    state = "shut off" if passes == 0 and delta[-1] != 0 else "passes"
    ax.set_title(f"{given}: feedback {state}, δ̃ = {passes + 0:.3g}", size=8)
    return ax


@styled
def shutdown_figure(trace: ShutdownTrace) -> Figure:
    """A panel for each unit, and under them what everything means.

    Raises
    ------
    CircuitError
        For more units than a page has room for.
    """
    if trace.units > MOST_PANELS:
        raise CircuitError(f"{trace.units} units: a figure has room for {MOST_PANELS}; plot some of them")
    columns = min(2, trace.units)
    rows = -(-trace.units // columns)
    figure = new_figure(1 + 4.2 * columns, 1.3 + 2.0 * rows)
    for unit, ax in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if unit < trace.units:
            plot_shutdown(trace, unit, ax)
        else:
            ax.set_axis_off()
    p = trace.parameters
    times = f"τ = {p.tau * 1e3:g} ms, delay {p.delay * 1e3:g} ms, " if trace.time_unit == "s" else ""
    figure.suptitle(f"Feedback-shutdown circuit, {times}K = {p.K:g}", size=10, x=0.01, ha="left")
    handles = [
        Line2D([], [], color=BLUE, lw=2.8, label="x, activity of the unit"),
        Line2D([], [], color=GREEN, lw=3.5, alpha=0.4, label="δ, feedback that arrives"),
        Line2D([], [], color=RED, label="δ̃, feedback that gets through"),
        Line2D([], [], color=GREY, lw=0.8, ls="--", label="thresholds of u and v"),
        Patch(color=ORANGE, alpha=0.22, lw=0, label="u active: x has reached 1"),
        Patch(color=PINK, alpha=0.22, lw=0, label="v active: x has reached -1"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@styled
def plot_timing(
    h: float, parameters: FeedbackShutdown | None = None, delta: float = 0.6, ax: Axes | None = None
) -> Axes:
    """The order of figure 15 for one unit of a layer: first the update, then u and v, then δ in the place of x.

    Parameters
    ----------
    h : float
        Input of the unit; with |h| > 1 it is saturated and its feedback is shut off.
    parameters : FeedbackShutdown, optional
    delta : float
        Feedback that arrives.
    ax : matplotlib.axes.Axes, optional

    Notes
    -----
    The activity drawn is the circuit's own: x until the feedback arrives, δ̃ from then on. The three times are a
    schedule that waits for each step to settle.
    """
    p = parameters or FeedbackShutdown()
    ax = axes_or_new(ax, 5.5, 2.6)
    settled = 6 * p.tau
    gate = (settled, settled + 2 * p.tau)
    latch = gate[1] + p.tau
    replace = latch + max(p.delay, p.tau)
    end = replace + 3 * p.tau
    times = np.linspace(0, end, 801)
    solution = solve_shutdown(p, [[h], [h]], [[0.0], [delta]], end, switches=[replace]).sample(times)
    x, delta_tilde = solution.x[:, 0], solution.delta_tilde[:, 0]
    before = times < replace
    unit = p.tau
    ax.axvspan(gate[0] / unit, gate[1] / unit, color=GREEN, alpha=0.2, lw=0)
    ax.plot(times[before] / unit, x[before], color=BLUE)
    ax.plot(times[~before] / unit, delta_tilde[~before], color=RED)
    ax.plot([replace / unit] * 2, [x[before][-1], delta_tilde[~before][0]], color=GREY, lw=0.8, ls=":")
    active = solution.u[-1, 0] + solution.v[-1, 0] != 0
    ax.axvline(latch / unit, color=ORANGE, lw=1.5)
    for time, text, colour in (
        (sum(gate) / 2, "1. gate:\nx changes\nthe weights", GREEN),
        (latch, "2. u, v\n" + ("active" if active else "silent"), ORANGE),
        (replace + 1.6 * p.tau, "3. δ replaces x:\nδ̃ = " + f"{delta_tilde[-1] + 0:.3g}", RED),
    ):
        ax.annotate(text, (time / unit, 1.32), ha="center", va="bottom", size=8, color=colour, annotation_clip=False)
    for bound in (-1, 1):
        ax.axhline(bound, color=GREY, lw=0.8, ls="--")
    ax.axhline(0, color=GREY, lw=0.5)
    ax.set(xlabel="time / τ", ylabel="activity of the unit", xlim=(0, end / unit), ylim=(-1.25, 1.25))
    ax.set_title(f"h = {h:g}, feedback δ = {delta:g}", pad=38)
    return ax


@styled
def timing_figure(parameters: FeedbackShutdown | None = None) -> Figure:
    """Figure 15 for a unit that is not saturated and for one that is."""
    figure = new_figure(9.0, 3.3)
    for ax, h in zip(figure.subplots(1, 2), (0.7, 2.0), strict=True):
        plot_timing(h, parameters, ax=ax)
    return figure


@styled
def plot_misjudged(
    settling: np.ndarray, shares: np.ndarray, spread: float, ax: Axes | None = None, *, label: str = "measured"
) -> Axes:
    """The share of units that a circuit misjudges after a settling time, with what theory says.

    Parameters
    ----------
    settling : numpy.ndarray
        Settling times T, in units of τ.
    shares : numpy.ndarray
        Share of misjudged units among inputs drawn uniformly from -spread to spread.
    spread : float
        Larger than 1.
    ax : matplotlib.axes.Axes, optional
    label : str
        Of the measured points.
    """
    ax = axes_or_new(ax)
    fine = np.linspace(min(settling), max(settling), 200)
    # Those between 1 and 1 / (1 - e^-T/τ), as far as inputs go.
    theory = (np.minimum(1 / -np.expm1(-fine), spread) - 1) / spread
    ax.semilogy(fine, theory, color=GREY, lw=1, label=r"$1 < |h| < 1/(1 - e^{-T/\tau})$")
    ax.semilogy(settling, shares, "o", color=BLUE, ms=4, label=label)
    ax.set(xlabel="settling time T / τ", ylabel="share of units misjudged")
    ax.legend()
    return ax
