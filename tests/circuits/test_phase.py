"""Phase diagrams: their boundaries lie where the closed forms say, and every failure has its mechanism."""

import numpy as np
import pytest

from circuits.errors import CircuitError, OutOfBounds
from circuits.exact_noise import Noise
from circuits.parameters import OutputError
from circuits.phase import (
    AXES,
    INCOMPLETE,
    MEAN,
    OUTSIDE,
    PLATEAU_LOST,
    RIGHT,
    SLIDES,
    phase_diagram,
)


@pytest.mark.parametrize("s", [1, -1])
def test_silence_needs_a_delay_that_lets_the_plateau_decay_into_the_tolerance(s):
    """θ e^{-D/τ} <= tolerance; what is not yet correct is right for any delay."""
    h, ratio = np.linspace(-3.9, 3.9, 40), np.concatenate([[0.0], np.linspace(0.1, 6, 60)])
    diagram = phase_diagram("h", h, "delay", ratio, OutputError(mu=0.5), s=s, tolerance=0.05)
    silent = s * h > 1
    plateau = 1.0 if s > 0 else 0.5
    deep = plateau * np.exp(-ratio) <= 0.05
    expected = np.where(silent[None, :], np.where(deep, RIGHT, INCOMPLETE)[:, None], RIGHT)
    expected[0, silent] = SLIDES
    np.testing.assert_array_equal(diagram.mechanism, expected)
    np.testing.assert_allclose(np.abs(diagram.readout[1:, silent]), plateau * np.exp(-ratio[1:, None] + 0 * h[silent]))


def test_inputs_that_reach_M_fail_and_are_labelled():
    diagram = phase_diagram("h", [-5.0, -3.5, 3.5, 4.0, 5.0], "M", [4.0, 6.0], OutputError(delay=60e-3))
    np.testing.assert_array_equal(diagram.mechanism, [[OUTSIDE, RIGHT, RIGHT, OUTSIDE, OUTSIDE], [RIGHT] * 5])


def test_noise_takes_the_plateau_of_the_papers_thresholds_and_not_of_the_midpoints():
    sds, epsilon = [0.0, 0.005, 0.01], [0.1, 0.2, 0.4]
    labels = {}
    for t_threshold in ("paper", "midpoint"):
        parameters = OutputError(t_threshold=t_threshold)
        diagram = phase_diagram("epsilon", epsilon, "noise", sds, parameters, h=0.5, noise=Noise(0.0, seed=2))
        labels[t_threshold] = diagram.mechanism
    np.testing.assert_array_equal(labels["paper"], [[RIGHT] * 3, [PLATEAU_LOST] * 3, [PLATEAU_LOST] * 3])
    # epsilon/2 is 5 sd or more, passed by 3e-7 of the draws: of 16 units with some 1600 each, 0.008 expected at worst.
    np.testing.assert_array_equal(labels["midpoint"], np.full((3, 3), RIGHT))


def test_the_time_mean_fails_wherever_the_unit_should_be_silent():
    diagram = phase_diagram("h", [0.5, 2.0], "S", [0.3, 1.0, 3.0], OutputError(delay=60e-3), readout="mean")
    np.testing.assert_array_equal(diagram.mechanism, [[MEAN, MEAN], [RIGHT, MEAN], [RIGHT, RIGHT]])
    assert diagram.readout[0, 0] > 0.5 and (diagram.share == diagram.right).all()


def test_the_level_of_a_wrong_class_is_read_as_given():
    diagram = phase_diagram("mu", [0.1, 0.5, 1.0], "h", [0.5, -2.0], OutputError(delay=60e-3), s=-1)
    np.testing.assert_allclose(diagram.readout[0], [-0.1, -0.5, -1.0], rtol=1e-8)  # e^{-20} from the plateau
    np.testing.assert_array_equal(diagram.target, [[-0.1, -0.5, -1.0], [0, 0, 0]])
    assert diagram.right.all()


@pytest.mark.parametrize("first", AXES)
def test_any_two_axes_make_a_diagram(first):
    values = {"h": [0.5, 2], "delay": [1, 6], "epsilon": [0.1, 0.3], "M": [4, 6], "noise": [0, 0.01]}
    values |= {"mu": [0.3, 1], "S": [0.5, 1]}
    for second in AXES:
        if second != first:
            diagram = phase_diagram(first, values[first], second, values[second], repeats=2, cycles=3)
            assert diagram.mechanism.shape == (2, 2)
            assert np.isfinite(diagram.readout).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("h", [1], "tau", [1]), "axis 'tau': expected one of h, delay, epsilon, M, noise, mu, S"),
        (("h", [1], "h", [1]), "axis 'h' is given twice"),
    ],
)
def test_bad_axes_are_named(arguments, message):
    with pytest.raises(CircuitError, match=message):
        phase_diagram(*arguments)


def test_values_that_no_circuit_has_are_refused():
    with pytest.raises(OutOfBounds, match="mu = 2 is above 1"):
        phase_diagram("mu", [2.0], "h", [0.5])
    with pytest.raises(CircuitError, match="readout 'median': expected one of nearest_zero, mean"):
        phase_diagram("mu", [1.0], "h", [0.5], readout="median")


def test_a_delay_that_is_too_short_is_to_blame_whatever_the_noise():
    # At D/τ = 1 the silence ends at e^-1 without any noise; at D/τ = 6 only noise can disturb it.
    found = phase_diagram("delay", [1.0], "noise", [0.0, 1e-4], h=2.0)
    assert (found.mechanism == INCOMPLETE).all()
