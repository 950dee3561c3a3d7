"""Properties of the exact solution for any parameters that a circuit may have."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.cycles import analyse, limit_cycle
from circuits.exact import solve
from circuits.parameters import OutputError


@st.composite
def circuits(draw):
    """Parameters, and the sign and size of an input; S < M, so that an output can be correct."""
    M = draw(st.floats(0.5, 50))
    parameters = OutputError(
        M=M,
        S=M * draw(st.floats(0, 0.9)),
        mu=draw(st.floats(0.01, 1)),
        epsilon=draw(st.floats(0.01, 2)),
        tau=draw(st.floats(1e-3, 0.1)),
        delay=draw(st.sampled_from([0.0, 1.0])) * draw(st.floats(1e-3, 0.3)),
        t_threshold=draw(st.sampled_from(["paper", "midpoint"])),
    )
    return parameters, draw(st.sampled_from([-1, 1])), M * draw(st.floats(-0.999, 0.999))


@settings(max_examples=150, deadline=None)
@given(circuits())
def test_every_unit_settles_at_equation_6_or_has_the_limit_cycle_or_slides(given_circuit):
    parameters, s, h = given_circuit
    closed = limit_cycle(parameters, s)
    duration = float(closed.first_crossing + 8 * closed.period + 30 * parameters.tau)
    begin = float(closed.first_crossing)
    cycles = analyse(solve(parameters, [h], [s], duration, since=min(begin, 0.9 * duration)))
    target = parameters.target(h, s)
    # A margin within a rounding of h + 2 M is a tie, which either side may win.
    if abs(s * h - parameters.S) < np.spacing(4 * parameters.M):
        return
    if target != 0:
        assert cycles.state[0] == "settled"
        # e^{-30} of the plateau at most, at the end.
        np.testing.assert_allclose(cycles.nearest_zero[0], target, rtol=1e-12)
    elif parameters.delay == 0:
        assert cycles.state[0] == "sliding"
        assert cycles.last[0] == (parameters.t_upper if s > 0 else parameters.t_lower)
    else:
        assert cycles.state[0] == "oscillating"
        # Times lie up to 1e3 tau from 0, crossings are found from differences of δ as small as epsilon/2 = 0.005.
        np.testing.assert_allclose(cycles.period[0], closed.period, rtol=1e-9)
        np.testing.assert_allclose(cycles.mean[0], closed.mean, rtol=1e-9)
        np.testing.assert_allclose(cycles.nearest_zero[0], closed.nearest_zero, rtol=1e-9, atol=1e-15)


@settings(max_examples=50, deadline=None)
@given(circuits(), st.integers(0, 2**31))
def test_delta_never_leaves_the_range_of_its_levels(given_circuit, seed):
    """Whatever h and s do: δ relaxes toward levels of σ_δ, so it stays between the extreme ones."""
    parameters, _, _ = given_circuit
    generator = np.random.default_rng(seed)
    h = generator.uniform(-parameters.M, parameters.M, (6, 8)) * 0.999
    s = generator.choice([-1.0, 1.0], (6, 8))
    length = 2 * parameters.tau + 3 * parameters.delay
    solution = solve(parameters, h, s, 6 * length, switches=np.arange(1, 6) * length, since=0.0)
    # Rounding of 1 + epsilon.
    assert solution.delta.max() <= 1 + parameters.epsilon + 1e-15
    assert solution.delta.min() >= -parameters.mu - parameters.epsilon - 1e-15
    assert (np.diff(solution.time)[np.diff(np.repeat(np.arange(8), np.diff(solution.offsets))) == 0] >= 0).all()
