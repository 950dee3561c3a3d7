"""Run a figure or table of the papers again, and write a page: their numbers, ours with spread, a verdict per claim.

``hebb reproduce list`` names the experiments. Without --epochs a time budget picks as many epochs as fit. Runs are kept
below --out and shared by all experiments there; none is ever made twice, and the same command goes on where it stopped.

examples:
  hebb reproduce list
  hebb reproduce fig5 --budget 10m
  hebb reproduce fig5 --epochs 1000 --seeds 3 --data-dir ~/data       what the paper did
  hebb reproduce fig4 --datasets digits --set batch_size=50 --epochs 20
  hebb reproduce table2 --datasets mnist,cifar10 --budget 2h --scheduler tcp://10.0.0.1:8786
"""

import argparse
import math
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from network.errors import BadInput
from sim.cli.parser import add_json, report
from sim.experiments import EXPERIMENTS, find_experiment
from sim.experiments.experiment import Experiment
from sim.experiments.runs import Planned, plan_runs, read_results
from sim.grid import Place, local_place, run_grid
from sim.grid_budget import RESERVE, Cost, parse_budget, plan
from sim.grid_job import Job, Outcome, epochs_done, seconds_per_epoch
from sim.run_folder import RunFolder
from validation.claims import table
from validation.judging import judge
from validation.reproduce_page import Reproduction, page_of

FEW = 3  # epochs, without which a budget takes in no further data set
BUDGET = "10m"  # where neither --epochs nor --budget is given
OF_THE_GRID = ("epochs", "seed", "data", "data_dir")  # settings that have flags of their own


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="list|NAME", help=f"one of {', '.join(EXPERIMENTS)}; or list")
    parser.add_argument("--epochs", type=int, help="passes over the training images of every run")
    parser.add_argument("--seeds", type=int, help="runs of each cell (default 3; 1 for the tables)")
    parser.add_argument("--datasets", metavar="NAME,...", help="only these, or others in the place of the paper's")
    parser.add_argument(
        "--budget", metavar="TIME", help=f"as many epochs as fit into 90s, 10m, 2h, 1d (default {BUDGET})"
    )
    parser.add_argument(
        "--out", default="runs/reproduce", metavar="DIR", help="pages and runs (default runs/reproduce)"
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
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run what is not there yet, and write the page."""
    if args.name == "list":
        report(args, {name: _listed(each) for name, each in EXPERIMENTS.items()}, _list())
        return 0
    experiment = find_experiment(args.name)
    for flag, value in (("epochs", args.epochs), ("seeds", args.seeds), ("workers", args.workers)):
        if value is not None and value < 1:
            raise BadInput(f"--{flag} {value}: expected at least 1")
    if args.threads < 1:
        raise BadInput(f"--threads {args.threads}: expected at least 1")
    if args.epochs and args.budget:
        raise BadInput("--epochs and --budget: expected one of them; a budget picks the epochs")
    budget = None if args.epochs else parse_budget(args.budget or BUDGET)
    changes = _changes(args.set)
    datasets = [name.strip() for name in args.datasets.split(",") if name.strip()] if args.datasets else None
    seeds = args.seeds or experiment.seeds
    runs = plan_runs(experiment, range(seeds), datasets=datasets, changes=changes, data_dir=args.data_dir)
    runs = [replace(each, config=replace(each.config, device=args.device)) if each.config else each for each in runs]
    root, place = Path(args.out), _place(args)
    (root / "runs").mkdir(parents=True, exist_ok=True)
    grid = _Grid(experiment, [each for each in runs if each.config], root.resolve(), place, not args.quiet)
    epochs, seeds, choice = grid.of_epochs(args.epochs) if budget is None else grid.within(budget)

    results = read_results([each for each in grid.runs if each.seed < seeds], grid.root, epochs)
    cells = list(dict.fromkeys(each.point.cell for each in runs))
    claims = judge(experiment, results, cells, f"after epoch {epochs}")
    failed = {each.folder: each.message for each in grid.outcomes if each.status == "failed"}
    late = {each.folder: each.message for each in grid.outcomes if each.status == "late"}
    late |= dict.fromkeys(grid.left_out, "the budget was too small: a larger one takes it in, or --datasets")
    found = {str(result.run.folder(grid.root)) for result in results}
    unmade = {folder: why for folder, why in (failed | late).items() if folder not in found}
    command = _command(args)
    made = Reproduction(experiment, runs, results, claims, unmade, epochs, seeds, choice, command, changes, grid.root)
    written = page_of(made)
    page = RunFolder(root).write(f"{experiment.name}.html", written.html())
    if args.markdown:
        Path(args.markdown).mkdir(parents=True, exist_ok=True)
        for name, content in written.markdown(experiment.name).items():
            RunFolder(Path(args.markdown)).write(name, content)
    result = {
        "report": str(page),
        "epochs": epochs,
        "seeds": seeds,
        "runs": len(results),
        "claims": [claim.as_dict() for claim in claims],
        "failed": failed,
    }
    report(args, result, f"{choice}\n{table(claims)}\nreport: {page}" if claims else f"{choice}\nreport: {page}")
    at_full_length = epochs >= experiment.base["epochs"]
    return int(bool(failed) or (at_full_length and any(claim.passed is False for claim in claims)))


class _Grid:
    """The runs of one experiment, brought to a number of epochs or through a time."""

    def __init__(
        self, experiment: Experiment, runs: Sequence[Planned], root: Path, place: Place, progress: bool
    ) -> None:
        self.experiment = experiment
        self.runs = list(runs)
        self.root = root
        self.place = place
        self.progress = progress
        self.outcomes: list[Outcome] = []
        self.left_out: set[str] = set()  # folders of runs that a budget did not reach

    def of_epochs(self, epochs: int) -> tuple[int, int, str]:
        """All runs to so many epochs; epochs, seeds, and a sentence about them."""
        self._finish(self.runs, epochs)
        return epochs, self._seeds(), ""

    def within(self, budget: float) -> tuple[int, int, str]:
        """As many epochs of as many seeds as fit, the first data set first; epochs, seeds, and a sentence about them.

        An epoch of every cell of the first data set is timed with one seed. Another data set joins where all of them
        then have `FEW` epochs of all seeds: a few differences that are decided say more than many that are not.
        """
        began = time.monotonic()
        end = time.time() + budget * (1 - RESERVE)
        text = f"{budget / 60:g} minutes" if budget >= 60 else f"{budget:g} s"
        sets = list(dict.fromkeys(self._data(run) for run in self.runs))
        if not sets:
            return 1, 1, ""
        self._time(sets[:1], end)
        most, width, every = int(self.experiment.base["epochs"]), self.place.width(), self._seeds()
        taken = 1
        while taken < len(sets):
            epochs, seeds = plan(self._costs(sets[: taken + 1]), end - time.time(), width, most)
            if epochs < min(FEW, most) or seeds < every:
                break
            taken += 1
        self._time(sets[:taken], end)
        late = {outcome.folder for outcome in self.outcomes if outcome.status == "late"}
        self.left_out = {str(run.folder(self.root)) for run in self.runs if self._data(run) not in sets[:taken]}
        if late:
            return (
                1,
                1,
                (
                    f"The budget of {text} was over before every cell had its first epoch. The same command goes on; "
                    f"--datasets makes the grid smaller."
                ),
            )
        costs = self._costs(sets[:taken])
        epochs, seeds = plan(costs, end - time.time(), width, most)
        self._finish([run for run in self.runs if run.seed < seeds and self._data(run) in sets[:taken]], epochs)
        seconds = sum(cost.seconds for cost in costs) / len(costs)
        first = f" It went to the first {taken} of {len(sets)} data sets." if taken < len(sets) else ""
        return (
            epochs,
            seeds,
            (
                f"A budget of {text} chose this: an epoch took {seconds:.1f} s, {width} runs at a time; all took "
                f"{(time.monotonic() - began) / 60:.1f} minutes.{first}"
            ),
        )

    def _data(self, run: Planned) -> str:
        assert run.config is not None
        return run.config.data

    def _time(self, sets: Sequence[str], end: float) -> None:
        """One epoch of every cell of these data sets with the first seed."""
        self._finish([run for run in self.runs if run.seed == 0 and self._data(run) in sets], 1, until=end)

    def _seeds(self) -> int:
        return max((run.seed for run in self.runs), default=0) + 1

    def _costs(self, sets: Sequence[str]) -> list[Cost]:
        """Of every run on these data sets.

        An epoch costs the median over the cells with the same network and data that were timed: the first run of a
        worker also starts it. Where none was, what the same network took on the first data set.
        """
        seconds: dict[tuple[str, ...], list[float]] = {}
        for run in self.runs:
            assert run.config is not None
            taken = seconds_per_epoch(run.folder(self.root))
            if taken is not None:
                for key in ((run.config.net, run.config.data), (run.config.net,), ()):
                    seconds.setdefault(key, []).append(taken)
        found = []
        for run in self.runs:
            assert run.config is not None
            if run.config.data in sets:
                keys = ((run.config.net, run.config.data), (run.config.net,), ())
                known = next((seconds[key] for key in keys if key in seconds), [0.0])
                found.append(Cost(median(known), epochs_done(run.folder(self.root)), run.seed))
        return found

    def _finish(self, runs: Sequence[Planned], epochs: int, until: float = math.inf) -> None:
        jobs = []
        for run in runs:
            assert run.config is not None
            jobs.append(Job.of(run.folder(self.root), replace(run.config, epochs=epochs), self.place.threads, until))
        self.outcomes += run_grid(jobs, self.place, progress=self.progress, title=self.experiment.name)


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
    for flag in ("epochs", "seeds", "datasets", "budget", "data_dir", "workers", "scheduler", "resources"):
        if getattr(args, flag) is not None:
            words += [f"--{flag.replace('_', '-')}", str(getattr(args, flag))]
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
