"""An experiment of the papers run again and judged: what ``hebb reproduce`` writes its page about."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from network.errors import BadInput
from sim.experiments import find_experiment
from sim.experiments.runs import plan_runs, read_results
from sim.grid import Place, local_place
from sim.grid_budget import parse_budget
from validation.judging import judge
from validation.reproduce_grid import Grid
from validation.reproduce_page import Reproduction

BUDGET = "10m"  # where neither epochs nor a budget are given


def reproduce(
    name: str,
    out: str | Path = "runs/reproduce",
    *,
    epochs: int | None = None,
    budget: str | None = None,
    seeds: int | None = None,
    datasets: Sequence[str] | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
    changes: Mapping[str, Any] | None = None,
    data_dir: str | None = None,
    device: str = "auto",
    first_epochs: int | None = None,
    place: Place | None = None,
    progress: bool = True,
    command: str = "",
) -> Reproduction:
    """Make the runs of an experiment that are not there yet, and judge them: ``hebb reproduce`` without its page.

    Parameters
    ----------
    name : str
        A key of `sim.experiments.EXPERIMENTS`.
    out : path
        Where the runs are kept, below ``runs/``; none is made twice.
    epochs : int, optional
        Of every run; else a time budget picks them.
    budget : str, optional
        That time, such as ``"10m"``, the default.
    seeds : int, optional
        Runs of each cell; the experiment's own number where not given.
    datasets, only, changes, data_dir, device, first_epochs
        As `sim.experiments.runs.plan_runs` takes them.
    place : Place, optional
        Where runs go on; in local processes where not given.
    progress : bool
        Whether to show a progress bar on stderr.
    command : str
        What the page names as the command that made it.

    Returns
    -------
    Reproduction
        `validation.reproduce_page.page_of` makes a page of it.

    Raises
    ------
    BadInput
        For what no grid can be made of.
    """
    experiment, root = find_experiment(name), Path(out)
    for flag, value in (("epochs", epochs), ("first-epochs", first_epochs), ("seeds", seeds)):
        if value is not None and value < 1:
            raise BadInput(f"--{flag} {value}: expected at least 1")
    if epochs and budget:
        raise BadInput("--epochs and --budget: expected one of them; a budget picks the epochs")
    seconds = parse_budget(budget or BUDGET)
    runs = plan_runs(
        experiment,
        range(seeds or experiment.seeds),
        datasets=datasets,
        changes=changes,
        only=only,
        data_dir=data_dir,
        device=device,
        first_epochs=first_epochs,
    )
    (root / "runs").mkdir(parents=True, exist_ok=True)
    grid = Grid(
        experiment, [each for each in runs if each.config], root.resolve(), place or local_place(device), progress
    )
    done, taken, choice = grid.of_epochs(epochs) if epochs else grid.within(seconds)

    results = read_results([each for each in grid.runs if each.seed < taken], grid.root, done)
    cells = list(dict.fromkeys(each.point.cell for each in runs))
    claims = judge(experiment, results, cells, f"after epoch {done}")
    failed = {each.folder: each.message for each in grid.outcomes if each.status == "failed"}
    late = {each.folder: each.message for each in grid.outcomes if each.status == "late"}
    left_out = [str(run.folder(grid.root, done)) for run in grid.left_out]
    late |= dict.fromkeys(left_out, "the budget was too small: a larger one takes it in, or --datasets")
    found = {str(result.run.folder(grid.root, done)) for result in results}
    unmade = {folder: why for folder, why in (failed | late).items() if folder not in found}
    return Reproduction(
        experiment, runs, results, claims, unmade, done, taken, choice, command, changes or {}, grid.root, failed
    )
