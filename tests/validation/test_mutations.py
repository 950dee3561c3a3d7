"""Every engine is broken in ten ways, one at a time, and each is caught by the claim that it should be caught by."""

import pytest

from sim.data import load_data
from tests.validation.mutations import GAIN, MUTATIONS
from validation.agreement import agree
from validation.cases import cases
from validation.evidence import CAUGHT_BY, check_laws
from validation.variants import VARIANTS

NAMED = {variant.name: variant for variant in VARIANTS}
# Engines that take time are not held against the laws, which are exact, but against the algorithm.
GROUP_OF = {
    "steady-state": "activity",
    "output-error": "feedback",
    "feedback": "feedback",
    "shutdown": "feedback",
    "no-connection": "increments",
    "feedback-hebbian": "increments",
}


@pytest.fixture(scope="module")
def presented():
    return list(cases("all kinds of layers", load_data("digits"), images=4, seeds=(0,), gain=GAIN, decays=True))


def failing_laws(presented, engine):
    return {claim.name for claim in check_laws(presented, [NAMED[engine]]) if claim.passed is False}


def failing_agreement(presented, engine):
    variants = [NAMED[engine]]
    return {claim.name for claim in agree(presented, variants).claims(variants) if claim.passed is False}


@pytest.mark.parametrize("engine", ["reference", "torch", "event"])
def test_an_engine_that_is_right_fails_no_claim(presented, engine):
    assert failing_laws(presented, engine) == set()


def test_a_timed_engine_that_is_right_fails_no_claim(presented):
    assert failing_agreement(presented, "event timed") == set()


@pytest.mark.parametrize("engine", ["reference", "torch", "event"])
@pytest.mark.parametrize("mutation", CAUGHT_BY)
def test_every_mutation_is_caught_by_its_claim(presented, engine, mutation, monkeypatch):
    MUTATIONS[mutation][engine](monkeypatch)
    assert CAUGHT_BY[mutation] in failing_laws(presented, engine)


@pytest.mark.parametrize("mutation", CAUGHT_BY)
def test_every_mutation_of_a_timed_circuit_is_caught(presented, mutation, monkeypatch):
    MUTATIONS[mutation]["event"](monkeypatch)
    assert f"event timed: {GROUP_OF[CAUGHT_BY[mutation]]}" in failing_agreement(presented, "event timed")
