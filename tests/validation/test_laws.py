"""Laws: what they say of a trace that is right, and of one with a single thing wrong."""

import numpy as np
import pytest

from network.rules import make_rule
from network.spec import NetworkSpec
from tests.sim.conftest import presentation
from validation.backpropagation import excess_over_gradient
from validation.evidence import LAWS
from validation.laws import Laws
from validation.ties import Presented
from validation.tolerances import TOLERANCES
from validation.variants import VARIANTS
from validation.wiring import NOWHERE, windows_of, wiring_of

NET = "Conv 3 3x2; Maxpool 3; Local 2 2x2; Avgpool 2; Full 6; Output"
RECTIFIED = "Conv 3 3x2/2 ReLU; Maxpool 2 valid; Local 2 2x2 valid ReLU; Avgpool 2/1 corner; Full 6 ReLU; Output"
BOUND = TOLERANCES["float64"].relative


def case_of(order="before_update", net=NET, rate=None, decay=0.0):
    spec, weights, images, labels = presentation(
        net, "urfb", shape=(2, 8, 7), classes=4, scale=3.0, connectivity=0.5, gain=0.7
    )
    return Presented(spec, weights, images, labels, make_rule("urfb", rate, decay), mu=0.4, order=order)


def broken(case, trace):
    laws = Laws(case, trace)
    return {name for name, (_, _, law, applies) in LAWS.items() if applies(case) and law(laws) > (BOUND if name else 0)}


@pytest.mark.parametrize("net", [NET, RECTIFIED])
@pytest.mark.parametrize("order", ["before_update", "after_update"])
def test_all_laws_hold_for_the_reference(net, order):
    case = case_of(order, net)
    trace = case.by_reference()
    assert all(np.abs(dW).max() > 0 for dW in trace.dW.values())
    assert broken(case, trace) == set()


@pytest.mark.parametrize("net", [NET, RECTIFIED])
def test_with_r_equal_to_w_the_increments_are_autograds(net):
    case = case_of(net=net)
    for variant in VARIANTS[:2]:  # the reference and torch
        assert excess_over_gradient(case, variant) < BOUND


@pytest.mark.parametrize(
    ("quantity", "layer", "law"),
    [
        ("h", 2, {"steady-state"}),
        ("x", 3, {"steady-state", "hebbian", "feedback-hebbian"}),
        ("delta", 4, {"output-error", "feedback", "hebbian", "feedback-hebbian"}),
        ("dW", 2, {"hebbian", "same-increment"}),
        ("dR", 1, {"feedback-hebbian", "same-increment"}),
    ],
)
def test_one_wrong_number_breaks_the_laws_that_it_enters(quantity, layer, law):
    case = case_of()
    trace = case.by_reference()
    values = trace.arrays()[quantity][layer]
    masks = case.weights.mask_R if quantity == "dR" else case.weights.mask_W
    # Where both synapses are, and the unit is not saturated: a number that laws look at.
    allowed = masks.get(layer, np.ones(1, bool)) & case.weights.mask_R.get(layer, np.ones(1, bool))
    where = np.argwhere(np.broadcast_to(allowed, values.shape) if quantity in ("dW", "dR") else np.abs(values) > 0)[3]
    values[tuple(where)] += 1e-3
    assert broken(case, trace) == law


def test_a_number_where_no_connection_is_breaks_that_law():
    case = case_of()
    trace = case.by_reference()
    trace.dW[1][tuple(np.argwhere(~case.weights.mask_W[1])[0])] = 1e-6
    assert "no-connection" in broken(case, trace)


def test_a_saturated_unit_that_feeds_back_breaks_that_law():
    case = case_of()
    trace = case.by_reference()
    saturated = np.argwhere(np.abs(0.7 * trace.h[3]) >= 1)[0]
    trace.delta[3][tuple(saturated)] = 1e-6
    assert {"shutdown", "hebbian"} <= broken(case, trace)


def test_the_order_of_update_is_seen():
    before, after = case_of("before_update"), case_of("after_update")
    assert broken(after, before.by_reference()) == {"feedback"}
    assert broken(before, after.by_reference()) == {"feedback"}
    dense = Presented(**{**vars(case_of("after_update", "Full 6; Full 5; Output"))})
    dense.weights.mask_W.clear()
    dense.weights.mask_R.clear()
    assert broken(dense, dense.by_reference()) == set()
    other = Presented(**{**vars(dense), "order": "before_update"}).by_reference()
    assert "self-excitation" in broken(dense, other)


def test_what_is_not_a_number_breaks_laws():
    case = case_of()
    trace = case.by_reference()
    trace.delta[2][0, 0, 1, 1] = np.nan
    assert {"feedback", "hebbian"} <= broken(case, trace)


def test_wiring_counts_the_synapses_of_the_layer_table():
    for node in (node for net in (NET, RECTIFIED) for node in NetworkSpec.parse(net, (2, 8, 7), 4).weighted):
        wire = wiring_of(node)
        assert wire.post.size == node.synaptic.synapses(node.source_shapes[0], node.shape)
        assert wire.post.max() == node.units - 1
        assert 0 <= wire.weight.min() and wire.weight.max() < np.prod(node.weight_shape)


def test_windows_know_their_padding():
    node = NetworkSpec.parse("Conv 1 1x1; Maxpool 3; Output", (1, 4, 4), 2).nodes[1]
    assert windows_of(node, "centre")[0].tolist() == [NOWHERE] * 4 + [0, 1, NOWHERE, 4, 5]
    assert windows_of(node, "corner")[3].tolist() == [10, 11, NOWHERE, 14, 15, *[NOWHERE] * 4]
