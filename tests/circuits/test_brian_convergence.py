"""Brian2 converges to the exact solution as dt falls: both circuits, with delay, many time constants at once."""

import brian2
import numpy as np
import pytest
from brian2 import ms

from circuits.brian import FeedbackShutdownCircuit, OutputErrorCircuit
from circuits.exact import solve
from circuits.exact_shutdown import solve_shutdown
from circuits.parameters import FeedbackShutdown, OutputError

pytestmark = pytest.mark.usefixtures("numpy_target")

STEPS = np.array([0.4, 0.2, 0.1, 0.05])  # ms; each divides the delays and the duration
DELAY = 16.0  # ms


def slope(errors):
    """The order of convergence: of the error as a power of dt, by least squares in logarithms."""
    return np.polyfit(np.log(STEPS), np.log(errors), 1)[0]


def output_error_off_by(dt):
    """Mean |δ - exact δ| over 80 ms and 128 units, with τ from 8 to 12 ms so that no dt suits all crossings."""
    tau = np.linspace(8, 12, 128)
    h, s = np.tile([2.0, -3.0, 0.5, -0.5], 32), np.tile([1, -1, 1, -1], 32)
    circuit = OutputErrorCircuit(h, s, tau=tau * ms, delay=DELAY * ms, dt=dt * ms)
    brian2.Network(circuit).run(80 * ms, namespace={})
    trace = circuit.trace()
    parameters = OutputError(delay=DELAY * 1e-3)
    # Sampled between the steps' ends the two would differ by the steps' own width; Brian2's times are whole steps.
    exact = solve(parameters, h, s, 80e-3, tau=tau * 1e-3).sample(trace.times)
    return np.abs(trace.delta - exact.delta).mean()


def shutdown_off_by(dt):
    """Mean |δ̃ - exact δ̃| over 80 ms and 256 units: how long each is shut off too late."""
    h = np.random.default_rng(0).uniform(-4, 4, 256)
    circuit = FeedbackShutdownCircuit(h, 1.0, delay=DELAY * ms, dt=dt * ms)
    brian2.Network(circuit).run(80 * ms, namespace={})
    trace = circuit.trace()
    # Midway between steps, where no exact change of level coincides with a sample; Brian2 holds δ̃ over each step.
    exact = solve_shutdown(FeedbackShutdown(delay=DELAY * 1e-3), h, 1.0, 80e-3)
    fine = (np.arange(16000) + 0.5) * 5e-6
    held = trace.delta_tilde[(fine / (dt * 1e-3)).astype(int)]
    return np.abs(held - exact.sample(fine).delta_tilde).mean()


@pytest.mark.parametrize("off_by", [output_error_off_by, shutdown_off_by])
def test_error_falls_at_least_as_dt(off_by):
    errors = np.array([off_by(dt) for dt in STEPS])
    # First order: a crossing is seen up to one dt late. 0.05 is left for the scatter of when, within a step, each
    # crossing happens, and for the second order term, which at the largest dt still counts.
    assert slope(errors) > 1 - 0.05
    assert (np.diff(errors) < 0).all()
    assert errors[-1] < 5e-3
