"""Does the circuit compute what the algorithm computes? A certificate, claim by claim, on all engines that are here.

--quick takes the embedded digits and small networks. Without it every preset is presented on real images as well, and
one network is followed over a training run. With --trace a foreign implementation is held against every engine.

examples:
  hebb validate --quick
  hebb validate --data-dir ~/data --out runs/certificate
  hebb validate --net simpnet "Conv 16 5x5; Maxpool 3; Output" --data cifar100 --seeds 3
  hebb step --net simpnet --in step.npz --out ours.npz --engine torch
  hebb validate --net simpnet --in step.npz --trace theirs.npz
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from network.errors import BadInput
from network.presets import PRESETS
from network.rules import RULES
from sim.cli.parser import add_json, report
from sim.data import load_data
from sim.run_folder import RunFolder
from validation.certificate import Certificate, Plan, certify, count_of
from validation.claims import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="small networks and embedded digits only; half a minute")
    parser.add_argument(
        "--net", nargs="+", metavar='PRESET|"NOTATION"', help=f"networks (default {', '.join(PRESETS)})"
    )
    parser.add_argument("--data", help="their images, as for hebb train (default cifar10)")
    parser.add_argument("--data-dir", metavar="DIR", help="where the data set's files are")
    parser.add_argument("--images", type=int, default=4, help="images presented at once (default 4)")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of weights and masks (default 1)")
    parser.add_argument("--updates", type=int, default=180, help="of the training run, 500 images each (default 180)")
    parser.add_argument("--out", default="runs/validate", metavar="DIR", help="folder of the report")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    foreign = parser.add_argument_group("a foreign implementation")
    foreign.add_argument("--trace", metavar="FILE.npz", help="what it made of the presentation; see hebb step --help")
    foreign.add_argument("--in", dest="input", metavar="FILE.npz", help="the presentation")
    foreign.add_argument("--rule", help=f"one of {', '.join(RULES)} (default: as the trace says, else urfb)")
    foreign.add_argument("--order", help="before_update or after_update (default: as the trace says)")
    foreign.add_argument("--eta", type=float, help="time step (default: as the trace says, else 0.1)")
    foreign.add_argument("--mu", type=float, help="of (4) (default: as the trace says, else 1/(classes - 1))")
    foreign.add_argument("--gain", type=float, help="slope of x = clip(gain h, -1, 1) (default: as the trace says)")
    foreign.add_argument("--semantics", help="paper or code2018 (default: as the trace says)")
    foreign.add_argument("--dtype", help="precision to allow for: float64 or float32 (default: as the trace says)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.trace or args.input:
        from validation.foreign import compare_foreign

        return compare_foreign(args)
    from validation.certificate_report import write_report

    plan = _plan(args)
    folder = RunFolder(Path(args.out))
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {args.out}: cannot be made ({error.strerror})") from None
    _one_thread()
    with tqdm(total=count_of(plan), disable=args.quiet, unit="case", dynamic_ncols=True) as bar:
        mininterval = bar.mininterval if sys.stderr.isatty() else 10
        bar.mininterval = mininterval

        def seen(what: str) -> None:
            bar.set_description(what[:40], refresh=False)
            bar.update()

        found = certify(plan, seen=seen)
    command = _spelled(args)
    write_report(folder, found, plan, command)
    result = {**found.as_dict(), "report": str(folder.path / "report.html"), "command": command}
    report(args, result, _text(found, folder.path / "report.html"))
    return 0 if found.passed else 1


def _plan(args: argparse.Namespace) -> Plan:
    for name in ("images", "seeds", "updates"):
        if getattr(args, name) < 1:
            raise BadInput(f"--{name} {getattr(args, name)}: expected at least 1")
    if args.quick:
        for name in ("net", "data", "data_dir"):
            if getattr(args, name):
                flag = "--" + name.replace("_", "-")
                raise BadInput(
                    f"{flag} with --quick: --quick has networks and images of its own; leave one of them away"
                )
        return Plan(images=args.images)
    nets = tuple(args.net or PRESETS)
    data = load_data(args.data or "cifar10", args.data_dir)
    trained = "simpnet" if "simpnet" in nets else nets[0]
    return Plan(nets, data, args.images, args.seeds, trained, args.updates)


def _one_thread() -> None:
    """Small networks gain nothing from a second thread."""
    try:
        import torch
    except ModuleNotFoundError:
        return
    torch.set_num_threads(1)


def _spelled(args: argparse.Namespace) -> str:
    """The command that makes this certificate again."""
    if args.quick:
        return "hebb validate --quick" + (f" --images {args.images}" if args.images != 4 else "")
    words = ["hebb validate"]
    if args.net:
        words.append("--net " + " ".join(f'"{net}"' if " " in net else net for net in args.net))
    words += [f"--{name} {getattr(args, name)}" for name in ("data",) if getattr(args, name)]
    defaults = {"images": 4, "seeds": 1, "updates": 180}
    words += [f"--{name} {getattr(args, name)}" for name, value in defaults.items() if getattr(args, name) != value]
    return " ".join(words)


def _text(found: Certificate, path: Path) -> str:
    judged = [claim for claim in found.claims if claim.passed is not None]
    failed = [claim.name for claim in judged if not claim.passed]
    lines = [table(found.claims), ""]
    lines += [f"not checked: {variant.name}: {why}" for variant, why in found.missing]
    lines += [
        f"left out: {name}, {count} presentations: {why}" for (name, why), count in found.agreements.left_out.items()
    ]
    verdict = f"all {len(judged)} claims hold" if not failed else f"{len(failed)} of {len(judged)} claims FAIL: "
    return "\n".join([*lines, verdict + ", ".join(failed), f"report: {path}"])
