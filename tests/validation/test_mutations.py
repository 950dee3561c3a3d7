"""Every engine is broken in ten ways, one at a time, and each is caught by the claim that it should be caught by."""

from pathlib import Path

import pytest

from sim.data import load_data
from tests.validation.mutations import BRIAN, GAIN, MUTATIONS
from validation.agreement import GROUPS, agree
from validation.cases import cases
from validation.compare import compare
from validation.evidence import CAUGHT_BY, check_laws
from validation.ties import Presented, expected_of
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


@pytest.mark.parametrize("engine", ["reference", "torch plain", "event"])
def test_an_engine_that_is_right_fails_no_claim(presented, engine):
    assert failing_laws(presented, engine) == set()


def test_a_timed_engine_that_is_right_fails_no_claim(presented):
    assert failing_agreement(presented, "event timed") == set()


@pytest.mark.parametrize("engine", ["reference", "torch plain", "event"])
@pytest.mark.parametrize("mutation", CAUGHT_BY)
def test_every_mutation_is_caught_by_its_claim(presented, engine, mutation, monkeypatch):
    MUTATIONS[mutation][engine.split()[0]](monkeypatch)
    assert CAUGHT_BY[mutation] in failing_laws(presented, engine)


@pytest.mark.parametrize("mutation", CAUGHT_BY)
def test_every_mutation_of_a_timed_circuit_is_caught(presented, mutation, monkeypatch):
    MUTATIONS[mutation]["event"](monkeypatch)
    assert f"event timed: {GROUP_OF[CAUGHT_BY[mutation]]}" in failing_agreement(presented, "event timed")


@pytest.fixture(scope="module")
def brian():
    """The Brian2 engine's module, and one small presentation that has everything: masks, decay, both orders' R."""
    engine = pytest.importorskip("sim.brian.engine")
    net = "Conv 2 3x3; Maxpool 3; Full 6; Output"
    (case,) = [
        case
        for case in cases(net, load_data("digits"), images=1, seeds=(0,), gain=GAIN, decays=True)
        if case.connectivity < 1 and case.presented.order == "after_update" and case.presented.rule.feedback_decay
    ]
    # An eta at which the increments of a single presentation show in the feedback.
    return engine, Presented(**{**vars(case.presented), "eta": 0.1})


def failing_groups(case):
    variant = NAMED["brian"]
    trace, tolerances = variant.present(case), variant.tolerances(case)
    agreement = compare(expected_of(case, trace, tolerances["h"].relative, own_delta=True), trace, tolerances)
    return {group for group, (quantities, _, _) in GROUPS.items() if any(d.beyond for d in agreement.of(*quantities))}


def test_a_brian_engine_that_is_right_fails_no_claim(brian):
    assert failing_groups(brian[1]) == set()


@pytest.mark.parametrize("mutation", CAUGHT_BY)
def test_every_mutation_of_the_brian_engine_is_caught(brian, mutation, monkeypatch):
    engine, case = brian
    BRIAN[mutation](monkeypatch, engine)
    assert GROUP_OF[CAUGHT_BY[mutation]] in failing_groups(case)


def test_the_readme_has_the_table():
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert all(f"| {mistake} | `{claim}` |" in text for mistake, claim in CAUGHT_BY.items())
