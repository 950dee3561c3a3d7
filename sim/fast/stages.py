"""Layers of the fast path that have no weights: pooling with all that can be done in the same pass, drops and sums.

A stage stands for one layer or for several that follow each other, and keeps what its way down needs. Maps between
stages are torch tensors (N, C, H, W) whose channels lie together in memory, so that kernels see them as (N, H, W, C).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from network.layers import Avgpool, Drop, Maxpool
from network.randomness import dropout_draws, dropout_threshold
from network.spec import NetworkSpec, Node
from sim import torch_ops
from sim.event.space import Space
from sim.event.threads import share
from sim.fast import pool_kernels as kernels
from sim.fast.simd import lanes


@dataclass
class Batch:
    """One presentation: how many images, which update (None where nothing is dropped), whether all of them drop the
    same units, and whether h is kept.
    """

    count: int
    seed: int
    step: int | None = None
    trace: bool = False
    one_mask: bool = False


class Dropped(NamedTuple):
    """What a Drop layer does to the units of each image."""

    draws: np.ndarray
    threshold: int
    scale: float


class Routed(NamedTuple):
    """Feedback to the winners of a pooling, not sent yet: most pixels receive nothing."""

    feedback: np.ndarray
    pooling: "Pooling"

    def dense(self, gain: float) -> Tensor:
        """What every pixel receives, `gain` times."""
        return self.pooling.send_back(self.feedback, gain)


class Stage:
    """What all stages share. `name` is that of the last layer it stands for, `sources` what the first one reads."""

    def __init__(self, first: Node, last: Node) -> None:
        self.name = last.name
        self.sources = first.sources


class Relay(Stage, ABC):
    """A stage without weights."""

    @abstractmethod
    def up(self, sources: list[Tensor], batch: Batch) -> Tensor:
        """What it puts out."""

    @abstractmethod
    def down(self, feedback: Any) -> list[Any]:
        """What each of its sources receives."""


class Adding(Relay):
    """``SUM``."""

    def up(self, sources: list[Tensor], batch: Batch) -> Tensor:
        return sources[0] + sources[1]

    def down(self, feedback: Tensor) -> list[Tensor]:
        return [feedback, feedback]


class Averaging(Relay):
    """``Avgpool``, in its plain form."""

    def __init__(self, node: Node, pool: Avgpool, anchor: str) -> None:
        super().__init__(node, node)
        self._pool, self._anchor = pool, anchor

    def up(self, sources: list[Tensor], batch: Batch) -> Tensor:
        self._x = sources[0]
        return torch_ops.average_pool(self._pool, self._anchor, sources[0])

    def down(self, feedback: Tensor) -> list[Tensor]:
        return [torch_ops.average_pool_feedback(self._pool, self._anchor, feedback, self._x)]


class PlainPooling(Relay):
    """``Maxpool`` in its plain form, for maps whose channels fill no vectors."""

    def __init__(self, node: Node, pool: Maxpool, anchor: str) -> None:
        super().__init__(node, node)
        self._pool, self._anchor = pool, anchor

    def up(self, sources: list[Tensor], batch: Batch) -> Tensor:
        self._x = sources[0]
        self._pooled, self._winner = torch_ops.max_pool(self._pool, self._anchor, self._x)
        return self._pooled

    def down(self, feedback: Tensor) -> list[Tensor]:
        sent = torch_ops.max_pool_feedback(
            self._pool, self._anchor, "first", feedback, self._x, self._pooled, self._winner
        )
        return [sent]


class Dropping(Relay):
    """``Drop`` behind anything but a pooling."""

    def __init__(self, node: Node, drop: Drop, position: int) -> None:
        super().__init__(node, node)
        self._node, self._position = node, position
        self.dropped = drop.fraction
        self.code: np.ndarray | None = None

    def up(self, sources: list[Tensor], batch: Batch) -> Tensor:
        self.code = None
        if batch.step is None:
            return sources[0]
        shape = (batch.count, *self._node.shape)
        dropped = draws_of(self.dropped, self._position, self._node.units, batch, 0, batch.count)
        kept = torch.from_numpy(dropped.draws.reshape(shape) >= dropped.threshold)
        if len(shape) == 4:
            kept = kept.contiguous(memory_format=torch.channels_last)
        self._scale = dropped.scale
        self.code = np.where(flat(kept), np.uint8(0), np.uint8(kernels.DROPPED))
        return torch.where(kept, sources[0] * dropped.scale, 0)

    def down(self, feedback: Tensor) -> list[Tensor]:
        if self.code is None:
            return [feedback]
        feedback = feedback.float() if feedback.dtype == torch.bfloat16 else feedback.clone()
        received, code = like_maps(feedback), self.code
        values, scale = flat(received), flat(received).dtype.type(self._scale)
        size = len(values) // len(received)
        share(
            lambda b, e: kernels.keep_only(code[b * size : e * size], scale, values[b * size : e * size]),
            len(received),
            len(values),
        )
        return [received]


class Pooling(Relay):
    """``Maxpool``, with the saturation of the layer below where only it reads that layer, and the ``Drop`` after it.

    Parameters
    ----------
    spec : NetworkSpec
    node : Node
        The Maxpool.
    drop : Node or None
        The Drop that alone reads it.
    saturates : bool
        What comes in is h, and clip(gain h, -1, 1) is what is pooled.
    space : Space
    """

    def __init__(self, spec: NetworkSpec, node: Node, drop: Node | None, saturates: bool, space: Space) -> None:
        super().__init__(node, drop or node)
        assert isinstance(node.layer, Maxpool)
        pool, anchor = node.layer, spec.semantics.pool_anchor
        (channels, height, width), (_, rows, columns) = node.source_shapes[0], node.shape
        self.shape = (height, width, channels, rows, columns)
        top, left = (pool.padding(anchor, n)[0] for n in (height, width))
        self.window = (pool.size, pool.stride, top, left)
        self.saturates, self.gain = saturates, spec.gain
        self._position = spec.nodes.index(drop) if drop else 0
        self.dropped = drop.layer.fraction if drop and isinstance(drop.layer, Drop) else 0.0
        self._space, self._name = space, node.name
        self.code: np.ndarray | None = None
        self.scale = 1.0

    @property
    def units(self) -> int:
        _, _, channels, rows, columns = self.shape
        return rows * columns * channels

    def begin(self, batch: Batch, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        """Room for what it puts out, and for the codes, (N, units)."""
        shape = (batch.count, self.units)
        self.code = self._space.empty("code", self._name, shape=shape, dtype=np.uint8)
        self.scale = 1 / (1 - self.dropped) if batch.step is not None else 1.0
        return self._space.empty("pooled", self._name, shape=shape, dtype=dtype), self.code

    def draws(self, batch: Batch, begin: int, end: int) -> Dropped:
        """Those of the Drop, for images `begin` to `end`; none where nothing is dropped."""
        if self.dropped == 0 or batch.step is None:
            return Dropped(np.empty((end - begin, 0), np.uint16), 0, 1.0)
        dropped = draws_of(self.dropped, self._position, self.units, batch, begin, end)
        return dropped._replace(draws=dropped.draws.reshape(end - begin, self.units))

    def maps(self, pooled: np.ndarray) -> Tensor:
        """What it puts out, for the next stage."""
        _, _, channels, rows, columns = self.shape
        return as_maps(pooled, (rows, columns, channels))

    def up(self, sources: list[Tensor], batch: Batch) -> Tensor:
        x = flat(sources[0])
        pooled, _ = self.begin(batch, x.dtype)
        size = len(x) // batch.count
        share(lambda b, e: self.pool(x[b * size : e * size], batch, b, e, pooled), batch.count, len(x))
        return self.maps(pooled)

    def pool(self, x: np.ndarray, batch: Batch, begin: int, end: int, pooled: np.ndarray) -> None:
        """Images `begin` to `end`, which come as x, into their part of `pooled` and of the codes."""
        assert self.code is not None
        gain, dropped = x.dtype.type(self.gain), self.draws(batch, begin, end)
        kernels.pool_images(
            x, self.shape, self.window, lanes(x.itemsize), self.saturates, gain, dropped.draws, dropped.threshold,
            x.dtype.type(dropped.scale), pooled[begin:end], self.code[begin:end],
        )  # fmt: skip

    def down(self, feedback: Tensor) -> list[Any]:
        routed = Routed(flat(feedback), self)
        return [routed if self.saturates else routed.dense(1.0)]

    def send_back(self, feedback: np.ndarray, gain: float) -> Tensor:
        """What every pixel below receives, `gain` times."""
        assert self.code is not None
        height, width, channels, _, _ = self.shape
        count, code, scale = len(self.code), self.code, feedback.dtype.type(gain * self.scale)
        size = height * width * channels
        received = self._space.empty("received", self._name, shape=(count, size), dtype=feedback.dtype)
        pooled = feedback.reshape(count, -1)
        share(
            lambda b, e: kernels.send_images_back(
                pooled[b:e], code[b:e], scale, self.shape, self.window, received[b:e]
            ),
            count,
            received.size,
        )
        return as_maps(received, (height, width, channels))


def draws_of(fraction: float, position: int, units: int, batch: Batch, begin: int, end: int) -> Dropped:
    """The draws of a Drop for images `begin` to `end` of a training batch, in the order (N, C, H, W)."""
    assert batch.step is not None
    if batch.one_mask:
        draws = np.tile(dropout_draws(batch.seed, batch.step, position, 0, units), end - begin)
    else:
        draws = dropout_draws(batch.seed, batch.step, position, begin * units, end * units)
    return Dropped(draws, dropout_threshold(fraction), 1 / (1 - fraction))


def like_maps(tensor: Tensor) -> Tensor:
    """With the channels of maps together in memory."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor.contiguous()


def flat(tensor: Tensor) -> np.ndarray:
    """Its memory as an array, maps in the order N, H, W, C; a copy where they lie otherwise. bfloat16 is uint16."""
    tensor = tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor
    tensor = tensor.contiguous()
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy().reshape(-1)


def as_maps(array: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    """An array (N, units) as maps of `shape` (H, W, C), seen as (N, C, H, W). uint16 is bfloat16."""
    tensor = torch.from_numpy(array).view(len(array), *shape).permute(0, 3, 1, 2)
    return tensor.view(torch.bfloat16) if array.dtype == np.uint16 else tensor
