"""The torch engine on a GPU: the steps of `sim.torch_engine`, recorded once and replayed.

A step of a small network is a hundred operations of a few microseconds each, which the device does faster than the
host can ask for them. As a graph they are asked for once an update, and the host waits for nothing from one end of an
epoch to the other: the images lie on the device, batches are gathered there by the epoch's order, dropout masks are
made there (`sim.gpu.masks`), and errors are counted there.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from network.spec import NetworkSpec
from network.weights import Weights
from sim.engine import Settings
from sim.gpu.alignment import agreement
from sim.gpu.graph import CudaGraph
from sim.gpu.masks import Masks
from sim.torch_engine import TorchEngine


class Graph(Protocol):
    """What has recorded a step, as `CudaGraph`."""

    def replay(self) -> None: ...


Recording = Callable[[Callable[[], None], Callable[[], None]], Graph]


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
    why_no_graph : str
        Why steps are done operation by operation; empty where they are replayed.
    """

    def __init__(
        self, spec: NetworkSpec, weights: Weights, settings: Settings, recording: Recording | None = CudaGraph
    ) -> None:
        super().__init__(spec, weights, settings)
        if ":" in self.device:  # one GPU of several: graphs and Triton's kernels go where the process is
            torch.cuda.set_device(self.device)
        self._recording = recording
        self.why_no_graph = why_not(settings) if recording else "none was asked for"
        self._graphs: dict[Any, tuple[Graph, Tensor, Tensor]] = {}  # with the images and labels that they read
        self._masks = Masks(spec, settings, self.device)
        # What graphs read, apart from weights: all of it stays where it is, and only the numbers in it change.
        self._update = self._place(torch.zeros(1, dtype=torch.int64))  # of the epoch
        self._wrong = self._place(torch.zeros((), dtype=torch.int64))
        self._streams = self._order = self._place(torch.zeros(0, dtype=torch.int64))
        self._batches: dict[Any, tuple[Tensor, Tensor]] = {}
        self._stream: Any = None

    @torch.no_grad()
    def learn(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        kind = images.shape, images.dtype
        batch = self._batches.setdefault(kind, (torch.empty_like(images), torch.empty_like(labels)))
        for place, new in zip(batch, (images, labels), strict=True):
            place.copy_(new)
        return self.learn_epoch(*batch, torch.arange(len(images), device=self.device), len(images), step)

    @torch.no_grad()
    def learn_epoch(self, images: Tensor, labels: Tensor, order: Tensor, size: int, step: int) -> Tensor:
        """One update after the other, without waiting for the device.

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

        Returns
        -------
        torch.Tensor
            How many were classified wrongly in all, a number on the device.
        """
        updates = -(-len(order) // size)
        self._order = self._refill(self._order, order)
        self._streams = self._refill(self._streams, self._masks.streams(step, updates))
        self._update.zero_()
        self._wrong.zero_()
        for update in range(updates):
            count = min(size, len(order) - update * size)
            self._do(images, labels, size, count, step + update)
        return self._wrong.clone()

    def _do(self, images: Tensor, labels: Tensor, size: int, count: int, step: int) -> None:
        """The next update, which learns from `count` images."""

        def update() -> None:
            self._step(images, labels, size, count, step)

        if self.why_no_graph:
            return update()
        # Numbers that the host knows are part of a recording, so that one is made for each of them.
        key = (images.data_ptr(), labels.data_ptr(), size, count, self.settings.update.factor(step))
        if key not in self._graphs:
            restore = self._snapshot()
            try:
                assert self._recording
                self._graphs[key] = self._recording(update, restore), images, labels
            except RuntimeError as error:
                restore()  # it may have made updates before it failed
                self.why_no_graph = str(error).strip().splitlines()[0]
                warnings.warn(f"no CUDA graph, training is slower: {self.why_no_graph}", RuntimeWarning, stacklevel=2)
                return update()
        self._graphs[key][0].replay()

    def _step(self, images: Tensor, labels: Tensor, size: int, count: int, step: int) -> None:
        """One update as the plain form makes it; everything that it leaves behind lies where it lay before."""
        places = torch.arange(count, device=self.device) + self._update * size
        batch = self._order.index_select(0, places)
        before = [(group, dict(group)) for group in self._state()]
        self._wrong += self._learn(images.index_select(0, batch), labels.index_select(0, batch), step)
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

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is done within goes on beside the work of other engines, where the device has room for both."""
        if not self.device.startswith("cuda"):
            yield
            return
        self._stream = self._stream or torch.cuda.Stream(self.device)
        self._stream.wait_stream(torch.cuda.current_stream(self.device))  # which has brought the data here
        with torch.cuda.stream(self._stream):
            yield

    def _dropout(self, step: int, count: int) -> dict[str, Any]:
        streams = self._streams.index_select(0, self._update)[0]
        return self._masks.kept(streams, count)

    def stage(self, array: Any) -> Tensor:
        return array if isinstance(array, Tensor) else super().stage(array)

    def _state(self) -> list[dict[Any, Tensor]]:
        """All that an update changes."""
        norm = self._normalisation
        return [self._W, self._R, norm.gamma, norm.beta, self._updater.tau]

    def _snapshot(self) -> Callable[[], None]:
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
        self._graphs.clear()
        return self._place(numbers)

    def _place(self, numbers: Tensor) -> Tensor:
        return numbers.to(self.device, copy=True)


def why_not(settings: Settings) -> str:
    """What keeps an update from being replayed; empty where nothing does."""
    if settings.rule.signs and settings.rule.signs.magnitudes == "batch":
        return f"rule '{settings.rule.name}' draws its feedback anew on the host after each update"
    return ""
