"""Draw one presentation through the circuit as a page: scrub through time, layer by layer, unit by unit.

The event engine presents one image in finite time, and the page shows what it did: x goes up, gates open, u and v
latch, delta replaces x, weights change. The page is one file that needs no network; open it in any browser.

examples:
  hebb view                                                 a small network, weights as drawn
  hebb train --net "Full 60; Full 60; Output" --epochs 20 --out runs/small
  hebb view --run runs/small --image 3                      a trained network, test image 3
  hebb view --run runs/small --order after_update --timing 4
  hebb view --net simpnet --data cifar10 --data-dir ~/data --out simpnet.html
  hebb view --net "Full 30; Output" --in step.npz           a presentation of your own, as hebb step reads it
"""

import argparse
import webbrowser
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from network.errors import BadInput
from sim.circuit_options import OPTIONS, add_circuit_flags
from sim.cli.parser import add_json, report, writable

if TYPE_CHECKING:
    from sim.viewer.recording import Recording

NET = "Conv 8 3x3; Maxpool 3; Full 60; Full 60; Output"
TIMING = 6.0  # time constants that everything settles for: a few thousandths are left
OF_A_RUN = ("net", "data", "image_size", "rule", "gain", "semantics", "connectivity", "seed")
OF_THE_FILE = ("data", "data_dir", "image_size", "connectivity", "seed")  # what a step file holds, or makes idle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="presentation.html", metavar="FILE.html", type=writable, help="the page")
    parser.add_argument("--image", type=int, default=0, metavar="N", help="which test image, or which of --in (from 0)")
    parser.add_argument("--run", metavar="RUN", help="folder of a run: its network, data and weights")
    parser.add_argument("--in", dest="input", metavar="FILE.npz", help="images, labels and weights as hebb step's")
    parser.add_argument("--net", metavar='PRESET|"NOTATION"', help=f'the network (default "{NET}")')
    parser.add_argument("--data", help="its images, as for hebb train (default digits)")
    parser.add_argument("--data-dir", metavar="DIR", help="where the data set's files are")
    parser.add_argument("--image-size", type=int, metavar="PIXELS", help="resize all images")
    parser.add_argument("--rule", help="bph, frfb or urfb (default)")
    parser.add_argument("--eta", type=float, help="time step of the update (default 0.1)")
    parser.add_argument("--mu", type=float, help="weight of the wrong classes in (4) (default 1/(classes - 1))")
    parser.add_argument("--gain", type=float, help="slope of x = clip(gain h, -1, 1)")
    parser.add_argument("--semantics", help="paper (default) or code2018")
    parser.add_argument("--order", help="before_update (default) or after_update")
    parser.add_argument("--connectivity", type=float, help="share of connections that exist (default 1)")
    parser.add_argument("--seed", type=int, help="of the weights (default 0)")
    circuit = add_circuit_flags(parser, "the circuit")
    circuit.add_argument(
        "--timing", type=float, metavar="T", help=f"for how many time constants everything settles (default {TIMING:g})"
    )
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from sim.run_folder import RunFolder

    if args.run and args.input:
        raise BadInput("--run with --in: both have weights; leave one of them away")
    recording, about = _of_file(args) if args.input else _of_data(args)
    from sim.viewer.page import page

    out = Path(args.out)
    RunFolder(out.parent).write(out.name, html := page(recording, **about))
    if args.open:
        webbrowser.open(out.resolve().as_uri())
    drawn = sum(layer.drawn.units.size for layer in recording.layers.values())
    units = sum(layer.node.units for layer in recording.layers.values())
    size = len(html.encode())
    text = f"{out}: {recording.times.size} moments, {drawn:,} of {units:,} units drawn, {size / 1e6:.1f} MB"
    report(
        args, {"out": str(out), "moments": recording.times.size, "drawn": drawn, "units": units, "bytes": size}, text
    )
    return 0


def _of_data(args: argparse.Namespace) -> "tuple[Recording, dict[str, Any]]":
    """An image of a data set, to a network as a run left it or as training would begin."""
    import numpy as np

    from network.weights import Weights
    from sim.cli.train import SPELL
    from sim.config import make_config
    from sim.run_folder import RunFolder
    from sim.train import prepare

    names = ("data_dir", "eta", "mu", "order", *OF_A_RUN, *(option for option in OPTIONS if option != "dt"))
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    values, weights, where = {"net": NET, **given}, None, ""
    if args.run:
        _refuse(args, OF_A_RUN, "--run", "the run has its own")
        folder = RunFolder.open(args.run, "--run")
        rows, weights = folder.read_epoch()
        theirs = {name: value for name, value in asdict(folder.read_config()).items() if value is not None}
        # Of what only training reads, nothing may hold the event engine up.
        values = {**theirs, **given, "kernels": "auto", "device": "cpu"}
        for name in ("compute_dtype", "dt", "tensorboard"):
            values.pop(name, None)
        where = f"{args.run}, after epoch {len(rows)}"
    if values.get("timing") in (None, "ideal"):
        values["timing"] = TIMING
    config = make_config({**values, "engine": "event", "dtype": "float64"}, SPELL)
    data, spec, settings = prepare(config)
    if weights is None:
        weights = Weights.draw(spec, config.seed, settings.rule, connectivity=config.connectivity)
        where = f"as training begins, seed {config.seed}"
    label = int(
        data.test.labels[_number(args.image, len(data.test), f"{data.name} has {len(data.test):,} test images")]
    )
    image = data.test.images[args.image]
    pixels = image / 255.0 if image.dtype == np.uint8 else image.astype(float)
    about = {"image": f"test image {args.image} of {data.name}", "weights": where, "class_names": data.class_names}
    return _record(spec, weights, settings, pixels, label), about


def _of_file(args: argparse.Namespace) -> "tuple[Recording, dict[str, Any]]":
    """A presentation from a file, with the weights in it."""
    from network.interchange import read_step
    from network.rules import make_rule
    from sim.circuit_options import circuit_settings
    from sim.engine import Settings

    _refuse(args, OF_THE_FILE, "--in", "the file has images and weights")
    if args.net is None:
        raise BadInput("--in without --net: name the network the weights belong to")
    rule = make_rule(args.rule or "urfb")
    circuit = circuit_settings(
        "event", {**vars(args), "timing": TIMING if args.timing is None else args.timing, "dt": None}
    )
    settings = Settings(
        rule, 0.1 if args.eta is None else args.eta, args.mu, args.order or "before_update", "float64", "cpu", **circuit
    )
    spec, step = read_step(
        args.input, args.net, rule, gain=args.gain, semantics=args.semantics or "paper", classes=None
    )
    n = _number(args.image, len(step.labels), f"{args.input} has {len(step.labels)} images")
    recording = _record(spec, step.weights, settings, step.images[n].astype(float), int(step.labels[n]))
    return recording, {"image": f"image {n} of {args.input}", "weights": args.input}


def _record(spec: Any, weights: Any, settings: Any, image: Any, label: int) -> "Recording":
    from sim.engine import open_engine
    from sim.event.engine import EventEngine
    from sim.viewer.recording import record

    try:
        engine = open_engine("event", spec, weights.astype("float64"), replace(settings, device="cpu"))
    except BadInput as error:
        raise BadInput(str(error).replace("; --engine torch or reference", "; hebb view draws circuits only")) from None
    assert isinstance(engine, EventEngine)
    return record(engine, image, label)


def _refuse(args: argparse.Namespace, names: tuple[str, ...], source: str, why: str) -> None:
    for name in names:
        if getattr(args, name) is not None:
            raise BadInput(f"--{name.replace('_', '-')} with {source}: {why}; leave one of them away")


def _number(image: int, count: int, what: str) -> int:
    if not 0 <= image < count:
        raise BadInput(f"--image {image}: {what}, from 0 to {count - 1}")
    return image
