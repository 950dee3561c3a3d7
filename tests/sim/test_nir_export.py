"""Graphs of NIR, written, read again and computed, against the reference's forward pass and the circuit's own forms."""

from dataclasses import replace

import numpy as np
import pytest

from circuits.parameters import OutputError
from network.interchange import Step, write_step
from network.reference import forward
from network.weights import Weights
from sim.cli import main
from sim.cli.export import SHAPES
from sim.nir_export import NotExpressible, export_network, write
from sim.nir_graph import fit
from sim.nir_motif import export_output_error
from tests.sim.conftest import presentation
from tests.sim.nir_arithmetic import Arithmetic
from validation.tolerances import TOLERANCES

nir = pytest.importorskip("nir", reason='the package nir is not installed: pip install "hebb[nir]"')

EXACT = TOLERANCES["float64"].relative
# Even and oblong kernels, windows at either anchor, uneven maps, a stride, sums of saturated units.
NETS = [
    "Conv 3 3x3; Maxpool 3; Full 5; Output",
    "Conv 2 4x4; Conv 2 1x2; SUM; Maxpool 2; Conv 2 2x3; Avgpool 3; Drop .3; Full 4; Output",
    "Conv 2 3x3/2 valid; Conv 3 2x2; Maxpool 2/2 corner; Avgpool 2/2 valid; Output",
]


def case(net, shape=(2, 9, 8), **options):
    spec, weights, images, _ = presentation(net, "urfb", shape=shape, classes=4, images=3, scale=2.5, **options)
    return spec, weights, images


def staircase(spec, levels):
    """The network with what the export makes of its units: clip(g h, -1, 1) rounded to whole multiples of 1/levels."""

    def run(weights, images, monkeypatch):
        def rounded(layer, h, gain):
            # Half a step belongs to the smaller of both, as NIR's thresholds are strict.
            x = np.clip(gain * h, -1, 1)
            return np.sign(x) * np.ceil(np.abs(x) * levels - 0.5) / levels

        monkeypatch.setattr("network.reference.activity", rounded)
        return forward(spec, weights, images)

    return run


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("semantics", ["paper", "code2018"])
def test_written_and_read_again_it_computes_the_reference_with_units_in_steps(net, semantics, tmp_path, monkeypatch):
    spec, weights, images = case(net, semantics=semantics)
    write(export_network(spec, weights, levels=4, tau=10e-3), tmp_path / "net.nir")
    found = Arithmetic(nir.read(tmp_path / "net.nir")).evaluate({"input": images}, steady=True)
    h, x = staircase(spec, 4)(weights, images, monkeypatch)
    for node in spec.weighted:
        scale = np.abs(h[node.index]).max()
        np.testing.assert_allclose(found[node.name], h[node.index], rtol=0, atol=EXACT * scale, err_msg=node.name)
        if not node.is_output:
            put_out = found[f"{node.name}.up"] + found[f"{node.name}.down"]
            np.testing.assert_allclose(put_out, x[node.name], rtol=0, atol=EXACT)
    np.testing.assert_allclose(found["output"], h[len(h)], rtol=0, atol=EXACT * np.abs(h[len(h)]).max())
    assert set(np.unique(np.abs(x["conv1"]) * 4)) == {0, 1, 2, 3, 4}


def test_units_are_off_by_half_a_step_and_outputs_by_less_the_more_steps_there_are():
    spec, weights, images = case("Conv 3 3x3; Maxpool 3; Full 5; Output", seed=1)
    h, x = forward(spec, weights, images)
    off = []
    for levels in (2, 8, 32, 128):
        found = Arithmetic(export_network(spec, weights, levels)).evaluate({"input": images})
        put_out = found["conv1.up"] + found["conv1.down"]
        assert np.abs(put_out - x["conv1"]).max() <= 0.5 / levels * (1 + 1e-12)
        off.append(np.abs(found["output"] - h[3]).max())
    assert off[0] > off[1] > off[2] > off[3]
    assert off[3] < off[0] / 16  # errors of the steps are of either sign, and fall nearly as 1/levels


def test_without_hidden_units_it_is_exact():
    spec, weights, images = case("Avgpool 3; Drop .5; Output")
    found = Arithmetic(export_network(spec, weights)).evaluate({"input": images})
    np.testing.assert_allclose(found["output"], forward(spec, weights, images)[0][1], rtol=EXACT)


def test_normalised_layers_take_what_they_keep_and_masks_stay(monkeypatch):
    spec, weights, images = case("Conv 3 3x3 BN; Maxpool 3; Full 5 BN-affine; Output", connectivity=0.5)
    rng = np.random.default_rng(1)
    for group in (weights.mean, weights.beta):
        group.update({i: rng.normal(size=value.shape) for i, value in group.items()})
    for group in (weights.deviation, weights.gamma):
        group.update({i: rng.uniform(0.5, 2, size=value.shape) for i, value in group.items()})
    found = Arithmetic(export_network(spec, weights, levels=4)).evaluate({"input": images})

    def rounded(layer, h, gain):
        x = np.clip(gain * h, -1, 1)
        return np.sign(x) * np.ceil(np.abs(x) * 4 - 0.5) / 4

    monkeypatch.setattr("network.reference.activity", rounded)
    h, _ = forward(spec, weights, images, classify=True)
    np.testing.assert_allclose(found["output"], h[3], rtol=0, atol=EXACT * np.abs(h[3]).max())


@pytest.mark.parametrize(
    ("net", "levels", "layer", "words"),
    [
        ("Conv 2 3x3; Maxpool 3; Output", None, "Conv 2 3x3", "layer 1 'Conv 2 3x3': NIR has no unit that saturates"),
        ("Drop .2; Maxpool 3; Full 3; Output", 4, "Maxpool 3", "layer 2 'Maxpool 3': NIR has no maximum"),
        ("Conv 2 3x3; Avgpool 2; Maxpool 2; Output", 4, "Maxpool 2", "layer 3"),
        ("Conv 2 3x3; Local 2 3x3; Output", 4, "Local 2 3x3", "layer 2 .* no locally connected units"),
        ("Full 3; Full 3 ReLU; Output", 4, "Full 3 ReLU", "layer 2 .* no rectified units"),
    ],
)
def test_the_first_layer_that_it_cannot_express_is_named(net, levels, layer, words):
    spec, weights, _ = case(net)
    with pytest.raises(NotExpressible, match=words) as caught:
        export_network(spec, weights, levels)
    assert caught.value.layer == layer


def test_windows_with_uneven_padding_become_even_ones():
    assert fit((32, 32), (16, 16), (3, 3), (1, 1), 2) == (3, (1, 1), (0, 0))
    assert fit((8, 8), (8, 8), (4, 4), (1, 1), 1) == (5, (2, 2), (1, 1))
    assert fit((9, 8), (5, 4), (2, 2), (0, 0), 2)[0] == 3


def test_the_output_error_circuit_runs_as_in_brian(tmp_path):
    brian2 = pytest.importorskip("brian2")
    from circuits.brian import OutputErrorCircuit

    target, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    try:
        h, s = [2.0, 0.5, -2.0, -0.5, 1.0, 3.9], [1, 1, -1, -1, 1, -1]
        circuit = OutputErrorCircuit(h, s, OutputError())
        brian2.Network(circuit).run(150 * brian2.ms, namespace={})
        trace = circuit.trace()
    finally:
        brian2.prefs.codegen.target = target
    write(export_output_error(OutputError(), units=6), tmp_path / "circuit.nir")
    graph = Arithmetic(nir.read(tmp_path / "circuit.nir"))
    inputs = {"h": np.array([h]), "s": np.array([s], dtype=float)}
    steps = [graph.step(inputs, 1e-4) for _ in trace.times]
    np.testing.assert_allclose([step["delta_out"][0] for step in steps], trace.delta, rtol=0, atol=1e-10)
    np.testing.assert_array_equal([step["tc_out"][0] for step in steps], trace.tc)
    assert trace.delta[500:, 0].min() < 0.06 and trace.tc.min() == -1 and trace.tc.max() == 1


def test_command_exports_a_run_and_a_file_of_weights(tmp_path, capsys):
    flags = ["--epochs", "1", "--engine", "reference", "--dtype", "float64", "--out", str(tmp_path / "run"), "--quiet"]
    net = "Conv 2 3x3; Maxpool 3; Output"
    assert main(["train", "--net", net, *flags]) == 0
    out = tmp_path / "net.nir"
    assert main(["export", "nir", net, "--weights", str(tmp_path / "run"), "--levels", "3", "--out", str(out)]) == 0
    assert "off by at most 1/6" in capsys.readouterr().out
    graph = nir.read(out)
    assert list(graph.nodes["input"].output_type["output"]) == [1, 8, 8]
    _, weights, images = case("Full 3; Output", shape=(1, 4, 4))
    write_step(tmp_path / "step.npz", Step(images, np.zeros(3, int), replace(weights, R={})))
    more = ["--weights", str(tmp_path / "step.npz"), "--input", "1x4x4", "--levels", "2", "--tau", "10"]
    assert main(["export", "nir", "Full 3; Output", *more, "--out", str(out)]) == 0
    np.testing.assert_array_equal(nir.read(out).nodes["full1"].weight, weights.W[1])
    assert main(["export", "nir", "output-error", "--units", "2", "--mu", ".3", "--out", str(out)]) == 0
    capsys.readouterr()
    for arguments, words in (
        ([net, "--weights", str(tmp_path / "run")], "layer 1 'Conv 2 3x3': NIR has no unit"),
        (["Output", "--weights", str(tmp_path / "run")], f"is of '{net}'"),
        (["Output"], "--weights: expected the folder of a run"),
        (["Output", "--weights", str(tmp_path / "step.npz")], "give CxHxW"),
        (["output-error", "--delay", "0"], "expected a positive delay"),
        (["output-error", "--mu", "2"], "mu = 2 is above 1"),
        (["output-error", "--out", str(tmp_path / "no" / "x.nir")], "name a folder that exists"),
    ):
        assert main(["export", "nir", "--out", str(out), *arguments]) == 2, arguments
        error = capsys.readouterr().err
        assert words in error and len(error.splitlines()) == 1


def test_shapes_of_data_sets_are_those_of_the_readers():
    from sim.data.digits import load_digits

    assert SHAPES["digits"] == "x".join(map(str, load_digits().train.images.shape[1:]))


def test_weights_need_no_feedback():
    spec, weights, _ = case("Output")
    assert isinstance(export_network(spec, Weights({1: weights.W[1]})), nir.NIRGraph)
