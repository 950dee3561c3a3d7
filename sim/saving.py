"""When a run in progress is written to its folder."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sim import ranks

SHARE = 0.05  # of the time, at most, that writing takes where nothing else is asked for


class Saves:
    """After which epochs a run is written.

    Parameters
    ----------
    every : int or None
        After every so many epochs. None is after each one on a CPU. On a GPU, where an epoch may take less time than
        writing its weights, it is whenever writing has taken less than `SHARE` of the time.
    epochs : int
        Of the run; it is written after the last one in any case.
    device : str
        Where it computes.
    clock : callable
        Seconds.
    """

    def __init__(
        self, every: int | None, epochs: int, device: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # Processes that share a run have to write it at the same time, and their clocks differ.
        by_time = every is None and device.startswith("cuda") and ranks.count() == 1
        self._every = None if by_time else every or 1
        self._epochs, self._clock = epochs, clock
        self._last, self._took = clock(), 0.0

    def due(self, epoch: int) -> bool:
        """Whether the run is to be written after this epoch."""
        if epoch == self._epochs:
            return True
        if self._every:
            return epoch % self._every == 0
        return self._took <= SHARE * (self._took + self._clock() - self._last)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Around the writing."""
        began = self._clock()
        yield
        self._last = self._clock()
        self._took = self._last - began
