"""States, cycles and read-outs, from samples and from events, against closed forms."""

import numpy as np
import pytest

from circuits.cycles import MeanReadoutWarning, WrongPhaseWarning, analyse, limit_cycle, value_at_phase
from circuits.discrete import output_error
from circuits.errors import CircuitError
from circuits.exact import solve
from circuits.exact_noise import Noise
from circuits.parameters import OutputError

TAU = 10e-3


@pytest.mark.parametrize("t_threshold", ["paper", "midpoint"])
@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0, 6.0])
@pytest.mark.parametrize(("h", "s"), [(2.0, 1), (-2.0, -1)])
def test_the_exact_solution_has_the_closed_form_cycle(h, s, ratio, t_threshold):
    parameters = OutputError(mu=0.5, tau=TAU, delay=ratio * TAU, t_threshold=t_threshold)
    expected = limit_cycle(parameters, s)
    solution = solve(parameters, [h], [s], 20 * float(expected.period), since=float(expected.first_crossing))
    cycles = analyse(solution)
    # Differences of absolute times of order 1 s, and sums of some hundred terms, each rounded to 1e-16.
    np.testing.assert_allclose(cycles.period[0], expected.period, rtol=1e-12)
    np.testing.assert_allclose(cycles.mean[0], expected.mean, rtol=1e-12)
    np.testing.assert_allclose(cycles.duty[0], expected.duty, rtol=1e-12)
    np.testing.assert_allclose(cycles.nearest_zero[0], expected.nearest_zero, rtol=1e-9)
    np.testing.assert_allclose(max(abs(cycles.low[0]), abs(cycles.high[0])), abs(expected.furthest), rtol=1e-12)
    np.testing.assert_allclose(cycles.settling[0], expected.first_crossing, rtol=1e-12)


def test_with_the_papers_threshold_the_lowest_point_is_exp_of_minus_delay_over_tau():
    ratio = np.array([1.0, 3.0, 6.0])
    closed = limit_cycle(OutputError(tau=TAU), 1, delay=ratio * TAU)
    np.testing.assert_allclose(closed.nearest_zero, np.exp(-ratio), rtol=1e-15)
    np.testing.assert_allclose(closed.nearest_zero, [0.368, 0.0498, 0.0025], atol=5e-4)  # as published, rounded
    solution = solve(OutputError(tau=TAU), [2.0] * 3, [1] * 3, 3.0, delay=ratio * TAU)
    np.testing.assert_allclose(analyse(solution).low, np.exp(-ratio), rtol=0, atol=1e-9)


def test_a_long_delay_leaves_half_of_the_level_as_the_mean_and_the_paper_period_of_two_delays():
    closed = limit_cycle(OutputError(epsilon=0.2, mu=0.5), [1, -1], delay=1e4 * TAU)
    np.testing.assert_allclose(closed.mean, [0.6, -0.35], rtol=1e-3)  # corrections are of order tau/D = 1e-4
    np.testing.assert_allclose(closed.period, 2 * 1e4 * TAU, rtol=1e-3)


def test_without_delay_the_closed_form_is_the_sliding_state():
    parameters = OutputError(mu=0.5, delay=0.0)
    closed = limit_cycle(parameters, [1, -1])
    cycles = analyse(solve(parameters, [2.0, -2.0], [1, -1], 1.0))
    assert cycles.state.tolist() == ["sliding", "sliding"]
    np.testing.assert_allclose(closed.mean, [1, -0.5])
    np.testing.assert_array_equal(cycles.nearest_zero, [1, -0.5])
    np.testing.assert_allclose(cycles.duty, closed.duty, rtol=1e-14)
    np.testing.assert_allclose(cycles.settling, closed.first_crossing, rtol=1e-12)
    assert (closed.period == 0).all()


def test_samples_give_the_same_cycles_as_events():
    parameters = OutputError(mu=0.5)
    h, s = [2.0, 0.5, -2.0, 0.5], [1, 1, -1, -1]
    solution = solve(parameters, h, s, 1.0)
    step = 1e-5
    sampled, exact = analyse(solution.sample(np.arange(0, 1, step))), analyse(solution)
    assert sampled.state.tolist() == exact.state.tolist() == ["oscillating", "settled", "oscillating", "settled"]
    # δ changes by at most 1.2 step/tau between samples, and marks are exact in both.
    for name in ("low", "high", "mean", "last", "duty"):
        np.testing.assert_allclose(getattr(sampled, name), getattr(exact, name), atol=1.2 * step / TAU, err_msg=name)
    np.testing.assert_allclose(sampled.period, exact.period, rtol=1e-12)
    np.testing.assert_allclose(sampled.settling, exact.settling, atol=step)


def test_without_events_marks_are_the_changes_of_the_control_unit():
    from dataclasses import replace

    parameters = OutputError()
    trace = solve(parameters, [2.0], [1], 1.0).sample(np.arange(0, 1, 1e-5))
    cycles = analyse(replace(trace, events=None))
    # Between first and last of ten marks, each a sample late at most.
    np.testing.assert_allclose(cycles.period[0], limit_cycle(parameters).period, atol=1e-5)


def test_the_discrete_map_has_period_four_and_half_the_level_as_mean():
    cycles = analyse(output_error(OutputError(mu=0.5), [2, 0.5, -2, 0.5], [1, 1, -1, -1], updates=40))
    assert cycles.state.tolist() == ["oscillating", "settled", "oscillating", "settled"]
    np.testing.assert_array_equal(cycles.period, [4, np.nan, 4, np.nan])
    np.testing.assert_array_equal(cycles.nearest_zero, [0, 1, 0, -0.5])
    np.testing.assert_allclose(cycles.mean, [0.6, 1, -0.35, -0.5])
    np.testing.assert_array_equal(cycles.settling[1], 1.0)


def test_value_at_a_phase_and_the_phase_that_is_quiet():
    parameters = OutputError(mu=0.5)
    solution = solve(parameters, [2.0, 0.5, -2.0], [1, 1, -1], 2.0)
    cycles, closed = analyse(solution), limit_cycle(parameters, [1, 1, -1])
    quiet = value_at_phase(solution, cycles, closed.quiet_phase)
    np.testing.assert_allclose(quiet[[0, 2]], closed.nearest_zero[[0, 2]], rtol=1e-9)
    np.testing.assert_allclose(quiet[1], 1.0, rtol=1e-12)
    # Phase 0 is the crossing of the threshold itself.
    with pytest.warns(WrongPhaseWarning, match=r"2 of 3 units oscillate .* unit 0 is at 1, and comes to 0.0498"):
        crossing = value_at_phase(solution, cycles, 0.0)
    np.testing.assert_allclose(crossing, [1.0, 1.0, -0.5], rtol=1e-9)
    np.testing.assert_allclose(cycles.phase(cycles.mark + 0.25 * cycles.period)[[0, 2]], 0.25, rtol=1e-9)
    assert np.isnan(cycles.phase(0.0)[1])


def test_samples_and_events_give_the_same_value_at_a_phase():
    solution = solve(OutputError(mu=0.5), [2.0, -2.0], [1, -1], 2.0)
    sampled = solution.sample(np.arange(0, 2, 1e-5))
    for phase in (0.2, 0.6, 0.9):
        one = value_at_phase(sampled, analyse(sampled), phase, tolerance=2)
        other = value_at_phase(solution, analyse(solution), phase, tolerance=2)
        # Linear interpolation over a step of tau/1000, across a kink at worst.
        np.testing.assert_allclose(one, other, atol=1.2e-3)


def test_the_time_mean_warns_where_units_should_be_silent():
    cycles = analyse(solve(OutputError(), [2.0, 0.5], [1, 1], 1.0))
    with pytest.warns(MeanReadoutWarning, match="1 of 2 units oscillate"):
        assert cycles.time_mean()[0] > 0.5
    analyse(solve(OutputError(), [0.5], [1], 1.0)).time_mean()  # warnings are errors here: none is given


def test_the_time_to_settle_of_a_plateau():
    cycles = analyse(solve(OutputError(), [0.5], [1], 1.0), tolerance=1e-3)
    np.testing.assert_allclose(cycles.settling, TAU * np.log(1e3), rtol=1e-12)


def test_a_trace_too_short_to_judge_is_refused():
    trace = solve(OutputError(), [0.5], [1], 1.0).sample([0.0, 0.5])
    with pytest.raises(CircuitError, match="leave at least two samples"):
        analyse(trace)


@pytest.mark.parametrize("sd", [0.005, 0.01])
@pytest.mark.parametrize("interval", [1e-3, 30e-3])
def test_noise_silences_units_not_yet_correct_with_the_papers_thresholds_only(sd, interval):
    """At 1 and -mu any noise crosses half of the time; at the midpoints that takes epsilon/2, ten or twenty sd."""
    h, s = np.tile([0.5, -0.5], 50), np.tile([1.0, -1.0], 50)
    noise = Noise(sd, interval=interval, seed=1)
    share = {}  # what is left of the plateau
    for t_threshold in ("paper", "midpoint"):
        parameters = OutputError(mu=0.5, epsilon=0.2, t_threshold=t_threshold)  # D = 30 ms, tau = 10 ms
        cycles = analyse(solve(parameters, h, s, 1.0, noise=noise))
        share[t_threshold] = cycles.nearest_zero / parameters.target(h, s)
        assert (cycles.state == ("oscillating" if t_threshold == "paper" else "settled")).all()
    # From the plateau (reached to e^{-50}) noise of the right sign silences the unit until the next draw at least.
    assert (share["paper"] <= np.exp(-interval / TAU) + 1e-12).all()
    assert np.abs(share["midpoint"] - 1).max() < 1e-12


def test_with_the_midpoint_thresholds_correct_units_still_shut_off_under_noise():
    parameters = OutputError(mu=0.5, delay=60e-3, t_threshold="midpoint")
    found = solve(parameters, [2.0, -2.0] * 50, [1, -1] * 50, 2.0, noise=Noise(0.005, seed=1)).measures
    assert (np.abs(found.nearest_zero) < 0.01).all()
