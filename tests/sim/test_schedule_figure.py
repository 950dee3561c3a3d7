"""The figures show what happened, and where."""

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, Rectangle

from circuits.figures import save
from network.rules import ORDERS
from sim.schedule import IDEAL, Event
from sim.schedule_figure import plot_requirements, plot_schedule, schedule_figure
from sim.schedule_plan import Schedule
from tests.sim.test_schedule import RESIDUAL, network


def gates(ax):
    """Left edges of the windows."""
    return sorted(box.get_x() for box in ax.patches if isinstance(box, Rectangle) and box.get_fill())


def colour_at(ax, layer, time):
    """(red, green, blue) of a lane."""
    picture = ax.images[layer]
    left, right, _, _ = picture.get_extent()
    row = picture.get_array()[0]
    return row[int((time - left) / (right - left) * (len(row) - 1))]


@pytest.mark.parametrize("order", ORDERS)
def test_lanes_show_x_then_delta_and_gates_stand_where_they_opened(order):
    run = Schedule(network(RESIDUAL), order).run()
    ax = plot_schedule(run)
    assert gates(ax) == sorted(1e3 * time for event, time in run.times.items() if event.kind == "gate")
    for layer in range(1, 5):
        at = {kind: 1e3 * run.times[Event(kind, layer)] for kind in ("arrive", "settle", "replace")}
        nothing = colour_at(ax, layer, at["arrive"] - 1)
        x = colour_at(ax, layer, at["settle"])
        delta = colour_at(ax, layer, at["replace"] + 60)
        assert np.allclose(nothing, 1)
        assert x[2] > 0.6 > 0.3 > x[0]  # blue
        assert delta[0] > 0.8 > 0.3 > delta[2]  # red
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["input", "1  conv1"]


def test_violations_are_marked_and_named():
    schedule = Schedule(network("Full 6; Full 5; Output"))
    closed = next(r for r in schedule.requirements if str(r) == "replace(2) needs gate(3): gate closed")
    wrong, right = schedule.swap(closed).run("record"), schedule.run()
    texts = {text.get_text() for text in plot_schedule(wrong).texts}
    assert {"replace(2): gate closed?", "gate(3): x feedforward?"} <= texts
    assert not any("?" in text.get_text() for text in plot_schedule(right).texts)


def test_ideal_timing_counts_events():
    run = Schedule(network(RESIDUAL), timing=IDEAL).run()
    ax = plot_schedule(run)
    assert gates(ax) == [n for n, event in enumerate(run.events) if event.kind == "gate"]
    assert "nothing takes time" in ax.get_xlabel()


def test_what_never_happened_is_not_drawn(tmp_path):
    schedule = Schedule(network("Full 6; Full 5; Output"))
    run = schedule.omit(Event("present"), Event("teach"), Event("gate", 2)).run("record")
    figure = schedule_figure(run)
    assert gates(figure.axes[0]) == sorted(1e3 * run.times[Event("gate", layer)] for layer in (1, 3))
    assert "target" not in {text.get_text() for text in figure.axes[0].texts}
    assert save(figure, tmp_path / "omitted.png").stat().st_size > 0


def test_graph_has_an_arrow_for_everything_that_waits():
    schedule = Schedule(network(RESIDUAL))
    ax = plot_requirements(schedule)
    assert sum(isinstance(patch, FancyArrowPatch) for patch in ax.patches) == len(schedule.waits)
    assert len(ax.texts) == len(schedule.events)
