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

AT_ONCE = 1 << 21  # numbers of h that are there at a time, where a pooling follows
NO_MASK = np.empty(0, np.uint8)


class LocalSynapses(Synapses):
    """W is (positions, kh * kw * in * filters), in the order of `sim.fast.local_kernels`, and is changed in place.

    With a pooling above it that alone reads it, what it puts out is what the pooling puts out: h is never kept, and
    only synapses of units that receive feedback change.
    """

    def __init__(self, spec: NetworkSpec, node: Node, pooling: Pooling | None, space: Space) -> None:
        super().__init__(spec, node)
        self.pooling = pooling
        if pooling:
            self.name = pooling.name
        assert isinstance(node.layer, Local)
        channels, height, width = node.source_shapes[0]
        self._maps, self._size = (height, width, channels), (*node.layer.kernel, node.layer.filters)
        self._space = space

    def inside(self, weights: Tensor) -> Tensor:
        _, height, width, *_ = weights.shape
        groups = weights.permute(1, 2, 4, 5, 3, 0).split(kernels.GROUP, -1)
        return torch.cat([group.reshape(height * width, -1) for group in groups], 1)

    def outside(self, weights: Tensor) -> Tensor:
        (height, width, channels), (kh, kw, _) = self._maps, self._size
        groups = weights.split(kernels.GROUP * kh * kw * channels, 1)
        whole = torch.cat([group.view(height, width, kh, kw, channels, -1) for group in groups], -1)
        return whole.permute(5, 0, 1, 4, 2, 3).contiguous()

    def mask(self, mask: Tensor) -> Tensor:
        return self.inside(mask).to(torch.uint8)

    def up(self, sources: list[Tensor], batch: Batch, W: Tensor) -> Tensor:
        self._below = flat(sources[0].to(W.dtype))
        return self._pooled(batch, W) if self.pooling else self._unpooled(batch, W)

    def delta(self, feedback: Any) -> Any:
        return Routed(flat(feedback), self.pooling) if self.pooling else super().delta(feedback)

    def back(self, R: Tensor, delta: Any) -> Tensor:
        delta = delta.dense(self._gain) if isinstance(delta, Routed) else delta
        count, delta_, weights = len(delta), flat(delta), R.numpy().reshape(-1)
        vector, maps = lanes(delta_.itemsize), self._maps
        # With a vector to spare behind each image. It is not kept: soon the layer below has made its own delta of it.
        received = aligned(count * (prod(maps) + vector), delta_.dtype).reshape(count, -1)

        def part(begin: int, end: int) -> None:
            received[begin:end] = 0
            kernels.feedback(delta_, weights, maps, self._size, begin, end, vector, received.reshape(-1))

        share(part, count, delta_.size)
        return torch.from_numpy(received)[:, : prod(maps)].unflatten(1, maps).permute(0, 3, 1, 2)

    def learn(self, delta: Any, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        delta_ = delta.feedback if isinstance(delta, Routed) else flat(delta)
        vector, eta = lanes(delta_.itemsize), delta_.dtype.type(scale)
        first, last = targets[0].numpy().reshape(-1), targets[-1].numpy().reshape(-1)
        exist = [NO_MASK if mask is None else mask.numpy().reshape(-1) for mask in masks]
        changed = first, exist[0], last, exist[-1], len(targets) == 2
        x, maps, images, size = self._below, self._maps, len(self._below) // prod(self._maps), self._size

        def of_winners(begin: int, end: int) -> None:
            pooling, code = delta.pooling, delta.pooling.code
            assert code is not None
            _, _, _, *pooled = pooling.shape
            factor = delta_.dtype.type(self._gain * pooling.scale)
            winner_kernels.hebbian_of_winners(
                x, maps, images, code.reshape(-1), delta_, factor, pooling.window, tuple(pooled), eta, size, begin,
                end, vector, *changed,
            )  # fmt: skip

        def of_all(begin: int, end: int) -> None:
            room = aligned(kernels.room_for(images, size[-1], maps[1]), delta_.dtype)
            kernels.hebbian(x, maps, images, delta_, eta, size, begin, end, vector, room, *changed)

        share(of_winners if isinstance(delta, Routed) else of_all, maps[0], delta_.size)

    def _unpooled(self, batch: Batch, W: Tensor) -> Tensor:
        (height, width, _), filters = self._maps, self._size[-1]
        vector, weights = lanes(W.element_size()), W.numpy().reshape(-1)
        shape, dtype = (batch.count, height, width, filters), weights.dtype
        # A trace keeps its numbers; otherwise those of the last presentation make room for these.
        x = np.empty(shape, dtype) if batch.trace else self._space.empty("x", self.name, shape=shape, dtype=dtype)
        out, gain = x.reshape(-1), dtype.type(0 if batch.trace else self._gain)

        def part(begin: int, end: int) -> None:
            kernels.forward(
                self._below, self._maps, batch.count, weights, self._size, gain, begin, end, vector, out
            )  # fmt: skip

        share(part, height, out.size)
        self.x = torch.from_numpy(x).permute(0, 3, 1, 2)
        if batch.trace:
            self.h, self.x = self.x, like_maps((self._gain * self.x).clamp_(-1, 1))
        return self.x

    def _pooled(self, batch: Batch, W: Tensor) -> Tensor:
        """A few images at a time, so that only theirs of h are there at once."""
        (height, width, _), pooling, units = self._maps, self.pooling, self.node.units
        assert pooling
        vector, weights, image = lanes(W.element_size()), W.numpy().reshape(-1), prod(self._maps)
        pooled, _ = pooling.begin(batch, weights.dtype)
        all_h = torch.empty(batch.count if batch.trace else 0, units, dtype=W.dtype)

        def part(begin: int, end: int) -> None:
            together = end - begin if batch.trace else min(end - begin, max(1, AT_ONCE // units))
            room = flat(all_h[begin:end]) if batch.trace else aligned(together * units, weights.dtype)
            for first in range(begin, end, together):
                count = min(together, end - first)
                kernels.forward(
                    self._below[first * image :], self._maps, count, weights, self._size, weights.dtype.type(0), 0,
                    height, vector, room,
                )  # fmt: skip
                pooling.pool(room[: count * units], batch, first, first + count, pooled)

        share(part, batch.count, batch.count * units)
        if batch.trace:
            self.h = all_h.view(batch.count, height, width, -1).permute(0, 3, 1, 2)
        return pooling.maps(pooled)
