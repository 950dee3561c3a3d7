"""Networks with batch normalisation in a certificate: what has them is compared, what has not says why."""

import pytest

from sim.data import load_data
from sim.engine import CIRCUITS
from validation.agreement import agree
from validation.cases import cases, trained_cases
from validation.claims import all_pass
from validation.variants import VARIANTS

NET = "Conv 4 3x3 BN; Output"


def test_circuits_are_left_out_with_the_reason_and_the_others_agree():
    pytest.importorskip("torch")
    variants = [each for each in VARIANTS if each.engine != "brian" and not each.missing()]
    few = list(cases(NET, load_data("digits"), images=3, seeds=(0,)))[:2]
    found = agree(few, variants)
    claims = found.claims(variants)
    assert claims and all_pass(claims) and all(claim.name.startswith("torch") for claim in claims)
    assert {name for name, _ in found.left_out} == {each.name for each in variants if each.engine in CIRCUITS}
    assert all("no neurons that normalise a batch" in why for _, why in found.left_out)


def test_their_test_error_is_by_statistics_of_the_network_as_it_is():
    digits = load_data("digits")
    run = trained_cases(NET, digits, images=2, seed=0, updates=40, batch=50, engine="reference")
    errors = {case.point: error for case, error in run}
    assert errors["trained"] < 0.4 < errors["start"]
