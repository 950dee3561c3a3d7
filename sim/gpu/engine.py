"""The torch engine on a GPU: the steps of `sim.torch_engine`, recorded once and replayed.

A step of a small network is a hundred operations of a few microseconds each, which the device does faster than the
host can ask for them. As a graph they are asked for once an update, and the host waits for nothing from one end of an
epoch to the other: the images lie on the device, batches are gathered there by the epoch's order, dropout masks are
made there (`sim.gpu.masks`), and errors are counted there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from network.spec import NetworkSpec
from network.weights import Weights
from sim.engine import Settings
from sim.gpu.alignment import agreement
from sim.gpu.graph import CudaGraph, Graphs, Recording
from sim.gpu.masks import Masks
from sim.torch_engine import TorchEngine


@dataclass(frozen=True)
class Part:
    """What one update learns from: the next `count` images of the epoch's order, which goes by batches of `size`."""

    images: Tensor
    labels: Tensor
    size: int
    count: int
    step: int


@dataclass(frozen=True)
class Work:
    """An epoch that an engine has been given and that is still to be done, before it is given another.

    Attributes
    ----------
    engine : GraphTorchEngine
    updates : list of Part
    wrong : torch.Tensor
        How many images were classified wrongly in the updates done, a number on the device.
    """

    engine: "GraphTorchEngine"
    updates: list[Part]
    wrong: Tensor

    def do(self) -> None:
        """One update after the other, without waiting for the device."""
        for part in self.updates:
            self.engine.do(part)


class GraphTorchEngine(TorchEngine):
    """As `TorchEngine`, in updates that are replayed. See `sim.engine.Engine` for the methods.

    Parameters
    ----------
    spec, weights, settings
        As of `TorchEngine`.
    recording : callable or None
        Makes a graph of a step, as `CudaGraph` does; None for steps that are done operation by operation.

    Attributes
    ----------
    graphs : Graphs
        Those of its updates.
    moved : int
        How often something that graphs read has come to lie elsewhere. Graphs from before are of no use.
    """

    def __init__(
        self, spec: NetworkSpec, weights: Weights, settings: Settings, recording: Recording | None = CudaGraph
    ) -> None:
        super().__init__(spec, weights, settings)
        if ":" in self.device:  # one GPU of several: graphs and Triton's kernels go where the process is
            torch.cuda.set_device(self.device)
        self.graphs = Graphs(recording, why_not(settings))
        self.moved = 0
        self._masks = Masks(spec, settings, self.device)
        # What graphs read, apart from weights: all of it stays where it is, and only the numbers in it change.
        self._update = self._place(torch.zeros(1, dtype=torch.int64))  # of the epoch
        self._wrong = self._place(torch.zeros((), dtype=torch.int64))
        self._streams = self._order = self._place(torch.zeros(0, dtype=torch.int64))
        self._batches: dict[Any, tuple[Tensor, Tensor]] = {}

    @property
    def why_no_graph(self) -> str:
        """Why steps are done operation by operation; empty where they are replayed."""
        return self.graphs.why_not

    @torch.no_grad()
    def learn(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        kind = images.shape, images.dtype
        batch = self._batches.setdefault(kind, (torch.empty_like(images), torch.empty_like(labels)))
        for place, new in zip(batch, (images, labels), strict=True):
            place.copy_(new)
        return self.learn_epoch(*batch, torch.arange(len(images), device=self.device), len(images), step)

    def learn_epoch(self, images: Tensor, labels: Tensor, order: Tensor, size: int, step: int) -> Tensor:
        """What `prepare` makes of the same, done: how many were classified wrongly in all, a number on the device."""
        work = self.prepare(images, labels, order, size, step)
        work.do()
        return work.wrong.clone()

    @torch.no_grad()
    def prepare(self, images: Tensor, labels: Tensor, order: Tensor, size: int, step: int) -> Work:
        """Everything that the updates of an epoch need is brought to the device.

        Parameters
        ----------
        images, labels : torch.Tensor
            All images to learn from, staged, and their classes.
        order : torch.Tensor
            Which of them come in turn, staged.
        size : int
            Images of a batch; the last has what is left.
        step : int
            Updates made before.
        """
        updates = -(-len(order) // size)
        self._order = self._refill(self._order, order)
        self._streams = self._refill(self._streams, self._masks.streams(step, updates))
        self._update.zero_()
        self._wrong.zero_()
        counts = [min(size, len(order) - update * size) for update in range(updates)]
        parts = [Part(images, labels, size, count, step + update) for update, count in enumerate(counts)]
        return Work(self, parts, self._wrong)

    @torch.no_grad()
    def do(self, part: Part) -> None:
        """The next update of the epoch that was prepared."""
        if not self.graphs.do(self.key(part), lambda: self.step(part), self.snapshot, part):
            self.step(part)

    def key(self, part: Part) -> Any:
        """What a graph of this update depends on: numbers that the host knows are part of a recording."""
        factor = self.settings.update.factor(part.step)
        return part.images.data_ptr(), part.labels.data_ptr(), part.size, part.count, factor

    def step(self, part: Part) -> None:
        """One update as the plain form makes it; everything that it leaves behind lies where it lay before."""
        places = torch.arange(part.count, device=self.device) + self._update * part.size
        batch = self._order.index_select(0, places)
        before = [(group, dict(group)) for group in self._state()]
        self._wrong += self._learn(part.images.index_select(0, batch), part.labels.index_select(0, batch), part.step)
        for group, held in before:
            for name, place in held.items():
                if group[name] is not place:
                    group[name] = place.copy_(group[name])
        self._update += 1

    def _learn(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """What one update does with its images; how many were classified wrongly."""
        return super().learn(images, labels, step)

    @torch.no_grad()
    def alignment(self) -> tuple[list[float], list[float]]:
        """`sim.alignment.alignment` of the weights as they are: two numbers a layer come to the host, not the weights.

        The same numbers up to the order in which they are added up.
        """
        if self.settings.rule.feedback_from == "output":
            undefined = [float("nan")] * len(self._W)
            return undefined, undefined
        pairs = [(self._W[node.index], self._R.get(node.index, self._W[node.index])) for node in self.spec.weighted]
        found = torch.stack([agreement(W, R) for W, R in pairs])
        correlations, angles = found.T.tolist()
        return correlations, angles

    def _dropout(self, step: int, count: int) -> dict[str, Any]:
        streams = self._streams.index_select(0, self._update)[0]
        return self._masks.kept(streams, count)

    def stage(self, array: Any) -> Tensor:
        return array if isinstance(array, Tensor) else super().stage(array)

    def _state(self) -> list[dict[Any, Tensor]]:
        """All that an update changes."""
        norm = self._normalisation
        return [self._W, self._R, norm.gamma, norm.beta, self._updater.tau]

    def snapshot(self) -> Callable[[], None]:
        """What brings everything back to how it is now."""
        groups = [(group, {name: value.clone() for name, value in group.items()}) for group in self._state()]
        numbers = [(place, place.clone()) for place in (self._update, self._wrong)]

        def restore() -> None:
            for group, values in groups:
                for name, place in group.items():
                    place.copy_(values[name]) if name in values else place.zero_()  # tau before the first update
            for place, value in numbers:
                place.copy_(value)

        return restore

    def _refill(self, place: Tensor, numbers: Tensor) -> Tensor:
        """`place` with other numbers in it; a new place, and no graphs, where it is too small."""
        if place.shape[1:] == numbers.shape[1:] and len(place) >= len(numbers):
            place[: len(numbers)].copy_(numbers, non_blocking=True)
            return place
        self.graphs.made.clear()
        self.moved += 1
        return self._place(numbers)

    def _place(self, numbers: Tensor) -> Tensor:
        return numbers.to(self.device, copy=True)


def why_not(settings: Settings) -> str:
    """What keeps an update from being replayed; empty where nothing does."""
    if settings.rule.signs and settings.rule.signs.magnitudes == "batch":
        return f"rule '{settings.rule.name}' draws its feedback anew on the host after each update"
    return ""
