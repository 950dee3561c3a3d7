import numpy as np
import pytest

from network.errors import BadInput
from network.trace import StepTrace
from validation.compare import compare
from validation.tolerances import AGREEMENT, FINITE_TIMING, TOLERANCES, Tolerance, agreement_tolerances


def test_the_worst_difference_is_named():
    a = StepTrace(h={1: np.array([[1.0, -4.0], [2.0, 0.0]])}, dW={1: np.array([[1.0]]), 2: np.zeros((1, 2))})
    b = StepTrace(h={1: np.array([[1.0, -4.0], [2.5, 0.0]])}, dW={1: np.array([[1.0]]), 2: np.zeros((1, 2))}, ties=2)
    found = compare(a, b)
    assert (found.worst.quantity, found.worst.layer, found.worst.where) == ("h", 1, (1, 0))
    assert (found.worst.largest, found.worst.relative) == (0.5, 0.125)
    assert found.ties == 2
    assert found.within(Tolerance(0.125, "")) and not found.within(Tolerance(0.12, ""))
    assert "h/1 differs by 0.5" in str(found.worst)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e-300])
def test_what_should_be_zero_or_finite_and_is_not_counts_as_infinitely_wrong(value):
    found = compare(StepTrace(x={1: np.zeros(2)}), StepTrace(x={1: np.array([0.0, value])}))
    assert found.worst.relative == np.inf
    assert found.worst.where == (1,)


def test_shapes_and_emptiness_are_errors():
    with pytest.raises(BadInput, match=r"x/1 has shape \[2\] in one trace and \[3\]"):
        compare(StepTrace(x={1: np.zeros(2)}), StepTrace(x={1: np.zeros(3)}))
    with pytest.raises(BadInput, match="no array in common"):
        compare(StepTrace(x={1: np.zeros(2)}), StepTrace(x={2: np.zeros(2)}))


def test_every_tolerance_has_its_reason():
    assert all(t.relative > 0 and len(t.reason) > 40 for t in TOLERANCES.values())
    assert all(0 < t.relative < 1e-3 and len(t.reason) > 10 for t in AGREEMENT.values())


def test_finite_timing_adds_what_it_leaves():
    ideal, timed = agreement_tolerances("float64"), agreement_tolerances("float64", 10.0, layers=3)
    assert {q: t.relative for q, t in ideal.items()} == {q: AGREEMENT["float64", q].relative for q in ideal}
    for quantity, tolerance in timed.items():
        added = tolerance.relative - ideal[quantity].relative
        assert added == pytest.approx(3 * FINITE_TIMING[quantity].relative * np.exp(-10))


def test_every_difference_has_its_angle_signs_and_exact_share():
    a = StepTrace(delta={1: np.array([[1.0, 0.0], [0.0, 0.0]])})
    b = StepTrace(delta={1: np.array([[1.0, -1.0], [0.0, 0.0]])})
    (found,) = compare(a, b).differences
    assert found.angle == pytest.approx(45)
    assert found.signs == found.exact == 0.75
    (same,) = compare(a, a).differences
    assert (same.angle, same.signs, same.exact) == (0.0, 1.0, 1.0)
    assert np.isnan(compare(StepTrace(h={1: np.zeros(1)}), StepTrace(h={1: np.ones(1)})).worst.angle)


def test_the_first_place_beyond_tolerance_is_the_first_that_a_presentation_makes():
    def trace(**wrong):
        arrays = {name: {i: np.ones((2, 3)) for i in (1, 2)} for name in ("h", "x", "delta", "dW")}
        for name, (layer, index) in wrong.items():
            arrays[name][layer][index] = 7
        return StepTrace(**arrays)  # pyright: ignore[reportArgumentType]

    tolerances = {quantity: Tolerance(0.1, "") for quantity in ("h", "x", "delta", "dW")}

    def first(**wrong):
        found = compare(trace(), trace(**wrong), tolerances).first
        assert found is not None
        return found.quantity, found.layer, found.first, found.beyond

    assert compare(trace(), trace(), tolerances).first is None
    assert first(dW=(2, (1, 2)), delta=(1, (0, 1))) == ("dW", 2, (1, 2), 1)  # going down, layer 2 comes first
    assert first(delta=(2, (1, 0)), x=(2, (0, 2))) == ("x", 2, (0, 2), 1)
    assert first(h=(2, (0, 0)), x=(1, (1, 1))) == ("x", 1, (1, 1), 1)
    assert first(delta=(1, slice(None))) == ("delta", 1, (0, 0), 6)
