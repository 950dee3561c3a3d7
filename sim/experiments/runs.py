"""The runs that make up an experiment: which can be made here, where they are, and what came of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from network.errors import BadInput
from sim.config import TrainConfig, make_config
from sim.data import DATASETS, load_data
from sim.experiments.data_sets import locate
from sim.experiments.experiment import Experiment, Labels, Point
from sim.experiments.quantities import Quantity, Rows
from sim.grid import folder_name
from sim.grid_job import DIVERGED, Job
from sim.run_folder import METRICS, RunFolder


@dataclass(frozen=True)
class Planned:
    """One run of an experiment: its settings and folder, or what is missing for it.

    Attributes
    ----------
    point : Point
    seed : int
    config : TrainConfig or None
        None where the run cannot be made.
    missing : str
        Then why, and what would help.
    chance : float
        Error of guessing, 1 - 1/classes; 1 where the run cannot be made.
    first : TrainConfig or None
        Of the run that it starts from, where it does.
    """

    point: Point
    seed: int
    config: TrainConfig | None
    missing: str = ""
    chance: float = 1.0
    first: TrainConfig | None = None

    def at(self, root: Path, epochs: int) -> TrainConfig:
        """The settings of a run of so many epochs, in the second phase where there are two."""
        assert self.config is not None
        before = self.first_job(root, epochs)
        return replace(self.config, epochs=epochs, start_from=before.folder if before else self.config.start_from)

    def folder(self, root: Path, epochs: int) -> Path:
        """Where the run is kept; every experiment below `root` that has this run shares it.

        The number of epochs matters only where the length of a first phase follows from it.
        """
        return root / "runs" / folder_name(self.at(root, epochs))

    def job(self, root: Path, epochs: int, threads: int = 1, until: float = math.inf) -> Job:
        """The run of so many epochs as work for a grid, after its first phase."""
        before = self.first_job(root, epochs, threads, until)
        return Job.of(self.folder(root, epochs), self.at(root, epochs), threads, until, before)

    def first_job(self, root: Path, epochs: int, threads: int = 1, until: float = math.inf) -> Job | None:
        """The first phase of a run of so many epochs, None where it has one phase.

        It has a folder of its own, with the number of its epochs in the name: the same run without a second phase may
        go on, and its weights of this epoch are gone then.
        """
        if self.first is None or self.point.first is None:
            return None
        before = self.point.first.epochs_before(epochs)
        folder = root / "runs" / f"{folder_name(self.first)}-epochs{before}"
        return Job.of(folder, replace(self.first, epochs=before), threads, until)


def plan_runs(
    experiment: Experiment,
    seeds: Sequence[int],
    *,
    datasets: Sequence[str] | None = None,
    changes: Mapping[str, Any] | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
    data_dir: str | None = None,
    device: str = "auto",
    first_epochs: int | None = None,
) -> list[Planned]:
    """Every run of an experiment, those too that cannot be made here.

    Parameters
    ----------
    experiment : Experiment
    seeds : sequence of int
    datasets, changes, only
        As in `Experiment.points`; `changes` may not name a field of the grid's own, such as ``seed``.
    data_dir : str, optional
        Where the data sets are.
    device : str
        Where the runs compute.
    first_epochs : int, optional
        Of the first phase, where runs have two; else as `First.epochs_before` says.

    Raises
    ------
    BadInput
        For changes that no run could have, or epochs of a first phase that no run has.
    """
    changes = dict(changes or {})
    make_config(changes, "--set {}")  # a mistake in these is the user's, not a row that is missing
    sources = _Sources(data_dir)
    points = experiment.points(datasets, changes, only)
    if first_epochs is not None:
        if not any(point.first for point in points):
            raise BadInput(f"--first-epochs {first_epochs}: no run of {experiment.name} has a first phase")
        points = [
            replace(each, first=replace(each.first, epochs=first_epochs, exactly=True)) if each.first else each
            for each in points
        ]
    own = {"data_dir": data_dir, "device": device}
    return [_plan(point, {**own, "seed": seed}, sources) for point in points for seed in seeds]


def _plan(point: Point, own: dict[str, Any], sources: "_Sources") -> Planned:
    seed = own["seed"]
    data, missing, chance = sources.find(str(point.settings["data"]), point.settings.get("image_size"))
    if data is None:
        return Planned(point, seed, None, missing)
    if point.needs:
        return Planned(point, seed, None, f"not there yet: {point.needs}")
    own = {**own, "data": data}
    try:
        config = make_config({**point.settings, **own}, "setting {}")
        first = make_config({**point.first.settings, **own}, "setting {}") if point.first else None
    except BadInput as error:
        return Planned(point, seed, None, f"not there yet: {error}")
    return Planned(point, seed, config, chance=chance, first=first)


@dataclass
class _Sources:
    """Data sets as they are looked up, each read once."""

    data_dir: str | None
    found: dict[str, tuple[str | None, str, float]] = field(default_factory=dict)

    def find(self, name: str, image_size: int | None) -> tuple[str | None, str, float]:
        """What ``--data`` has to be, or None and why; and the error of guessing."""
        if name not in self.found:
            data, missing = locate(name, self.data_dir)
            chance = 1.0
            if data is not None:
                try:
                    size = None if data in DATASETS else image_size  # images of a folder may need it to be read
                    chance = 1 - 1 / load_data(data, self.data_dir, size).classes
                except BadInput as error:
                    data, missing = None, f"no data: {error}"
            self.found[name] = data, missing, chance
        return self.found[name]


@dataclass(frozen=True)
class Result:
    """What came of a planned run, up to some epoch.

    Attributes
    ----------
    run : Planned
    rows : sequence of dict
        As in ``metrics.jsonl``.
    diverged : str
        Why the run stopped learning, with the layer; empty where it did not.
    """

    run: Planned
    rows: Rows
    diverged: str = ""

    def value(self, quantity: Quantity) -> float | None:
        """The quantity, the error of guessing where the run diverged; None where there is nothing to read it from."""
        if self.diverged and quantity.is_error:
            return self.run.chance
        return quantity.of(self.rows) if self.rows else None


def read_results(runs: Sequence[Planned], root: Path, epochs: int) -> list[Result]:
    """What the folders of these runs hold up to an epoch; runs that have not come as far are left out."""
    results = []
    for run in runs:
        if run.config is None or not (run.folder(root, epochs) / METRICS).exists():
            continue
        folder = run.folder(root, epochs)
        diverged = (folder / DIVERGED).read_text().strip() if (folder / DIVERGED).exists() else ""
        rows = RunFolder(folder).read_metrics()[:epochs]
        if len(rows) == epochs or diverged:
            results.append(Result(run, rows, diverged))
    return results


def by_cell(results: Sequence[Result], quantity: Quantity) -> dict[Labels, dict[int, float]]:
    """The quantity by cell and seed; of runs that differ only along a `best_of` axis the lowest."""
    found: dict[Labels, dict[int, float]] = {}
    for result in results:
        value = result.value(quantity)
        if value is not None:
            seeds = found.setdefault(result.run.point.cell, {})
            seeds[result.run.seed] = min(value, seeds.get(result.run.seed, value))
    return found
