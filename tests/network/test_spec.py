import networkx as nx
import pytest

from network.errors import BadInput
from network.layers import Conv, Local, Pool, shape_text
from network.presets import PRESETS
from network.spec import NetworkSpec
from network.table import format_table, layer_table, totals


def spec_of(net, shape=(3, 32, 32), classes=10, **options):
    return NetworkSpec.parse(net, shape, classes, **options)


def test_simpnet_shapes_and_counts():
    rows = {row["name"]: row for row in layer_table(spec_of("simpnet"))}
    assert rows["conv1"]["shape"] == [32, 32, 32]
    assert rows["maxpool2"]["shape"] == [32, 16, 16]  # "32 arrays of size 16x16"
    assert rows["conv1"]["weights"] == 32 * 3 * 5 * 5
    assert rows["full4"]["weights"] == 500 * 32 * 16 * 16
    assert rows["output6"]["weight_shape"] == [10, 500]


def test_synapses_leave_the_padding_out():
    # A 3x3 filter on 4x4 pixels: (4 + 3 + 3) connections along each side. Even kernels pad after: 2x2 sees 4 + 3.
    assert layer_table(spec_of("Conv 1 3x3; Output", (1, 4, 4)))[1]["synapses"] == 100
    assert layer_table(spec_of("Conv 1 2x2; Output", (1, 4, 4)))[1]["synapses"] == 49
    assert layer_table(spec_of("Local 1 5x5; Output", (1, 2, 2)))[1]["synapses"] == 16


@pytest.mark.parametrize("net", PRESETS)
def test_presets_fit_together_and_draw_as_a_graph(net):
    spec = spec_of(net)
    assert nx.is_directed_acyclic_graph(spec.graph)
    assert spec.graph.number_of_nodes() == len(spec.nodes) + 1
    assert NetworkSpec.parse(spec.notation, (3, 32, 32), 10) == spec
    assert totals(spec)["weights"] > 100_000


def test_deepnet_s_pools_as_the_code_reports():
    shapes = [node.shape for node in spec_of("deepnet_s").nodes if node.name.startswith("maxpool")]
    assert shapes == [(16, 11, 11), (64, 6, 6), (64, 3, 3)]  # 32 -> 11 -> 6 -> 3


def test_sum_reads_the_two_layers_before_it():
    spec = spec_of("Conv 4 3x3; Conv 4 3x3; SUM; Output")
    assert spec.nodes[2].sources == ("conv1", "conv2")
    assert set(spec.graph.predecessors("sum3")) == {"conv1", "conv2"}


def test_feedback_is_needed_only_where_something_learns_below():
    spec = spec_of("Maxpool 2/2; Drop .1; Conv 4 3x3; Maxpool 2/2; Output")
    assert spec.learns_below == {"conv3", "maxpool4", "output5"}


def test_untied_network_has_the_same_shapes():
    tied = spec_of("deepernet")
    untied = tied.untied()
    assert [node.shape for node in untied.nodes] == [node.shape for node in tied.nodes]
    assert isinstance(untied.layers[0], Local)
    assert untied.weighted[0].weight_shape == (16, 32, 32, 3, 3, 3)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        ("simpnett", "did you mean 'simpnet'"),
        ("Conv 4 3x3; Conv 8 3x3; SUM; Output", "4x32x32 and 8x32x32"),
        ("SUM; Output", "only the input"),
        ("Full 5; Conv 3 3x3; Output", "before the first Full layer"),
        ("Full 5; Maxpool 3; Output", "5 units without a position"),
        ("Conv 4 40x3 valid; Output", "window larger than the 32x32 maps"),
        ("Maxpool 16/16; Maxpool 3 valid; Output", "window larger than the 2x2 maps"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(net, message):
    with pytest.raises(BadInput, match=message):
        spec_of(net)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1}, "1 classes"),
        ({"gain": 0.0}, "gain 0"),
        ({"gain": float("inf")}, "gain inf"),
        ({"semantics": "papper"}, "did you mean 'paper'"),
        ({"shape": (0, 3, 3)}, "input shape"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(BadInput, match=message):
        spec_of("simpnet", **options)


def test_semantics_bring_their_gain():
    assert spec_of("simpnet").gain == 1.0
    assert spec_of("simpnet", semantics="code2018").gain == 0.5
    assert spec_of("simpnet", semantics="code2018", gain=2.0).gain == 2.0


# Table 1 of Liao, Leibo and Poggio: the network, its input, classes, and what every layer puts out.
TABLE_1 = {
    "liao_images": ((3, 119, 119), 102, ["48x56x56", "48x28x28", "128x24x24", "128x12x12", "306", "204", "102"]),
    "liao_mnist": ((1, 28, 28), 10, ["20x24x24", "20x12x12", "50x8x8", "50x4x4", "500", "10"]),
    "liao_cifar": (
        (3, 32, 32), 100, ["32x32x32", "32x16x16", "64x16x16", "64x8x8", "64x8x8", "64x4x4", "128", "100"],
    ),
    "liao_svhn": ((3, 32, 32), 10, ["20x28x28", "20x14x14", "512x8x8", "512x4x4", "40", "10"]),
    "liao_timit": ((1845, 1, 1), 80, ["512", "256", "80"]),
}  # fmt: skip


@pytest.mark.parametrize("net", TABLE_1)
def test_the_networks_of_table_1(net):
    shape, classes, shapes = TABLE_1[net]
    spec = spec_of(net, shape, classes)
    assert [shape_text(node.shape) for node in spec.nodes] == shapes
    assert all(node.synaptic.activation == "relu" for node in spec.weighted if not node.is_output)
    assert NetworkSpec.parse(spec.notation, shape, classes) == spec
    if net == "liao_cifar":  # zeros: two on every side of a convolution, one right and below of a pooling
        assert all(node.layer.pads == ((2, 2), (2, 2)) for node in spec.nodes if isinstance(node.layer, Conv))
        pools = [(node.layer, node.source_shapes[0][1]) for node in spec.nodes if isinstance(node.layer, Pool)]
        assert [pool.padding("centre", rows) for pool, rows in pools] == [(0, 1)] * 3


def test_few_classes_leave_at_least_256_units():
    spec = spec_of("liao_images", (3, 119, 119), 17)
    assert [node.shape for node in spec.weighted[2:]] == [(256,), (34,), (17,)]


def test_untied_networks_keep_strides_and_units():
    tied = spec_of("liao_images", (3, 119, 119), 17)
    untied = tied.untied()
    assert [node.shape for node in untied.nodes] == [node.shape for node in tied.nodes]
    assert str(untied.layers[0]) == "Local 48 9x9/2 valid ReLU"


def test_table_names_every_layer():
    text = format_table(spec_of("deepernet"))
    assert all(node.name in text for node in spec_of("deepernet").nodes)
    assert "1,322,040 weights" in text
