"""The exact solution satisfies the circuit's equations, and does what Appendix 1 says where it can."""

import numpy as np
import pytest

from circuits import transfer
from circuits.cycles import STATES
from circuits.errors import CircuitError, OutOfBounds
from circuits.exact import measure, solve
from circuits.exact_noise import Noise
from circuits.parameters import OutputError
from circuits.waveform import CROSSING, SLIDING

SETTLED, OSCILLATING, SLIDES = range(3)
TAU = 10e-3
# Times are sums of some hundred logarithms of size 1, in units of tau: each rounds to about 1e-16.
TIME = 1e-12


def assert_satisfies_the_equations(solution, noise=None):
    """δ' and tc recomputed from their definitions at random times, unit by unit."""
    p, generator = solution.parameters, np.random.default_rng(5)
    times = np.sort(generator.uniform(0, solution.measures.duration, 400))
    trace = solution.sample(times)
    H = transfer.drive(trace.h, trace.s, trace.tc, p.M)
    level = transfer.sigma_delta(H, p.M, p.S, p.mu, p.epsilon)
    step = 1e-6 * TAU
    after = solution.sample(np.minimum(times + step, solution.measures.duration))
    for unit in range(trace.units):
        own = solution.events.of(unit).time
        # A difference quotient means something where no event falls into its step.
        quiet = np.searchsorted(own, times) == np.searchsorted(own, times + 2 * step)
        tau, delay = solution.tau[unit], solution.delay[unit]
        slope = (after.delta[:, unit] - trace.delta[:, unit]) / step
        # First order in step/tau = 1e-6, times a curvature of about 2, and the rounding of δ over the step, 1e-10.
        error = np.abs(tau * slope + trace.delta[:, unit] - level[:, unit])[quiet & (times < times[-1])]
        assert error.max() < 1e-5
        earlier = solution.sample(np.maximum(times - delay, 0)).delta[:, unit]
        if noise is not None:
            earlier = earlier + noise_at(noise, solution, times - delay, unit)
        control = transfer.sigma_t(earlier, p.t_upper, p.t_lower) * (times >= delay)
        # At a threshold itself rounding decides; elsewhere there is no tolerance.
        clear = np.minimum(np.abs(earlier - p.t_upper), np.abs(earlier - p.t_lower)) > 1e-9
        np.testing.assert_array_equal(trace.tc[clear, unit], control[clear])


def noise_at(noise, solution, times, unit):
    rows = np.floor(np.maximum(times, 0) / noise.interval).astype(int)
    return noise.samples(solution.tau.size, solution.measures.duration)[rows, unit]


@pytest.mark.parametrize("t_threshold", ["paper", "midpoint"])
@pytest.mark.parametrize("mu", [1.0, 0.3])
def test_it_satisfies_the_equations_for_units_with_delays_and_time_constants_of_their_own(mu, t_threshold):
    generator = np.random.default_rng(3)
    units = 40
    h, s = generator.uniform(-4, 4, units), generator.choice([-1.0, 1.0], units)
    tau, delay = TAU * generator.uniform(0.5, 2, units), TAU * generator.uniform(0.05, 8, units)
    parameters = OutputError(mu=mu, t_threshold=t_threshold)
    assert_satisfies_the_equations(solve(parameters, h, s, 0.6, tau=tau, delay=delay))


def test_it_satisfies_the_equations_when_input_and_supervision_change():
    generator = np.random.default_rng(4)
    h, s = generator.uniform(-4, 4, (5, 20)), generator.choice([-1.0, 1.0], (5, 20))
    switches = np.array([0.08, 0.1, 0.25, 0.251])
    assert_satisfies_the_equations(solve(OutputError(), h, s, 0.5, switches=switches))


def test_it_satisfies_the_equations_with_noise():
    noise = Noise(0.05, interval=0.7e-3, seed=11)
    solution = solve(OutputError(delay=20e-3), [0.5, 2, -0.5, -2] * 3, [1, 1, -1, -1] * 3, 0.3, noise=noise)
    assert_satisfies_the_equations(solution, noise)


@pytest.mark.parametrize("t_threshold", ["paper", "midpoint"])
@pytest.mark.parametrize("mu", [1.0, 0.5])
def test_the_four_cases_of_appendix_1(mu, t_threshold):
    parameters = OutputError(mu=mu, t_threshold=t_threshold, delay=60e-3)
    found = solve(parameters, [0.5, 2.0, 0.5, -2.0], [1, 1, -1, -1], 2.0).measures
    assert [STATES[state] for state in found.state] == ["settled", "oscillating", "settled", "oscillating"]
    # Settled units are e^{-200} from their plateau.
    np.testing.assert_allclose(found.last[[0, 2]], [1, -mu], rtol=1e-15)
    top, bottom = 1 + parameters.epsilon, -mu - parameters.epsilon
    lowest = np.exp(-6)  # D/tau = 6: that far the circuit stays from the levels of the paper's cycle
    assert 0 < found.low[1] < top * lowest and 0 > found.high[3] > bottom * lowest
    assert top * (1 - lowest) < found.high[1] < top and bottom < found.low[3] < bottom * (1 - lowest)


@pytest.mark.parametrize(("h", "s"), [(1.0, 1), (-1.0, -1)])
@pytest.mark.parametrize("mu", [1.0, 0.5])
@pytest.mark.parametrize("delay", [0.0, 30e-3])
def test_an_output_exactly_at_the_margin_keeps_its_plateau(h, s, mu, delay):
    parameters = OutputError(mu=mu, delay=delay)
    found = measure(parameters, [h, np.nextafter(h, 0), h * (1 + 1e-12)], [s] * 3, 1.0)
    assert found.last[0] == found.last[1] == parameters.target(h, s)
    assert found.state[0] == found.state[1] == SETTLED
    assert found.state[2] == (SLIDES if delay == 0 else OSCILLATING)


@pytest.mark.parametrize("ratio", [1.0, 3.0, 6.0])
def test_with_loop_delay_the_lowest_point_is_exp_of_minus_delay_over_tau(ratio):
    found = measure(OutputError(tau=TAU, delay=ratio * TAU), [2.0], [1], 60 * ratio * TAU)
    assert abs(found.low[0] - np.exp(-ratio)) < 1e-9


@pytest.mark.parametrize("t_threshold", ["paper", "midpoint"])
@pytest.mark.parametrize(("h", "s"), [(2.0, 1), (-2.0, -1)])
def test_without_delay_a_correct_output_slides_along_its_plateau_and_never_shuts_off(h, s, t_threshold):
    parameters = OutputError(mu=0.5, delay=0.0, t_threshold=t_threshold)
    solution = solve(parameters, [h], [s], 5.0)
    threshold = parameters.t_upper if s > 0 else parameters.t_lower
    beyond = 1 + parameters.epsilon if s > 0 else -parameters.mu - parameters.epsilon
    assert solution.measures.state[0] == SLIDES
    trace = solution.sample(np.linspace(0.05, 5, 100))
    assert (trace.delta == threshold).all()
    # Filippov: the mixture of the targets `beyond` (tc = 0) and 0 (tc = s) that equals the threshold.
    np.testing.assert_allclose(trace.tc, s * (1 - threshold / beyond), rtol=1e-14)
    assert solution.events.kind.tolist() == [SLIDING]
    np.testing.assert_allclose(solution.events.time, TAU * np.log(beyond / (beyond - threshold)), rtol=TIME)


def test_sliding_is_the_limit_of_a_vanishing_delay():
    """Both the swing and the distance of the mean from the plateau fall with D; mean tc tends to Filippov's."""
    swings = []
    for ratio in (0.1, 0.01, 0.001):
        solution = solve(
            OutputError(tau=TAU, delay=ratio * TAU), [2.0], [1], 2 * TAU + 100 * ratio * TAU, since=2 * TAU
        )
        found = solution.measures
        swings.append(found.high[0] - found.low[0])
        assert found.state[0] == OSCILLATING
        assert abs(found.mean[0] - 1) < ratio
    np.testing.assert_allclose(swings, 1.2 * -np.expm1([-0.1, -0.01, -0.001]), rtol=1e-9)


def test_a_sliding_unit_leaves_its_plateau_when_the_supervision_turns():
    s = np.array([[1.0], [-1.0], [1.0]])
    solution = solve(OutputError(delay=0.0), [2.0], s, 0.3, switches=[0.1, 0.2])
    trace = solution.sample([0.09, 0.19, 0.29])
    np.testing.assert_allclose(trace.delta[:, 0], [1, -0.5, 1], atol=2e-4)  # e^{-9} from the plateau of -mu
    assert trace.tc[1, 0] == 0 and trace.tc[0, 0] == trace.tc[2, 0] > 0


@pytest.mark.parametrize("h", [4.0, -4.0, 17.0])
def test_inputs_that_reach_M_are_refused(h):
    with pytest.raises(OutOfBounds, match=r"unit 1: \|h\| = .* is not below M = 4.0"):
        solve(OutputError(M=4.0), [0.0, h], [1, 1], 0.1)


def test_unchecked_shows_that_at_M_the_unit_never_shuts_off():
    found = measure(OutputError(M=4.0, delay=60e-3), [4.0], [1], 2.0, unchecked=True)
    assert found.low[0] >= 1


def test_measures_do_not_depend_on_recording_or_on_the_number_of_threads():
    generator = np.random.default_rng(8)
    h, s = generator.uniform(-4, 4, 9000), generator.choice([-1, 1], 9000)
    noise = Noise(0.01, seed=3)
    one = measure(OutputError(), h, s, 0.1, noise=noise, threads=1)
    two = measure(OutputError(), h, s, 0.1, noise=noise, threads=2)
    kept = solve(OutputError(), h, s, 0.1, noise=noise, threads=1).measures
    for name in ("state", "low", "high", "last", "period", "mean", "events"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        np.testing.assert_array_equal(getattr(one, name), getattr(kept, name))


def test_noise_belongs_to_seed_and_unit():
    noise = Noise(1.0, interval=1e-3, seed=7)
    samples = noise.samples(2000, 0.049)
    assert samples.shape == (50, 2000)
    np.testing.assert_array_equal(noise.samples(10, 0.019), samples[:20, :10])
    assert not np.array_equal(Noise(1.0, seed=8).samples(10, 0.019), samples[:20, :10])
    # 100,000 normal values: the standard errors of mean, variance and neighbours' correlation are below 0.0045.
    assert abs(samples.mean()) < 0.015 and abs(samples.var() - 1) < 0.02
    assert abs((samples[1:] * samples[:-1]).mean()) < 0.015 and abs((samples[:, 1:] * samples[:, :-1]).mean()) < 0.015


def test_sampling_at_an_event_shows_the_state_after_it():
    solution = solve(OutputError(), [2.0], [1], 0.2)
    events = solution.events
    crossing = events.time[events.kind == CROSSING][0]
    assert solution.sample([crossing]).delta[0, 0] == 1.0
    arrival = solution.sample([np.nextafter(crossing + 30e-3, 0), crossing + 30e-3])
    np.testing.assert_array_equal(arrival.tc[:, 0], [0, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"duration": 0.0}, "duration = 0 s is not a positive number"),
        ({"delay": [0.01, 1e-13]}, "unit 1: delay = 1e-13 s is below 1e-10 s; use 0 for no delay"),
        ({"delay": [-0.01, 0.01]}, "unit 0: delay = -0.01 s is negative"),
        ({"tau": [0.01, 0.0]}, "unit 1: tau = 0 s is not a positive number"),
        ({"tau": [0.01, 0.02, 0.03]}, r"tau has shape 3; use one number, or \(2,\): units"),
        ({"since": 0.2}, "since = 0.2 s is not within the duration of 0.1 s"),
        ({"switches": [0.05]}, None),
        ({"switches": [0.15]}, "switches: use ascending times between 0 and the duration, 0.1 s"),
        ({"h": [[0.0, 0.0]] * 3}, r"h has shape 3 x 2; use \(2,\) or \(1, 2\): segments, units"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    given = {"h": [0.0, 2.0], "s": [1, 1], "duration": 0.1} | arguments
    if message is None:
        solve(OutputError(), **given)
        return
    with pytest.raises(CircuitError, match=message):
        solve(OutputError(), **given)


def test_too_much_noise_in_flight_is_an_error_not_a_wrong_answer():
    with pytest.raises(CircuitError, match="unit 0: more than 256 changes of tc are under way at once"):
        measure(OutputError(delay=1.0), [0.5], [1], 4.0, noise=Noise(0.1, interval=1e-4))
