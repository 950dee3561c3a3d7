"""How R is made and how it changes, rule by rule, against the definitions of Liao, Leibo and Poggio (section 2)."""

import numpy as np
import pytest

from network.errors import BadInput
from network.feedback import sign_factors, with_signs_of
from network.randomness import stream
from network.reference import present
from network.rules import RULES, Signs, effective_order, make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from validation.tolerances import TOLERANCES

SPEC = NetworkSpec.parse("Conv 8 5x3; Maxpool 2/2; Local 4 3x3; Full 60; Output", (3, 10, 12), 7)
LARGE = NetworkSpec.parse("Full 400; Output", (1, 20, 25), 10)  # 200,000 weights in its first layer
FROM_SIGNS = ["usf", "nusf", "brsf", "frsf"]


def signs_of(W):
    """sign(W), -1 or 1, entry by entry."""
    return np.array([-1.0 if w < 0 else 1.0 for w in W.ravel()]).reshape(W.shape)


def drawn(rule, spec=LARGE, seed=3, **options):
    return Weights.draw(spec, seed, make_rule(rule, **options))


def test_usf_is_the_sign_of_w():
    weights = drawn("usf", SPEC)
    assert weights.R.keys() == weights.W.keys()
    for i, W in weights.W.items():
        assert np.array_equal(weights.R[i], signs_of(W))


def test_nusf_divides_by_width_times_height_times_input_features():
    # A full layer is a filter that covers all it reads: the maps of the layer below at all their places.
    weights = drawn("nusf", SPEC)
    inputs = {1: 5 * 3 * 3, 2: 3 * 3 * 8, 3: 4 * 5 * 6, 4: 60}
    for i, count in inputs.items():
        assert weights.R[i] == pytest.approx(signs_of(weights.W[i]) / count, rel=1e-15)


@pytest.mark.parametrize("rule", ["brsf", "frsf"])
def test_magnitudes_are_uniform_and_signs_those_of_w(rule):
    weights = drawn(rule)
    M = (weights.R[1] * signs_of(weights.W[1])).ravel()
    assert M.min() >= 0 and M.max() < 1
    n = M.size
    assert abs(M.mean() - 1 / 2) < 4 / np.sqrt(12 * n)
    counts = np.histogram(M, bins=20, range=(0, 1))[0]
    assert np.sum((counts - n / 20) ** 2 / (n / 20)) < 43.8  # chi squared, 19 degrees of freedom: p = .001
    assert abs(np.corrcoef(M, np.abs(weights.W[1]).ravel())[0, 1]) < 4 / np.sqrt(n)


@pytest.mark.parametrize("p", [0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("rule", ["brsf", "frsf"])
def test_flips_are_as_frequent_as_p_and_independent_of_m_and_w(rule, p):
    weights = drawn(rule, flip_probability=p)
    flipped = (weights.R[1] * signs_of(weights.W[1]) < 0).ravel()
    n = flipped.size
    assert abs(flipped.mean() - p) <= 4 * np.sqrt(p * (1 - p) / n) + 2 / n  # M may be 0 and hide a flip
    # M is what it is without flips
    assert np.array_equal(np.abs(weights.R[1]), np.abs(drawn(rule).R[1]))
    if p < 1:
        for other in (np.abs(weights.R[1]).ravel(), weights.W[1].ravel()):
            assert abs(np.corrcoef(flipped, other)[0, 1]) < 4 / np.sqrt(n)


def test_rndf_is_normal_with_deviation_one_twentieth():
    R = drawn("rndf").R[1].ravel()
    n = R.size
    assert abs(R.mean()) < 4 * 0.05 / np.sqrt(n)
    assert abs(R.std() / 0.05 - 1) < 4 / np.sqrt(2 * n)
    assert abs(np.mean((R / 0.05) ** 4) - 3) < 4 * np.sqrt(96 / n)
    assert abs(np.corrcoef(R, drawn("rndf").W[1].ravel())[0, 1]) < 4 / np.sqrt(n)


@pytest.mark.parametrize("rule", FROM_SIGNS)
def test_the_sign_of_zero_is_one(rule):
    W = np.array([[0.0, -0.0, 1e-300, -1e-300]])
    spec = NetworkSpec.parse("Full 1; Output", (4, 1, 1), 2)
    factors = sign_factors(spec.weighted[0], RULES[rule].signs or Signs(), 0, 0)
    assert np.array_equal(with_signs_of(W, factors), np.broadcast_to(factors, (1, 4)) * [1, 1, 1, -1])


@pytest.mark.parametrize("rule", RULES)
def test_w_does_not_depend_on_the_rule(rule):
    assert all(np.array_equal(drawn(rule).W[i], drawn("urfb").W[i]) for i in (1, 2))


@pytest.mark.parametrize("rule", FROM_SIGNS)
def test_where_w_or_r_has_no_connection_there_is_no_feedback(rule):
    weights = Weights.draw(SPEC, 0, make_rule(rule), connectivity=0.5)
    weights.check(SPEC)
    for i, mask in weights.mask_W.items():
        both = mask & weights.mask_R[i]
        assert np.array_equal(weights.R[i] != 0, both)
        assert np.array_equal(np.sign(weights.R[i][both]), signs_of(weights.W[i][both]))


@pytest.mark.parametrize("p", [0.0, 0.25])
def test_brsf_is_drawn_again_for_every_update_and_frsf_never(p):
    brsf, frsf = (make_rule(rule, flip_probability=p).signs or Signs() for rule in ("brsf", "frsf"))
    node = LARGE.weighted[0]
    first, second = (sign_factors(node, brsf, 5, update) for update in (0, 1))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / np.sqrt(first.size)
    assert np.array_equal(second, sign_factors(node, brsf, 5, 1))  # named by seed and update, not continued
    for update in (0, 1, 7):
        assert np.array_equal(first, sign_factors(node, frsf, 5, update))
    assert not np.array_equal(first, sign_factors(node, brsf, 6, 0))
    M = stream(5, "magnitudes", node.index, 1).random(node.weight_shape)
    S = np.where(stream(5, "flips", node.index, 1).random(node.weight_shape) < p, -1, 1)
    assert np.array_equal(second, M * S)


def test_rescalings_of_other_codes():
    fans = {
        1: (3 * 15, 8 * 15),
        2: (8 * 9, 4 * 9),
        3: (4 * 5 * 6, 60),
        4: (60, 7),
    }  # in, out; by kernel where there is one
    usf, frsf = drawn("usf", SPEC, feedback_scale="biotorch"), drawn("frsf", SPEC, feedback_scale="biotorch")
    plain = drawn("frsf", SPEC)
    for i, (fan_in, fan_out) in fans.items():
        assert np.abs(usf.R[i]) == pytest.approx(np.sqrt(2 / (fan_in + fan_out)), rel=1e-12)
        assert frsf.R[i] == pytest.approx(np.sqrt(6 / (fan_in + fan_out)) * plain.R[i], rel=1e-12)
    xiao = drawn("usf", SPEC, feedback_scale="sign-symmetry")
    expected = {1: np.sqrt(2 / (15 * 8)), 2: np.sqrt(2 / (9 * 4)), 3: 1 / np.sqrt(120), 4: 1 / np.sqrt(60)}
    for i, scale in expected.items():
        assert np.abs(xiao.R[i]) == pytest.approx(scale, rel=1e-12)


def feedback_as_defined(rule, W, M, S):
    """V of section 2 (NuSF: section 5) from W and the matrices that are drawn."""
    sign = np.where(W < 0, -1.0, 1.0)
    return {"usf": sign, "nusf": sign / W.shape[1], "brsf": M * sign * S, "frsf": M * sign * S}[rule]


@pytest.mark.parametrize("rule", FROM_SIGNS)
def test_the_update_of_every_rule_is_equation_2(rule):
    # dE/dX_i = sum_j V_ij f'(N_j) dE/dY_j, index by index, and the update is the product of what a synapse connects.
    seed, eta, p = 2, 0.3, 0.25 if rule in ("brsf", "frsf") else 0.0
    spec = NetworkSpec.parse("Full 5 ReLU; Full 4 ReLU; Output", (3, 2, 1), 3)
    weights = Weights.draw(spec, seed, make_rule(rule, flip_probability=p))
    rng = np.random.default_rng(0)
    images, labels = rng.random((2, 3, 2, 1)), np.array([2, 0])
    V = {}
    for i, W in weights.W.items():
        M = stream(seed, "magnitudes", i, 0).random(W.shape)
        S = np.where(stream(seed, "flips", i, 0).random(W.shape) < p, -1.0, 1.0)
        V[i] = feedback_as_defined(rule, W, M, S)
    expected = {i: np.zeros_like(W) for i, W in weights.W.items()}
    for image, label in zip(images, labels, strict=True):
        X, N = {0: image.ravel()}, {}
        for i in (1, 2, 3):
            N[i] = np.array(
                [sum(weights.W[i][j, k] * X[i - 1][k] for k in range(len(X[i - 1]))) for j in range(len(weights.W[i]))]
            )
            X[i] = N[i] if i == 3 else np.array([max(n, 0.0) for n in N[i]])
        total = sum(np.exp(y) for y in X[3])
        dE = {3: np.array([np.exp(y) / total - (c == label) for c, y in enumerate(X[3])])}
        for i in (3, 2, 1):
            slope = np.array([1.0 if i == 3 or n > 0 else 0.0 for n in N[i]])
            for j in range(len(N[i])):
                for k in range(len(X[i - 1])):
                    expected[i][j, k] -= eta / 2 * slope[j] * dE[i][j] * X[i - 1][k]
            dE[i - 1] = np.array(
                [sum(V[i][j, k] * slope[j] * dE[i][j] for j in range(len(N[i]))) for k in range(len(X[i - 1]))]
            )
    trace = present(spec, weights, images, labels, make_rule(rule, flip_probability=p), eta=eta)
    for i, dW in trace.dW.items():
        assert dW == pytest.approx(expected[i], rel=TOLERANCES["float64"].relative, abs=1e-15)
        assert dW.any()


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("usff", {}, "did you mean 'usf'"),
        ("usf", {"flip_probability": 0.25}, "takes no flip probability; 'brsf' and 'frsf' do"),
        ("urfb", {"flip_probability": 0.25}, "takes no flip probability"),
        ("brsf", {"flip_probability": 1.5}, "flip probability 1.5"),
        ("brsf", {"flip_probability": float("nan")}, "flip probability nan"),
        ("usf", {"feedback_rate": 0.5}, "follow the signs of W"),
        ("rndf", {"feedback_decay": 0.5}, "fixed"),
        ("rndf", {"feedback_scale": "biotorch"}, "takes no feedback scale"),
        ("usf", {"feedback_scale": "biotorc"}, "did you mean 'biotorch'"),
        ("brsf", {"feedback_scale": "sign-symmetry"}, "rule 'usf'"),
    ],
)
def test_options_that_make_no_sense_are_refused(rule, options, message):
    with pytest.raises(BadInput, match=message):
        make_rule(rule, **options)


@pytest.mark.parametrize("rule", FROM_SIGNS)
def test_feedback_from_signs_runs_before_update(rule):
    assert effective_order(make_rule(rule), "after_update") == "before_update"
