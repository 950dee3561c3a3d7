"""Feedback straight from the output (Nokland, 2016): how its R is made, and what lands where, against plain loops."""

import numpy as np
import pytest

from network.errors import BadInput
from network.feedback import synapses_of_R
from network.interchange import Step, read_step, write_step
from network.reference import present
from network.rules import RULES, effective_order, make_rule, why_before_update
from network.spec import NetworkSpec
from network.weights import Weights
from sim.alignment import alignment
from validation.tolerances import TOLERANCES

DFA = make_rule("dfa")
ALL_KINDS = "Conv 4 3x3; Maxpool 2/2; Local 3 3x3; Conv 3 1x1; SUM; Drop .5; Full 9 ReLU; Output"
SPEC = NetworkSpec.parse(ALL_KINDS, (2, 6, 6), 5)
UNITS = {1: 4 * 36, 2: 3 * 9, 3: 3 * 9, 4: 9}


def case(seed=0, connectivity=1.0):
    weights = Weights.draw(SPEC, seed, DFA, connectivity=connectivity)
    for W in weights.W.values():
        W *= 2.0
    rng = np.random.default_rng(seed)
    return weights, rng.random((6, 2, 6, 6)), rng.integers(0, 5, 6)


def test_there_is_an_r_from_the_output_to_the_units_of_every_layer_below_it():
    weights, *_ = case()
    assert {i: R.shape for i, R in weights.R.items()} == {i: (5, units) for i, units in UNITS.items()}
    weights.check(SPEC, DFA)


def test_r_is_glorot_uniform_and_does_not_depend_on_w():
    spec = NetworkSpec.parse("Full 20000; Output", (1, 2, 2), 10)
    R = Weights.draw(spec, 3, DFA).R[1].ravel()
    bound, n = np.sqrt(6 / (10 + 20000)), R.size
    assert 0.999 * bound < np.abs(R).max() < bound
    assert abs(R.mean()) < 4 * bound / np.sqrt(3 * n)
    assert abs(R.std() * np.sqrt(3) / bound - 1) < 4 / np.sqrt(n)
    assert abs(np.corrcoef(R[:20000], Weights.draw(spec, 3, DFA).W[2][0])[0, 1]) < 4 / np.sqrt(20000)


def test_half_of_the_connections_are_drawn_for_r_too():
    weights, *_ = case(connectivity=0.5)
    weights.check(SPEC, DFA)
    assert weights.mask_R.keys() == {1, 2, 3, 4} == weights.mask_W.keys()
    for i, mask in weights.mask_R.items():
        assert mask.shape == (5, UNITS[i])
        assert not weights.R[i][~mask].any()
        assert 0.25 < mask.mean() < 0.75


def plain_delta(weights, trace, images, labels):
    """delta of every layer, unit by unit: sigma' times what the output's error sends it through R."""
    outputs = trace.h[5]
    delta = {5: np.zeros_like(outputs)}
    for n, label in enumerate(labels):
        total = sum(np.exp(y) for y in outputs[n])
        for c in range(5):
            delta[5][n, c] = (c == label) - np.exp(outputs[n, c]) / total
    for i, units in UNITS.items():
        h = trace.h[i].reshape(len(images), units)
        delta[i] = np.zeros_like(h)
        for n in range(len(images)):
            for j in range(units):
                passes = h[n, j] > 0 if i == 4 else -1 < h[n, j] < 1
                delta[i][n, j] = passes * sum(weights.R[i][c, j] * delta[5][n, c] for c in range(5))
        delta[i] = delta[i].reshape(trace.h[i].shape)
    return delta


@pytest.mark.parametrize("connectivity", [1.0, 0.5])
def test_delta_is_the_derivative_times_what_the_error_sends(connectivity):
    # Pools, Drop and SUM lie between, and have no part in it.
    weights, images, labels = case(connectivity=connectivity)
    rng = np.random.default_rng(1)
    kept = {node.name: rng.random((6, *node.shape)) < 0.5 for node in SPEC.nodes if node.layer.keyword == "Drop"}
    trace = present(SPEC, weights, images, labels, DFA, eta=0.3, kept=kept)
    expected = plain_delta(weights, trace, images, labels)
    assert trace.delta.keys() == expected.keys()
    for i, delta in expected.items():
        assert np.abs(trace.delta[i] - delta).max() <= TOLERANCES["float64"].relative * np.abs(delta).max()
        if i < 5:
            assert 0 < np.count_nonzero(delta == 0) < delta.size
    # The increments are the products of what a synapse connects: those of the two full layers, entry by entry.
    for i, below in ((5, trace.x[4]), (4, kept["drop6"] / 0.5 * (trace.x[2] + trace.x[3]))):
        dW = 0.3 / 6 * np.einsum("ni,nj->ij", expected[i], below.reshape(6, -1)) * weights.mask_W.get(i, 1)
        assert np.abs(trace.dW[i] - dW).max() <= TOLERANCES["float64"].relative * np.abs(dW).max()
    assert trace.dR == {}


def test_with_the_transpose_of_the_output_layer_one_hidden_layer_back_propagates():
    spec = NetworkSpec.parse("Full 8; Output", (1, 3, 3), 4)
    weights = Weights.draw(spec, 0, DFA)
    weights.R[1] = weights.W[2].copy()
    rng = np.random.default_rng(0)
    images, labels = rng.random((5, 1, 3, 3)), rng.integers(0, 4, 5)
    direct, exact = (present(spec, weights, images, labels, RULES[rule], eta=1.0) for rule in ("dfa", "bp"))
    for i in (1, 2):
        assert np.array_equal(direct.dW[i], exact.dW[i]) and direct.dW[i].any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda R: R.pop(1), "R/1 is missing"),
        (lambda R: R.update({2: R[2].T}), "R/2 has shape 27x5; .* needs 5x27"),
        (lambda R: R.update({5: np.zeros((5, 9))}), "R/5: by rule 'dfa' nothing feeds back to output8, the output"),
        (lambda R: R.update({3: R[3] * np.nan}), "R/3 is nan"),
    ],
)
def test_an_r_that_does_not_fit_is_named(change, words):
    weights, *_ = case()
    change(weights.R)
    with pytest.raises(BadInput, match=words):
        weights.check(SPEC, DFA)


def test_a_step_file_holds_it_and_the_r_of_other_rules_is_refused(tmp_path):
    weights, images, labels = case()
    write_step(tmp_path / "step.npz", Step(images, labels, weights))
    spec, step = read_step(tmp_path / "step.npz", ALL_KINDS, DFA)
    assert spec == SPEC
    assert step.weights.R.keys() == {1, 2, 3, 4}
    assert all(np.array_equal(R, weights.R[i]) for i, R in step.weights.R.items())
    with pytest.raises(BadInput, match="R/5 is missing"):
        read_step(tmp_path / "step.npz", ALL_KINDS, make_rule("urfb"))


def test_its_order_its_options_and_its_alignment():
    assert effective_order(DFA, "after_update") == "before_update" and why_before_update(DFA)
    for rate, decay in ((0.5, 0.0), (None, 0.1)):
        with pytest.raises(BadInput, match="feedback weights are fixed"):
            make_rule("dfa", rate, decay)
    correlations, angles = alignment(SPEC, case()[0], DFA)
    assert len(correlations) == len(angles) == 5 and np.isnan([*correlations, *angles]).all()


@pytest.mark.parametrize("rule", RULES)
def test_only_rules_that_feed_back_from_the_output_have_an_r_of_that_layout(rule):
    found = [synapses_of_R(SPEC, node, RULES[rule]) for node in SPEC.weighted]
    if RULES[rule].symmetric:
        assert found == [None] * 5
    elif rule != "dfa":
        assert found == list(SPEC.weighted)
