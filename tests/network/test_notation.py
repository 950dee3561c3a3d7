import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.errors import BadInput
from network.layers import Avgpool, Conv, Drop, Full, Local, Maxpool, Output, Sum
from network.notation import parse_notation


def test_the_papers_own_lines_parse():
    printed = """conv 16 3x3; conv 16 3x3; SUM; conv 32 3x3; conv 32 3x3;
    SUM; maxpool 3; drop .5; conv 64 3x3; conv 64 3x3; SUM; maxpool 3;
    conv 128 3x3; conv 128 3x3; SUM; maxpool 3; drop .8;
    full conn. 500; output"""
    layers = parse_notation(printed)
    assert layers[:3] == (Conv(16, (3, 3)), Conv(16, (3, 3)), Sum())
    assert layers[6:8] == (Maxpool(3, 2), Drop(0.5))
    assert layers[-2:] == (Full(500), Output(0))
    assert len(layers) == 19


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("LOCAL 32 5 x 5", Local(32, (5, 5))),
        ("Conv 8 2×3", Conv(8, (2, 3))),
        ("max pool 3 / 3", Maxpool(3, 3)),
        ("Avgpool 2/2", Avgpool(2, 2)),
        ("drop.25", Drop(0.25)),
        ("Dropout 0.5", Drop(0.5)),
        ("fully connected 7", Full(7)),
        ("Conv 48 9x9/2 valid ReLU", Conv(48, (9, 9), stride=2, padding="valid", activation="relu")),
        ("Full 9 bn-affine relu", Full(9, norm="affine", activation="relu")),
        ("Conv 4 3x3 ReLU BN", Conv(4, (3, 3), norm="plain", activation="relu")),
        ("local 8 3x3 / 2 relu", Local(8, (3, 3), stride=2, activation="relu")),
        ("full 2c relu", Full(0, per_class=2, activation="relu")),
        ("Full 3C >= 256", Full(256, per_class=3)),
        ("Maxpool 3 corner", Maxpool(3, 2, "corner")),
        ("Avgpool 2/2 Valid", Avgpool(2, 2, "valid")),
    ],
)
def test_spelling_is_loose(text, layer):
    assert parse_notation(f" {text} ;\n output ;")[0] == layer


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("Covn 32 5x5; Output", 1, "did you mean 'Conv'"),
        ("Conv 32 5x5; Maxpol 3; Output", 14, "did you mean 'Maxpool'"),
        ("Conv 32 5; Output", 1, "Conv F KxK"),
        ("Conv 32 5x5;  Maxpool; Output", 15, "Maxpool K"),
        ("Conv 0 5x5; Output", 1, "whole numbers from 1"),
        ("Full 99999999; Output", 1, "whole numbers from 1"),
        ("Drop 1.0; Output", 1, "nothing would pass"),
        ("Drop -1; Output", 1, "0 <= p < 1"),
        ("Output; Full 3", 9, "nothing may follow"),
        ("Conv 32 5x5", 12, "to be 'Output'"),
        ("5x5; Output", 1, "expected a layer"),
        ("Conv 4 3x3 rellu; Output", 1, "did you mean 'ReLU'"),
        ("Conv 4 3x3 corner; Output", 1, "after the numbers any of: valid, BN, BN-affine, ReLU"),
        ("Conv 4 3x3 ReLU relu; Output", 1, "says again"),
        ("Full 5 BN BN-affine; Output", 1, "says again"),
        ("Maxpool 3 corner valid; Output", 1, "says again"),
        ("Full 5 valid; Output", 1, "after the numbers any of: BN, BN-affine, ReLU"),
        ("Conv 4 3x3/0; Output", 1, "whole numbers from 1"),
    ],
)
def test_mistakes_name_position_token_and_remedy(text, position, words):
    with pytest.raises(BadInput, match=f"character {position}, ") as caught:
        parse_notation(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_not_a_network():
    with pytest.raises(BadInput, match="empty network"):
        parse_notation(" ; ")


activations = {"activation": st.sampled_from(["clip", "relu"]), "norm": st.sampled_from(["", "plain", "affine"])}
filters = {"stride": st.integers(1, 4), "padding": st.sampled_from(["same", "valid"]), **activations}
windows = st.integers(1, 5), st.integers(1, 4), st.sampled_from(["", "corner", "valid"])
layer_strategy = st.one_of(
    st.builds(Conv, st.integers(1, 64), st.tuples(st.integers(1, 7), st.integers(1, 7)), **filters),
    st.builds(Local, st.integers(1, 64), st.tuples(st.integers(1, 7), st.integers(1, 7)), **filters),
    st.builds(Full, st.integers(1, 999), per_class=st.integers(0, 3), **activations),
    st.builds(Maxpool, *windows),
    st.builds(Avgpool, *windows),
    st.builds(Drop, st.floats(0, 0.999).map(lambda p: round(p, 3))),
    st.just(Sum()),
)


@given(st.lists(layer_strategy, max_size=6))
def test_what_is_printed_parses_to_the_same_layers(layers):
    text = "; ".join(map(str, [*layers, Output(0)]))
    assert parse_notation(text) == (*layers, Output(0))


@given(st.text(max_size=40))
def test_any_text_is_a_network_or_a_one_line_error(text):
    try:
        parse_notation(text)
    except BadInput as error:
        assert len(str(error).splitlines()) == 1
