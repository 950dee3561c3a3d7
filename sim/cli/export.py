"""Export a network's forward path, or the output-error circuit, to another format: NIR.

NIR is the Neuromorphic Intermediate Representation, which simulators and neuromorphic chips read. It has neither a unit
that saturates at both ends nor a maximum: with --levels N hidden units are staircases of 2 N thresholds, x off by at
most 1/(2N), and Maxpools are exact on those. NET must be that of the run; of a file with weights W/<i>, give --input.

examples:
  hebb export nir simpnet --weights runs/mine --levels 16 --out simpnet.nir
  hebb export nir "Full 30; Output" --weights step.npz --input 1x8x8 --levels 32 --tau 10 --out net.nir
  hebb export nir output-error --units 10 --M 4 --delay 30 --out circuit.nir
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from circuits.errors import CircuitError
from circuits.parameters import OutputError
from network.errors import BadInput
from network.interchange import read_arrays
from network.spec import NetworkSpec
from network.weights import Weights
from sim.cli.parser import add_json, report
from sim.cli.show import parse_shape
from sim.first_phase import network_of
from sim.nir_export import export_network, size_of, write
from sim.nir_motif import export_output_error
from sim.run_folder import RunFolder

CIRCUIT = "output-error"
MS = 1e-3
# Shapes of the images of data sets by name; of others --input has to tell.
SHAPES = {
    "digits": "1x8x8", "mnist": "1x28x28", "fashion-mnist": "1x28x28", "cifar10": "3x32x32", "cifar100": "3x32x32",
    "svhn": "3x32x32", "stl10": "3x96x96",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("format", choices=["nir"], help="the format")
    parser.add_argument("net", metavar="NET", help=f"a preset, a notation in quotes, or {CIRCUIT}, the circuit")
    parser.add_argument("--out", required=True, metavar="FILE.nir", help="where to write it")
    parser.add_argument("--weights", metavar="RUN", help="a run's folder, or a .npz with W/<i>")
    parser.add_argument("--input", metavar="CxHxW", help="shape of an image (default: that of the run's data)")
    parser.add_argument("--levels", type=int, metavar="N", help="steps of a hidden unit from 0 to 1")
    parser.add_argument("--tau", type=float, metavar="MS", help="time constant of the units, ms (default: none; 10)")
    circuit = parser.add_argument_group(f"the circuit ({CIRCUIT})")
    circuit.add_argument("--units", type=int, default=1, help="how many, side by side (default 1)")
    for name in ("M", "S", "mu", "epsilon"):
        circuit.add_argument(f"--{name}", type=float, help=f"(default {getattr(OutputError(), name):g})")
    circuit.add_argument("--delay", type=float, metavar="MS", help="of the loop, ms (default 30)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.net == CIRCUIT:
        graph, text = _circuit(args)
    else:
        spec, weights = _network(args)
        tau = None if args.tau is None else args.tau * MS
        graph = export_network(spec, weights, args.levels, tau)
        exact = args.levels is None or not any(node.index for node in spec.nodes[:-1])
        text = "as it is" if exact or args.levels is None else f"hidden units off by at most 1/{2 * args.levels}"
    write(graph, args.out)
    result = {"out": args.out, "nodes": len(graph.nodes), "edges": len(graph.edges), "numbers": size_of(graph)}
    report(args, result, f"{args.out}: {len(graph.nodes)} nodes, {len(graph.edges)} edges; {text}")
    return 0


def _circuit(args: argparse.Namespace) -> tuple[Any, str]:
    given = {name: getattr(args, name) for name in ("M", "S", "mu", "epsilon")}
    given |= {name: value * MS for name in ("tau", "delay") if (value := getattr(args, name)) is not None}
    try:
        parameters = replace(OutputError(), **{name: value for name, value in given.items() if value is not None})
    except CircuitError as error:
        raise BadInput(f"--net {CIRCUIT}: {error}") from None
    return export_output_error(parameters, args.units), f"{args.units} output-error circuits"


def _network(args: argparse.Namespace) -> tuple[NetworkSpec, Weights]:
    if args.weights is None:
        raise BadInput("--weights: expected the folder of a run, or a .npz with W/<i>")
    if not Path(args.weights).suffix == ".npz":
        folder = RunFolder.open(args.weights, "--weights")
        config = folder.read_config()
        shape = args.input or SHAPES.get(config.data)
        if shape and not args.input and config.image_size:
            shape = f"{shape[0]}x{config.image_size}x{config.image_size}"
        if shape is None:
            raise BadInput(f"--input: the shape of the images of '{config.data}', such as 3x32x32, is needed")
        _, weights = folder.read_epoch()
        config = replace(config, start_from=None, keep_layers=None, freeze=None)
        spec = network_of(config, parse_shape(shape), len(weights.W[max(weights.W)]))
        asked = NetworkSpec.parse(args.net, spec.input_shape, spec.classes, spec.gain, spec.semantics.name)
        if asked.notation != NetworkSpec.parse(config.net, spec.input_shape, spec.classes).notation:
            raise BadInput(f"'{args.net}': the run in {args.weights} is of '{config.net}'")
        return spec, weights
    if args.input is None:
        raise BadInput(f"--input: {args.weights} does not say how large its images are; give CxHxW, such as 3x32x32")
    arrays = {name: value for name, value in read_arrays(args.weights).items() if name.startswith("W/")}
    try:
        weights = Weights.of(arrays)
    except ValueError:
        raise BadInput(f"{args.weights}: expected W/<i> with i = 1, 2, ..., found {', '.join(arrays)}") from None
    if not weights.W or weights.W[max(weights.W)].ndim != 2:
        raise BadInput(f"{args.weights}: holds no W/<i> that ends with that of an output layer, classes x units")
    return NetworkSpec.parse(args.net, parse_shape(args.input), len(weights.W[max(weights.W)])), weights
