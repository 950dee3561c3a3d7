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
from sim.fast.simd import lanes
from sim.fast.stages import flat
from sim.fast.synapses import Synapses

SPARE = 32  # numbers after each padded image: vectors begin in its last row and end behind it
NO_MASK = np.empty(0, np.uint8)


class LocalSynapses(Synapses):
    """W is (positions, kh * kw * in * filters), in the order of `sim.fast.local_kernels`, and is changed in place."""

    def __init__(self, spec: NetworkSpec, node: Node, late: bool, space: Space) -> None:
        super().__init__(spec, node, late)
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

    def back(self, R: Tensor, delta: Tensor) -> Tensor:
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

    def learn(self, delta: Tensor, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        channels, height, width = self.node.source_shapes[0]
        images, delta_, vector = len(delta), flat(delta), lanes(delta.element_size())
        first, last = targets[0].numpy().reshape(-1), targets[-1].numpy().reshape(-1)
        exist = [NO_MASK if mask is None else mask.numpy().reshape(-1) for mask in masks]
        padded, both, eta = self._x, len(targets) == 2, delta_.dtype.type(scale)

        def part(begin: int, end: int) -> None:
            room = aligned(kernels.room_for(images, self._filters, width), delta_.dtype)
            kernels.hebbian(
                padded, self._image, self._row, channels, images, delta_, eta, self._size, begin, end, width,
                self.node.units, vector, room, first, exist[0], last, exist[-1], both,
            )  # fmt: skip

        share(part, height, delta_.size)

    def _inputs(self, W: Tensor) -> Tensor:
        channels, height, width = self.node.source_shapes[0]
        count, vector = len(self._below), lanes(W.element_size())
        weights = W.numpy().reshape(-1)
        self._x = padded = self._padded("padded", count, weights.dtype)
        middle = self._middle(padded, count)
        padded[:] = 0
        middle.copy_(self._below.permute(0, 2, 3, 1))
        h = torch.empty(count, height, width, self._filters, dtype=W.dtype)
        h_ = h.numpy().reshape(-1)

        def part(begin: int, end: int) -> None:
            kernels.forward(
                padded, self._image, self._row, channels, count, weights, self._size, begin, end, width,
                self.node.units, vector, h_,
            )  # fmt: skip

        share(part, height, h_.size)
        return h.permute(0, 3, 1, 2)

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
