"""One run of a grid, as a worker does it: begin it, go on with it, or see that it is done.

Doing a job again changes nothing. Whoever dies in the middle of a run leaves a folder that the next one resumes, to the
very same bits.
"""

import json
import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from network.errors import BadInput, Diverged
from sim.config import MAY_CHANGE, TrainConfig, identity, make_config
from sim.run_folder import CONFIG, RunFolder, discard

ATTEMPTS, LOCK, DIVERGED = "attempts.jsonl", ".lock", "diverged.txt"


@dataclass(frozen=True)
class Job:
    """A run to be finished.

    Attributes
    ----------
    folder : str
        Where it is.
    settings : dict of str to object
        Its config, as a plain mapping, so that a job travels to other machines as it is.
    threads : int
        How many it may use.
    until : float
        Do nothing after this moment, in seconds of ``time.time``; a run that has begun goes on.
    before : Job, optional
        The run that this one starts from, which has to be finished before this one begins.
    """

    folder: str
    settings: dict[str, Any]
    threads: int = 1
    until: float = math.inf
    before: "Job | None" = None

    @classmethod
    def of(
        cls,
        folder: str | Path,
        config: TrainConfig,
        threads: int = 1,
        until: float = math.inf,
        before: "Job | None" = None,
    ) -> "Job":
        settings = {name: value for name, value in asdict(config).items() if value is not None}
        return cls(str(folder), settings, threads, until, before)

    @property
    def begun(self) -> bool:
        """Whether the run is there, to be resumed: then the one before it is needed no more."""
        return (Path(self.folder) / CONFIG).exists()

    @property
    def config(self) -> TrainConfig:
        return make_config(self.settings)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes
    ----------
    folder : str
    status : {"finished", "diverged", "failed", "late"}
        A run that diverged is a result; one that failed could not be made; one that was late was not begun.
    epochs : int
        How many the run has now.
    message : str
        Why it diverged or failed.
    """

    folder: str
    status: str
    epochs: int
    message: str = ""


def finish(job: Job) -> Outcome:
    """Bring a run to its number of epochs, from wherever it stands.

    Two workers never work on one run at a time, where they share a file system that locks; the second waits, and then
    finds the run done.
    """
    path = Path(job.folder)
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        try:
            return _finish(job, path)
        except BadInput as error:
            return Outcome(job.folder, "failed", epochs_done(path), " ".join(str(error).split()))


def _finish(job: Job, path: Path) -> Outcome:
    done = _check_same(job, path)
    if (path / DIVERGED).exists():
        return Outcome(job.folder, "diverged", done, (path / DIVERGED).read_text().strip())
    if (path / CONFIG).exists() and done >= job.config.epochs:
        return Outcome(job.folder, "finished", done)
    if time.time() > job.until:
        return Outcome(job.folder, "late", done, "the time was over before it was its turn")
    if job.before is not None and not job.begun:
        first = finish(job.before)
        if first.status != "finished":
            status = "late" if first.status == "late" else "failed"
            why = f"the run it starts from, {Path(first.folder).name}, {first.status}: {first.message}"
            return Outcome(job.folder, status, 0, why)
    if job.config.engine == "torch":
        _use_threads(job.threads)
    from sim.train import resume, start

    _note(path, "began", done)
    began = time.perf_counter()
    try:
        if (path / CONFIG).exists():
            run = resume(
                path, {name: job.settings[name] for name in MAY_CHANGE if name in job.settings}, progress=False
            )
        else:
            run = start(job.config, path, progress=False)
    except Diverged as error:
        message = " ".join(str(error).split())
        RunFolder(path).write(DIVERGED, message + "\n")
        _note(path, "diverged", epochs_done(path))
        return Outcome(job.folder, "diverged", epochs_done(path), message)
    _note(path, "finished", len(run.rows), seconds=time.perf_counter() - began, epochs=len(run.rows) - done)
    return Outcome(job.folder, "finished", len(run.rows))


def is_done(job: Job) -> bool:
    """Whether the record of the run says that nothing is left to do."""
    record = attempts(job.folder)
    last = record[-1] if record else {"event": "", "epoch": 0}
    return last["event"] == "diverged" or (last["event"] == "finished" and last["epoch"] >= job.config.epochs)


def _check_same(job: Job, path: Path) -> int:
    """How many epochs are done; what a run leaves that was killed before it had a config is cleared away.

    Raises
    ------
    BadInput
        Where the folder holds a run with other settings.
    """
    if not (path / CONFIG).exists():
        discard_unfinished(path)
        return 0
    old, new = RunFolder(path).read_config(), job.config
    was, asked = identity(old), identity(new)
    for name in (*was, *asked):
        if was.get(name) != asked.get(name):
            raise BadInput(
                f"{path}: holds a run with {name} {getattr(old, name)}, not {getattr(new, name)}; name another folder"
            )
    return len(RunFolder(path).read_epoch()[0])


def discard_unfinished(path: Path) -> None:
    """Remove the files of a run that never came as far as having a config."""
    discard(path)
    path.mkdir(exist_ok=True)


def epochs_done(path: str | Path) -> int:
    """How many epochs a run's folder has on record; 0 where there is none."""
    try:
        return len((Path(path) / "metrics.jsonl").read_text().splitlines())
    except OSError:
        return 0


def attempts(path: str | Path) -> list[dict[str, Any]]:
    """What workers did in a run's folder, in order: ``event``, ``epoch``, ``host``, ``process``, ``seconds``."""
    try:
        lines = (Path(path) / ATTEMPTS).read_text().splitlines()
    except OSError:
        return []
    return [json.loads(line) for line in lines if line.endswith("}")]


def seconds_per_epoch(path: str | Path) -> float | None:
    """What an epoch of this run took, from its last finished attempt; None where none has finished."""
    for entry in reversed(attempts(path)):
        if entry["event"] == "finished" and entry["epochs"] > 0:
            return entry["seconds"] / entry["epochs"]
    return None


def _note(path: Path, event: str, epoch: int, **more: Any) -> None:
    entry = {"event": event, "epoch": epoch, "host": socket.gethostname(), "process": os.getpid(), **more}
    with open(path / ATTEMPTS, "a") as file:  # one short write: whole, or the last line of a machine that stopped
        file.write(json.dumps(entry) + "\n")


def _use_threads(count: int) -> None:
    """The same number of threads in every run of a grid: with another number torch may round another way."""
    os.environ["OMP_NUM_THREADS"] = str(count)  # read by the compiled kernels when their first run begins
    try:
        import torch
    except ModuleNotFoundError:
        return  # the run itself says what is missing
    torch.set_num_threads(count)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until nobody else is at work in this folder. The lock of a process that dies is given up with it."""
    try:
        import fcntl
    except ModuleNotFoundError:  # not on Windows: there one grid at a time has to be the user's care
        yield
        return
    with open(path / LOCK, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
