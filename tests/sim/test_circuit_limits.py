from typing import Any

import pytest

from network.errors import BadInput
from network.layers import Maxpool
from network.rules import RULES
from sim.engine import CIRCUITS
from sim.schedule import Timing
from sim.schedule_plan import Schedule
from tests.sim.conftest import engine_of, presentation


@pytest.mark.parametrize("engine", CIRCUITS)
@pytest.mark.parametrize(
    ("net", "words"),
    [
        ("Conv 3 3x3; Full 4 ReLU; Output", "layer 2 'Full 4 ReLU': .* rectified"),
        ("Conv 3 3x3 BN; Output", "layer 1 'Conv 3 3x3 BN': .* normalise a batch"),
        ("Conv 3 3x3/2; Output", "layer 1 'Conv 3 3x3/2': .* strides"),
        ("Local 3 3x3 valid; Output", "layer 1 .* without padding"),
        ("Conv 3 3x3; Maxpool 3 corner; Output", "layer 2 .* windows placed by the layer"),
    ],
)
def test_circuits_refuse_by_name_what_they_have_no_neurons_for(engine, net, words):
    spec, weights, *_ = presentation(net, "urfb", shape=(1, 8, 8))
    with pytest.raises(BadInput, match=words):
        engine_of(engine, spec, weights, "urfb")


@pytest.mark.parametrize("engine", CIRCUITS)
@pytest.mark.parametrize("rule", [rule for rule in RULES if RULES[rule].signs])
def test_circuits_refuse_feedback_made_anew(engine, rule):
    spec, weights, *_ = presentation("Full 4; Output", rule, shape=(1, 3, 3))
    with pytest.raises(BadInput, match=f"rule '{rule}': engine '{engine}' .* made anew"):
        engine_of(engine, spec, weights, rule)


@pytest.mark.parametrize("engine", CIRCUITS)
def test_circuits_refuse_feedback_past_the_layers_above(engine):
    spec, weights, *_ = presentation("Full 4; Output", "dfa", shape=(1, 3, 3))
    with pytest.raises(BadInput, match=f"rule 'dfa': engine '{engine}' has no fibres"):
        engine_of(engine, spec, weights, "dfa")


def test_a_layers_own_place_wins_over_the_semantics():
    assert Maxpool(3).padding("centre", 32) == (1, 0)
    assert Maxpool(3).padding("corner", 32) == Maxpool(3, 2, "corner").padding("centre", 32) == (0, 1)


@pytest.mark.parametrize("engine", CIRCUITS)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"K": 1e308}, "K = 1e.308: 2 K overflows float64"),
        ({"M": 1e308}, "M = 1e.308: 2 M overflows float64"),
        ({"epsilon": 1e-17}, "epsilon = 1e-17 with mu"),
        ({"mu": 1e300}, "epsilon = 0.2 with mu = 1e.300: mu . epsilon and mu cannot be told apart"),
        ({"epsilon": 1e300, "timing": Timing()}, "epsilon = 1e.300 is out of range"),
        ({"mu": 1e-8, "timing": Timing()}, "epsilon / mu .* 2e.07 is out of range"),
        ({"timing": Timing.settled(1e9)}, "delay = 1e.07 is out of range"),
    ],
)
def test_circuits_refuse_numbers_that_they_cannot_hold(engine, options, words):
    spec, weights, *_ = presentation("Full 4; Output", "urfb", shape=(1, 3, 3))
    with pytest.raises(BadInput, match=words):
        engine_of(engine, spec, weights, "urfb", **options)


def test_what_is_lost_in_float32_alone_is_refused_there_alone():
    spec, weights, *_ = presentation("Full 4; Output", "urfb", shape=(1, 3, 3))
    for options, words in (({"epsilon": 1e-9}, "float32, and no correct output"), ({"K": 1e38}, "overflows float32")):
        engine_of("event", spec, weights, "urfb", **options)
        with pytest.raises(BadInput, match=words):
            engine_of("event", spec, weights, "urfb", dtype="float32", **options)


@pytest.mark.parametrize("engine", CIRCUITS)
@pytest.mark.parametrize("other", [Timing(tau=5e-3), Timing(loop=20e-3)], ids=["tau", "loop"])
def test_a_run_for_another_circuit_in_time_is_refused(engine, other):
    spec, weights, images, labels = presentation("Full 4; Output", "urfb", shape=(1, 3, 3))
    made: Any = engine_of(engine, spec, weights, "urfb", timing=Timing())
    with pytest.raises(BadInput, match=r"run: its schedule is for (tau = 0\.005|loop = 0\.02) s, and the"):
        made.present(images, labels, Schedule(spec, timing=other).run())
    if engine == "event":  # with ideal timing only the order counts
        ideal: Any = engine_of(engine, spec, weights, "urfb")
        ideal.present(images, labels, Schedule(spec, timing=other).run())
