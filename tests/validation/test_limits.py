"""Where it breaks: the sweeps find the limits, and the claim about them can fail."""

from dataclasses import replace

import numpy as np
import pytest

from sim.data import load_data
from validation.boundaries import BOUNDARIES, check_boundaries
from validation.cases import trained_cases
from validation.figure_limits import plot_sweep
from validation.limits import sweeps


@pytest.fixture(scope="module")
def found():
    digits = load_data("digits")
    run = trained_cases("small convolutional", digits, images=6, seed=0, updates=150, batch=50, engine="torch")
    case = next(case.presented for case, _ in run if case.point == "trained" and case.presented.rule.name == "urfb")
    return {sweep.name: sweep for sweep in sweeps(case, seeds=range(3), fine=1)}


def test_every_limit_is_where_it_should_be(found):
    assert set(found) == set(BOUNDARIES)
    claim = check_boundaries(list(found.values()))
    assert claim.passed, claim.note


@pytest.mark.parametrize("name", BOUNDARIES)
def test_a_limit_that_is_elsewhere_fails_the_claim(found, name):
    for wrong in (0.0, 1.0):  # right everywhere, wrong everywhere
        errors = {quantity: np.full_like(values, wrong) for quantity, values in found[name].errors.items()}
        claim = check_boundaries([replace(found[name], errors=errors)])
        assert not claim.passed and f"not so at: {name}" in claim.note


def test_what_fails_is_named_and_only_where_something_does(found):
    for sweep in found.values():
        assert [bool(why) for why in sweep.mechanism] == [not right for right in sweep.right]


def test_settling_and_delay_leave_what_they_should(found):
    """Errors fall as e^{-T/tau} and e^{-D/tau}, once nobody is misjudged and until the other of the two is larger."""
    for name, low, high in (("settling", 8, 14), ("delay", 1, 8)):
        values, errors = found[name].values, found[name].errors["delta"]
        some = (values >= low) & (values <= high)
        slope = np.polyfit(values[some], np.log(errors[some]), 1)[0]
        assert slope == pytest.approx(-1, abs=0.05), name


def test_a_refusal_is_drawn_as_one(found):
    sweep = found["M"]
    errors = {quantity: np.r_[np.nan, values[1:]] for quantity, values in sweep.errors.items()}
    refused = replace(sweep, errors=errors, mechanism=("refused: because", *sweep.mechanism[1:]))
    assert not refused.right[0]
    ax = plot_sweep(refused)
    assert "refused: because" in "".join(text.get_text() for text in ax.texts)
    assert refused.as_dict()["errors"]["delta"][0] is None
