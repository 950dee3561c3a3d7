"""What `sim.gpu.kernels` does, called with torch tensors."""

# pyright: reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from network.errors import BadInput
from network.layers import Conv, Maxpool
from sim.gpu import kernels
from sim.gpu.masks import BLOCK, Masks

UNITS = 1024  # of one program
PIXELS = 64  # multiplied at a time by one program
MOST = 2**31 - UNITS  # an index has 31 bits, and that of the last program goes beyond the end


@dataclass(frozen=True)
class Windows:
    """A ``Maxpool`` on maps (C, H, W), with the saturation before it where it `saturates`, and gain g."""

    shape: tuple[int, int, int]
    pooled: tuple[int, int, int]
    window: tuple[int, int, int, int]  # size, stride, rows of zeros above, columns of zeros to the left
    saturates: bool
    gain: float

    @classmethod
    def of(cls, pool: Maxpool, anchor: str, below: Any, above: Any, saturates: bool, gain: float) -> "Windows":
        top, left = (pool.padding(anchor, n)[0] for n in below[1:])
        return cls(tuple(below), tuple(above), (pool.size, pool.stride, top, left), saturates, gain)


@dataclass(frozen=True)
class Pooled:
    """What a pooling puts out, (N, C, H', W'), and what its way back needs."""

    x: Tensor
    code: Tensor
    windows: Windows
    scale: float  # of the units that dropout kept


class TritonMasks(Masks):
    """`Masks`, each in one kernel."""

    def draw(self, begin: Tensor, units: int, threshold: int) -> Tensor:
        _check_count(units)
        kept, blocks = torch.empty(units, dtype=torch.bool, device=begin.device), self.blocks(units)
        count = blocks.shape[1]
        kernels.draw[(count,)](begin, self.within, blocks, kept, units, threshold, count, BLOCK)
        return kept


def pool(h: Tensor, windows: Windows, kept: Tensor | None, scale: float, flat: bool) -> Pooled:
    """Saturation, pooling and dropout of h (N, C, H, W), channels together in memory, in one pass.

    Parameters
    ----------
    h : torch.Tensor
    windows : Windows
    kept : torch.Tensor of bool or None
        (N, C, H', W'); None where nothing is dropped.
    scale : float
        Of the units that are kept.
    flat : bool
        Whether the result lies in the order N, C, H', W', as full layers read it; else with channels together.

    Raises
    ------
    BadInput
        For more values than the kernels can count.
    """
    _check_count(h.numel())
    (channels, height, width), (_, rows, columns) = windows.shape, windows.pooled
    h, count = h.contiguous(memory_format=torch.channels_last), len(h)
    layout = torch.contiguous_format if flat else torch.channels_last
    x = torch.empty((count, channels, rows, columns), dtype=h.dtype, device=h.device, memory_format=layout)
    code = torch.empty_like(x, dtype=torch.uint8)
    kernels.pool[_grid(x)](
        h, h if kept is None else kept.view(torch.uint8), x, code, x.numel(), windows.gain, scale,
        height, width, rows, columns, channels, *x.stride(), *windows.window, windows.saturates, kept is not None,
        UNITS,
    )  # fmt: skip
    return Pooled(x, code, windows, 1.0 if kept is None else scale)


def send_back(feedback: Tensor, pooled: Pooled) -> Tensor:
    """What every unit below a pooling receives of `feedback`, (N, C, H, W), channels together in memory.

    Where the pooling saturates, that is delta of the layer below.
    """
    windows = pooled.windows
    (channels, height, width), (_, rows, columns) = windows.shape, windows.pooled
    shape = (len(feedback), channels, height, width)
    received = torch.empty(shape, dtype=feedback.dtype, device=feedback.device, memory_format=torch.channels_last)
    kernels.send_back[_grid(received)](
        _as(pooled.x, feedback), pooled.code, received, received.numel(), _scale(pooled),
        height, width, rows, columns, channels, *pooled.x.stride(), *windows.window, UNITS,
    )  # fmt: skip
    return received


def increment_of_winners(layer: Conv, images: Tensor, feedback: Tensor, pooled: Pooled, exact: bool) -> Tensor:
    """The Hebbian products of a convolution right below a pooling that saturates, (filters, in, kh, kw).

    `exact` asks for products of float32, not of their first eleven bits.
    """
    windows = pooled.windows
    (filters, height, width), (_, rows, columns) = windows.shape, windows.pooled
    images = images.contiguous(memory_format=torch.channels_last)
    inputs, (kh, kw) = images.shape[1], layer.kernel
    taps = inputs * kh * kw
    _check_count(max(images.numel(), len(images) * filters * taps))
    sums = torch.empty((len(images), filters, inputs, kh, kw), dtype=torch.float32, device=images.device)
    strides = images.stride(0), images.stride(2), images.stride(3)
    kernels.increment_of_winners[(len(images),)](
        images, _as(pooled.x, feedback), pooled.code, sums, height, width, rows, columns, filters, taps,
        *strides, *pooled.x.stride(), kh, kw, (kh - 1) // 2, (kw - 1) // 2, *windows.window,
        _power_of_two(filters), _power_of_two(taps), PIXELS, "ieee" if exact else "tf32", num_stages=1,
    )  # fmt: skip
    return sums.sum(0).mul_(_scale(pooled))


def grow(targets: list[Tensor], products: Tensor, rates: list[float], masks: list[Tensor | None]) -> None:
    """Add `products` to W, and to R where there is a second target, times a rate each, where connections exist."""
    W, R = targets[0], targets[-1]
    _check_count(W.numel())
    products = _as(W, products)
    mask_W, mask_R = masks[0], masks[-1]
    kernels.grow[_grid(W)](
        W, R, products, W if mask_W is None else mask_W, R if mask_R is None else mask_R, W.numel(), rates[0],
        rates[-1], len(targets) == 2, mask_W is not None, mask_R is not None, UNITS,
    )  # fmt: skip


def _scale(pooled: Pooled) -> float:
    return pooled.scale * (pooled.windows.gain if pooled.windows.saturates else 1.0)


def _as(like: Tensor, tensor: Tensor) -> Tensor:
    """`tensor` in the layout of `like`."""
    if tensor.stride() == like.stride():
        return tensor
    return torch.empty_like(like, dtype=tensor.dtype).copy_(tensor)


def _check_count(values: int) -> None:
    if values > MOST:
        raise BadInput(
            f"the kernels of a GPU count to {MOST:,}, and one array has {values:,} values; "
            "a smaller --batch-size has fewer, or take --kernels plain"
        )


def _grid(tensor: Tensor) -> tuple[int]:
    return (-(-tensor.numel() // UNITS),)


def _power_of_two(count: int) -> int:
    return max(16, 1 << (count - 1).bit_length())
