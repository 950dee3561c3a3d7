import pytest

from network.errors import BadInput
from network.layers import Maxpool
from network.rules import RULES
from sim.engine import CIRCUITS
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


def test_a_layers_own_place_wins_over_the_semantics():
    assert Maxpool(3).padding("centre", 32) == (1, 0)
    assert Maxpool(3).padding("corner", 32) == Maxpool(3, 2, "corner").padding("centre", 32) == (0, 1)
