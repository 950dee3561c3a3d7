"""The runs that make up an experiment: which can be made here, where they are, and what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from network.errors import BadInput
from sim.config import TrainConfig, make_config
from sim.data import load_data
from sim.experiments.data_sets import locate
from sim.experiments.experiment import Experiment, Labels, Point
from sim.experiments.quantities import Quantity, Rows
from sim.grid import folder_name
from sim.grid_job import DIVERGED
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
    """

    point: Point
    seed: int
    config: TrainConfig | None
    missing: str = ""
    chance: float = 1.0

    def folder(self, root: Path) -> Path:
        """Where the run is kept; every experiment below `root` that has this run shares it."""
        assert self.config is not None
        return root / "runs" / folder_name(self.config)


def plan_runs(
    experiment: Experiment,
    seeds: Sequence[int],
    *,
    datasets: Sequence[str] | None = None,
    changes: Mapping[str, Any] | None = None,
    data_dir: str | None = None,
) -> list[Planned]:
    """Every run of an experiment, those too that cannot be made here.

    Parameters
    ----------
    experiment : Experiment
    seeds : sequence of int
    datasets, changes
        As in `Experiment.points`; `changes` may not name a field of the grid's own, such as ``seed``.
    data_dir : str, optional
        Where the data sets are.

    Raises
    ------
    BadInput
        For changes that no run could have.
    """
    changes = dict(changes or {})
    make_config(changes, "--set {}")  # a mistake in these is the user's, not a row that is missing
    sources = _Sources(data_dir)
    planned = []
    for point in experiment.points(datasets, changes):
        for seed in seeds:
            planned.append(_plan(point, seed, sources, data_dir))
    return planned


def _plan(point: Point, seed: int, sources: "_Sources", data_dir: str | None) -> Planned:
    data, missing, chance = sources.find(str(point.settings["data"]))
    if data is None:
        return Planned(point, seed, None, missing)
    if point.needs:
        return Planned(point, seed, None, f"not there yet: {point.needs}")
    try:
        config = make_config({**point.settings, "data": data, "data_dir": data_dir, "seed": seed}, "setting {}")
    except BadInput as error:
        return Planned(point, seed, None, f"not there yet: {error}")
    return Planned(point, seed, config, chance=chance)


@dataclass
class _Sources:
    """Data sets as they are looked up, each read once."""

    data_dir: str | None
    found: dict[str, tuple[str | None, str, float]] = field(default_factory=dict)

    def find(self, name: str) -> tuple[str | None, str, float]:
        """What ``--data`` has to be, or None and why; and the error of guessing."""
        if name not in self.found:
            data, missing = locate(name, self.data_dir)
            chance = 1.0
            if data is not None:
                try:
                    chance = 1 - 1 / load_data(data, self.data_dir).classes
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
        if run.config is None or not (run.folder(root) / METRICS).exists():
            continue
        folder = run.folder(root)
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
