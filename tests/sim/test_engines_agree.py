"""The torch engine against the reference, on whole networks (claim: they compute the same presentation)."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from network.presets import LIAO_PRESETS, PRESETS
from network.rules import ORDERS, RULES, effective_order, make_rule
from network.spec import NetworkSpec
from sim.engine import DROPOUT_MASKS
from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.tolerances import TOLERANCES

ALL_LAYERS = "Conv 6 4x4; Avgpool 3; Local 4 2x3; Conv 4 1x1; SUM; Maxpool 2/1; Drop .3; Full 30; Output"
NETS = {**PRESETS, "all layers": ALL_LAYERS}
RUNS = [(rule, order) for rule in RULES for order in ORDERS if effective_order(RULES[rule], order) == order]


def agreement(net, rule, *, order="before_update", dtype="float64", **options):
    spec, weights, images, labels = presentation(net, rule, **options)
    reference = engine_of("reference", spec, weights, rule, order=order).present(images, labels)
    found = engine_of("torch", spec, weights, rule, order=order, dtype=dtype).present(images.astype(dtype), labels)
    return compare(reference, found)


@pytest.mark.parametrize("connectivity", [1.0, 0.5])
@pytest.mark.parametrize(("rule", "order"), RUNS)
@pytest.mark.parametrize("net", NETS)
def test_torch_equals_reference(net, order, rule, connectivity):
    # Weights three times their initial size, so that units saturate and outputs pass their margins.
    found = agreement(NETS[net], rule, order=order, connectivity=connectivity, scale=3.0)
    assert found.within(TOLERANCES["float64"]), found.worst


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("net", NETS)
def test_torch_equals_reference_with_the_semantics_of_the_code(net, order):
    found = agreement(NETS[net], "urfb", order=order, semantics="code2018", scale=5.0)
    assert found.within(TOLERANCES["float64"]), found.worst


@pytest.mark.parametrize("net", ["simpnet", "deepnet_s"])
def test_untied_networks_agree_at_full_size(net):
    notation = NetworkSpec.parse(net, (3, 32, 32), 10).untied().notation
    found = agreement(notation, "urfb", images=2, connectivity=0.5, scale=2.0)
    assert found.within(TOLERANCES["float64"]), found.worst


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("net", NETS)
def test_float32_stays_near_the_reference(net, rule):
    found = agreement(NETS[net], rule, dtype="float32", scale=2.0)
    assert found.within(TOLERANCES["float32"]), found.worst


@pytest.mark.parametrize("name", ["reference", "torch", "event"])
def test_what_agrees_is_not_empty(name):
    spec, weights, images, labels = presentation("deepernet", "urfb", scale=3.0)
    trace = engine_of(name, spec, weights, "urfb").present(images, labels)
    for node in spec.weighted:
        i = node.index
        assert trace.dW[i].shape == trace.dR[i].shape == node.weight_shape
        assert trace.h[i].shape == trace.x[i].shape == trace.delta[i].shape == (3, *node.shape)
        assert np.abs(trace.dW[i]).max() > 0
    assert max(np.mean(np.abs(trace.x[node.index]) == 1) for node in spec.weighted if not node.is_output) > 0.05
    silent = trace.delta[len(trace.delta)] == 0
    assert 0 < np.count_nonzero(silent) < silent.size


def tied_images(rng, shape):
    """Few grey levels and flat patches: pooling windows full of ties, saturated and not."""
    return np.repeat(np.repeat(rng.integers(0, 3, (2, 1, shape // 4, shape // 4)) / 2.0, 4, axis=2), 4, axis=3)


@pytest.mark.parametrize("semantics", ["paper", "code2018"])
@pytest.mark.parametrize("pool", ["Maxpool 3", "Maxpool 2/2", "Maxpool 4/3", "Maxpool 3/1", "Maxpool 1/2"])
def test_pooling_ties_send_feedback_to_the_same_pixels(pool, semantics):
    # Binary weights make h exact in any order of addition, so ties are ties in both engines.
    net = f"Conv 3 3x3; {pool}; Conv 2 3x3; {pool}; Output"
    spec, weights, _, labels = presentation(net, "urfb", shape=(1, 16, 16), images=2, semantics=semantics)
    for values in (weights.W, weights.R):
        for i in values:
            values[i] = np.sign(values[i]) / 4
    images = tied_images(np.random.default_rng(0), 16)
    traces = [engine_of(name, spec, weights, "urfb").present(images, labels) for name in ("reference", "torch")]
    found = compare(traces[0], traces[1])
    assert all(difference.largest == 0 for difference in found.differences if difference.quantity in "hx")
    assert found.within(TOLERANCES["float64"]), found.worst  # feedback sent to another pixel would show at order 1
    assert np.abs(traces[0].delta[1]).max() > 0


@pytest.mark.parametrize("connectivity", [1.0, 0.5])
@pytest.mark.parametrize(("rule", "order"), RUNS)
@pytest.mark.parametrize("dropout_mask", DROPOUT_MASKS)
def test_learning_with_dropout_agrees(rule, order, connectivity, dropout_mask):
    net = "Drop .2; Conv 4 3x3; Maxpool 3; Drop .5; Full 20; Drop .3; Output"
    spec, weights, _, _ = presentation(net, rule, shape=(1, 9, 9), connectivity=connectivity)
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (12, 1, 9, 9), dtype=np.uint8), rng.integers(0, 10, 12)
    options = {"order": order, "seed": 5, "dropout_mask": dropout_mask}
    engines = [engine_of(name, spec, weights, rule, **options) for name in ("reference", "torch")]
    wrong = [[int(e.learn(e.stage(images), e.stage(labels), step)) for step in range(5)] for e in engines]
    assert wrong[0] == wrong[1]
    ours, theirs = (engine.weights() for engine in engines)
    for a, b in ((ours.W, theirs.W), (ours.R, theirs.R)):
        assert a.keys() == b.keys()
        for i in a:
            assert np.abs(a[i] - b[i]).max() <= TOLERANCES["float64"].relative * np.abs(a[i]).max()
    assert not np.array_equal(ours.W[1], weights.W[1])


units = st.sampled_from(["", " ReLU"])
strides = st.sampled_from(["", "/2", "/3"])
places = st.sampled_from(["", " corner"])
layers = st.one_of(
    st.builds("Conv 3 {}x{}{}{}".format, st.integers(1, 4), st.integers(1, 4), strides, units),
    st.builds("Conv 3 1x1{} valid{}".format, strides, units),
    st.builds("Local 3 {}x{}{}{}".format, st.integers(1, 3), st.integers(1, 3), strides, units),
    st.builds("Maxpool {}/{}{}".format, st.integers(1, 4), st.integers(1, 3), places),
    st.builds("Avgpool {}/{}{}".format, st.integers(1, 4), st.integers(1, 3), places),
    st.just("Drop .5"),
)


WINDOWS = (
    "Conv 5 3x2/2 valid ReLU; Maxpool 3 valid; Local 4 3x3/2 ReLU; Avgpool 2/1 corner; Local 3 2x2 valid; "
    "Maxpool 2/2 valid; Full 2C>=15 ReLU; Output"
)
TABLE_1 = {"liao_mnist": (1, 28, 28), "liao_cifar": (3, 32, 32), "liao_svhn": (3, 32, 32), "liao_timit": (1845, 1, 1)}


@pytest.mark.parametrize("rule", ["bp", "bph", "urfb", "brsf", "rndf"])
@pytest.mark.parametrize("semantics", ["paper", "code2018"])
def test_strides_valid_windows_and_rectified_units_agree(rule, semantics):
    shape = (3, 30, 26)
    found = agreement(WINDOWS, rule, shape=shape, connectivity=0.5, scale=3.0, semantics=semantics)
    assert found.within(TOLERANCES["float64"]), found.worst


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("net", [*TABLE_1, "liao_images"])
def test_the_networks_of_table_1_agree(net, dtype):
    shape = TABLE_1.get(net, (3, 119, 119))
    found = agreement(LIAO_PRESETS[net], "brsf", shape=shape, images=2, dtype=dtype)
    assert found.within(TOLERANCES[dtype]), found.worst


@settings(max_examples=40)
@given(
    st.lists(layers, min_size=1, max_size=4), st.booleans(), st.booleans(), st.sampled_from(sorted(RULES)),
    st.sampled_from(ORDERS), st.sampled_from([0.5, 1.0]), st.integers(0, 1000),
)  # fmt: skip
def test_random_networks_agree(stack, residual, full, rule, order, connectivity, seed):
    middle = ["Conv 3 3x3", "Conv 3 2x2", "SUM"] if residual else []
    net = "; ".join([*stack, *middle, *(["Full 8"] if full else []), "Output"])
    found = agreement(
        net, rule, order=order, connectivity=connectivity, seed=seed, shape=(2, 9, 7), classes=4, scale=2.0
    )
    assert found.within(TOLERANCES["float64"]), (net, found.worst)


@pytest.mark.parametrize(("rate", "decay"), [(0.0, 0.0), (0.25, 0.0), (1.0, 0.01), (0.5, 0.1)])
def test_feedback_rate_and_decay_agree(rate, decay):
    rule = make_rule("urfb", rate, decay)
    found = agreement(ALL_LAYERS, rule, order="after_update", connectivity=0.5, scale=2.0)
    assert found.within(TOLERANCES["float64"]), found.worst


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("net", NETS)
def test_gpu_equals_reference(net, dtype):
    spec, weights, images, labels = presentation(NETS[net], "urfb", connectivity=0.5, scale=2.0)
    reference = engine_of("reference", spec, weights, "urfb").present(images, labels)
    found = engine_of("torch", spec, weights, "urfb", device="cuda", dtype=dtype).present(images.astype(dtype), labels)
    assert compare(reference, found).within(TOLERANCES[dtype]), compare(reference, found).worst
