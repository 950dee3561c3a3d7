"""The runs of a grid on a Dask cluster that is there already: this machine, many, or a SLURM partition.

All machines must see the grid's folder under the same path. A run whose worker is lost is given to another one by the
scheduler, and goes on from its last finished epoch.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from network.errors import BadInput
from sim.grid_job import Job, Outcome, epochs_done, finish

INSTALL = 'pip install "hebb[cluster]"'


def finish_on_cluster(
    jobs: Sequence[Job], scheduler: str, resources: Mapping[str, float] | None = None, patience: float = 30
) -> Iterator[Outcome]:
    """Finish all jobs on the workers of a scheduler; outcomes as they come.

    Parameters
    ----------
    jobs : sequence of Job
    scheduler : str
        Its address, such as ``"tcp://10.0.0.1:8786"``.
    resources : mapping of str to float, optional
        What a run takes of what workers offer, such as ``{"GPU": 1}`` for those started with ``--resources "GPU=1"``.
    patience : float
        Seconds to wait for the scheduler and its first worker.

    Raises
    ------
    BadInput
        Where Dask is not installed, no scheduler answers, it has no workers, or they do not see the folder of the grid.
    """
    with _connected(scheduler, patience) as client:
        from distributed import KilledWorker, as_completed

        _check_workers(client, scheduler, patience, jobs)
        futures = {
            client.submit(finish, job, key=f"run-{n}-{job.folder}", pure=False, resources=resources): job
            for n, job in enumerate(jobs)
        }
        try:
            for future in as_completed(list(futures), loop=client.loop):
                job = futures[future]
                try:
                    yield future.result()
                except KilledWorker as error:
                    why = f"the workers that had it were lost ({error})"
                    yield Outcome(job.folder, "failed", epochs_done(job.folder), " ".join(why.split()))
                except Exception as error:  # of one run: the others go on, and the reason is reported with it
                    why = f"{type(error).__name__}: {error}"
                    yield Outcome(job.folder, "failed", epochs_done(job.folder), why)
        finally:
            client.cancel(list(futures))


def _check_workers(client: Any, scheduler: str, patience: float, jobs: Sequence[Job]) -> None:
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError:
        raise BadInput(f"--scheduler {scheduler}: it has no workers; start some: dask worker {scheduler}") from None
    for address, threads in client.nthreads().items():
        if threads > 1:
            raise BadInput(
                f"--scheduler {scheduler}: worker {address} runs {threads} runs in one process, which share "
                f"what must be each one's own; start it with --nthreads 1, and more of them"
            )
    root = Path(os.path.commonpath([job.folder for job in jobs])) if jobs else Path.cwd()
    root.mkdir(parents=True, exist_ok=True)
    sees = client.run(os.path.isdir, str(root))
    blind = [address for address, found in sees.items() if not found]
    if blind:
        raise BadInput(f"--out: {root} is not there for worker {blind[0]}; name a folder that all machines share")


def count_workers(scheduler: str, patience: float = 30) -> int:
    """How many workers a scheduler has, at least one; `BadInput` as in `finish_on_cluster`."""
    with _connected(scheduler, patience) as client:
        _check_workers(client, scheduler, patience, [])
        return len(client.nthreads())


def _connected(scheduler: str, patience: float) -> Any:
    """A client of the scheduler."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise BadInput(f"--scheduler needs the package '{error.name}', which is not installed: {INSTALL}") from None
    try:
        return Client(scheduler, timeout=patience, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadInput(f"--scheduler {scheduler}: no scheduler answers ({error}); start one: dask scheduler") from None
