"""Print a network's layers: shapes, units, weights, synapses, memory.

examples:
  hebb show deepernet
  hebb show simpnet --input 1x28x28 --json
  hebb show "Conv 16 3x3; Conv 16 3x3; SUM; Full 100; Output" --classes 100
  hebb show "Conv 48 9x9/2 valid BN ReLU; Maxpool 2 valid; Full 2C>=256 ReLU; Output" --input 3x119x119

Notation: Conv F KxK[/S] [valid], Local likewise, Full N or Full 2C[>=N] (units a class, at least N), then any of BN,
BN-affine, ReLU; Maxpool K[/S] [corner|valid], Avgpool likewise; Drop p; SUM; Output.
"""

import argparse
import re

from network.errors import BadInput
from network.presets import NETS
from network.spec import NetworkSpec
from network.table import format_table, layer_table, totals
from sim.cli.parser import add_json, report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("net", metavar="NET", help=f"one of {', '.join(NETS)}, or a notation in quotes")
    parser.add_argument("--input", default="3x32x32", metavar="CxHxW", help="shape of an image (default 3x32x32)")
    parser.add_argument("--classes", type=int, default=10, help="number of classes (default 10)")
    parser.add_argument("--gain", type=float, help="slope of x = clip(gain h, -1, 1)")
    parser.add_argument("--semantics", default="paper", help="paper (default) or code2018")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    spec = NetworkSpec.parse(args.net, parse_shape(args.input), args.classes, args.gain, args.semantics)
    result = {"net": spec.notation, "gain": spec.gain, "semantics": spec.semantics.name}
    report(args, {**result, "layers": layer_table(spec), "totals": totals(spec)}, format_table(spec))
    return 0


def parse_shape(text: str) -> tuple[int, int, int]:
    """``3x32x32`` as (3, 32, 32)."""
    match = re.fullmatch(r"\s*(\d{1,6})\s*[x×,]\s*(\d{1,6})\s*[x×,]\s*(\d{1,6})\s*", text)
    if match is None:
        raise BadInput(f"--input '{text}': expected CxHxW, such as 3x32x32")
    channels, height, width = map(int, match.groups())
    return channels, height, width
