"""Run a figure or table of the papers again, and write a page: their numbers, ours with spread, a verdict per claim.

``hebb reproduce list`` names the experiments. Without --epochs a time budget picks as many epochs as fit. Runs are kept
below --out and shared by all experiments there; none is ever made twice, and the same command goes on where it stopped.
Exit code 1: a run could not be made, or a claim fails at the paper's number of epochs. Claims that fail after fewer are
findings about the beginning of learning, and shown as such with exit code 0.

examples:
  hebb reproduce list
  hebb reproduce fig5 --budget 10m
  hebb reproduce fig5 --epochs 1000 --seeds 3 --data-dir ~/data       what the paper did
  hebb reproduce fig4 --datasets digits --set batch_size=50 --epochs 20
  hebb reproduce table2 --datasets mnist,cifar10 --budget 2h --scheduler tcp://10.0.0.1:8786
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from network.errors import BadInput
from sim.cli.parser import add_json, report
from sim.data.files import allow_downloads
from sim.experiments import EXPERIMENTS, find_experiment
from sim.experiments.experiment import Experiment
from sim.grid import Place, local_place
from sim.run_folder import RunFolder
from validation.claims import table
from validation.reproduce_page import page_of
from validation.reproduction import BUDGET, reproduce

OF_THE_GRID = ("epochs", "seed", "data", "data_dir")  # settings that have flags of their own


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="list|NAME", help=f"one of {', '.join(EXPERIMENTS)}; or list")
    parser.add_argument("--epochs", type=int, help="passes over the training images of every run")
    parser.add_argument(
        "--first-epochs", type=int, help="of the first phase, where runs have two (default: the paper's, or --epochs)"
    )
    parser.add_argument("--seeds", type=int, help="runs of each cell (default 3; 1 for the tables)")
    parser.add_argument("--datasets", metavar="NAME,...", help="only these, or others in the place of the paper's")
    parser.add_argument(
        "--budget", metavar="TIME", help=f"as many epochs as fit into 90s, 10m, 2h, 1d (default {BUDGET})"
    )
    parser.add_argument(
        "--out", default="runs/reproduce", metavar="DIR", help="pages and runs (default runs/reproduce)"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="AXIS=LABEL,...",
        help="a part of the grid, by the words of its page: net=deepnet, protocol=BP,URFB",
    )
    parser.add_argument("--markdown", metavar="DIR", help="write the page there too, as Markdown with SVG figures")
    parser.add_argument("--data-dir", metavar="DIR", help="where the data sets are (else $HEBB_DATA, or a download)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting of all runs, as of hebb train",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto (default)")
    parser.add_argument("--workers", type=int, help="runs at a time (default: one a GPU, or one every --threads cores)")
    parser.add_argument("--threads", type=int, default=1, help="of each run (default 1)")
    parser.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="run on the workers of this Dask scheduler")
    parser.add_argument(
        "--resources", metavar="NAME=N", help="what a run takes of a Dask worker, such as GPU=1 (default with cuda)"
    )
    parser.add_argument("--download", action="store_true", help="fetch missing data whatever its size (else to 500 MB)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run what is not there yet, and write the page."""
    if args.name == "list":
        report(args, {name: _listed(each) for name, each in EXPERIMENTS.items()}, _list())
        return 0
    if args.download:
        allow_downloads()
    experiment = find_experiment(args.name)
    for flag, value in (("workers", args.workers), ("threads", args.threads)):
        if value is not None and value < 1:
            raise BadInput(f"--{flag} {value}: expected at least 1")
    made = reproduce(
        args.name,
        args.out,
        epochs=args.epochs,
        budget=args.budget,
        seeds=args.seeds,
        datasets=[name.strip() for name in args.datasets.split(",") if name.strip()] if args.datasets else None,
        only=_only(args.only),
        changes=_changes(args.set),
        data_dir=args.data_dir,
        device=args.device,
        first_epochs=args.first_epochs,
        place=_place(args),
        progress=not args.quiet,
        command=_command(args),
    )
    written = page_of(made)
    page = RunFolder(Path(args.out)).write(f"{experiment.name}.html", written.html())
    if args.markdown:
        Path(args.markdown).mkdir(parents=True, exist_ok=True)
        for name, content in written.markdown(experiment.name).items():
            RunFolder(Path(args.markdown)).write(name, content)
    result = {
        "report": str(page),
        "epochs": made.epochs,
        "seeds": made.seeds,
        "runs": len(made.results),
        "claims": [claim.as_dict() for claim in made.claims],
        "failed": made.failed,
    }
    lines = [made.choice, *([table(made.claims)] if made.claims else []), f"report: {page}"]
    wrong, full = sum(claim.passed is False for claim in made.claims), experiment.base["epochs"]
    if wrong and made.epochs < full:
        lines.append(f"{wrong} claims fail after {made.epochs} of {full} epochs: a finding, no error, and exit code 0")
    report(args, result, "\n".join(lines))
    return int(bool(made.failed) or (wrong > 0 and made.epochs >= full))


def _changes(given: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` by name."""
    changes = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise BadInput(f"--set '{text}': expected NAME=VALUE, such as batch_size=50")
        name = name.strip().replace("-", "_")
        if name in OF_THE_GRID:
            raise BadInput(f"--set {text}: --epochs, --seeds, --datasets and --data-dir say this")
        changes[name] = value.strip()
    return changes


def _only(given: Sequence[str]) -> dict[str, list[str]]:
    """``AXIS=LABEL,...`` by axis."""
    kept = {}
    for text in given:
        axis, _, labels = text.partition("=")
        if not labels.strip():
            raise BadInput(f"--only '{text}': expected AXIS=LABEL,..., such as protocol=BP,URFB")
        kept[axis.strip()] = [label.strip() for label in labels.split(",") if label.strip()]
    return kept


def _place(args: argparse.Namespace) -> Place:
    resources = {}
    if args.resources:
        name, _, count = args.resources.partition("=")
        if not count.replace(".", "", 1).isdigit():
            raise BadInput(f"--resources '{args.resources}': expected NAME=N, such as GPU=1")
        if not args.scheduler:
            raise BadInput("--resources: only with --scheduler; local workers share the GPUs out by themselves")
        resources = {name.strip(): float(count)}
    if args.scheduler:
        if args.device.startswith("cuda") and not resources:
            resources = {"GPU": 1.0}
        return Place(args.workers or 1, args.threads, 0, args.scheduler, resources or None)
    return local_place(args.device, args.workers, args.threads)


def _command(args: argparse.Namespace) -> str:
    """The command line, as it was given but for what was default."""
    words = ["hebb", "reproduce", args.name]
    for flag in (
        "epochs",
        "first_epochs",
        "seeds",
        "datasets",
        "budget",
        "data_dir",
        "workers",
        "scheduler",
        "resources",
    ):
        if getattr(args, flag) is not None:
            words += [f"--{flag.replace('_', '-')}", str(getattr(args, flag))]
    words += [word for text in args.only for word in ("--only", text)]
    words += [word for text in args.set for word in ("--set", text)]
    words += ["--device", args.device] if args.device != "auto" else []
    words += ["--threads", str(args.threads)] if args.threads != 1 else []
    words += ["--out", args.out]
    return shlex.join(words)


def _listed(experiment: Experiment) -> dict[str, Any]:
    missing = sorted({point.needs for point in experiment.points() if point.needs})
    return {"paper": experiment.paper, "where": experiment.where, "title": experiment.title, "missing": missing}


def _list() -> str:
    width = max(map(len, EXPERIMENTS))
    lines = []
    for name, experiment in EXPERIMENTS.items():
        count = len(experiment.points())
        lines.append(
            f"{name.ljust(width)}  {experiment.where}: {experiment.title} ({experiment.paper}; {count} runs a seed)"
        )
    return "\n".join(lines)
