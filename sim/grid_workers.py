"""Local processes that finish the runs of a grid. One that dies is replaced, and its run goes on from where it was."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from tqdm import tqdm

from sim.grid_job import Job, Outcome, epochs_done, finish

TRIES = 3  # of a run whose worker dies, before it is given up: it may be what kills them


class Worker:
    """One process and the pipe to it. `gpu`: the only one that it sees, by number; None for all."""

    def __init__(self, gpu: int | None) -> None:
        self.gpu = gpu
        self.job: Job | None = None
        context = multiprocessing.get_context("spawn")  # a fork would copy threads and a GPU's state half way
        self.pipe, child = context.Pipe()
        self.process = context.Process(target=_work, args=(child, gpu), daemon=True)
        self.process.start()
        child.close()

    def give(self, job: Job) -> None:
        self.job = job
        with contextlib.suppress(BrokenPipeError, ConnectionError):  # dead already: `wait` finds out
            self.pipe.send(job)

    def stop(self) -> None:
        """End an idle worker by closing its pipe, a busy one at once: its run can be resumed."""
        self.pipe.close()
        if self.job is None:
            self.process.join(5)
        self.process.kill()
        self.process.join()


def _work(pipe: Connection, gpu: int | None) -> None:
    """What the process does: jobs come in, outcomes go out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends us, and runs can be resumed
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(gpu)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    tqdm.set_lock(threading.RLock())  # its own lock is the system's, which a process that is ended leaves behind
    with contextlib.suppress(EOFError, OSError):
        while True:
            job: Job = pipe.recv()
            try:
                outcome: Outcome = finish(job)
            except Exception as error:  # of one run: the others go on, and the reason is reported with it
                outcome = Outcome(job.folder, "failed", epochs_done(job.folder), f"{type(error).__name__}: {error}")
            pipe.send(outcome)


def finish_in_processes(jobs: Sequence[Job], workers: int, gpus: int = 0) -> Iterator[Outcome]:
    """Finish all jobs in so many processes; outcomes as they come.

    Parameters
    ----------
    jobs : sequence of Job
    workers : int
    gpus : int
        Share this many GPUs out among the workers, each seeing one; 0 to leave them alone.
    """
    left, lost = deque(jobs), dict.fromkeys((job.folder for job in jobs), 0)
    crew = [Worker(n % gpus if gpus else None) for n in range(min(workers, len(jobs)))]
    try:
        for worker in crew:
            worker.give(left.popleft())
        while any(worker.job for worker in crew):
            ready = wait([each for worker in crew if worker.job for each in (worker.pipe, worker.process.sentinel)])
            for place, worker in enumerate(crew):
                if not worker.job or not {worker.pipe, worker.process.sentinel} & set(ready):
                    continue
                job, outcome = worker.job, _received(worker.pipe)
                worker.job = None
                if outcome is None:
                    lost[job.folder] += 1
                    worker.stop()  # whatever is left of it
                    worker = crew[place] = Worker(worker.gpu)
                    if lost[job.folder] < TRIES:
                        left.appendleft(job)
                    else:
                        why = f"its worker died {TRIES} times; is there enough memory?"
                        outcome = Outcome(job.folder, "failed", epochs_done(job.folder), why)
                if left:
                    worker.give(left.popleft())
                if outcome is not None:
                    yield outcome
    finally:
        for worker in crew:
            worker.stop()


def _received(pipe: Any) -> Outcome | None:
    """What the worker sent; None where it died instead."""
    try:
        return pipe.recv() if pipe.poll() else None
    except (EOFError, OSError):
        return None
