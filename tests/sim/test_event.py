"""The event engine with ideal timing against the reference (claim: the circuits compute the algorithm)."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.errors import BadInput
from network.presets import PRESETS
from network.rules import ORDERS, make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.tolerances import TOLERANCES

ALL_LAYERS = "Conv 6 4x4; Avgpool 3; Local 4 2x3; Conv 4 1x1; SUM; Maxpool 2/1; Drop .3; Full 30; Output"
NETS = {**PRESETS, "all layers": ALL_LAYERS}
HINGE = ("urfb", "frfb", "bph")  # the rules that have a circuit


def agreement(net, rule, *, order="before_update", dtype="float64", eta=0.1, mu=None, **options):
    spec, weights, images, labels = presentation(net, rule, **options)
    reference = engine_of("reference", spec, weights, rule, order=order, eta=eta, mu=mu).present(images, labels)
    engine = engine_of("event", spec, weights, rule, order=order, dtype=dtype, eta=eta, mu=mu)
    return compare(reference, engine.present(images.astype(dtype), labels))


@pytest.mark.parametrize("rule", HINGE)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("net", NETS)
def test_event_equals_reference_at_full_size(net, order, rule):
    # Weights three times their initial size, so that units saturate and outputs pass their margins.
    found = agreement(NETS[net], rule, order=order, connectivity=0.5, images=2, scale=3.0)
    assert {difference.quantity for difference in found.differences} >= {"h", "x", "delta", "dW"}
    assert found.ties == 0
    assert found.within(TOLERANCES["float64"]), found.worst


@pytest.mark.parametrize("net", NETS)
def test_event_equals_reference_with_the_semantics_of_the_code(net):
    found = agreement(NETS[net], "urfb", semantics="code2018", images=2, scale=5.0)
    assert found.ties == 0
    assert found.within(TOLERANCES["float64"]), found.worst


@pytest.mark.parametrize("net", ["simpnet", "deepnet_s"])
def test_untied_networks_agree_at_full_size(net):
    notation = NetworkSpec.parse(net, (3, 32, 32), 10).untied().notation
    found = agreement(notation, "urfb", images=2, connectivity=0.5, scale=2.0)
    assert found.ties == 0
    assert found.within(TOLERANCES["float64"]), found.worst


@pytest.mark.parametrize("net", ["simpnet", "all layers"])
def test_float32_stays_near_the_reference(net):
    found = agreement(NETS[net], "urfb", dtype="float32", scale=2.0)
    assert found.ties == 0
    assert found.within(TOLERANCES["float32"]), found.worst


layers = st.one_of(
    st.builds("Conv {} {}x{}".format, st.just(3), st.integers(1, 4), st.integers(1, 4)),
    st.builds("Local {} {}x{}".format, st.just(3), st.integers(1, 3), st.integers(1, 3)),
    st.builds("Maxpool {}/{}".format, st.integers(1, 4), st.integers(1, 3)),
    st.builds("Avgpool {}/{}".format, st.integers(1, 4), st.integers(1, 3)),
    st.just("Drop .5"),
)


@settings(max_examples=60)
@given(
    st.lists(layers, min_size=0, max_size=4), st.booleans(), st.booleans(), st.sampled_from(HINGE),
    st.sampled_from(ORDERS), st.sampled_from([0.5, 1.0]), st.floats(1e-3, 2.0), st.sampled_from([None, 0.0, 0.5, 2.0]),
    st.sampled_from([None, 0.3, 2.0]), st.integers(0, 1000),
)  # fmt: skip
def test_random_networks_agree(stack, residual, full, rule, order, connectivity, eta, mu, gain, seed):
    middle = ["Conv 3 3x3", "Conv 3 2x2", "SUM"] if residual else []
    net = "; ".join([*stack, *middle, *(["Full 8"] if full else []), "Output"])
    found = agreement(
        net, rule, order=order, eta=eta, mu=mu, connectivity=connectivity, gain=gain, seed=seed, shape=(2, 9, 7),
        classes=4, scale=2.0,
    )  # fmt: skip
    assert found.ties == 0
    assert found.within(TOLERANCES["float64"]), (net, found.worst)


@pytest.mark.parametrize(("rate", "decay"), [(0.0, 0.0), (0.25, 0.0), (1.0, 0.01), (0.5, 0.1)])
def test_feedback_rate_and_decay_agree(rate, decay):
    found = agreement(ALL_LAYERS, make_rule("urfb", rate, decay), order="after_update", connectivity=0.5, scale=2.0)
    assert found.within(TOLERANCES["float64"]), found.worst


@pytest.mark.parametrize("semantics", ["paper", "code2018"])
@pytest.mark.parametrize("pool", ["Maxpool 3", "Maxpool 2/2", "Maxpool 4/3", "Maxpool 3/1", "Maxpool 1/2"])
def test_pooling_ties_send_feedback_to_the_same_pixels(pool, semantics):
    # Binary weights and few grey levels in flat patches: windows full of ties, exact in any order of addition.
    net = f"Conv 3 3x3; {pool}; Conv 2 3x3; {pool}; Output"
    spec, weights, _, labels = presentation(net, "urfb", shape=(1, 16, 16), images=2, semantics=semantics)
    for values in (weights.W, weights.R):
        for i in values:
            values[i] = np.sign(values[i]) / 4
    grey = np.random.default_rng(0).integers(0, 3, (2, 1, 4, 4)) / 2.0
    images = np.repeat(np.repeat(grey, 4, axis=2), 4, axis=3)
    traces = [engine_of(name, spec, weights, "urfb").present(images, labels) for name in ("reference", "event")]
    found = compare(traces[0], traces[1])
    assert found.within(TOLERANCES["float64"]), found.worst  # feedback sent to another pixel would show at order 1
    assert np.abs(traces[0].delta[1]).max() > 0


@pytest.mark.parametrize("semantics", ["paper", "code2018"])
def test_outputs_exactly_at_the_margin_are_ties(semantics):
    """At s h = S the paper updates and so does the circuit; the code of 2018 does not, and differs there alone."""
    spec = NetworkSpec.parse("Output", (1, 1, 1), 3, gain=1.0, semantics=semantics)
    weights = Weights({1: np.array([[1.0], [-1.0], [-2.0]])})
    images, labels = np.ones((1, 1, 1, 1)), np.array([0])
    reference, event = (
        engine_of(name, spec, weights, "bph", mu=0.5).present(images, labels) for name in ("reference", "event")
    )
    assert event.ties == 2
    assert event.delta[1].tolist() == [[1.0, -0.5, 0.0]]
    assert reference.delta[1].tolist() == [[1.0, -0.5, 0.0] if semantics == "paper" else [0.0, 0.0, 0.0]]


def test_presenting_changes_no_weights():
    spec, weights, images, labels = presentation(ALL_LAYERS, "urfb", connectivity=0.5)
    engine = engine_of("event", spec, weights, "urfb", order="after_update")
    engine.present(images, labels)
    after = engine.weights()
    for group in ("W", "R", "mask_W", "mask_R"):
        before, now = getattr(weights, group), getattr(after, group)
        assert before.keys() == now.keys()
        assert all(np.array_equal(before[i], now[i]) and before[i].dtype == now[i].dtype for i in before)


def test_outputs_and_saturation_are_those_of_the_reference():
    spec, weights, images, _ = presentation(ALL_LAYERS, "urfb", scale=3.0)
    reference, event = (engine_of(name, spec, weights, "urfb") for name in ("reference", "event"))
    ours, theirs = reference.outputs(images), event.outputs(images)
    assert np.abs(ours - theirs).max() <= TOLERANCES["float64"].relative * np.abs(ours).max()
    assert reference.saturation(images) == pytest.approx(event.saturation(images))


def test_softmax_has_no_circuit():
    spec, weights, _, _ = presentation("Full 5; Output", "bp", shape=(1, 3, 3))
    with pytest.raises(BadInput, match="bph"):
        engine_of("event", spec, weights, "bp")


def test_a_gpu_is_refused():
    spec, weights, _, _ = presentation("Full 5; Output", "bph", shape=(1, 3, 3))
    with pytest.raises(BadInput, match="--device cpu"):
        engine_of("event", spec, weights, "bph", device="cuda")


def test_the_engine_imports_neither_torch_nor_brian2():
    code = "import sys, sim.event.engine; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    assert not {"torch", "brian2", "matplotlib"} & set(found.stdout.split())
