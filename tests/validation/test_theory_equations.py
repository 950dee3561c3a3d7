"""Equations (7) to (19): integrated against closed forms, derivatives against differences, exact solutions."""

import numpy as np
import pytest
from scipy.integrate import quad

from validation.claims import all_pass
from validation.theory.equations import (
    F,
    G,
    H,
    by_first,
    decay_rate,
    decay_rate_from_invariant,
    limit,
    speed_of_first,
    speed_of_second,
    speeds,
)
from validation.theory.hypotheses import draw_any, draw_theorem_1, explicit_bound
from validation.theory.ladder import Systems, climb
from validation.theory.matrices import integrate, transposed
from validation.theory.scalar_claims import exact_time, follow, scalar_claims
from validation.tolerances import THEORY

SMALL = 1e-6  # step of central differences, whose error is of the order of its square


def derivative(function, at):
    return (function(at + SMALL) - function(at - SMALL)) / (2 * SMALL)


@pytest.fixture(scope="module")
def claims():
    return {claim.name: claim for claim in scalar_claims(seed=3, draws=20)}


def test_closed_forms_invariants_and_reductions_hold(claims):
    assert all_pass(claims.values())
    assert len(claims) == 11


def test_the_scalar_equation_for_lambda_2_stays_at_zero(claims):
    assert claims["lambda_2 alone"].measured == "0 by (19), 0.906 by (15)"
    assert claims["lambda_2 alone"].passed is None


def test_equation_15_with_two_layers_is_equation_10():
    lam, lambda_R, epsilon = np.array([0.3, 0.7]), np.array([0.2]), 0.6
    assert speeds(lam, lambda_R, epsilon) == pytest.approx([0.2 + 0.6 * 0.7, 0.3])


def test_equation_15_multiplies_feedback_from_above_and_activity_from_below():
    lam, lambda_R, epsilon = np.array([2.0, 3.0, 5.0, 7.0]), np.array([11.0, 13.0, 17.0]), 0.5
    two, three, four = 11 + 1.5, 13 + 2.5, 17 + 3.5
    assert speeds(lam, lambda_R, epsilon) == pytest.approx([two * three * four, three * four * 2, four * 6, 30])


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_decay_rate_is_that_of_the_error(k):
    rng = np.random.default_rng(k)
    lam, lambda_R, epsilon = rng.uniform(0.1, 1, k), rng.uniform(0.1, 1, k - 1), 0.7
    error = 3.0 - lam.prod()
    moved = [3.0 - (lam + step * error * speeds(lam, lambda_R, epsilon)).prod() for step in (SMALL, -SMALL)]
    slope = (np.log(moved[0]) - np.log(moved[1])) / (2 * SMALL)
    assert decay_rate(lam[:, None], lambda_R[:, None], epsilon)[0] == pytest.approx(-slope, rel=1e-8)


def test_the_invariant_is_needed_for_the_last_form_of_the_decay_rate():
    lambda_R = np.array([[0.3], [0.2]])
    on = by_first(np.array([0.8]), lambda_R, 0.5)
    off = on * np.array([[1.0], [1.1], [1.0]])  # (16) does not hold here
    assert decay_rate_from_invariant(on, 0.5) == pytest.approx(decay_rate(on, lambda_R, 0.5), rel=1e-12)
    assert decay_rate_from_invariant(off, 0.5) != pytest.approx(decay_rate(off, lambda_R, 0.5), rel=1e-2)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_g_and_h_are_inverse_and_f_is_the_feedback(epsilon):
    x = np.geomspace(1e-3, 10, 20)
    assert H(G(x, 0.2, epsilon), 0.2, epsilon) == pytest.approx(x, rel=THEORY["identity"].relative)
    assert F(x, 0.2, epsilon) == pytest.approx(0.2 + epsilon * G(x, 0.2, epsilon), rel=THEORY["identity"].relative)


def test_derivatives_of_appendix_2_with_its_slips_put_right():
    x, two, three, epsilon = 0.9, 0.3, 0.2, 0.6

    def f2(e):
        return F(x, two, e)

    def g2(e):
        return G(x, two, e)

    def f3(e):
        return F(g2(e), three, e)

    def g3(e):
        return G(g2(e), three, e)

    dg2 = -(x**4) / (2 * (f2(epsilon) + two) ** 2 * f2(epsilon))
    squared = g2(epsilon) ** 2 / (2 * f3(epsilon))
    assert derivative(f2, epsilon) == pytest.approx(x**2 / (2 * f2(epsilon)), rel=1e-8)
    assert derivative(g2, epsilon) == pytest.approx(dg2, rel=1e-8)
    # The paper has a minus here, and goes on with the plus.
    assert derivative(f3, epsilon) == pytest.approx(squared + epsilon * g2(epsilon) / f3(epsilon) * dg2, rel=1e-8)
    assert derivative(f3, epsilon) != pytest.approx(squared - epsilon * g2(epsilon) / f3(epsilon) * dg2, rel=1e-2)
    # The paper has an epsilon in the second term.
    first = -(g2(epsilon) ** 4) / (2 * (f3(epsilon) + three) ** 2 * f3(epsilon))
    assert derivative(g3, epsilon) == pytest.approx(first + g2(epsilon) / f3(epsilon) * dg2, rel=1e-8)
    assert derivative(g3, epsilon) != pytest.approx(first + epsilon * g2(epsilon) / f3(epsilon) * dg2, rel=1e-2)


def test_the_explicit_bound_makes_the_speed_of_lambda_2_increase_with_epsilon():
    rng = np.random.default_rng(0)
    systems = draw_any(rng, 4000, 3)
    systems = systems[explicit_bound(systems, 1.0)]
    assert len(systems) > 500
    epsilon = rng.uniform(SMALL, 1 - SMALL, len(systems))
    for share in np.linspace(0.02, 0.999, 30):  # of the way to the limit, where the error is 0
        lambda_2 = share * limit(systems.lambda_T, systems.lambda_R, epsilon)[1]
        low, high = (
            speed_of_second(lambda_2, systems.lambda_T, systems.lambda_R, epsilon + step) for step in (-SMALL, SMALL)
        )
        assert (high > low).all()


def test_a_ladder_is_at_the_same_times_what_scipy_finds_in_plain_time():
    systems = Systems(np.array([0.9]), np.array([[0.1], [0.04]]))
    ladder = climb(systems, np.array([0.0, 0.5, 1.0]), step=4.0)
    for e, epsilon in enumerate(ladder.epsilon[:, 0]):
        plain = follow(0.9, systems.lambda_R[:, 0], epsilon, ladder.t[:, 0])
        assert ladder.lam[:, :, e, 0] == pytest.approx(plain, rel=THEORY["integration"].relative)


def test_exact_time_of_frfb_is_that_of_a_cubic():
    # lambda_1' = lambda_R (lambda_T - lambda_1^3 / (2 lambda_R)), equation (10) with epsilon = 0
    expected = quad(lambda y: 1 / (0.1 * (0.8 - y**3 / 0.2)), 0, 0.5)[0]
    assert exact_time(0.5, 0.8, 0.1, 0.0) == pytest.approx(expected, rel=1e-10)
    assert exact_time(0.5, 0.8, 0.1, 1e-9) == pytest.approx(expected, rel=1e-6)


def test_limits_have_the_product_lambda_T_and_no_speed():
    systems = draw_theorem_1(np.random.default_rng(1), 50)
    lam = limit(systems.lambda_T, systems.lambda_R, 0.4)
    assert lam.prod(axis=0) == pytest.approx(systems.lambda_T, rel=1e-10)
    assert np.abs(speed_of_first(lam[0], systems.lambda_T, systems.lambda_R, 0.4)).max() < 1e-10


def test_matrices_with_equal_feedback_and_weights_are_back_propagation():
    rng = np.random.default_rng(2)
    W = [rng.normal(0, 0.3, (4, 3)), rng.normal(0, 0.3, (4, 4)), rng.normal(0, 0.3, (2, 4))]
    T, times = rng.normal(0, 0.5, (2, 3)), np.linspace(0, 5, 6)
    R = [transposed(each) for each in W[1:]]
    urfb = integrate(T, R, 1.0, times, rtol=1e-10, W0=W, feedback="explicit")
    bp = integrate(T, R, 1.0, times, rtol=1e-10, W0=W, feedback="bp")
    frfb = integrate(T, R, 0.0, times, rtol=1e-10, W0=W)
    assert urfb.error == pytest.approx(bp.error, rel=1e-7)
    assert frfb.error[-1] != pytest.approx(bp.error[-1], rel=1e-2)
