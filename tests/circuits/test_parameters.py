"""Bounds are strict, and an error names the unit, the value and the bound."""

import numpy as np
import pytest

from circuits.errors import CircuitError, OutOfBounds
from circuits.parameters import FeedbackShutdown, OutputError


@pytest.mark.parametrize("h", [4.0, -4.0, 5.0, np.nextafter(4.0, 5)])
def test_an_input_not_below_M_is_refused(h):
    with pytest.raises(OutOfBounds, match=r"unit 2: \|h\| = .* is not below M = 4.0; raise M") as caught:
        OutputError(M=4.0).check([0.0, 3.9, h])
    assert (caught.value.unit, caught.value.value, caught.value.bound) == (2, h, 4.0)
    assert "\n" not in str(caught.value)


def test_inputs_just_below_M_pass():
    OutputError(M=4.0).check([np.nextafter(4.0, 0), -np.nextafter(4.0, 0)], s=[1, -1])


@pytest.mark.parametrize("delta", [4.0, -4.0, 7.5])
def test_feedback_not_below_K_is_refused(delta):
    with pytest.raises(OutOfBounds, match=r"unit 1: \|delta\| = .* is not below K = 4.0; raise K") as caught:
        FeedbackShutdown(K=4.0).check([0.0, delta])
    assert (caught.value.unit, caught.value.value, caught.value.bound) == (1, delta, 4.0)


def test_feedback_just_below_K_passes():
    FeedbackShutdown(K=4.0).check([np.nextafter(4.0, 0), -np.nextafter(4.0, 0)])


def test_unchecked_lets_a_bound_be_violated_but_not_a_value_that_is_no_number():
    OutputError(M=4.0).check([5.0], unchecked=True)
    FeedbackShutdown(K=4.0).check([5.0], unchecked=True)
    with pytest.raises(OutOfBounds, match="unit 0: h = nan is not a finite number"):
        OutputError().check([np.nan], unchecked=True)


def test_time_varying_input_names_the_unit_not_the_time():
    h = np.zeros((7, 3))
    h[5, 1] = 9.0
    with pytest.raises(OutOfBounds, match="unit 1: "):
        OutputError().check(h)


def test_supervision_is_plus_or_minus_one():
    with pytest.raises(CircuitError, match="unit 1: s = 0 is not a supervision"):
        OutputError().check([0.0, 0.0], s=[1, 0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mu": 1.5}, "mu = 1.5 is above 1"),
        ({"mu": 0.0}, "mu = 0 is not a positive number"),
        ({"epsilon": 0.0}, "epsilon = 0 is not a positive number"),
        ({"tau": -1.0}, "tau = -1 is not a positive number"),
        ({"delay": -1e-3}, "delay = -0.001 is negative"),
        ({"M": float("nan")}, "M = nan is not a positive number"),
        ({"t_threshold": "middle"}, "t_threshold 'middle': expected one of paper, midpoint"),
    ],
)
def test_parameters_are_checked_when_made(wrong, message):
    with pytest.raises(CircuitError, match=message):
        OutputError(**wrong)


def test_thresholds_of_the_control_unit():
    assert OutputError(mu=0.5, epsilon=0.2).thresholds == (1.0, -0.5)
    assert OutputError(mu=0.5, epsilon=0.2, t_threshold="midpoint").thresholds == (1.1, -0.6)


def test_target_is_equation_6_and_updates_at_the_margin():
    target = OutputError(S=1.0, mu=0.25).target([2, 1, 0.5, -3, -2, -1, 0.5, 3], [1, 1, 1, 1, -1, -1, -1, -1])
    np.testing.assert_array_equal(target, [0, 1, 1, 1, 0, -0.25, -0.25, -0.25])


def test_target_is_equation_3_and_shuts_off_at_one():
    target = FeedbackShutdown().target([-2, -1, 0.5, 1, 2], [0.3, 0.3, 0.3, 0.3, 0.3])
    np.testing.assert_array_equal(target, [0, 0, 0.3, 0, 0])
