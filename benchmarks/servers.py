"""Variants in processes of their own, each of which makes one update when it is asked for one.

Some of what is compared is a property of a process: how the C library treats freed memory, how many threads there are,
what the peak of its memory was. Several such processes working alternately are still compared round by round.
"""

import ctypes
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from network.errors import BadInput

Variants = dict[str, Callable[[], Any]]
# Makes the variants, and says of those that cannot run here why.
Prepare = Callable[..., tuple[Variants, dict[str, str]]]

MEMORY, FORGET = "memory?", "forget!"  # what a process can be asked beside the names of variants
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


class Server:
    """A process with its variants ready.

    Parameters
    ----------
    prepare : callable
        Called in the process with `arguments`; a function of a module, since processes know it by name.
    threads : int
        Of torch and of this package's kernels.
    clock : {"wall", "processor"}

    Attributes
    ----------
    variants : list of str
    skipped : dict of str
        The reasons why others are not there.
    """

    def __init__(self, prepare: Prepare, *arguments: Any, threads: int, clock: str) -> None:
        # Processes that begin as copies of one that has loaded torch, and done nothing with it: quick, and all alike.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload(["torch", "numba"])
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, prepare, arguments, threads, clock))
        self._process.start()
        theirs.close()
        try:
            self.variants, self.skipped = self._answer()
        except BaseException:
            self.stop()
            raise

    def ask(self, variant: str) -> float:
        """Seconds of one update by `variant`."""
        self._pipe.send(variant)
        return self._answer()

    def memory(self) -> float:
        """Peak memory of the process since its variants were made, or since `forget`, MiB."""
        self._pipe.send(MEMORY)
        return self._answer()

    def forget(self) -> None:
        """Have the peak of memory begin anew, so that it has nothing of what was compiled."""
        self._pipe.send(FORGET)
        self._answer()

    def stop(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            if code is not None and code < 0:
                raise BadInput(
                    f"a process was killed by signal {-code}: not enough memory? A smaller batch needs less"
                ) from None
            raise RuntimeError(f"a process ended with code {code}, for the reason above") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer


def rounds(servers: dict[str, Server], count: int) -> dict[tuple[str, str], list[float]]:
    """Seconds of every variant of every server in `count` rounds, after one that compiles and is not counted."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for number in range(count + 1):
        for name, server in servers.items():
            for variant in server.variants:
                taken = server.ask(variant)
                if number:
                    seconds.setdefault((name, variant), []).append(taken)
            if number == 0:
                server.forget()
    return seconds


def stop_all(servers: Iterable[Server]) -> None:
    """End all processes, whatever happens to one of them."""
    for server in servers:
        with suppress(OSError):
            server.stop()


def _serve(pipe: Connection, prepare: Prepare, arguments: tuple[Any, ...], threads: int, clock: str) -> None:
    """Answer with the names of the variants, then with the seconds of one update for every name that is read."""
    with suppress(EOFError, KeyboardInterrupt, BrokenPipeError):  # whoever asks has gone
        try:
            import torch

            os.environ["OMP_NUM_THREADS"] = str(threads)  # of this package's kernels
            torch.set_num_threads(threads)
            variants, skipped = prepare(*arguments)
            _forget_peak()
        except (BadInput, ImportError) as error:
            pipe.send(error)
            return
        pipe.send((list(variants), skipped))
        now = CLOCKS[clock]
        while True:
            name = pipe.recv()
            if name in (MEMORY, FORGET):
                pipe.send(_peak_memory() if name == MEMORY else _forget_peak())
                continue
            begin = now()
            variants[name]()
            pipe.send(now() - begin)


def _forget_peak() -> None:
    """Give back what preparation has freed, and begin with a new peak, where the system can do both (Linux)."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory() -> float:
    """Of this process, MiB."""
    import resource  # here, because not every system has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
