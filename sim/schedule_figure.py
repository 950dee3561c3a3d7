"""Figure 15 for a whole network: what happened when in one presentation, one lane a layer; and what waits for what."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch, Rectangle

from circuits.figures import BLACK, BLUE, GREEN, GREY, LIGHT_BLUE, ORANGE, PINK, RED, axes_or_new, figure_of, styled
from sim.schedule import SIGNALS, Event, sources_of
from sim.schedule_plan import Schedule
from sim.schedule_run import Run

HALF = 0.21  # of the height of a lane, in lanes
COLUMNS = 1500  # of the picture of a lane
TIME_CONSTANTS = 5  # in a settling time, in the drawing
SHORT = {"consolidate": "conso-\nlidate"}


class _Times:
    """When things happened, in ms; counted where nothing took any time."""

    def __init__(self, run: Run) -> None:
        self.timed = max(run.times.values()) > 0
        scale = 1e3 if self.timed else 1.0
        times = run.times if self.timed else {event: float(n) for n, event in enumerate(run.events)}
        self._at = {event: scale * time for event, time in times.items()}
        self._timing, self._scale, self._top = run.schedule.timing, scale, run.schedule.layers
        self.start, last = min(self._at.values()), max(self._at.values())
        self.end = last + max(0.06 * (last - self.start), 1.0)

    def of(self, kind: str, layer: int = 0) -> float:
        """NaN for what did not happen."""
        return self._at.get(Event(kind, layer), float("nan"))

    def lasts(self, name: str, layer: int) -> float:
        if not self.timed:
            return 0.7 if name in ("gate", "latch") else 0.0
        if name == "gate":
            return self._scale * self._timing.window(layer, self._top)
        return self._scale * self._timing.of(name, layer)


@styled
def plot_schedule(run: Run, ax: Axes | None = None) -> Axes:
    """One lane a layer: x comes up and fades into delta; gates, latches, replacements, consolidation; what went wrong.

    Parameters
    ----------
    run : Run
        As `Schedule.run` returns it; a run with violations has a cross at each.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Time in ms; the number of the event where the timing is ideal.

    Notes
    -----
    The colour of a lane is how far the activity has come, as an exponential that is settled after the settling time.
    The green window of gate(l) covers what it reads: delta in lane l, and x in the lanes below that l reads.
    """
    sources = sources_of(run.schedule.spec)
    top = len(sources)
    ax = axes_or_new(ax, 10.0, 1.6 + 0.62 * (top + 1))
    times = _Times(run)
    for layer in range(top + 1):
        _draw_lane(ax, times, layer, top)
    for layer, below in sources.items():
        for source in below:
            sent = times.of("settle", source) if source else times.of("present")
            _draw_arrow(ax, (sent, source + HALF), (times.of("arrive", layer), layer - HALF), BLUE)
            if source:
                arrived = times.of("replace", source)
                back = (arrived - times.lasts("feedback_delay", layer), layer - HALF)
                _draw_arrow(ax, back, (arrived, source + HALF), RED)
        _draw_gate(ax, times, layer, min(below))
        if layer < top:
            _draw_latch(ax, times, layer)
        changed = times.of("consolidate", layer)
        ax.plot(changed, layer - 0.5, marker="D", ms=6, color=PINK, mec="white", mew=0.8, zorder=6, ls="")
    _draw_violations(ax, run, times)
    target = times.of("teach")
    if np.isfinite(target):
        _draw_arrow(ax, (target, top + HALF + 0.3), (target, top + HALF), BLACK)
        ax.text(target, top + HALF + 0.32, "target", size=8, ha="center", va="bottom")
    names = ["input", *(f"{node.index}  {node.name}" for node in run.schedule.spec.weighted)]
    ax.set_yticks(range(top + 1), names)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set(xlim=(times.start, times.end), ylim=(-0.6, top + 0.75))
    ax.set_xlabel("time (ms)" if times.timed else "events, one after the other (nothing takes time)")
    return ax


@styled
def schedule_figure(run: Run) -> Figure:
    """`plot_schedule` with a title and under it what everything means."""
    ax = plot_schedule(run)
    figure, schedule = figure_of(ax), run.schedule
    when = {
        "before_update": "weights change when the feedback has passed (before_update)",
        "after_update": "weights change at the gate, before the feedback passes (after_update)",
    }[schedule.order]
    net = textwrap.shorten(schedule.spec.notation, 110, placeholder=" ...")
    lines = [f"One presentation to  {net}", when, *map(str, run.violations[:1])]
    figure.suptitle("\n".join(lines), size=10, x=0.01, ha="left")
    add_legend(figure, violations=bool(run.violations))
    return figure


def add_legend(figure: Figure, violations: bool = False) -> None:
    """Say under a figure what everything in `plot_schedule` means, with the cross of `violations` if asked for."""
    handles = [
        Patch(color=BLUE, alpha=0.8, lw=0, label="x, feedforward activity"),
        Patch(color=RED, alpha=0.8, lw=0, label=r"$\delta$, feedback, in the place of x"),
        Patch(
            fc=(*to_rgb(GREEN), 0.15), ec=GREEN, lw=1.5, label=r"gate: tags the synapses with $\delta$ above × x below"
        ),
        Line2D([], [], color=ORANGE, lw=3, label="latch: u, v take their value from x"),
        Line2D([], [], color=RED, marker=">", ms=4, lw=1, label=r"feedback arrives: $\delta$ replaces x"),
        Line2D([], [], color=PINK, marker="D", ls="", label="consolidate: tags become weights"),
    ]
    if violations:
        handles.append(Line2D([], [], color=BLACK, marker="X", ms=8, ls="", label="happened without what it needs"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


@styled
def plot_requirements(schedule: Schedule, ax: Axes | None = None) -> Axes:
    """What waits for what: an arrow from each event to those that need it, by name; for networks of a few layers.

    Parameters
    ----------
    schedule : Schedule
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Events from left to right in the order of their plan, in the lane of their layer.
    """
    top = schedule.layers
    ax = axes_or_new(ax, 1.5 + 0.42 * len(schedule.events), 1.4 + 0.9 * (top + 1))
    place = {event: (n, top if event.kind == "teach" else event.layer) for n, event in enumerate(schedule.events)}
    names = dict.fromkeys(wait.name for wait in schedule.waits if wait.kind == "needed")
    colours = dict(zip(names, (RED, ORANGE, BLUE, GREEN, PINK, LIGHT_BLUE, BLACK, "#8C6BB1", "#7F6000"), strict=False))
    for wait in schedule.waits:
        (x0, y0), (x1, y1) = place[wait.cause], place[wait.effect]
        bend = -0.35 if y0 == y1 and x1 - x0 > 1 else 0.08
        arrow = FancyArrowPatch(
            (x0, y0), (x1, y1), arrowstyle="-|>", mutation_scale=9, shrinkA=13, shrinkB=13, zorder=2,
            connectionstyle=f"arc3,rad={bend}", color=colours.get(wait.name, "0.75"), lw=1.3,
            ls="--" if wait.kind == "customary" else "-",
        )  # fmt: skip
        ax.add_patch(arrow)
    for event, (x, y) in place.items():
        box = {"boxstyle": "round,pad=0.25", "fc": "white", "ec": "0.75" if event.kind in SIGNALS else BLACK, "lw": 0.8}
        ax.text(x, y, SHORT.get(event.kind, event.kind), size=7, ha="center", va="center", bbox=box, zorder=3)
    ax.set_yticks(range(top + 1), ["input", *(f"{node.index}  {node.name}" for node in schedule.spec.weighted)])
    ax.tick_params(axis="y", length=0)
    ax.set_xticks([])
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.set(xlim=(-0.7, len(place) - 0.3), ylim=(-0.5, top + 0.6))
    handles = [Line2D([], [], color=colour, lw=1.3, label=name) for name, colour in colours.items()]
    handles.append(Line2D([], [], color="0.75", lw=1.3, label="signal (nothing to violate)"))
    handles.append(Line2D([], [], color="0.75", lw=1.3, ls="--", label="figure 15's order (customary)"))
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=4)
    return ax


def _draw_lane(ax: Axes, times: _Times, layer: int, top: int) -> None:
    """x rises when its input arrives; delta takes its place."""
    columns = np.linspace(times.start, times.end, COLUMNS)
    if layer == 0:
        rise, turn, takes = times.of("present"), float("nan"), 0.0
    else:
        rise, takes = times.of("arrive", layer), times.lasts("settling", layer)
        turn = times.of("teach") if layer == top else times.of("replace", layer)
    turning = times.lasts("error", layer) if layer == top else takes
    delta = _approach(columns, turn, turning)
    x = _approach(columns, rise, takes) * (1 - delta)
    colours = 1 - 0.8 * (np.outer(x, 1 - np.array(to_rgb(BLUE))) + np.outer(delta, 1 - np.array(to_rgb(RED))))
    box = (times.start, times.end, layer - HALF, layer + HALF)
    ax.imshow(colours[None], extent=box, aspect="auto", interpolation="bilinear", zorder=1)
    ax.add_patch(Rectangle((box[0], box[2]), box[1] - box[0], 2 * HALF, fill=False, ec="0.75", lw=0.6, zorder=2))
    for begin, lasts, symbol in ((rise, takes, "x"), (turn, turning, r"$\delta$")):
        if np.isfinite(begin):
            at = begin + max(lasts * 0.7, 0.012 * times.end)
            ax.text(at, layer, symbol, color="white", weight="bold", va="center", ha="center", zorder=4, clip_on=True)


def _approach(columns: np.ndarray, begin: float, takes: float) -> np.ndarray:
    """0 before `begin`, then exponentially to 1; 0 for what never begins."""
    since = np.nan_to_num(columns - begin, nan=-1.0)
    level = -np.expm1(-TIME_CONSTANTS * np.maximum(since, 0) / takes) if takes else np.ones_like(since)
    return np.where(since >= 0, level, 0.0)


def _draw_gate(ax: Axes, times: _Times, layer: int, lowest: int) -> None:
    bottom, height = lowest - HALF - 0.06, layer - lowest + 2 * HALF + 0.12
    at, lasts = times.of("gate", layer), times.lasts("gate", layer)
    if np.isfinite(at):
        colours = {"fc": (*to_rgb(GREEN), 0.15), "ec": GREEN}
        ax.add_patch(Rectangle((at, bottom), lasts, height, lw=1.5, zorder=5, **colours))


def _draw_latch(ax: Axes, times: _Times, layer: int) -> None:
    at, lasts = times.of("latch", layer), times.lasts("latch", layer)
    ax.plot([at, at + lasts], [layer - HALF - 0.1] * 2, color=ORANGE, lw=3, zorder=6, solid_capstyle="butt")


def _draw_arrow(ax: Axes, tail: tuple[float, float], head: tuple[float, float], colour: str) -> None:
    if np.isfinite([*tail, *head]).all():
        arrow = FancyArrowPatch(tail, head, arrowstyle="-|>", mutation_scale=8, color=colour, lw=1, zorder=5,
                                shrinkA=0, shrinkB=0)  # fmt: skip
        ax.add_patch(arrow)


def _draw_violations(ax: Axes, run: Run, times: _Times) -> None:
    for violation in run.violations:
        kind, layer = violation.event
        at, lane = times.of(kind, layer), layer - 0.5 * (kind in ("gate", "consolidate"))
        if kind == "teach":
            lane = len(run.schedule.spec.weighted)
        ax.plot(at, lane, "X", color=BLACK, ms=9, mec="white", zorder=8)
        ax.annotate(
            f"{violation.event}: {violation.requirement}?", (at, lane), (6, 6), textcoords="offset points", size=8,
            color=BLACK, zorder=8, bbox={"fc": "white", "ec": GREY, "lw": 0.5, "pad": 1.5},
        )  # fmt: skip
