"""Figures show what the circuits did: the drawn values, not only that something was drawn."""

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from circuits import discrete
from circuits.cycles import analyse
from circuits.errors import CircuitError
from circuits.exact import solve
from circuits.exact_shutdown import solve_shutdown
from circuits.figure_circuit import output_error_graph, plot_circuit, shutdown_graph
from circuits.figure_convergence import convergence_order, plot_convergence
from circuits.figure_cycles import cycles_figure, plot_cycles
from circuits.figure_noise import plateau_under_noise, plot_noise
from circuits.figure_phase import plot_phase
from circuits.figure_shutdown import plot_misjudged, plot_shutdown, plot_timing, shutdown_figure, timing_figure
from circuits.figure_transfer import plot_sigma_delta, plot_sigma_t, transfer_figure
from circuits.figures import BLUE, RED, figure_of, save
from circuits.parameters import FeedbackShutdown, OutputError
from circuits.phase import MECHANISMS, phase_diagram


def line(ax, color, points=None):
    """The y values of the line of one colour (and length)."""
    found = [
        line.get_ydata()
        for line in ax.lines
        if to_rgba(line.get_color()) == to_rgba(color) and (points is None or len(line.get_ydata()) == points)
    ]
    assert len(found) == 1
    return np.asarray(found[0])


def texts(figure):
    """All that is written in a figure."""
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.fixture(scope="module")
def solution():
    return solve(OutputError(), [2, 0.5, -2, 0.5], [1, 1, -1, -1], 0.5)


def test_cycles_of_the_four_cases_say_what_they_are(solution):
    trace = solution.sample(np.linspace(0, 0.5, 2001))
    figure = cycles_figure(trace, analyse(solution), until=0.25)
    for unit, ax in enumerate(figure.axes):
        np.testing.assert_array_equal(line(ax, BLUE, 2001), trace.delta[:, unit])
        assert ax.get_xlim() == (0, 250)
    written = texts(figure)
    for words in (
        "h = 2, s = +1: sufficiently correct",
        "nearest to 0: 0.0498",
        "δ stays at -0.5",
        "D = 30 ms",
        "time (ms)",
    ):
        assert words in written
    # Of the first unit's events in 0.5 s the crossings are all marked, on its threshold.
    (marks,) = (line for line in figure.axes[0].lines if line.get_marker() == "^")
    np.testing.assert_allclose(
        np.asarray(marks.get_ydata()), 1, atol=0.02
    )  # interpolated between samples 0.25 ms apart
    assert np.size(marks.get_xdata()) == np.sum((solution.events.unit == 0) & (solution.events.kind == 0))


def test_cycles_without_delay_say_that_they_slide():
    figure = figure_of(plot_cycles(solve(OutputError(delay=0.0), [2.0], [1.0], 0.3).sample(np.linspace(0, 0.3, 301))))
    assert "slides along 1: never shut off; equation (6): 0" in texts(figure)


def test_discrete_cycles_count_updates():
    figure = cycles_figure(discrete.output_error(OutputError(), [2.0], [1.0], 24))
    assert "period 4 updates" in texts(figure)
    assert "time (ms)" not in texts(figure)


def test_a_figure_refuses_more_units_than_it_has_room_for():
    many = solve(OutputError(), np.zeros(13), np.ones(13), 0.1).sample([0.0, 0.1])
    with pytest.raises(CircuitError, match="13 units"):
        cycles_figure(many)


def test_axes_given_are_drawn_on_and_the_users_style_stays(solution):
    ax = Figure().add_subplot()
    before = rcParams["axes.titlelocation"]
    assert plot_cycles(solution.sample(np.linspace(0, 0.5, 11)), 1, ax) is ax
    assert rcParams["axes.titlelocation"] == before


@pytest.mark.parametrize("draw", [plot_sigma_delta, plot_sigma_t])
@pytest.mark.parametrize("parameters", [OutputError(), OutputError(mu=1.0, S=2.0, t_threshold="midpoint")])
def test_transfer_functions_are_staircases_through_their_levels(draw, parameters):
    ax = draw(parameters)
    levels = {round(float(y), 9) for line in ax.lines if line.get_lw() == 2.2 for y in line.get_ydata()}
    p = parameters
    expected = [-p.mu - p.epsilon, -p.mu, 0, 1, 1 + p.epsilon] if draw is plot_sigma_delta else [-1, 0, 1]
    assert levels == {round(level, 9) for level in expected}
    assert "2M + S" in texts(transfer_figure(parameters))


def test_graphs_have_the_weights_of_appendix_1():
    error, shutdown = output_error_graph(), shutdown_graph()
    assert error.edges["s", "δ"]["weight"] == "+2M"
    assert error.edges["tc", "δ"]["weight"].startswith("-2M")
    assert shutdown.edges["u", "δ̃"]["weight"] == "-2K"
    assert shutdown.edges["v", "δ̃"]["weight"] == "+2K"
    for graph in (error, shutdown):
        written = texts(figure_of(plot_circuit(graph)))
        assert all(weight in written for *_, weight in graph.edges(data="weight"))


def test_shutdown_figure_tells_who_passes():
    trace = solve_shutdown(FeedbackShutdown(), [2.0, 0.5], [0.6, 0.6], 0.06).sample(np.linspace(0, 0.06, 601))
    written = texts(shutdown_figure(trace))
    assert "h = 2, δ = 0.6: feedback shut off" in written and "h = 0.5, δ = 0.6: feedback passes" in written
    np.testing.assert_array_equal(line(plot_shutdown(trace, 0), RED, 601), trace.delta_tilde[:, 0])


@pytest.mark.parametrize(("h", "passes"), [(0.7, 0.6), (-2.0, 0.0)])
def test_timing_of_figure_15_ends_with_what_gets_through(h, passes):
    ax = plot_timing(h)
    np.testing.assert_array_equal(line(ax, RED), passes)
    # While the gate is open, and until the feedback comes, the unit still has its feedforward activity.
    np.testing.assert_allclose(line(ax, BLUE)[-1], np.clip(h, -1, 1), atol=0.01)
    assert "1. gate" in texts(timing_figure())


def test_misjudged_units_are_drawn_with_their_bound():
    ax = plot_misjudged(np.array([1.0, 3.0]), np.array([0.1, 0.01]), 4.0)
    theory = np.asarray(ax.lines[0].get_ydata())
    np.testing.assert_allclose(theory[-1], (1 / (1 - np.exp(-3)) - 1) / 4)


def test_phase_diagram_legend_has_the_mechanisms_present():
    diagram = phase_diagram("delay", np.linspace(0, 6, 7), "h", [0.0, 2.0, 5.0])
    written = texts(figure_of(plot_phase(diagram)))
    for index, mechanism in enumerate(MECHANISMS):
        assert (mechanism in written) == (index in diagram.mechanism)
    assert "D/τ" in written


def test_phase_axis_given_at_equal_ratios_is_logarithmic():
    ax = plot_phase(phase_diagram("epsilon", np.geomspace(0.01, 1, 4), "h", [0.0, 1.0, 2.0]))
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")


def test_order_of_convergence_is_the_slope():
    dt = np.array([0.4, 0.2, 0.1])
    assert convergence_order(dt, 3 * dt**2) == pytest.approx(2)
    assert "parabola: order 2.00" in texts(figure_of(plot_convergence(dt, {"parabola": 3 * dt**2})))


def test_noise_figure_small_noise_costs_the_plateau_at_the_papers_thresholds_only():
    sd = [1e-3, 5e-3]
    paper = plateau_under_noise(sd, OutputError(), units=16)
    midpoint = plateau_under_noise(sd, OutputError(t_threshold="midpoint"), units=16)
    assert (paper < 0.6).all()
    # e^-20 is left of the approach to the plateau when the measurement begins.
    np.testing.assert_allclose(midpoint, 1, atol=3e-9)
    ax = plot_noise(sd, units=16)
    np.testing.assert_allclose(line(ax, RED, 2), np.median(paper, axis=1))
    np.testing.assert_allclose(line(ax, BLUE, 2), np.median(midpoint, axis=1))


def test_saving_refuses_what_no_figure_can_be(tmp_path):
    figure = transfer_figure()
    for ending in ("png", "svg", "pdf"):
        assert save(figure, tmp_path / f"figure.{ending}").stat().st_size > 1000
    with pytest.raises(CircuitError, match="no image format"):
        save(figure, tmp_path / "figure.doc")
    with pytest.raises(CircuitError, match="no folder"):
        save(figure, tmp_path / "missing" / "figure.png")
