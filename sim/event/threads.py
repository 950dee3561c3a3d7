"""Threads of the event engine: each takes some of the images, compiled code and BLAS need no interpreter lock.

BLAS itself runs on one thread meanwhile. The matrices of a few images stay in a core's own cache, and threads that wait
for each other inside every product lose most of their speed where other programs use the processor too.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

T = TypeVar("T")

_WORTH_IT = 1 << 16  # numbers to go through, below which a thread costs more than it saves


@cache
def thread_count() -> int:
    """As many as there are processors, or as the environment variable OMP_NUM_THREADS says."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) > 0 else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_count(), thread_name_prefix="event")


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS work on the thread that calls it."""
    with _blas().limit(limits=1, user_api="blas"):
        yield


def parts(count: int, work: int) -> list[tuple[int, int]]:
    """`count` things in as many equal parts as there are threads, or in one where there is little work."""
    together = min(thread_count(), count) if work >= _WORTH_IT else 1
    if together == 1:  # by far the commonest where layers are small, and then what takes time
        return [(0, count)]
    bounds = np.linspace(0, count, together + 1).astype(int).tolist()
    return list(pairwise(bounds))


def share(part: Callable[[int, int], T], count: int, work: int) -> list[T]:
    """Call ``part(begin, end)`` for the parts of `count` things, `work` numbers in all; the results in order."""
    pieces = parts(count, work)
    if len(pieces) == 1:
        return [part(*pieces[0])]
    return list(_pool().map(lambda piece: part(*piece), pieces))
