"""The circuit is really there in Brian2: break a part of it, and what that part does is no longer done."""

import brian2
import numpy as np
import pytest

from circuits.limit_cycle import limit_cycle
from circuits.parameters import OutputError
from network.errors import BadInput
from sim.brian.engine import BrianEngine
from sim.schedule import Timing
from tests.sim.conftest import engine_of, presentation

NET = "Full 12; Output"
TIMING = Timing.settled(6)
REST = np.exp(-6) * (1 + 1e-9)  # what it leaves of anything that settles, and room for rounding
DT = 1e-3
MU, EPSILON = 0.5, 0.3
# The cycles of the two kinds of outputs, in time constants.
CYCLES = limit_cycle(OutputError(mu=MU, epsilon=EPSILON, tau=1.0, delay=6.0), [1, -1]).period


@pytest.fixture(autouse=True)
def _numpy_target():
    """Nothing is compiled: quick to start."""
    before, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    yield
    brian2.prefs.codegen.target = before


def case(rule="urfb"):
    """A batch many of whose outputs are sufficiently correct, and whose hidden units are saturated."""
    return presentation(NET, rule, images=12, scale=4.0, shape=(1, 5, 5), classes=4)


def circuit(rule="urfb", cut=None, **options):
    """The trace of the circuit."""
    spec, weights, images, labels = case(rule)
    options = {"mu": MU, "epsilon": EPSILON, "timing": TIMING, "dt": DT, **options}
    engine = engine_of("brian", spec, weights, rule, **options)
    assert isinstance(engine, BrianEngine)
    if cut is not None:
        engine.cut_control(cut)
    return engine.present(images, labels)


@pytest.fixture(scope="module")
def right():
    """What the reference makes of the batch."""
    spec, weights, images, labels = case()
    trace = engine_of("reference", spec, weights, "urfb", mu=MU).present(images, labels)
    own = np.arange(4) == labels[:, None]
    silent = trace.delta[2] == 0
    assert silent[own].any() and silent[~own].any() and not silent.all()
    assert np.any(np.abs(trace.x[1]) == 1)
    return trace


def unsilenced(epsilon):
    """What the outputs' error units are at while tc = 0, all of them."""
    *_, labels = case()
    return np.where(np.arange(4) == labels[:, None], 1.0 + epsilon, -MU - epsilon)


def test_whole_it_computes_equation_6(right):
    assert np.abs(circuit().delta[2] - right.delta[2]).max() <= REST


def test_without_epsilon_no_output_is_silenced(right):
    found = circuit(epsilon=0.0)
    assert np.abs(found.delta[2] - unsilenced(0.0)).max() <= REST
    assert np.abs(found.delta[2][right.delta[2] == 0]).min() > 0.4


def test_a_gate_half_a_cycle_late_reads_silent_outputs_at_their_highest(right):
    found = circuit(gate_phase=0.5)
    silent = right.delta[2] == 0
    # Within dt of the time asked for, δ is as near 1 + epsilon as half a cycle after its lowest point lets it come.
    short = (1 + EPSILON) * np.exp(-CYCLES.min() / 2 + 2 * DT / TIMING.tau)
    assert np.abs(found.delta[2] - unsilenced(EPSILON))[silent].max() <= short
    assert np.abs(found.delta[2] - right.delta[2])[~silent].max() <= REST


@pytest.mark.parametrize("phase", [0.0, 0.9])
def test_a_gate_that_opens_while_silent_outputs_are_near_0_reads_them_there(right, phase):
    found = circuit(gate_phase=phase)
    silent = right.delta[2] == 0
    # On its way down δ is higher by what the rest of the cycle brings; it may be read up to 2 dt off.
    before = np.exp((1 - phase) % 1.0 * CYCLES.max() + 2 * DT / TIMING.tau)
    assert np.abs(found.delta[2])[silent].max() <= REST * before
    assert np.abs(found.delta[2] - right.delta[2])[~silent].max() <= REST


def test_with_one_control_cut_only_that_unit_goes_wrong(right):
    found = circuit(cut=2)
    wrong = np.abs(found.delta[2] - right.delta[2]) > 0.1
    assert np.array_equal(wrong[:, 2], right.delta[2][:, 2] == 0) and wrong[:, 2].any()
    assert not np.delete(wrong, 2, axis=1).any()
    assert np.abs(found.delta[2] - unsilenced(EPSILON))[wrong].max() <= 2 * REST


def test_with_a_K_too_small_feedback_leaks_through_saturated_units(right):
    whole = circuit()
    saturated = np.abs(right.x[1]) == 1
    assert np.abs(whole.delta[1][saturated]).max() <= 4 * REST  # the potential that x leaves behind
    leaky = circuit(K=float(np.abs(whole.delta[1]).max() / 4), unchecked=True)
    assert np.abs(leaky.delta[1][saturated]).max() > 0.1


def test_a_K_too_small_is_refused_with_unit_value_and_bound():
    with pytest.raises(BadInput, match=r"full1 unit \d+, image \d+: the feedback \|delta\| = [\d.e-]+ is not below K"):
        circuit(K=1e-3)


def test_an_M_too_small_is_refused_with_unit_value_and_bound():
    with pytest.raises(BadInput, match=r"output unit \d+, image \d+: \|h\| = [\d.]+ is not below M = 0\.5"):
        circuit(M=0.5)


def test_a_window_too_short_for_a_cycle_is_refused_with_unit_cycle_and_window(right):
    short = Timing(settling=0.06, error=0.06, reading=0.05)
    with pytest.raises(
        BadInput, match=r"output unit \d, image \d+: its cycle of 1[\d.]+ ms does not fit into .* 50 ms"
    ):
        circuit(timing=short)
    silent = right.delta[2] == 0
    assert np.abs(circuit(timing=short, unchecked=True).delta[2][silent]).max() > 10 * REST
