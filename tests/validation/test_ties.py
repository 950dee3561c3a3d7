"""What an engine decided otherwise than the reference is told apart from what it did wrong."""

import numpy as np
import pytest

from network.reference import forward
from network.rules import ORDERS, make_rule
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.ties import Presented, expected_of, ties_between
from validation.tolerances import TOLERANCES

ROUNDING = TOLERANCES["float64"].relative
NET = "Conv 4 3x3; Maxpool 3; Conv 4 3x3; SUM; Maxpool 2/2; Full 12; Output"


def case_of(net=NET, rule="urfb", order="before_update", **options):
    spec, weights, images, labels = presentation(net, rule, shape=(2, 8, 8), classes=5, scale=2.5, **options)
    return Presented(spec, weights, images, labels, make_rule(rule), order=order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("rule", ["urfb", "bph", "bp"])
def test_without_ties_the_expected_trace_is_the_reference(rule, order):
    case = case_of("Conv 4 3x3; Maxpool 3; Full 12; Output", rule, order)
    exact = case.by_reference()
    found = compare(exact, expected_of(case, exact, ROUNDING))
    assert found.worst.largest == 0
    assert ties_between(case, exact, exact).windows == 0


def flat_patches():
    """Weights, and images with patches of one grey: windows with equal maxima, in which any pixel may win."""
    spec, weights, _, labels = presentation("Conv 4 3x3; Maxpool 3; Full 9; Output", "urfb", images=2, scale=2.0)
    images = np.full((2, 3, 32, 32), 0.5)
    images[:, :, 8:16, 20:] = 0.25
    return Presented(spec, weights, images, labels, make_rule("urfb"))


def test_windows_that_another_engine_decides_otherwise_are_counted_and_change_nothing_else():
    case = flat_patches()
    exact = case.by_reference()
    # Another engine, whose rounding makes the last of equal pixels the largest.
    other = exact.x[1] + 1e-15 * np.arange(exact.x[1].size).reshape(exact.x[1].shape) / exact.x[1].size
    seen = StepTrace(h=exact.h, x={**exact.x, 1: np.where(np.abs(exact.x[1]) < 1, other, exact.x[1])})
    found = case.by_reference(seen)
    assert compare(exact, found).worst.relative > 0.1  # the feedback of many windows goes to another pixel
    assert ties_between(case, exact, found).windows > 10
    assert compare(expected_of(case, found, ROUNDING), found).within(TOLERANCES["float64"])


def test_an_error_is_no_tie():
    case = flat_patches()
    wrong = case.by_reference()
    wrong.delta[2] = -wrong.delta[2]
    found = compare(expected_of(case, wrong, ROUNDING), wrong)
    assert found.worst.relative >= 2
    assert {d.quantity for d in found.differences if d.relative > ROUNDING} == {"delta"}


def test_an_output_at_its_margin_may_be_judged_either_way():
    spec = NetworkSpec.parse("Output", (1, 1, 1), 3, gain=1.0)
    case = Presented(
        spec, Weights({1: np.array([[1.0], [-1.0], [0.5]])}), np.ones((1, 1, 1, 1)), np.array([0]), make_rule("bph"),
        mu=0.5,
    )  # fmt: skip
    exact = case.by_reference()
    assert exact.delta[1].tolist() == [[1.0, -0.5, -0.5]]
    silent = case.by_reference(StepTrace(h={1: np.array([[1.1, -1.1, 0.5]])}, x={1: np.array([[1.1, -1.1, 0.5]])}))
    silent.h, silent.x = exact.h, exact.x
    assert silent.delta[1].tolist() == [[0.0, 0.0, -0.5]]
    assert compare(expected_of(case, silent, ROUNDING), silent).worst.largest == 0
    assert ties_between(case, exact, silent).outputs == 2
    wrong = case.by_reference()
    wrong.delta[1][0, 2] = 0.0  # far from its margin
    assert compare(expected_of(case, wrong, ROUNDING), wrong).worst.largest == 0.5


def test_float32_engines_differ_by_ties_and_rounding_alone():
    case = case_of(images=6, seed=3)
    trace = engine_of("torch", case.spec, case.weights, case.rule, dtype="float32").present(
        case.images.astype("float32"), case.labels
    )
    expected = expected_of(case, trace, TOLERANCES["float32"].relative)
    assert compare(expected, trace).within(TOLERANCES["float32"])


def test_increments_of_engines_that_take_time_are_held_against_their_own_delta():
    case = case_of("Conv 4 3x3; Maxpool 3; Full 12; Output")
    late = case.by_reference()
    late.delta[2] = late.delta[2] + 1e-3  # a little feedback from everywhere, and the increments that follow from it
    _, x = forward(case.spec, case.weights, case.images)
    more = case.eta / len(case.images) * 1e-3 * np.ones((12, 3)) @ x["maxpool2"].reshape(3, -1)
    late.dW[2], late.dR[2] = late.dW[2] + more, late.dR[2] + more
    found = compare(expected_of(case, late, ROUNDING, own_delta=True), late)
    assert max(d.relative for d in found.of("dW", "dR") if d.layer == 2) < ROUNDING
    assert max(d.relative for d in found.of("delta") if d.layer == 2) > 1e-4
    other = compare(expected_of(case, late, ROUNDING), late)
    assert max(d.relative for d in other.of("dW") if d.layer == 2) > 1e-4
