"""The runs of one experiment, brought to a number of epochs, or through a time budget that picks it."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from sim.config import TrainConfig
from sim.experiments.experiment import Experiment
from sim.experiments.runs import Planned
from sim.grid import Place, run_grid
from sim.grid_budget import RESERVE, Cost, plan
from sim.grid_job import Outcome, epochs_done, seconds_per_epoch

FEW = 3  # epochs, without which a budget takes in no further data set


class Grid:
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
        self.left_out: list[Planned] = []  # runs that a budget did not reach

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
        self.left_out = [run for run in self.runs if self._data(run) not in sets[:taken]]
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
            taken = seconds_per_epoch(run.folder(self.root, 1))
            if taken is not None:
                for key in _keys(run.config):
                    seconds.setdefault(key, []).append(taken)
        found = []
        for run in self.runs:
            assert run.config is not None
            if run.config.data in sets:
                found += _costs_of(run, self.root, seconds)
        return found

    def _finish(self, runs: Sequence[Planned], epochs: int, until: float = math.inf) -> None:
        jobs = [run.job(self.root, epochs, self.place.threads, until) for run in runs]
        self.outcomes += run_grid(jobs, self.place, progress=self.progress, title=self.experiment.name)


def _keys(config: TrainConfig) -> tuple[tuple[str, ...], ...]:
    """What runs may have in common that take about the same time, from much to nothing."""
    return (config.net, config.data), (config.net,), ()


def _costs_of(run: Planned, root: Path, seconds: Mapping[tuple[str, ...], Sequence[float]]) -> list[Cost]:
    """Of one run, with its first phase; `seconds` an epoch by `_keys`.

    A run with a first phase is begun anew where the length of that changes with its own: nothing of it is done yet.
    """

    def each(config: TrainConfig) -> float:
        return median(next((seconds[key] for key in _keys(config) if key in seconds), [0.0]))

    assert run.config is not None
    if run.first is None or run.point.first is None:
        return [Cost(each(run.config), epochs_done(run.folder(root, 1)), run.seed)]
    most = run.point.first.epochs
    return [Cost(each(run.first), 0, run.seed, most), Cost(each(run.config), 0, run.seed)]
