"""The discrete map runs the cycles that Appendix 1 writes down."""

import numpy as np
import pytest

from circuits.discrete import UPDATES, feedback_shutdown, output_error
from circuits.errors import CircuitError, OutOfBounds
from circuits.parameters import FeedbackShutdown, OutputError

# Appendix 1's four cases: supervision, input, and the (δ, tc) of one update cycle, as factors of the plateau below.
CYCLES = {
    "own class, not yet correct": (1, 0.5, [("plateau", 0)]),
    "own class, correct": (1, 2.0, [("beyond", 0), ("beyond", 1), ("off", 1), ("off", 0)]),
    "another class, not yet correct": (-1, 0.5, [("plateau", 0)]),
    "another class, correct": (-1, -2.0, [("beyond", 0), ("beyond", -1), ("off", -1), ("off", 0)]),
}


def level(name, s, parameters):
    plateau = 1.0 if s > 0 else -parameters.mu
    return {"plateau": plateau, "beyond": plateau + s * parameters.epsilon, "off": 0.0}[name]


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("t_threshold", ["paper", "midpoint"])
@pytest.mark.parametrize("mu", [0.5, 1.0])
@pytest.mark.parametrize("case", CYCLES)
def test_the_four_cycles_of_appendix_1(case, mu, t_threshold, update):
    parameters = OutputError(mu=mu, t_threshold=t_threshold)
    s, h, cycle = CYCLES[case]
    trace = output_error(parameters, [h], [s], updates=12, update=update)
    expected = [(level(name, s, parameters), tc) for name, tc in cycle] * 12
    np.testing.assert_array_equal(np.stack([trace.delta, trace.tc], axis=-1)[1:, 0], expected[:12])


@pytest.mark.parametrize("mu", [0.5, 1.0])
@pytest.mark.parametrize(("h", "s"), [(1.0, 1), (-1.0, -1)])
def test_an_output_exactly_at_the_margin_is_updated(h, s, mu):
    trace = output_error(OutputError(S=1.0, mu=mu), [h], [s])
    assert (trace.delta[1:] == (1.0 if s > 0 else -mu)).all()


@pytest.mark.parametrize(("h", "s"), [(1.0 + 1e-12, 1), (-1.0 - 1e-12, -1)])
def test_an_output_just_beyond_the_margin_visits_zero(h, s):
    assert (output_error(OutputError(S=1.0), [h], [s]).delta[1:] == 0).any()


def test_at_h_equal_M_the_unit_never_shuts_off_which_is_why_it_is_refused():
    parameters = OutputError(M=4.0, epsilon=0.1)
    with pytest.raises(OutOfBounds, match=r"unit 0: \|h\| = 4.0 is not below M = 4.0"):
        output_error(parameters, [4.0], [1])
    trace = output_error(parameters, [4.0], [1], unchecked=True)
    np.testing.assert_array_equal(np.unique(trace.delta[1:]), [1.0, 1.1])


def test_at_delta_equal_K_the_feedback_passes_as_minus_K_which_is_why_it_is_refused():
    parameters = FeedbackShutdown(K=4.0)
    with pytest.raises(OutOfBounds, match=r"unit 0: \|delta\| = 4.0 is not below K = 4.0"):
        feedback_shutdown(parameters, [2.0], [4.0])
    assert feedback_shutdown(parameters, [2.0], [4.0], unchecked=True).delta_tilde[-1, 0] == -4.0


@pytest.mark.parametrize("update", UPDATES)
def test_shutdown_passes_feedback_of_unsaturated_units_only(update):
    generator = np.random.default_rng(1)
    h = np.concatenate([generator.uniform(-2, 2, 500), [1.0, -1.0, np.nextafter(1, 0), np.nextafter(-1, 0)]])
    delta = generator.uniform(-4, 4, h.size)
    parameters = FeedbackShutdown(K=4.0)
    trace = feedback_shutdown(parameters, h, delta, updates=3, update=update)
    np.testing.assert_array_equal(trace.delta_tilde[-1], parameters.target(h, delta))


def test_every_random_unit_reports_equation_6_at_its_value_nearest_zero():
    generator = np.random.default_rng(2)
    parameters = OutputError(mu=0.25)
    h, s = generator.uniform(-4, 4, 2000), generator.choice([-1, 1], 2000)
    delta = output_error(parameters, h, s).delta[1:]
    nearest = np.take_along_axis(delta, np.abs(delta).argmin(axis=0)[None], axis=0)[0]
    np.testing.assert_array_equal(nearest, parameters.target(h, s))


def test_input_may_vary_from_update_to_update():
    s = np.repeat([[1.0], [-1.0]], [4, 4], axis=0)
    trace = output_error(OutputError(mu=0.5), [0.5], s, updates=8)
    np.testing.assert_array_equal(trace.delta[1:, 0], [1, 1, 1, 1, -0.5, -0.5, -0.5, -0.5])


def test_events_are_the_changes_of_the_control_unit():
    trace = output_error(OutputError(), [0.5, 2.0], [1, 1], updates=6)
    assert trace.events is not None and trace.events.of(0).time.size == 0
    np.testing.assert_array_equal(trace.events.of(1).time, [2, 4, 6])
    np.testing.assert_array_equal(trace.events.of(1).level, [1, 0, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"h": [0.0], "s": [1], "update": "sometimes"}, "update 'sometimes': expected one of synchronous, alternating"),
        ({"h": [0.0, 1.0, 2.0], "s": [1, 1]}, r"s has shape 2; use \(3,\) or \(12, 3\): updates, units"),
        ({"h": [0.0], "s": [1], "updates": 0}, "updates = 0: use 1 or more"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(CircuitError, match=message):
        output_error(OutputError(), **arguments)
