"""The limits that a fuzzed command runs under, and what counts as holding them."""

import contextlib
import faulthandler
import io
import os
import pickle
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

SECONDS = 10.0  # of processor time that one input may take: what is fuzzed here is small
HANGS = 200  # seconds after which an input is taken to hang: the process ends, and says where it stood
MEMORY = 1 << 30  # bytes more than at the start: four times what `network.bounds` lets a file of this size unpack to


class Unpickled(BaseException):
    """Something was about to be unpickled. Not an Exception: no reader may take it for a damaged file."""


class Broken(AssertionError):
    """An input that a command did not answer as it must."""


@dataclass
class Tally:
    """What was tried of one target."""

    tried: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0


def forbid_unpickling() -> None:
    """From here on in this process any attempt to unpickle is `Unpickled`; in C and in Python."""
    import sklearn.datasets  # noqa: F401  (joblib, which comes with it, makes a class of its own of pickle's)

    def refuse(*_: Any, **__: Any) -> Any:
        raise Unpickled("pickle was asked to load something")

    def hook(event: str, _: Any) -> None:
        if event == "pickle.find_class":
            raise Unpickled("pickle looks up a class")

    sys.addaudithook(hook)
    for name in ("load", "loads", "_load", "_loads", "Unpickler", "_Unpickler"):
        setattr(pickle, name, refuse)


def limit_memory(more: int = MEMORY) -> None:
    """Whatever this process is to allocate beyond what it has now fails."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + more, resource.RLIM_INFINITY))


class Without:
    """Makes packages as if they were not installed."""

    def __init__(self, *packages: str) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.split(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])


@contextlib.contextmanager
def quiet(standard: io.StringIO, errors: io.StringIO) -> Iterator[None]:
    with contextlib.redirect_stdout(standard), contextlib.redirect_stderr(errors):
        yield


def answer(call: Callable[[], int], tally: Tally, *, asks: bool = False) -> str:
    """Run a command, hold it to its limits, and say how it ended: ``accepted``, ``refused`` or ``failed``.

    Parameters
    ----------
    call : callable
        Returns an exit code, with one line on stderr where it is 2.
    tally : Tally
        Counts.
    asks : bool
        Whether the input itself may ask for more memory than there is, as a network's size does; a file may not.

    Raises
    ------
    Broken
        For an exception, another exit code, more or less than one line, or too much time or memory.
    """
    standard, errors = io.StringIO(), io.StringIO()
    tally.tried += 1
    faulthandler.dump_traceback_later(HANGS, exit=True, file=2)
    began = time.process_time()
    try:
        with quiet(standard, errors), warnings.catch_warnings():
            warnings.simplefilter("always")
            code = call()
    except SystemExit as end:
        code = end.code
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {str(error)[:200]}") from error
    finally:
        faulthandler.cancel_dump_traceback_later()
    seconds = time.process_time() - began
    tally.slowest = max(tally.slowest, seconds)
    lines = [line for line in errors.getvalue().splitlines() if not line.startswith("note: ")]
    if seconds > SECONDS:
        raise Broken(f"took {seconds:.1f} s of processor time")
    if code not in (0, 1, 2):
        raise Broken(f"exit code {code}")
    if len(lines) != (code == 2) and not (code == 1 and len(lines) == 1):
        raise Broken(f"exit code {code} with {len(lines)} lines on stderr: {lines[:3]}")
    if lines and "out of memory" in lines[0] and not asks:
        raise Broken(f"asked for more than {MEMORY >> 20} MiB: {lines[0]}")
    ended = ("accepted", "failed", "refused")[int(code)]
    tally.answers[ended] += 1
    return ended


def peak() -> int:
    """The most memory that this process has had, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def command(*words: str) -> Callable[[], int]:
    """``hebb`` with these words, in this process."""
    from sim.cli import main

    return lambda: main(list(words))


def reading(read: Callable[[], object]) -> Callable[[], int]:
    """A reader that no command reaches with small files, answered as a command would be."""
    from sim.cli import _guarded

    def run() -> int:
        read()
        return 0

    return lambda: _guarded("read", run)


def alone(folder: str, packages: Sequence[str] = ("torch", "numba", "brian2", "dask")) -> None:
    """Prepare this process: no network, no engines that take long to import, folders of its own."""
    sys.meta_path.insert(0, Without(*packages))  # pyright: ignore[reportArgumentType]
    os.environ |= {"XDG_CACHE_HOME": folder, "HOME": folder, "HEBB_UNVERIFIED_DATA": "1", "MPLBACKEND": "agg"}
    os.environ.pop("HEBB_DATA", None)
    os.chdir(folder)
    import pooch

    def no_network(*_: Any, **__: Any) -> Any:
        raise OSError("no network here")

    pooch.retrieve = no_network
