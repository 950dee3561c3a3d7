"""Every engine is broken in ten ways, one at a time, and each is caught by the claim that it should be caught by."""

import pytest

from sim.data import load_data
from tests.validation.mutations import GAIN, MUTATIONS
from validation.cases import cases
from validation.evidence import CAUGHT_BY, check_laws
from validation.variants import VARIANTS

ENGINES = ("reference", "torch")


@pytest.fixture(scope="module")
def presented():
    return list(cases("all kinds of layers", load_data("digits"), images=4, seeds=(0,), gain=GAIN, decays=True))


def failing(presented, engine):
    variant = next(v for v in VARIANTS if v.name == engine)
    return {claim.name for claim in check_laws(presented, [variant]) if claim.passed is False}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_is_right_fails_no_claim(presented, engine):
    assert failing(presented, engine) == set()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mutation", CAUGHT_BY)
def test_every_mutation_is_caught_by_its_claim(presented, engine, mutation, monkeypatch):
    MUTATIONS[mutation][engine](monkeypatch)
    found = failing(presented, engine)
    assert CAUGHT_BY[mutation] in found
