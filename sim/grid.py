"""A grid of runs: here one after the other, in local processes, or on a cluster; each run is made once, wherever it is.

A run's folder is named after its settings. So experiments that share a run share it in fact, and a grid that is asked
for again finds what is done and goes on with what is not.
"""

import hashlib
import itertools
import json
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from network.presets import PRESETS
from sim.config import FIELDS, TrainConfig, identity
from sim.grid_job import Job, Outcome, epochs_done, finish, is_done


@dataclass(frozen=True)
class Place:
    """Where a grid runs.

    Attributes
    ----------
    workers : int
        Local processes; with 1 and no scheduler everything runs in this one.
    threads : int
        Of each run.
    gpus : int
        Local GPUs to share out among the workers.
    scheduler : str or None
        Address of a Dask scheduler to run on instead.
    resources : mapping of str to float, optional
        What a run takes of what the scheduler's workers offer.
    """

    workers: int = 1
    threads: int = 1
    gpus: int = 0
    scheduler: str | None = None
    resources: Mapping[str, float] | None = None

    def width(self) -> int:
        """How many runs go on at a time."""
        if self.scheduler is None:
            return self.workers
        from sim.grid_dask import count_workers

        return count_workers(self.scheduler)


def run_grid(jobs: Sequence[Job], place: Place, *, progress: bool = True, title: str = "") -> list[Outcome]:
    """Finish all jobs, each once, however often it is listed, after those that they start from.

    Parameters
    ----------
    jobs : sequence of Job
    place : Place
    progress : bool
        Whether to show one bar, in epochs, over the whole grid on stderr.
    title : str
        Put before the bar.

    Returns
    -------
    list of Outcome
        One a job, in the order of `jobs`.

    Raises
    ------
    GridInterrupted
        On Ctrl-C, saying how far the grid came.
    BadInput
        Where the scheduler cannot be used.
    """
    first = {job.before.folder: job.before for job in jobs if job.before and not job.begun}
    once = list((first | {job.folder: job for job in jobs}).values())
    found: dict[str, Outcome] = {}
    with _Progress(once, title, progress):
        try:
            done = [job for job in once if is_done(job)]  # read here, so that no worker is started for them
            for outcome in itertools.chain(
                map(finish, done), _finish_all([job for job in once if job not in done], place)
            ):
                found[outcome.folder] = outcome
        except KeyboardInterrupt:
            raise GridInterrupted(
                f"interrupted; {len(found)} of {len(once)} runs are done, the others keep their finished epochs; "
                f"the same command goes on"
            ) from None
    return [found[job.folder] for job in jobs]


class GridInterrupted(KeyboardInterrupt):
    """Ctrl-C during a grid. The message is one line: what is kept, and how to go on."""


def _finish_all(jobs: Sequence[Job], place: Place) -> Iterator[Outcome]:
    if place.scheduler:
        from sim.grid_dask import finish_on_cluster

        return finish_on_cluster(jobs, place.scheduler, place.resources)
    if place.workers == 1 or len(jobs) < 2:
        return map(finish, jobs)
    from sim.grid_workers import finish_in_processes

    return finish_in_processes(jobs, place.workers, place.gpus)


def folder_name(config: TrainConfig) -> str:
    """A run's folder within a grid: what it is in words, and a sum of all its settings that are not the defaults.

    Settings that may change when a run is resumed do not count.
    """
    digest = hashlib.sha256(json.dumps(identity(config), sort_keys=True).encode()).hexdigest()[:8]
    net = config.net.strip().lower()
    words = (net if net in PRESETS else "net", config.rule, Path(config.data).stem, f"seed{config.seed}", digest)
    return re.sub(r"[^\w.-]", "_", "-".join(words))


def local_gpus(device: str) -> int:
    """How many GPUs there are to share out, where `device` would have one."""
    if device == "cpu":
        return 0
    try:
        import torch
    except ModuleNotFoundError:
        return 0
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def local_place(device: str, workers: int | None = None, threads: int = 1) -> Place:
    """This machine: one worker a GPU where runs use GPUs, else one for every so many processors."""
    gpus = local_gpus(device)
    return Place(workers or gpus or max(1, (os.cpu_count() or 1) // threads), threads, gpus)


class _Progress:
    """One bar over a grid, whoever does the work: it counts the epochs that the runs' folders have on record."""

    def __init__(self, jobs: Sequence[Job], title: str, shown: bool) -> None:
        self._jobs = [(job.folder, int(job.settings.get("epochs", FIELDS["epochs"].default))) for job in jobs]
        total = sum(epochs for _, epochs in self._jobs)
        done = self._count()
        often = 0.1 if sys.stderr.isatty() else 10
        self._bar = tqdm(
            total=total, initial=done, desc=title or None, unit="epoch", disable=not shown, mininterval=often
        )
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _count(self) -> int:
        return sum(min(epochs_done(folder), epochs) for folder, epochs in self._jobs)

    def _show(self) -> None:
        done = self._count()
        runs = sum(epochs_done(folder) >= epochs for folder, epochs in self._jobs)
        self._bar.set_postfix_str(f"{runs} of {len(self._jobs)} runs", refresh=False)
        self._bar.update(max(0, done - self._bar.n))

    def _watch(self) -> None:
        while not self._end.wait(2.0):
            self._show()

    def __enter__(self) -> "_Progress":
        if not self._bar.disable:
            self._thread.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        if not self._bar.disable:
            self._show()
        self._bar.close()
