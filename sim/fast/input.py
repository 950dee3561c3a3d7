"""The convolution of the images, with what follows it."""

from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.grad import conv2d_weight

from network.layers import Conv
from network.spec import NetworkSpec, Node
from sim.event.space import Space
from sim.event.threads import share
from sim.fast import conv_kernels as kernels
from sim.fast.simd import lanes
from sim.fast.stages import Batch, Pooling, Routed, flat, like_maps
from sim.fast.synapses import Synapses, add

TOGETHER = 32  # images whose increments are summed by one thread: the result must not depend on how many there are


class InputSynapses(Synapses):
    """A convolution of the images, with the pooling above it where only that reads it. It sends nothing back.

    W is (kh * kw * in, filters). What it puts out is then what the pooling puts out; few units receive feedback, and
    only their synapses are gone through.
    """

    def __init__(self, spec: NetworkSpec, node: Node, pooling: Pooling | None, space: Space) -> None:
        super().__init__(spec, node)
        assert isinstance(node.layer, Conv)
        self._kernel, self._space, self.pooling = node.layer.kernel, space, pooling
        self._before, self._filters = tuple((k - 1) // 2 for k in self._kernel), node.layer.filters
        self._whole: Any = None
        if pooling:
            self.name = pooling.name

    def inside(self, weights: Tensor) -> Tensor:
        return weights.permute(2, 3, 1, 0).reshape(-1, self._filters).contiguous()

    def outside(self, weights: Tensor) -> Tensor:
        return weights.view(*self._kernel, -1, self._filters).permute(3, 2, 0, 1).contiguous()

    def up(self, sources: list[Tensor], batch: Batch, W: Tensor) -> Tensor:
        """As `Synapses.up`, of images as they are staged."""
        self._pad(sources[0], flat(W).dtype)
        return self._convolve_and_pool(batch, flat(W)) if self.pooling else self._convolve(batch, flat(W))

    def _pad(self, images: Tensor, dtype: Any) -> None:
        (top, left), (kh, kw), (channels, height, width) = self._before, self._kernel, self.node.source_shapes[0]
        self._row, rows = (width + kw - 1) * channels, height + kh - 1
        shape, spare = (len(images), rows, width + kw - 1, channels), 4 * lanes(dtype.itemsize)
        padded = self._space.empty("padded", self.name, shape=(prod(shape) + spare,), dtype=dtype)
        whole, (pixels, levels) = padded[: prod(shape)].reshape(shape), self._pixels(images, dtype)
        if self._whole is None or self._whole.shape != shape:
            padded[:] = 0  # the edges, which nothing else is written to
        share(lambda b, e: kernels.pad(pixels[b:e], top, left, levels, whole[b:e]), len(images), padded.size)
        self._padded, self._whole = padded, whole

    def _pixels(self, images: Tensor, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        """Images, and x / 255 for every x of a byte where that is what they are in."""
        if images.dtype != torch.uint8:
            return images.numpy().astype(dtype, copy=False), np.empty(0, dtype)
        return images.numpy(), np.arange(256, dtype=dtype) / dtype.type(255)

    def _convolve(self, batch: Batch, W: np.ndarray) -> Tensor:
        channels, height, width = self.node.source_shapes[0]
        shape = (height, width, self._filters)
        x = torch.empty(batch.count, *shape, dtype=torch.from_numpy(W).dtype)
        x_, image = x.numpy().reshape(-1), self._row * self._whole.shape[1]
        gain = W.dtype.type(0 if batch.trace else self._gain)

        def part(begin: int, end: int) -> None:
            kernels.convolve_images(
                self._padded, image, self._row, channels, self._kernel, W, gain, begin, end, shape, lanes(W.itemsize),
                x_,
            )  # fmt: skip

        share(part, batch.count, x_.size)
        self.x = x.permute(0, 3, 1, 2)
        if batch.trace:
            self.h, self.x = self.x, like_maps((self._gain * self.x).clamp_(-1, 1))
        return self.x

    def _convolve_and_pool(self, batch: Batch, W: np.ndarray) -> Tensor:
        pooling, channels = self.pooling, self.node.source_shapes[0][0]
        assert pooling
        pooled, code = pooling.begin(batch, W.dtype)
        size, image = self.node.units, self._row * self._whole.shape[1]
        all_h = torch.empty(batch.count if batch.trace else 0, size, dtype=torch.from_numpy(W).dtype)

        def part(begin: int, end: int) -> None:
            dropped = pooling.draws(batch, begin, end)
            h = flat(all_h[begin:end]) if batch.trace else flat(torch.empty(size, dtype=all_h.dtype))
            kernels.convolve_and_pool(
                self._padded, image, self._row, channels, self._kernel, W, begin, end, pooling.shape, pooling.window,
                lanes(W.itemsize), W.dtype.type(self._gain), dropped.draws, dropped.threshold,
                W.dtype.type(dropped.scale), h, size if batch.trace else 0, pooled, code,
            )  # fmt: skip

        share(part, batch.count, batch.count * size)
        if batch.trace:
            self.h = all_h.view(batch.count, *pooling.shape[:3]).permute(0, 3, 1, 2)
        return pooling.maps(pooled)

    def delta(self, feedback: Any) -> Any:
        return Routed(flat(feedback), self.pooling) if self.pooling else super().delta(feedback)

    def learn(self, delta: Any, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        if isinstance(delta, Routed):
            products = self._of_winners(delta)
        else:
            channels = self.node.source_shapes[0][0]
            shape = (self._filters, channels, *self._kernel)
            whole = torch.from_numpy(self._whole).permute(0, 3, 1, 2)
            products = self.inside(conv2d_weight(whole, shape, delta))
        add(products, scale, targets, masks)

    def _of_winners(self, delta: Routed) -> Tensor:
        pooling, (kh, kw), channels = delta.pooling, self._kernel, self.node.source_shapes[0][0]
        _, _, _, rows, columns = pooling.shape
        dtype, vector, code = delta.feedback.dtype, lanes(delta.feedback.itemsize), pooling.code
        assert code is not None
        count, run = len(code), kw * channels
        chunks, long = -(-count // TOGETHER), -(-run // vector) * vector
        sums = np.zeros((chunks, self._filters, kh, long), dtype)
        image, units, flat_code = self._row * self._whole.shape[1], (rows, columns, self._filters), code.reshape(-1)
        factor = dtype.type(self._gain * pooling.scale)

        def part(begin: int, end: int) -> None:
            for chunk in range(begin, end):
                kernels.hebbian_of_winners(
                    self._padded, image, self._row, channels, kh, units, flat_code, delta.feedback, factor,
                    *pooling.window, chunk * TOGETHER,  min((chunk + 1) * TOGETHER, count), vector, sums[chunk],
                )  # fmt: skip

        share(part, chunks, code.size)
        return torch.from_numpy(sums.sum(0)[:, :, :run].reshape(self._filters, -1).T.copy())
