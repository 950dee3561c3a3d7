"""Delayed coupling against solutions of delayed differential equations, and life in a user's network."""

import brian2
import numpy as np
import pytest
from brian2 import Hz, amp, ms, second
from scipy.optimize import root

from circuits.brian import DelayedCoupling
from circuits.brian_coupling import FORMS
from circuits.errors import CircuitError

pytestmark = pytest.mark.usefixtures("numpy_target")

STEPS = np.array([0.8, 0.4, 0.2, 0.1])  # ms


def ramp(units=2, dt=0.1 * ms, **more):
    """A group whose unit j is at (j + 1) t, with t in ms, and that can be driven."""
    equations = "r = (i + 1)*t/ms : 1\ny : 1\nI : 1"
    return brian2.NeuronGroup(units, equations, namespace={}, dt=dt, **more)


def received(source, target, duration=5 * ms, into="I", **coupling):
    """What arrives at `target` at the beginning of each step: (steps, targets)."""
    made = DelayedCoupling(source, "r", target, into, **coupling)
    seen = brian2.StateMonitor(target, into, record=True, when="after_groups", clock=target.clock)
    brian2.Network({source, target}, made, seen).run(duration, namespace={})
    return np.asarray(getattr(seen, into)).T


def harmonic_off_by(dt):
    """y' = -a y(t - D) with a D = π/2 is solved by cos(a t), where it was that before: largest error, two cycles."""
    delay = 16 * ms
    a = np.pi / 2 / delay
    group = brian2.NeuronGroup(1, "dy/dt = I : 1\nI : Hz", method="euler", dt=dt * ms)
    group.y = 1
    coupling = DelayedCoupling(group, "y", group, "I", delay=delay, weights=-a, before=lambda t: np.cos(a * t))
    monitor = brian2.StateMonitor(group, "y", record=True, dt=dt * ms)
    brian2.Network(group, coupling, monitor).run(8 * delay, namespace={})
    return np.abs(monitor.y[0] - np.cos(a * monitor.t)).max()


WEIGHTS = np.array([[0.5, -1.5], [2.0, 0.0]])
DELAYS = np.array([[4.0, 16.0], [8.8, 0.8]])  # ms; that of a weight of 0 is nothing's


def two_units_off_by(dt):
    """τ x' = -x + Σ w_ij x_j(t - D_ij) is solved by Re(v e^{λt}), λ a root of its characteristic equation: relative."""
    tau = 10.0

    def equation(parts):
        value, v = parts[0] + 1j * parts[1], parts[2] + 1j * parts[3]
        held = (WEIGHTS * np.exp(-value * DELAYS)) @ [1, v] - (1 + tau * value) * np.array([1, v])
        return [held[0].real, held[0].imag, held[1].real, held[1].imag]

    found = root(equation, [-0.01, 0.1, 0.5, -0.5], tol=1e-12)
    assert found.success and abs(found.x[1]) > 0.05  # oscillating
    rate, vector = found.x[0] + 1j * found.x[1], np.array([1, found.x[2] + 1j * found.x[3]])

    def solution(t):
        return np.real(vector * np.exp(rate * np.asarray(t / ms)))

    group = brian2.NeuronGroup(2, "dx/dt = (I - x)/(10*ms) : 1\nI : 1", method="exponential_euler", dt=dt * ms)
    group.x = solution(0 * ms)
    coupling = DelayedCoupling(group, "x", group, "I", delay=DELAYS * ms, weights=WEIGHTS, before=solution)
    assert len(coupling["to_target"]) == 3
    monitor = brian2.StateMonitor(group, "x", record=True, dt=dt * ms)
    brian2.Network(group, coupling, monitor).run(80 * ms, namespace={})
    exact = solution(monitor.t[:, np.newaxis])
    return np.abs(monitor.x.T - exact).max() / np.abs(exact).max()


@pytest.mark.parametrize("off_by", [harmonic_off_by, two_units_off_by])
def test_error_falls_as_dt(off_by):
    errors = np.array([off_by(dt) for dt in STEPS])
    slope = np.polyfit(np.log(STEPS), np.log(errors), 1)[0]
    # The sum is held over a step: first order. What is left is the term of second order at the largest dt.
    assert 0.95 < slope < 1.1
    assert errors[-1] < 0.03


@pytest.mark.parametrize("form", FORMS)
def test_what_arrives_is_what_was_sent_one_delay_before(form):
    """To the last bit: a line that stood still before, two delays into one unit, and one of 0."""
    weights, delays = np.array([[1.0, 0.0], [0.25, -2.0], [0.0, 3.0]]), np.array([[2.0, 9], [0.7, 1.3], [9, 0.0]])
    source, target = ramp(), brian2.NeuronGroup(3, "I : 1", dt=0.1 * ms)
    found = received(source, target, delay=delays * ms, weights=weights, form=form, before=[-1, 4])
    at = np.arange(50)
    sent = np.array([1, 2]) * (at * 0.1)[:, np.newaxis]

    def then(unit, delay):
        past = at - round(delay / 0.1)
        return np.where(past < 0, [-1, 4][unit], sent[past, unit])

    expected = [then(0, 2.0), 0.25 * then(0, 0.7) - 2 * then(1, 1.3), 3 * then(1, 0)]
    np.testing.assert_allclose(found.T, expected, rtol=1e-13)


def test_both_forms_are_equal_to_the_last_bit():
    def run(form):
        group = brian2.NeuronGroup(3, "dx/dt = (I + 1 - x)/(5*ms) : 1\nI : 1", method="exponential_euler")
        rng = np.random.default_rng(0)
        coupling = DelayedCoupling(
            group, "x", group, "I", weights=rng.normal(size=(3, 3)), delay=rng.integers(1, 60, (3, 3)) * 0.1 * ms,
            before=rng.normal(size=3), form=form,
        )  # fmt: skip
        network = brian2.Network(group, coupling)
        network.run(15 * ms, namespace={})
        network.run(15 * ms, namespace={})
        return np.array(group.x)

    np.testing.assert_array_equal(run("buffer"), run("register"))


def test_store_and_restore_keep_what_is_on_its_way():
    for form in FORMS:
        source, target = ramp(2), ramp(2)
        coupling = DelayedCoupling(source, "r", target, "I", delay=3 * ms, form=form)
        network = brian2.Network(source, target, coupling)
        network.run(2 * ms, namespace={})
        network.store()
        network.run(3 * ms, namespace={})
        before = np.array(target.I)
        network.restore()
        network.run(3 * ms, namespace={})
        np.testing.assert_array_equal(target.I, before)
        np.testing.assert_allclose(before, [1.9, 3.8])  # r at 4.9 ms, 3 ms before


def test_units_of_the_user_and_weights_that_change():
    source = brian2.NeuronGroup(2, "rate = (i + 1)*10*Hz : Hz")
    target = brian2.NeuronGroup(2, "I : amp")
    coupling = DelayedCoupling(source, "rate", target, "I", delay=1 * ms, weights=2 * amp / Hz, before=5 * Hz)
    network = brian2.Network(source, target, coupling)
    network.run(0.1 * ms, namespace={})
    np.testing.assert_allclose(target.I / amp, [10, 10])
    network.run(2 * ms, namespace={})
    np.testing.assert_allclose(target.I / amp, [20, 40])
    coupling["to_target"].w = 3 * amp / Hz
    network.run(0.1 * ms, namespace={})
    np.testing.assert_allclose(target.I / amp, [30, 60])


def test_pairs_subgroups_and_a_target_with_a_clock_of_its_own():
    source, target = ramp(4), ramp(3, dt=0.5 * ms)
    part = source[1:3]
    coupling = DelayedCoupling(
        part, "r", target, "I", pairs=([0, 1, 1], [2, 2, 0]), delay=[1, 1, 2] * ms, weights=[1, 1, 5]
    )
    monitor = brian2.StateMonitor(target, "I", record=True, when="after_groups", dt=0.5 * ms)
    brian2.Network(source, target, coupling, monitor).run(4 * ms, namespace={})
    t = np.asarray(monitor.t / ms)
    np.testing.assert_allclose(monitor.I[2], 5 * np.maximum(t - 1, 0), atol=1e-12)
    np.testing.assert_allclose(monitor.I[0], 15 * np.maximum(t - 2, 0), atol=1e-12)
    assert not monitor.I[1].any()


def test_a_delay_that_is_no_whole_number_of_steps_is_refused_or_rounded_as_asked():
    source, target = ramp(), ramp()
    with pytest.raises(CircuitError, match=r"connection 1: delay = 1.25 ms .* dt = 0.1 ms; use 1.2 or 1.3 ms"):
        DelayedCoupling(source, "r", target, "I", delay=[1, 1.25] * ms)
    coupling = DelayedCoupling(source, "r", target, "I", delay=[1, 1.25] * ms, rounding="nearest")
    np.testing.assert_allclose(coupling.delays / ms, [1, 1.3])
    # Quotients of decimal numbers are whole numbers only nearly.
    assert DelayedCoupling(source, "r", target, "I", delay=0.3 * ms).delays[0] == pytest.approx(3e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"of": "rate"}, "has no variable 'rate'; it has .*I"),
        ({"into": "r"}, "nothing can be summed into it"),
        ({"delay": 5}, "expected a time with a unit"),
        ({"delay": -1 * ms}, "expected 0 or more"),
        ({"delay": np.nan * ms}, "expected 0 or more"),
        ({"delay": 1e9 * second}, "more than 0.8 GB"),
        ({"weights": np.ones((3, 2))}, r"weights: shape \[3, 2\]; expected targets x sources, 2 x 2"),
        ({"weights": [1, 2, 3]}, "one for each of 2 connections"),
        ({"weights": 2 * Hz}, "weights in second .. -1: 'I' per 'r' is in 1"),
        ({"pairs": ([0, 1], [0])}, "2 sources and 1 targets"),
        ({"pairs": ([0, 2], [0, 1])}, "a source of .*0 to 1"),
        ({"before": [1, 2, 3]}, r"before: shape \[3\]; expected one for each of 2 units"),
        ({"form": "shelf"}, "form 'shelf': expected one of buffer, register"),
        ({"rounding": "down"}, "refuse, nearest"),
    ],
)
def test_refusals_say_what_and_where(changes, words):
    arguments = {"source": ramp(), "of": "r", "target": ramp(), "into": "I", "delay": 1 * ms, **changes}
    with pytest.raises(CircuitError, match=words):
        DelayedCoupling(**arguments)


def test_groups_of_different_sizes_need_a_matrix_or_pairs():
    with pytest.raises(CircuitError, match="2 units drive 3: give weights as a matrix, 3 x 2"):
        DelayedCoupling(ramp(2), "r", ramp(3), "I", delay=1 * ms)
