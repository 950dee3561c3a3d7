"""A training step recorded once as a CUDA graph, and then replayed without the host having a part in it."""

from collections.abc import Callable

import torch

WARM = 3  # runs before the recording: libraries choose their algorithms and make their workspaces in the first ones


class CudaGraph:
    """What `step` does on the device, as a graph.

    A graph repeats the same operations on the same addresses. So whatever `step` reads and changes has to stay where it
    is, and nothing it does may depend on a number that the host knows at the time of the recording only.

    Parameters
    ----------
    step : callable
    restore : callable
        Undoes what the runs before the recording have changed. The recording itself changes nothing.

    Raises
    ------
    RuntimeError
        Of torch, where an operation of `step` cannot be recorded, such as one that the host waits for.
    """

    def __init__(self, step: Callable[[], None], restore: Callable[[], None]) -> None:
        aside, current = torch.cuda.Stream(), torch.cuda.current_stream()
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            for _ in range(WARM):
                step()
            restore()
        current.wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            step()

    def replay(self) -> None:
        """Do the step; returns at once, before the device has done it."""
        self._graph.replay()
