import numpy as np
import pytest

from network.errors import BadInput
from network.randomness import PURPOSES, dropout_mask, stream
from network.rules import effective_order, make_rule
from network.spec import NetworkSpec
from network.weights import Weights

SPEC = NetworkSpec.parse("Conv 6 3x2; Local 4 3x3; Full 30; Output", (2, 6, 5), 4)


def test_glorot_uniform_bounds():
    weights = Weights.draw(SPEC, seed=3)
    bounds = {
        1: np.sqrt(6 / (6 * (2 + 6))),
        2: np.sqrt(6 / (9 * (6 + 4))),
        3: np.sqrt(6 / (120 + 30)),
        4: np.sqrt(6 / 34),
    }
    for i, bound in bounds.items():
        for values in (weights.W[i], weights.R[i]):
            assert np.abs(values).max() <= bound
            assert np.abs(values).max() > 0.8 * bound
            assert values.std() == pytest.approx(bound / np.sqrt(3), rel=0.25)


def test_w_and_r_are_independent():
    weights = Weights.draw(SPEC, seed=0)
    i = 3
    assert abs(np.corrcoef(weights.W[i].ravel(), weights.R[i].ravel())[0, 1]) < 0.1


def test_half_connectivity_masks_w_and_r_apart_and_spares_the_output():
    weights = Weights.draw(SPEC, seed=0, connectivity=0.5)
    assert set(weights.mask_W) == set(weights.mask_R) == {1, 2, 3}
    for i in (2, 3):
        assert weights.mask_W[i].mean() == pytest.approx(0.5, abs=0.05)
        both = weights.mask_W[i] & weights.mask_R[i]
        assert both.mean() == pytest.approx(0.25, abs=0.05)
        assert not weights.W[i][~weights.mask_W[i]].any()
        assert not weights.R[i][~weights.mask_R[i]].any()


def test_masks_leave_the_weights_that_remain_as_they_were():
    full, half = Weights.draw(SPEC, seed=0), Weights.draw(SPEC, seed=0, connectivity=0.5)
    for i, mask in half.mask_W.items():
        assert np.array_equal(half.W[i], full.W[i] * mask)


def test_a_rule_without_r_starts_from_the_same_w():
    with_r, without = Weights.draw(SPEC, seed=0), Weights.draw(SPEC, 0, make_rule("bp"))
    assert not without.R
    assert all(np.array_equal(with_r.W[i], without.W[i]) for i in with_r.W)


@pytest.mark.parametrize("share", [0.0, 1.5, -1.0, float("nan")])
def test_connectivity_out_of_range(share):
    with pytest.raises(BadInput, match="connectivity"):
        Weights.draw(SPEC, 0, connectivity=share)


def broken(change):
    weights = Weights.draw(SPEC, 0, connectivity=0.5)
    change(weights)
    return weights


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.W.pop(2), "W/2 is missing"),
        (lambda w: w.R.pop(3), "R/3 is missing"),
        (lambda w: w.W.update({3: w.W[3].T}), "W/3 has shape 120x30; full3 'Full 30' needs 30x120"),
        (lambda w: w.W.update({9: w.W[3]}), "W/9: the network has 4 layers"),
        (lambda w: w.R[4].__setitem__((1, 2), np.nan), r"R/4 is nan at \[1, 2\]"),
        (lambda w: w.W.update({4: w.W[4].astype(int)}), "W/4 has dtype"),
        (lambda w: w.W[3].__setitem__(slice(None), 1.0), "W/3 is not 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(change, message):
    with pytest.raises(BadInput, match=message):
        broken(change).check(SPEC)


def test_r_of_the_first_layer_may_be_missing():
    broken(lambda w: (w.R.pop(1), w.mask_R.pop(1))).check(SPEC)


def test_streams_are_independent_of_each_other_and_of_what_was_drawn_before():
    first = {purpose: stream(7, purpose, 1).random(50) for purpose in PURPOSES}
    again = {purpose: stream(7, purpose, 1).random(50) for purpose in reversed(PURPOSES)}
    assert all(np.array_equal(first[p], again[p]) for p in PURPOSES)
    table = np.corrcoef([*first.values(), stream(8, "weights", 1).random(50), stream(7, "weights", 2).random(50)])
    assert np.abs(table - np.eye(len(table))).max() < 0.55


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.8])
def test_dropout_keeps_the_right_share(fraction):
    kept = dropout_mask(0, 5, 2, (50, 7, 11, 13), fraction)
    assert kept.shape == (50, 7, 11, 13)
    assert 1 - kept.mean() == pytest.approx(fraction, abs=0.01)
    assert not np.array_equal(kept, dropout_mask(0, 6, 2, kept.shape, fraction)) or fraction == 0
    assert np.array_equal(kept, dropout_mask(0, 5, 2, kept.shape, fraction))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ufrb",), "did you mean 'urfb'"),
        (("bph", 0.5), "takes no feedback rate"),
        (("frfb", 0.5), "fixed"),
        (("frfb", None, 0.1), "fixed"),
        (("urfb", 1.5), "feedback rate 1.5"),
        (("urfb", 1.0, 1.0), "feedback decay 1"),
        (("urfb", 0.0, 0.1), "makes R vanish"),
    ],
)
def test_rules_refuse_what_makes_no_sense(arguments, message):
    with pytest.raises(BadInput, match=message):
        make_rule(*arguments)


def test_rules_with_feedback_through_w_run_before_update():
    assert effective_order(make_rule("bph"), "after_update") == "before_update"
    assert effective_order(make_rule("urfb"), "after_update") == "after_update"
    with pytest.raises(BadInput, match="did you mean 'after_update'"):
        effective_order(make_rule("urfb"), "after_updat")
