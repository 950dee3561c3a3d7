"""The output-error circuit in Brian2: Appendix 1's four cases, the forms of the delay, and life in a user's network."""

import brian2
import numpy as np
import pytest
from brian2 import Hz, ms

from circuits.brian import OutputErrorCircuit
from circuits.errors import CircuitError, OutOfBounds
from circuits.parameters import OutputError
from circuits.waveform import ARRIVAL, CROSSING

PARAMETERS = OutputError(M=4, S=1, mu=0.5, epsilon=0.2, tau=10e-3, delay=30e-3)
H, SUPERVISION = [2, 0.5, -2, -0.5], [1, 1, -1, -1]
pytestmark = pytest.mark.usefixtures("numpy_target")


def simulate(*args, duration=300 * ms, others=(), **kwargs):
    """Run a circuit and return its trace."""
    circuit = OutputErrorCircuit(*args, **kwargs)
    brian2.Network(circuit, *others).run(duration, namespace={})
    return circuit.trace()


def events_of(trace):
    """The events of a Brian2 trace, which has them."""
    assert trace.events is not None
    return trace.events


def settled(trace):
    """δ over the last 120 ms, more than one period of 78 ms."""
    return trace.delta[trace.times > trace.times[-1] - 0.12]


@pytest.mark.parametrize("mu", [0.5, 1.0])
def test_four_cases_of_appendix_1(mu):
    parameters = OutputError(mu=mu)
    trace = simulate(H, SUPERVISION, parameters)
    low, high = settled(trace).min(axis=0), settled(trace).max(axis=0)
    # A threshold is passed up to one dt late: relative to the exact extreme, at most a factor exp(dt / tau).
    late = np.expm1(0.1e-3 / parameters.tau)
    fall = np.exp(-parameters.delay / parameters.tau)
    assert 0 <= 1 - low[0] / fall < late
    assert 0 <= 1 - high[2] / (-mu * fall) < late
    # Correct outputs swing from there to (almost) 1 + epsilon, or -mu - epsilon.
    assert 1.18 < high[0] < 1.2
    assert -mu - 0.2 < low[2] < -mu - 0.18
    # Not yet correct: constant at the plateau, which exponential approach reaches to e^-18 after 180 ms.
    np.testing.assert_allclose(settled(trace)[:, 1], 1, atol=1e-7)
    np.testing.assert_allclose(settled(trace)[:, 3], -mu, atol=1e-7)


def test_output_exactly_at_the_margin_is_still_updated():
    trace = simulate([1, -1], [1, -1], PARAMETERS)
    np.testing.assert_allclose(trace.delta[-1], [1, -0.5], atol=1e-7)
    assert len(events_of(trace).unit) == 0


def test_plateau_of_any_mu_never_passes_its_own_threshold():
    # The paper's threshold is the plateau itself: one rounding beyond it would silence a unit that is not yet correct.
    rng = np.random.default_rng(0)
    s, tau = np.repeat([1, -1], 200), rng.uniform(0.5, 9, 400)
    for mu in rng.uniform(0.01, 1, 3):
        trace = simulate(0.5 * s, s, OutputError(mu=mu), tau=tau * ms, record=range(400), duration=400 * ms)
        assert len(events_of(trace).unit) == 0
        # An approach by a factor 1 - dt / tau stops where a step is below half a rounding: tau / dt = 90 of them away.
        np.testing.assert_allclose(trace.delta[-1], np.where(s > 0, 1, -mu), rtol=90 * 2.3e-16)


@pytest.mark.parametrize(
    "delay", [30 * ms, 0.1 * ms, 7.77 * ms, [3, 30, 11, 20] * ms], ids=["D", "one dt", "rounded", "per unit"]
)
def test_events_equal_the_ring_buffer(delay):
    tau = [10, 5, 10, 8] * ms
    h = brian2.TimedArray([[2, 0.5, -2, -0.5], [0, 3, -3, 3], [-3, 3, 1, -2]], dt=40 * ms)
    events, buffer = (
        simulate(h, SUPERVISION, PARAMETERS, tau=tau, delay=delay, coupling=coupling, duration=120 * ms)
        for coupling in ("events", "buffer")
    )
    # The same arithmetic in the same order: equal to the last bit.
    np.testing.assert_array_equal(events.delta, buffer.delta)
    np.testing.assert_array_equal(events.tc, buffer.tc)
    for one, other in zip(events_of(events), events_of(buffer), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(events.tc).max() == 1


def test_tc_is_the_level_of_delta_one_delay_before():
    trace = simulate(H, SUPERVISION, PARAMETERS)
    lag = 300  # 30 ms in steps of 0.1 ms
    expected = 1.0 * (trace.delta[:-lag] > 1) - 1.0 * (trace.delta[:-lag] < -0.5)
    np.testing.assert_array_equal(trace.tc[lag:], expected)
    assert not trace.tc[:lag].any()


def test_events_of_the_trace_are_the_changes_of_level():
    trace = simulate(H, SUPERVISION, PARAMETERS)
    first = events_of(trace).of(0)
    arrivals = first.kind == ARRIVAL
    changed = np.flatnonzero(np.diff(trace.tc[:, 0])) + 1
    np.testing.assert_allclose(first.time[arrivals], trace.times[changed], rtol=1e-12)
    np.testing.assert_array_equal(first.level[arrivals], trace.tc[changed, 0])
    np.testing.assert_array_equal(first.level[first.kind == CROSSING], np.arange(1, 1 + sum(~arrivals)) % 2)


def test_without_delay_the_correct_output_slides_along_its_plateau():
    trace = simulate(H, SUPERVISION, PARAMETERS, delay=0 * ms)
    # In one step δ moves by at most dt / tau times the distance to its level, which is at most 1 + epsilon.
    step = 1.2 * 0.1 / 10
    np.testing.assert_allclose(settled(trace)[:, 0], 1, atol=step)
    np.testing.assert_allclose(settled(trace)[:, 2], -0.5, atol=step)
    assert trace.parameters.delay == 0


@pytest.mark.parametrize("ratio", [0.05, 1, 5])
def test_a_lag_of_the_control_is_no_delay(ratio):
    parameters = OutputError(M=5, epsilon=0.1)
    trace = simulate([1.5, 3, 4.9], 1, parameters, units=3, coupling="undelayed", tau_control=ratio * 10 * ms)
    # tc hovers where h + 2 M (1 - tc) is about 2 M + S: there δ's level is 1 + epsilon or 1, and far from 0.
    assert settled(trace).min() > 0.9
    assert 0 < trace.tc[-1].min() and trace.tc[-1].max() < 1


def test_midpoint_thresholds_keep_the_four_cases():
    trace = simulate(H, SUPERVISION, OutputError(t_threshold="midpoint"))
    low, high = settled(trace).min(axis=0), settled(trace).max(axis=0)
    assert low[0] < 0.06 and high[2] > -0.06
    np.testing.assert_allclose(settled(trace)[:, [1, 3]], [[1, -0.5]] * len(settled(trace)), atol=1e-7)


def test_noise_silences_a_unit_at_the_papers_thresholds_but_not_at_the_midpoints():
    draws = 0.005 * np.random.default_rng(3).standard_normal((300, 2))
    noise = brian2.TimedArray(draws, dt=ms)
    paper, midpoint = (
        simulate([0.5, -0.5], [1, -1], OutputError(t_threshold=threshold), noise=noise)
        for threshold in ("paper", "midpoint")
    )
    # A loss of a third of the plateau is some sixty times the noise.
    assert settled(paper)[:, 0].min() < 0.67 and settled(paper)[:, 1].max() > -0.5 * 0.67
    np.testing.assert_allclose(settled(midpoint), [[1, -0.5]] * len(settled(midpoint)), atol=1e-7)
    buffer = simulate([0.5, -0.5], [1, -1], noise=noise, coupling="buffer")
    np.testing.assert_array_equal(buffer.delta, paper.delta)


def test_supervision_and_input_in_time():
    s = brian2.TimedArray([1, -1], dt=200 * ms)
    trace = simulate("2*sin(2*pi*frequency*t)", s, units=2, namespace={"frequency": 2.5 * Hz}, duration=400 * ms)
    assert trace.h.shape == trace.s.shape == trace.delta.shape
    assert trace.delta[trace.times < 0.2].min() >= 0
    assert trace.delta[-1].max() < 0


def test_embedding_in_a_users_network_that_drives_h():
    """The user's rate group, leaky itself, drives h through (summed) synapses."""
    dt = 0.1 * ms
    source = brian2.NeuronGroup(2, "dr/dt = (1.5 - r)/(20*ms) : 1", method="exact", dt=dt)
    circuit = OutputErrorCircuit(h=[0, 0], s=[1, 1], parameters=PARAMETERS, dt=dt, name="mine")
    drive = brian2.Synapses(source, circuit["error"], "w : 1\nh_post = w*r_pre : 1 (summed)", dt=dt)
    drive.connect(i=[0, 1], j=[0, 1])
    drive.w = [1, 0.5]
    monitor = brian2.StateMonitor(circuit["error"], "h", record=True, dt=dt)
    network = brian2.Network(source, circuit, drive, monitor)
    network.run(200 * ms, namespace={})
    network.run(100 * ms, namespace={})
    trace = circuit.trace()
    assert all(obj.name.startswith("mine_") for obj in circuit.values())
    np.testing.assert_array_equal(trace.h, np.asarray(monitor.h).T)
    np.testing.assert_allclose(trace.h[-1], [1.5, 0.75], rtol=1e-5)
    assert settled(trace)[:, 0].min() < 0.05
    np.testing.assert_allclose(settled(trace)[:, 1], 1, atol=1e-7)


def test_linked_input_and_two_circuits_in_one_network():
    group = brian2.NeuronGroup(2, "y : 1")
    group.y = [2, 0.5]
    first = OutputErrorCircuit(brian2.linked_var(group, "y"), 1)
    second = OutputErrorCircuit([2, 0.5], 1, units=2)
    brian2.Network(group, first, second).run(100 * ms, namespace={})
    np.testing.assert_array_equal(first.trace().delta, second.trace().delta)
    assert not {obj.name for obj in first.values()} & {obj.name for obj in second.values()}


def test_recording_some_units_keeps_their_events():
    everything, some = (simulate(H, SUPERVISION, PARAMETERS, record=record) for record in (True, [0, 2]))
    np.testing.assert_array_equal(some.delta, everything.delta[:, [0, 2]])
    np.testing.assert_array_equal(events_of(some).of(1).time, events_of(everything).of(2).time)
    nothing = OutputErrorCircuit(H, SUPERVISION, record=False)
    with pytest.raises(CircuitError, match="record=True"):
        nothing.trace()


def test_mapping_names_what_it_has():
    circuit = OutputErrorCircuit(H, SUPERVISION)
    assert list(circuit)[:3] == ["error", "control", "to_control"]
    with pytest.raises(KeyError, match="error, control"):
        circuit["delta"]


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"h": [0, 1, 2, -4], "s": 1}, r"unit 3: \|h\| = 4.0 is not below M = 4.0"),
        ({"h": brian2.TimedArray([[0, 5], [0, 0]], dt=ms), "s": 1}, r"unit 1: \|h\| = 5.0"),
        ({"h": brian2.TimedArray([0, 5], dt=ms), "s": 1}, r"unit 0: \|h\| = 5.0"),
        ({"h": [1, 2], "s": [1, 0]}, "unit 1: s = 0"),
        ({"h": [1, 2], "s": [1, 1, 1]}, "h: 2 units; s: 3 units"),
        ({"h": 1, "s": 1, "tau": 10}, r"tau = 10: expected a time"),
        ({"h": 1, "s": 1, "delay": 0.01 * ms}, "less than the time step"),
        ({"h": 1, "s": 1, "tau_control": 5 * ms}, "coupling='undelayed'"),
        ({"h": 1, "s": 1, "coupling": "spikes"}, "events, buffer, undelayed"),
    ],
)
def test_refusals_say_what_and_where(kwargs, words):
    with pytest.raises(CircuitError, match=words):
        OutputErrorCircuit(**kwargs)


def test_input_that_leaves_the_bounds_in_time_is_refused_afterwards():
    with pytest.raises(OutOfBounds, match=r"unit 0: \|h\|"):
        simulate("t/(10*ms)", 1, duration=50 * ms)
    assert simulate("t/(10*ms)", 1, duration=50 * ms, unchecked=True).h.max() > 4
