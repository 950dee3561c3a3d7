"""Locally connected units: the connections of a convolution, each with a weight of its own (section 4.1)."""

from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from network.layers import Local
from network.spec import NetworkSpec, Node
from sim.event.space import Space, aligned
from sim.event.threads import share
from sim.fast import local_kernels as kernels
from sim.fast import winner_kernels
from sim.fast.simd import lanes
from sim.fast.stages import Batch, Pooling, Routed, flat, like_maps
from sim.fast.synapses import Synapses

SPARE = 32  # numbers after each padded image: vectors begin in its last row and end behind it
AT_ONCE = 1 << 21  # numbers of h that are there at a time, where a pooling follows
NO_MASK = np.empty(0, np.uint8)


class LocalSynapses(Synapses):
    """W is (positions, kh * kw * in * filters), in the order of `sim.fast.local_kernels`, and is changed in place.

    With a pooling above it that alone reads it, what it puts out is what the pooling puts out: h is never kept, and
    only synapses of units that receive feedback change.
    """

    def __init__(self, spec: NetworkSpec, node: Node, pooling: Pooling | None, space: Space) -> None:
        super().__init__(spec, node)
        self.pooling, self._cleared = pooling, 0
        if pooling:
            self.name = pooling.name
        assert isinstance(node.layer, Local)
        (kh, kw), (channels, height, width) = node.layer.kernel, node.source_shapes[0]
        self._kernel, self._filters, self._space = (kh, kw), node.layer.filters, space
        self._padded_shape = (height + kh - 1, width + kw - 1, channels)
        self._row, self._image = (width + kw - 1) * channels, prod(self._padded_shape) + SPARE
        self._size = (kh, kw * channels, self._filters)

    def inside(self, weights: Tensor) -> Tensor:
        _, height, width, *_ = weights.shape
        groups = weights.permute(1, 2, 4, 5, 3, 0).split(kernels.GROUP, -1)
        return torch.cat([group.reshape(height * width, -1) for group in groups], 1)

    def outside(self, weights: Tensor) -> Tensor:
        (channels, height, width), (kh, kw) = self.node.source_shapes[0], self._kernel
        groups = weights.split(kernels.GROUP * kh * kw * channels, 1)
        whole = torch.cat([group.view(height, width, kh, kw, channels, -1) for group in groups], -1)
        return whole.permute(5, 0, 1, 4, 2, 3).contiguous()

    def mask(self, mask: Tensor) -> Tensor:
        return self.inside(mask).to(torch.uint8)

    def up(self, sources: list[Tensor], batch: Batch, W: Tensor) -> Tensor:
        self._pad(sources[0], W)
        return self._pooled(batch, W) if self.pooling else self._unpooled(batch, W)

    def delta(self, feedback: Any) -> Any:
        return Routed(flat(feedback), self.pooling) if self.pooling else super().delta(feedback)

    def back(self, R: Tensor, delta: Any) -> Tensor:
        delta = delta.dense(self._gain) if isinstance(delta, Routed) else delta
        channels, height, width = self.node.source_shapes[0]
        count, delta_, weights = len(delta), flat(delta), R.numpy().reshape(-1)
        received = self._padded("received", count, delta_.dtype)
        size, image, vector = self._size, self._image, lanes(delta_.itemsize)

        def part(begin: int, end: int) -> None:
            received[begin * image : end * image] = 0
            kernels.feedback(
                delta_, self.node.units, weights, size, begin, end, height * width, width, image, self._row, channels,
                vector, received,
            )  # fmt: skip

        share(part, count, delta_.size)
        return self._middle(received, count).permute(0, 3, 1, 2)

    def learn(self, delta: Any, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        channels, height, width = self.node.source_shapes[0]
        delta_ = delta.feedback if isinstance(delta, Routed) else flat(delta)
        images, vector, eta = self._count, lanes(delta_.itemsize), delta_.dtype.type(scale)
        first, last = targets[0].numpy().reshape(-1), targets[-1].numpy().reshape(-1)
        exist = [NO_MASK if mask is None else mask.numpy().reshape(-1) for mask in masks]
        padded, both = self._x, len(targets) == 2
        changed = first, exist[0], last, exist[-1], both

        def of_winners(begin: int, end: int) -> None:
            pooling, code = delta.pooling, delta.pooling.code
            assert code is not None
            _, _, _, *pooled = pooling.shape
            factor = delta_.dtype.type(self._gain * pooling.scale)
            winner_kernels.hebbian_of_winners(
                padded, self._image, self._row, channels, images, code.reshape(-1), delta_, factor,
                pooling.window, tuple(pooled), eta, self._size, begin, end, width, vector, *changed,
            )  # fmt: skip

        def of_all(begin: int, end: int) -> None:
            room = aligned(kernels.room_for(images, self._filters, width), delta_.dtype)
            kernels.hebbian(
                padded, self._image, self._row, channels, images, delta_, eta, self._size, begin, end, width,
                self.node.units, vector, room, *changed,
            )  # fmt: skip

        share(of_winners if isinstance(delta, Routed) else of_all, height, delta_.size)

    def _unpooled(self, batch: Batch, W: Tensor) -> Tensor:
        channels, height, width = self.node.source_shapes[0]
        count, vector, weights = self._count, lanes(W.element_size()), W.numpy().reshape(-1)
        shape, dtype = (count, height, width, self._filters), W.numpy().dtype
        # A trace keeps its numbers; otherwise those of the last presentation make room for these.
        x = torch.from_numpy(
            np.empty(shape, dtype) if batch.trace else self._space.empty("x", self.name, shape=shape, dtype=dtype)
        )
        x_, gain = x.numpy().reshape(-1), weights.dtype.type(0 if batch.trace else self._gain)

        def part(begin: int, end: int) -> None:
            kernels.forward(
                self._x, self._image, self._row, channels, count, weights, self._size, gain, begin, end, width,
                self.node.units, vector, x_,
            )  # fmt: skip

        share(part, height, x_.size)
        self.x = x.permute(0, 3, 1, 2)
        if batch.trace:
            self.h, self.x = self.x, like_maps((self._gain * self.x).clamp_(-1, 1))
        return self.x

    def _pooled(self, batch: Batch, W: Tensor) -> Tensor:
        """A few images at a time, so that only theirs of h are there at once."""
        (channels, height, width), pooling, units = self.node.source_shapes[0], self.pooling, self.node.units
        assert pooling
        vector, weights = lanes(W.element_size()), W.numpy().reshape(-1)
        pooled, _ = pooling.begin(batch, weights.dtype)
        all_h = torch.empty(batch.count if batch.trace else 0, units, dtype=W.dtype)

        def part(begin: int, end: int) -> None:
            together = end - begin if batch.trace else min(end - begin, max(1, AT_ONCE // units))
            room = flat(all_h[begin:end]) if batch.trace else aligned(together * units, weights.dtype)
            for first in range(begin, end, together):
                count = min(together, end - first)
                kernels.forward(
                    self._x[first * self._image :], self._image, self._row, channels, count, weights, self._size,
                    weights.dtype.type(0), 0, height, width, units, vector, room,
                )  # fmt: skip
                pooling.pool(room[: count * units], batch, first, first + count, pooled)

        share(part, batch.count, batch.count * units)
        if batch.trace:
            self.h = all_h.view(batch.count, height, width, self._filters).permute(0, 3, 1, 2)
        return pooling.maps(pooled)

    def _pad(self, below: Tensor, W: Tensor) -> None:
        self._count = len(below)
        self._x = self._padded("padded", self._count, W.numpy().dtype)
        if self._cleared != self._x.ctypes.data:  # the edges, which nothing else is written to
            self._x[:] = 0
            self._cleared = self._x.ctypes.data
        self._middle(self._x, self._count).copy_(below.permute(0, 2, 3, 1))

    def _padded(self, name: str, count: int, dtype: Any) -> np.ndarray:
        """Room for padded maps, flat."""
        return self._space.empty(name, self.name, shape=(count * self._image,), dtype=dtype)

    def _middle(self, padded: np.ndarray, count: int) -> Tensor:
        """The maps without their padding, (N, H, W, C)."""
        (_, height, width), (kh, kw) = self.node.source_shapes[0], self._kernel
        top, left = (kh - 1) // 2, (kw - 1) // 2
        images = torch.from_numpy(padded).view(count, self._image)[:, : prod(self._padded_shape)]
        whole = images.unflatten(1, self._padded_shape)
        return whole[:, top : top + height, left : left + width]
