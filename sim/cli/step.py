"""Present one batch from a file to any engine, and write what every layer did: activity, feedback, increments.

The file holds images (N,C,H,W), labels (N,), and W/<i>, R/<i> for i = 1, 2, ... counting only the layers with weights;
optionally mask_W/<i> and mask_R/<i>. The trace holds h/<i>, x/<i>, delta/<i>, dW/<i>, dR/<i>, ties and meta. Nothing
is dropped. R/1 feeds nothing back and may be left out; the rules bp and bph read no R and make no dR, and usf, nusf,
brsf and frsf make R from W where the file has none. By rule dfa R/<i>, classes x units of layer i, leads from the
output to layer i, R/1 too, and the output layer has none.

examples:
  hebb step --net simpnet --in step.npz --out trace.npz --engine torch --rule urfb --eta 0.1
  hebb step --net "Full 30; Output" --in step.npz --out trace.npz --engine reference --rule bph --mu .5
  hebb step --net "Full 30; Output" --in step.npz --out trace.npz --engine event --gate-phase .5
  hebb step --net "Full 30; Output" --in step.npz --out trace.npz --engine event --timing 12
  hebb step --net "Full 30; Output" --in step.npz --out trace.npz --engine brian --timing 8 --dt .5
"""

import argparse

import numpy as np

from network.errors import BadInput
from network.interchange import read_step, write_trace
from network.rules import RULES, SCALES, effective_order, make_rule, why_before_update
from sim.circuit_options import add_circuit_flags, circuit_settings, number_or
from sim.cli.parser import add_json, note, report
from sim.engine import CIRCUITS, DTYPES, ENGINES, Settings, open_engine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--net", required=True, metavar='PRESET|"NOTATION"', help="the network the weights belong to")
    parser.add_argument("--in", dest="input", required=True, metavar="FILE.npz", help="the presentation")
    parser.add_argument("--out", required=True, metavar="FILE.npz", help="where to write the trace")
    parser.add_argument("--engine", default="torch", help=f"one of {', '.join(ENGINES)} (default torch)")
    parser.add_argument("--rule", default="urfb", help=f"one of {', '.join(RULES)} (default urfb)")
    parser.add_argument("--eta", type=float, default=0.1, help="time step (default 0.1)")
    parser.add_argument("--mu", type=float, help="weight of the wrong classes in (4) (default 1/(classes - 1))")
    parser.add_argument("--gain", type=float, help="slope of x = clip(gain h, -1, 1) (default that of the semantics)")
    parser.add_argument("--semantics", default="paper", help="paper (default) or code2018")
    parser.add_argument("--order", default="before_update", help="before_update (default) or after_update")
    parser.add_argument("--classes", type=int, help="number of classes (default: rows of the last W)")
    parser.add_argument("--dtype", default="float64", help=f"one of {', '.join(DTYPES)} (default float64)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto (default)")
    parser.add_argument(
        "--feedback-rate", type=float, metavar="EPSILON", help="R changes by this much of W's increment"
    )
    parser.add_argument("--feedback-decay", type=float, default=0.0, metavar="LAMBDA", help="share of W and R lost")
    parser.add_argument(
        "--flip-probability", type=float, default=0.0, metavar="P", help="brsf, frsf: share of signs unlike those of W"
    )
    parser.add_argument("--feedback-scale", metavar="SCALE", help=f"signs of W: one of {', '.join(SCALES)}")
    circuit = add_circuit_flags(parser, f"circuits (--engine {' or '.join(CIRCUITS)})")
    circuit.add_argument(
        "--timing",
        type=number_or("ideal"),
        metavar="ideal|T",
        help="for how many time constants everything settles, or ideal (default; 12 for brian): all has settled",
    )
    circuit.add_argument("--dt", type=float, metavar="MS", help="time step of engine brian, ms (default 0.1)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    rule = make_rule(args.rule, args.feedback_rate, args.feedback_decay, args.flip_probability, args.feedback_scale)
    if effective_order(rule, args.order) != args.order:
        note(f"rule '{rule.name}' {why_before_update(rule)} and always runs before_update")
    circuit = circuit_settings(args.engine, vars(args))
    settings = Settings(rule, args.eta, args.mu, args.order, args.dtype, args.device, **circuit)
    spec, step = read_step(args.input, args.net, rule, gain=args.gain, semantics=args.semantics, classes=args.classes)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported once, by name, below
        images, weights = step.images.astype(args.dtype), step.weights.astype(args.dtype)
        if not np.isfinite(images).all():
            raise BadInput(f"{args.input}: images has numbers too large for {args.dtype}")
        trace = open_engine(args.engine, spec, weights, settings).present(images, step.labels)
    for quantity, arrays in trace.arrays().items():
        for i, values in sorted(arrays.items()):
            if not np.isfinite(values).all():
                raise BadInput(f"{args.input}: {quantity}/{i} overflows {args.dtype}; scale the images or weights down")
    write_trace(args.out, trace)
    arrays = {group: sorted(values) for group, values in trace.arrays().items()}
    text = f"{args.out}: {len(step.labels)} images, {len(spec.weighted)} layers with weights, {trace.ties} ties"
    report(args, {"out": args.out, "ties": trace.ties, "meta": trace.meta, "layers": arrays}, text)
    return 0
