"""Stages whose maps are bfloat16: they compute in float32 and round what they hand on. See `sim.torch_fast`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.grad import conv2d_weight

from sim.event.threads import share
from sim.fast import bfloat16_kernels as kernels
from sim.fast.input import TOGETHER, InputSynapses
from sim.fast.stages import Batch, Pooling, Routed, as_maps, flat
from sim.fast.synapses import add

ROUNDED = np.dtype(np.uint16)  # how NumPy sees bfloat16
LEVELS = (torch.arange(256) / 255).to(torch.bfloat16).view(torch.uint16).numpy()  # what pixels in bytes stand for


class RoundedPooling(Pooling):
    """`Pooling` of bfloat16 maps. Feedback on its way to winners is float32, what every pixel receives is not."""

    def up(self, sources: list[Tensor], batch: Batch) -> Tensor:
        x = flat(sources[0]).reshape(batch.count, -1)
        pooled, code = self.begin(batch, x.dtype)

        def part(begin: int, end: int) -> None:
            dropped = self.draws(batch, begin, end)
            kernels.pool_images(
                x[begin:end], self.shape, self.window, self.saturates, np.float32(self.gain), dropped.draws,
                dropped.threshold, np.float32(dropped.scale), pooled[begin:end], code[begin:end],
            )  # fmt: skip

        share(part, batch.count, x.size)
        return self.maps(pooled)

    def down(self, feedback: Tensor) -> list[Any]:
        return super().down(feedback.float())

    def send_back(self, feedback: np.ndarray, gain: float) -> Tensor:
        assert self.code is not None
        height, width, channels, _, _ = self.shape
        count, code, scale = len(self.code), self.code, np.float32(gain * self.scale)
        received = self._space.empty("received", self._name, shape=(count, height * width * channels), dtype=ROUNDED)
        pooled = feedback.reshape(count, -1)
        share(
            lambda b, e: kernels.send_images_back(
                pooled[b:e], code[b:e], scale, self.shape, self.window, received[b:e]
            ),
            count,
            received.size,
        )
        return as_maps(received, (height, width, channels))


class RoundedInput(InputSynapses):
    """`InputSynapses` of bfloat16 pixels and weights, with pairs of weights side by side: (kh, pairs, filters, 2)."""

    def up(self, sources: list[Tensor], batch: Batch, W: Tensor) -> Tensor:
        self._pad(sources[0], ROUNDED)
        kh = self._kernel[0]
        rows = torch.nn.functional.pad(W.view(kh, -1, self._filters), (0, 0, 0, len(W) // kh % 2))
        self._taps = (kh, rows.numel() // (2 * kh * self._filters))
        pairs = flat(rows.view(kh, -1, 2, self._filters).transpose(2, 3).reshape(-1).to(torch.bfloat16))
        return self._convolve_and_pool(batch, pairs) if self.pooling else self._convolve(batch, pairs)

    def _pixels(self, images: Tensor, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        if images.dtype != torch.uint8:
            return images.to(torch.bfloat16).view(torch.uint16).numpy(), np.empty(0, ROUNDED)
        return images.numpy(), LEVELS

    def _convolve(self, batch: Batch, W: np.ndarray) -> Tensor:
        channels, height, width = self.node.source_shapes[0]
        shape, size = (height, width, self._filters), self.node.units
        x = self._space.empty("x", self.name, shape=(batch.count, size), dtype=ROUNDED)
        all_h, image = np.empty((batch.count if batch.trace else 0, size), np.float32), self._row * self._whole.shape[1]

        def part(begin: int, end: int) -> None:
            h = all_h[begin:end].reshape(-1) if batch.trace else np.empty(size, np.float32)
            kernels.convolve_images(
                self._padded, image, self._row, channels, self._taps, W, np.float32(self._gain), begin, end, shape, h,
                size if batch.trace else 0, x,
            )  # fmt: skip

        share(part, batch.count, x.size)
        self.h = as_maps(all_h, shape) if batch.trace else None
        self.x = as_maps(x, shape)
        return self.x

    def _convolve_and_pool(self, batch: Batch, W: np.ndarray) -> Tensor:
        pooling, channels = self.pooling, self.node.source_shapes[0][0]
        assert pooling
        pooled, code = pooling.begin(batch, ROUNDED)
        size, image = self.node.units, self._row * self._whole.shape[1]
        all_h = np.empty((batch.count if batch.trace else 0, size), np.float32)

        def part(begin: int, end: int) -> None:
            dropped = pooling.draws(batch, begin, end)
            h = all_h[begin:end].reshape(-1) if batch.trace else np.empty(size, np.float32)
            kernels.convolve_and_pool(
                self._padded, image, self._row, channels, self._taps, W, begin, end, pooling.shape, pooling.window,
                np.float32(self._gain), dropped.draws, dropped.threshold, np.float32(dropped.scale), h,
                size if batch.trace else 0, pooled, code,
            )  # fmt: skip

        share(part, batch.count, batch.count * size)
        self.h = as_maps(all_h, pooling.shape[:3]) if batch.trace else None
        return pooling.maps(pooled)

    def delta(self, feedback: Any) -> Any:
        return super().delta(feedback.float() if self.pooling else feedback)

    def learn(self, delta: Any, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        if isinstance(delta, Routed):
            products = self._of_winners(delta)
        else:
            channels = self.node.source_shapes[0][0]
            whole = torch.from_numpy(self._whole).view(torch.bfloat16).permute(0, 3, 1, 2)
            products = self.inside(conv2d_weight(whole, (self._filters, channels, *self._kernel), delta)).float()
        add(products, scale, targets, masks)

    def _of_winners(self, delta: Routed) -> Tensor:
        pooling, (kh, kw), channels = delta.pooling, self._kernel, self.node.source_shapes[0][0]
        _, _, _, rows, columns = pooling.shape
        code = pooling.code
        assert code is not None
        count, run = len(code), kw * channels
        chunks, long = -(-count // TOGETHER), -(-run // kernels.LANES) * kernels.LANES
        sums = np.zeros((chunks, self._filters, kh, long), np.float32)
        image, units = self._row * self._whole.shape[1], (rows, columns, self._filters)
        feedback, factor = delta.feedback.reshape(count, -1), np.float32(self._gain * pooling.scale)

        def part(begin: int, end: int) -> None:
            for chunk in range(begin, end):
                kernels.hebbian_of_images(
                    self._padded, image, self._row, channels, kh, units, code, feedback, factor, pooling.window,
                    chunk * TOGETHER, min((chunk + 1) * TOGETHER, count), sums[chunk],
                )  # fmt: skip

        share(part, chunks, code.size)
        return torch.from_numpy(sums.sum(0)[:, :, :run].reshape(self._filters, -1).T.copy())
