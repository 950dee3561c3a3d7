"""The exact shutdown circuit: equation (3) after settling, and exactly which units are misjudged before."""

import numpy as np
import pytest

from circuits import transfer
from circuits.errors import CircuitError, OutOfBounds
from circuits.exact_shutdown import solve_shutdown
from circuits.parameters import FeedbackShutdown

TAU = 10e-3


def test_settled_units_report_equation_3():
    generator = np.random.default_rng(1)
    h, delta = generator.uniform(-3, 3, 1000), generator.uniform(-4, 4, 1000)
    h = h[np.abs(np.abs(h) - 1) > 1e-6]  # |h| (1 - e^{-50}) decides for all others
    delta = delta[: h.size]
    parameters = FeedbackShutdown(K=4.0, tau=TAU, delay=5e-3)
    trace = solve_shutdown(parameters, h, delta, 0.6).sample([0.6])
    np.testing.assert_array_equal(trace.delta_tilde[0], parameters.target(h, delta))


@pytest.mark.parametrize("settling", [0.5, 1.0, 2.0, 4.0])
def test_after_a_settling_time_exactly_the_predicted_units_are_misjudged(settling):
    """10^5 random units: those with 1 < |h| < 1/(1 - e^{-T/tau}), and no others."""
    generator = np.random.default_rng(2)
    h, delta = generator.uniform(-4, 4, 100_000), generator.uniform(0.1, 3.9, 100_000)
    delay = 5e-3
    parameters = FeedbackShutdown(K=4.0, tau=TAU, delay=delay)
    # What x shows at T acts on the feedback one delay later.
    read = settling * TAU + delay
    trace = solve_shutdown(parameters, h, delta, 2 * read).sample([read])
    misjudged = trace.delta_tilde[0] != parameters.target(h, delta)
    bound = 1 / -np.expm1(-settling)
    predicted = (np.abs(h) > 1) & (np.abs(h) < bound)
    # Rounding decides within 1e-12 of the bound; no unit is there.
    assert not (np.abs(np.abs(h) - bound) < 1e-12).any()
    np.testing.assert_array_equal(misjudged, predicted)
    # A guard against a test that passes on nothing: the share that a uniform h gives.
    np.testing.assert_allclose(misjudged.mean(), (min(bound, 4) - 1) / 4, atol=5 * 0.5 / np.sqrt(h.size))


def test_a_unit_exactly_at_one_is_never_shut_off():
    trace = solve_shutdown(FeedbackShutdown(), [1.0, -1.0, 1 + 1e-9], [0.5] * 3, 1.0).sample([1.0])
    np.testing.assert_array_equal(trace.delta_tilde[0], [0.5, 0.5, 0.0])


def test_it_satisfies_its_equations_when_inputs_change():
    generator = np.random.default_rng(3)
    switches = np.array([0.02, 0.025, 0.05])
    h, delta = generator.uniform(-3, 3, (4, 30)), generator.uniform(-3.9, 3.9, (4, 30))
    tau, delay = generator.uniform(0.5, 2, 30) * TAU, generator.uniform(0, 2, 30) * TAU
    parameters = FeedbackShutdown(K=4.0)
    solution = solve_shutdown(parameters, h, delta, 0.1, switches=switches, tau=tau, delay=delay)
    times = np.linspace(0, 0.1, 1001)
    # The potential by superposition of the steps of h, instead of from event to event.
    p, edges = np.zeros((times.size, 30)), np.concatenate([[0.0], switches])
    for begin, step in zip(edges, np.diff(h, axis=0, prepend=0.0), strict=True):
        p += step * -np.expm1(-np.maximum(times[:, None] - begin, 0) / tau)
    trace = solution.sample(times)
    clear = np.abs(np.abs(p) - 1) > 1e-9  # at a threshold itself rounding decides
    np.testing.assert_allclose(trace.x, transfer.saturate(p), atol=1e-12)
    np.testing.assert_array_equal(trace.u[clear], transfer.u(p)[clear])
    np.testing.assert_array_equal(trace.v[clear], transfer.v(p)[clear])
    for unit in range(30):
        earlier = np.round(times - delay[unit], 12)
        past = solution.sample(np.maximum(times - delay[unit], 0))
        up, down = past.u[:, unit] * (earlier >= 0), past.v[:, unit] * (earlier >= 0)
        expected = transfer.shut_off(transfer.inhibited(trace.delta[:, unit], up, down, 4.0), 4.0)
        # Times t - D are rounded, so a level change within a rounding of one may be seen a sample early.
        assert np.count_nonzero(trace.delta_tilde[:, unit] != expected) <= 1


def test_the_unit_is_released_when_its_input_falls():
    solution = solve_shutdown(FeedbackShutdown(tau=TAU, delay=0.0), [[2.0], [0.0]], [0.7], 0.2, switches=[0.1])
    on, off = solution.events.time[[0, 2]]
    np.testing.assert_allclose(on, TAU * np.log(2), rtol=1e-12)
    np.testing.assert_allclose(off, 0.1 + TAU * np.log(2 - 2 * np.exp(-10)), rtol=1e-12)
    np.testing.assert_array_equal(solution.sample([0.0, 0.05, 0.15]).delta_tilde[:, 0], [0.7, 0.0, 0.7])


def test_bad_arguments_are_named():
    with pytest.raises(OutOfBounds, match=r"unit 1: \|delta\| = 4.0 is not below K = 4.0"):
        solve_shutdown(FeedbackShutdown(K=4.0), [0.0, 0.0], [0.0, 4.0], 0.1)
    with pytest.raises(OutOfBounds, match="unit 0: h = inf is not a finite number"):
        solve_shutdown(FeedbackShutdown(), [np.inf], [0.0], 0.1)
    with pytest.raises(CircuitError, match="unit 0: tau = 0 s is not a positive number"):
        solve_shutdown(FeedbackShutdown(), [0.0], [0.0], 0.1, tau=[0.0])
    with pytest.raises(CircuitError, match=r"use ascending times from 0 to 0.1 s"):
        solve_shutdown(FeedbackShutdown(), [0.0], [0.0], 0.1).sample([0.2])
