"""The circuits among a user's own neurons: driven by them, read by them, and nothing of theirs touched."""

import brian2
import numpy as np
import pytest
from brian2 import Hz, ms, second

from circuits.brian import DelayedCoupling, FeedbackShutdownCircuit, OutputErrorCircuit

pytestmark = pytest.mark.usefixtures("numpy_target")


def wave(**more):
    """A user's two neurons, which swing about 1.5 and 0.5."""
    group = brian2.NeuronGroup(2, "dr/dt = (1.5 - i - r)/(20*ms) : 1\ns : 1\nh = 2*r : 1", method="exact", **more)
    group.r, group.s = [0, 0.2], [1, -1]
    return group


def test_h_and_s_are_taken_from_the_users_variables_subexpressions_too():
    group = wave()
    linked = OutputErrorCircuit(brian2.linked_var(group, "h"), brian2.linked_var(group, "s"))
    network = brian2.Network(group, linked)
    network.run(100 * ms, namespace={})
    h = 2 * ((1.5 - np.arange(2)) + (np.array([0, 0.2]) - (1.5 - np.arange(2))) * np.exp(-100 / 20))
    np.testing.assert_allclose(linked["error"].h, h, rtol=1e-6)
    trace = linked.trace()
    np.testing.assert_array_equal(trace.s, [1, -1])
    assert trace.delta[:, 0].max() > 1.1 and trace.delta[-1, 1] == pytest.approx(-0.5, abs=1e-3)
    group.s = 0  # nobody teaches: |H| < M, and the units fall silent
    network.run(150 * ms, namespace={})
    assert np.abs(linked["error"].delta).max() < 1e-4


def test_two_pathways_sum_into_variables_of_their_own():
    group = wave()
    circuit = OutputErrorCircuit("ahead + back", "teacher", units=2, equations="ahead : 1\nback : 1\nteacher : 1")
    pathways = []
    for into, w in (("ahead", 1.0), ("back", -0.5), ("teacher", 1.0)):
        of = "s" if into == "teacher" else "r"
        synapses = brian2.Synapses(group, circuit["error"], f"w : 1\n{into}_post = w*{of}_pre : 1 (summed)")
        synapses.connect(j="i")
        synapses.w = w
        pathways.append(synapses)
    brian2.Network(group, circuit, pathways).run(20 * ms, namespace={})
    error = circuit["error"]
    np.testing.assert_allclose(error.h[:], 0.5 * group.r[:], atol=0.01)  # of the step before
    np.testing.assert_array_equal(error.s, [1, -1])


def test_delta_and_tc_drive_the_users_neurons_with_and_without_delay():
    circuit = OutputErrorCircuit([2.0, 0.5], [1, 1])
    reader = brian2.NeuronGroup(2, "x : 1\ny : 1\nlate : 1")
    reading = [brian2.Synapses(circuit[part], reader, f"{to}_post = {of}_pre : 1 (summed)") for part, to, of in (
        ("error", "x", "delta"), ("control", "y", "tc"),
    )]  # fmt: skip
    for synapses in reading:
        synapses.connect(j="i")
    late = DelayedCoupling(circuit["error"], "delta", reader, "late", delay=10 * ms)
    monitor = brian2.StateMonitor(reader, ["x", "y", "late"], record=True)
    brian2.Network(circuit, reader, reading, late, monitor).run(150 * ms, namespace={})
    trace = circuit.trace()
    np.testing.assert_array_equal(monitor.x[:, 1:].T, trace.delta[:-1])
    np.testing.assert_array_equal(monitor.y[:, 1:].T, trace.tc[:-1])
    np.testing.assert_array_equal(monitor.late[:, 101:].T, trace.delta[:-101])
    assert trace.tc.max() == 1


def test_users_names_and_numbers_are_left_alone_and_leave_alone():
    """The user has groups of our names, and variables of all our symbols in the namespace of the run."""
    alone = OutputErrorCircuit([2.0, -0.5], [1, -1], name="alone")
    brian2.Network(alone).run(100 * ms, namespace={})
    names = ("output_error_control", "output_error_1_trace", "feedback_shutdown_to_u", "coupling_past")
    theirs = [brian2.NeuronGroup(1, "dx/dt = M*Hz : 1", method="euler", name=name) for name in names]
    first, second_one = OutputErrorCircuit([2.0, -0.5], [1, -1]), OutputErrorCircuit([2.0, -0.5], [1, -1])
    shutdown = FeedbackShutdownCircuit([0.5, 2], 0.5)
    coupling = DelayedCoupling(first["error"], "delta", second_one["error"], "noise", delay=1 * ms, weights=0.0)
    namespace = {
        "M": 7.0,
        "S": -3.0,
        "mu": 9.0,
        "epsilon": 5.0,
        "t_upper": 0.0,
        "t_lower": 0.0,
        "K": 0.1,
        "value_": 1.0,
    }
    network = brian2.Network(theirs, first, second_one, shutdown, coupling)
    network.run(100 * ms, namespace=namespace)
    assert len({obj.name for obj in network.sorted_objects}) == len(network.sorted_objects)
    for circuit in (first, second_one):
        np.testing.assert_array_equal(circuit.trace().delta, alone.trace().delta)
    assert all(group.x[0] == pytest.approx(0.7) for group in theirs)


def test_the_users_network_runs_as_it_would_without_and_each_has_its_clock():
    def run(embed):
        group = wave(dt=0.5 * ms)
        objects = [group]
        circuit = OutputErrorCircuit(brian2.linked_var(group, "h"), 1, dt=0.05 * ms) if embed else None
        if circuit is not None:
            objects += [circuit]
        network, before = brian2.Network(objects), brian2.defaultclock.dt / second
        network.run(50 * ms, namespace={})
        assert brian2.defaultclock.dt / second == before
        if circuit is not None:
            assert len(circuit.trace().times) == 1000 and circuit["error"].dt / ms == pytest.approx(0.05)
        return np.array(group.r)

    np.testing.assert_array_equal(run(True), run(False))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_unit_driven_by_spikes_goes_silent_when_their_rate_is_high_enough(seed):
    brian2.seed(seed)
    spiking = brian2.PoissonGroup(200, rates="80*Hz*int(i < 100) + 25*Hz*int(i >= 100)")
    rates = brian2.NeuronGroup(2, "dr/dt = -r/(50*ms) : 1", method="exact")
    filtering = brian2.Synapses(spiking, rates, on_pre="r_post += 1/(100*40*Hz*50*ms)")
    filtering.connect(j="i // 100")
    circuit = OutputErrorCircuit(brian2.linked_var(rates, "r"), 1, delay=40 * ms)
    brian2.Network(spiking, rates, filtering, circuit).run(400 * ms, namespace={"Hz": Hz, "ms": ms})
    trace = circuit.trace()
    settled = trace.delta[trace.times > 0.25]
    # h is about 2 and 0.625, with standard deviations of 0.14 and 0.08: 7 and 4.7 of them from the margin.
    assert settled[:, 0].min() < 0.03 and settled[:, 0].max() > 1.15
    assert settled[:, 1].min() > 0.99
