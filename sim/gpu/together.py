"""Updates that several engines make at once: one CUDA graph, with a branch for each of them.

An update of a small network leaves most of the device idle. Here each engine keeps its own weights and buffers and does
the very operations of its own step, in a stream of its own that the recording forks to and joins again. So the branches
have nothing in common but the moment when they are asked for, and each run is the one that it would be alone: to the
bit, as far as the device's libraries add up in the same order from one run to the next.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import torch

from sim.gpu.engine import GraphTorchEngine, Part, Work
from sim.gpu.graph import Graphs


class Together:
    """Does the epochs of several engines at once.

    Parameters
    ----------
    engines : sequence of GraphTorchEngine
        Of any networks, seeds and settings. One whose updates cannot be replayed makes them by itself, in its turn; so
        do all of them where they cannot be recorded in one graph.

    Attributes
    ----------
    why_no_graph : str
        Why the engines take turns; empty where they do not.
    """

    def __init__(self, engines: Sequence[GraphTorchEngine]) -> None:
        self._graphs = Graphs(engines[0].graphs.recording)
        self._streams = {
            engine: torch.cuda.Stream(engine.device) if engine.device.startswith("cuda") else None for engine in engines
        }
        self._moved: list[int] = []

    @property
    def why_no_graph(self) -> str:
        return self._graphs.why_not

    @torch.no_grad()
    def do(self, works: Sequence[Work]) -> None:
        """Do what engines have been given, each its updates in turn; does not wait for the device."""
        moved = [engine.moved for engine in self._streams]
        if moved != self._moved:
            self._graphs.made.clear()
            self._moved = moved
        for parts in zip_longest(*(work.updates for work in works)):  # some may have fewer
            self._update([(work.engine, part) for work, part in zip(works, parts, strict=True) if part is not None])

    def _update(self, parts: list[tuple[GraphTorchEngine, Part]]) -> None:
        """The next update of each."""
        shared = [(engine, part) for engine, part in parts if not engine.why_no_graph]
        alone = [(engine, part) for engine, part in parts if engine.why_no_graph]
        if len(shared) < 2 or not self._replayed(shared):
            alone = parts
        for engine, part in alone:
            engine.do(part)

    def _replayed(self, parts: list[tuple[GraphTorchEngine, Part]]) -> bool:
        """Whether all have made their update, by one graph."""

        def snapshot() -> Callable[[], None]:
            restores = [engine.snapshot() for engine, _ in parts]

            def restore() -> None:
                for each in restores:
                    each()

            return restore

        key = tuple((engine, engine.key(part)) for engine, part in parts)
        return self._graphs.do(key, lambda: self._branch(parts), snapshot, parts)

    def _branch(self, parts: list[tuple[GraphTorchEngine, Part]]) -> None:
        """One step of each engine, in its own stream."""
        streams = [stream for engine, _ in parts if (stream := self._streams[engine])]
        trunk: Any = torch.cuda.current_stream() if streams else None
        for stream in streams:  # all fork before any joins: a branch must not wait for the one before it
            stream.wait_stream(trunk)
        for engine, part in parts:
            with torch.cuda.stream(self._streams[engine]):  # on a CPU, where there is none, this does nothing
                engine.step(part)
        for stream in streams:
            trunk.wait_stream(stream)
