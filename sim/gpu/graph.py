"""A training step recorded once as a CUDA graph, and then replayed without the host having a part in it."""

import warnings
from collections.abc import Callable
from typing import Any, Protocol

import torch

WARM = 3  # runs before the recording: libraries choose their algorithms and make their workspaces in the first ones


class Graph(Protocol):
    """What has recorded a step, as `CudaGraph`."""

    def replay(self) -> None: ...


Recording = Callable[[Callable[[], None], Callable[[], None]], Graph]


class CudaGraph:
    """What `step` does on the device, as a graph.

    A graph repeats the same operations on the same addresses. So whatever `step` reads and changes has to stay where it
    is, and nothing it does may depend on a number that the host knows at the time of the recording only.

    Parameters
    ----------
    step : callable
    restore : callable
        Undoes what a run before the recording has changed. The recording itself changes nothing.

    Raises
    ------
    RuntimeError
        Of torch, where an operation of `step` cannot be recorded, such as one that the host waits for.
    """

    def __init__(self, step: Callable[[], None], restore: Callable[[], None]) -> None:
        aside, current = torch.cuda.Stream(), torch.cuda.current_stream()
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            warm_up(step, restore)
        current.wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            step()

    def replay(self) -> None:
        """Do the step; returns at once, before the device has done it."""
        self._graph.replay()


def warm_up(step: Callable[[], None], restore: Callable[[], None]) -> None:
    """Do a step a few times, each from where things are now: an epoch may have no images for a second one."""
    for _ in range(WARM):
        step()
        restore()


class Graphs:
    """Steps that are recorded when they come for the first time, and replayed from then on.

    Parameters
    ----------
    recording : callable or None
        Makes a graph of a step, as `CudaGraph` does; None where none is wanted.
    why_not : str
        What keeps the steps from being recorded; empty where nothing is known to.

    Attributes
    ----------
    made : dict
        The graphs by key, each with what it reads, so that nothing else can come to lie there.
    why_not : str
        Why steps are not replayed; empty where they are.
    """

    def __init__(self, recording: Recording | None, why_not: str = "") -> None:
        self.recording = recording
        self.why_not = why_not if recording else "none was asked for"
        self.made: dict[Any, tuple[Graph, Any]] = {}

    def do(self, key: Any, step: Callable[[], None], snapshot: Callable[[], Callable[[], None]], reads: Any) -> bool:
        """Do a step; False, with everything as it was, where it cannot be recorded.

        Parameters
        ----------
        key : hashable
            Tells steps apart: by all numbers that the host knows, and by the places that they read and change.
        step : callable
        snapshot : callable
            Gives what brings everything back to how it is now.
        reads : object
            Kept for as long as the graph.
        """
        if self.why_not:
            return False
        if key not in self.made:
            restore = snapshot()
            try:
                assert self.recording
                self.made[key] = self.recording(step, restore), reads
            except RuntimeError as error:
                restore()  # it may have made updates before it failed
                self.why_not = str(error).strip().splitlines()[0]
                warnings.warn(f"no CUDA graph, training is slower: {self.why_not}", RuntimeWarning, stacklevel=3)
                return False
        self.made[key][0].replay()
        return True
