"""One circuit, three forms: the discrete map, Brian2 and the exact solution say the same of every unit."""

from typing import Any

import brian2
import numpy as np
import pytest

from circuits import discrete
from circuits.brian import FeedbackShutdownCircuit, OutputErrorCircuit
from circuits.cycles import analyse
from circuits.exact import solve
from circuits.exact_noise import Noise
from circuits.exact_shutdown import solve_shutdown
from circuits.parameters import FeedbackShutdown, OutputError

# The four cases of Appendix 1, and their margins: h = ±S is still updated.
H = np.array([0.5, 2.0, 0.5, -2.0, 1.0, -1.0, -3.9, 3.9])
SUPERVISION = np.array([1, 1, -1, -1, 1, -1, 1, -1])
DURATION = 0.6


def three_forms(parameters):
    circuit = OutputErrorCircuit(H, SUPERVISION, parameters)
    brian2.Network(circuit).run(DURATION * brian2.second, namespace={})
    return {
        "discrete": analyse(discrete.output_error(parameters, H, SUPERVISION, updates=40)),
        "brian": analyse(circuit.trace()),
        "exact": analyse(solve(parameters, H, SUPERVISION, DURATION)),
    }


@pytest.mark.parametrize(("mu", "t_threshold"), [(1.0, "paper"), (0.3, "midpoint")])
def test_all_forms_report_equation_6(mu, t_threshold, numpy_target):
    parameters = OutputError(mu=mu, delay=60e-3, t_threshold=t_threshold)
    target = parameters.target(H, SUPERVISION)
    found = three_forms(parameters)
    # The discrete map reaches 0; with D/tau = 6 the others reach e^{-6} of the threshold, Brian2 to a step of tau/100.
    lowest = 1.01 * np.exp(-6) * max(parameters.t_upper, -parameters.t_lower)
    for form, cycles in found.items():
        assert cycles.state.tolist() == np.where(target == 0, "oscillating", "settled").tolist(), form
        error = np.abs(cycles.nearest_zero - target)
        assert error[target == 0].max() <= (0 if form == "discrete" else lowest), form
        # e^{-60} from the plateau at the end.
        np.testing.assert_allclose(cycles.nearest_zero[target != 0], target[target != 0], rtol=1e-12, err_msg=form)
    # A crossing is noticed up to one step of 0.1 ms late, twice a cycle of about 140 ms.
    np.testing.assert_allclose(found["brian"].period, found["exact"].period, atol=2e-4)


def test_without_delay_all_forms_in_time_slide_and_the_discrete_map_does_not(numpy_target):
    """The map's updates are its delay."""
    parameters = OutputError(mu=0.5, delay=0.0)
    found = three_forms(parameters)
    silent = parameters.target(H, SUPERVISION) == 0
    for form, name in (("discrete", "oscillating"), ("brian", "sliding"), ("exact", "sliding")):
        assert found[form].state.tolist() == np.where(silent, name, "settled").tolist(), form
    # In steps of dt the clock-driven form chatters about the plateau by 1.2 dt/tau.
    np.testing.assert_allclose(found["brian"].nearest_zero, found["exact"].nearest_zero, atol=1.2e-2)


def test_brian_tends_to_the_exact_solution_under_the_very_same_noise(numpy_target):
    """Noise is a function of seed, unit and interval, so both forms can have it; the error falls as dt."""
    parameters, noise = OutputError(t_threshold="midpoint"), Noise(0.05, interval=1e-3, seed=3)
    h, s = np.tile([0.5, 2, -0.5, -2], 5), np.tile([1, 1, -1, -1], 5)
    same = brian2.TimedArray(noise.samples(h.size, 0.2), dt=noise.interval * brian2.second)
    solution = solve(parameters, h, s, 0.2, noise=noise)
    error = {}
    for dt in (1e-4, 0.25e-4):
        second: Any = brian2.second  # its arithmetic is opaque to type checkers
        circuit = OutputErrorCircuit(h, s, parameters, noise=same, dt=dt * second)
        brian2.Network(circuit).run(0.15 * brian2.second, namespace={})
        trace = circuit.trace()
        largest = np.abs(trace.delta - solution.sample(trace.times).delta).max(axis=0)
        # The median: a single unit may pass a threshold in one form only, by less than the error of a step.
        error[dt] = np.median(largest)
    # A change of level acts up to a step late, and δ then moves by at most 1.7 dt / tau; a few such errors may add up.
    assert error[1e-4] < 3 * 1.7e-2
    # First order would be a factor of 4.
    assert error[0.25e-4] < error[1e-4] / 3


def test_all_forms_shut_off_what_equation_3_does(numpy_target):
    parameters = FeedbackShutdown()
    h, delta = np.array([-2.0, -1.1, -0.9, 0.0, 0.9, 1.1, 2.0]), np.array([0.5, -0.5, 0.5, 1, -1, 3.9, -3.9])
    circuit = FeedbackShutdownCircuit(h, delta, parameters)
    brian2.Network(circuit).run(0.1 * brian2.second, namespace={})
    results = {
        "discrete": discrete.feedback_shutdown(parameters, h, delta).delta_tilde[-1],
        "brian": circuit.trace().delta_tilde[-1],
        "exact": solve_shutdown(parameters, h, delta, 0.1).sample([0.1]).delta_tilde[-1],
    }
    for form, delta_tilde in results.items():
        np.testing.assert_array_equal(delta_tilde, parameters.target(h, delta), err_msg=form)
