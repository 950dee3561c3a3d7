"""The synapses of the event engine: sums over many of them are NumPy's matrix products.

Inside the engine the channels of maps come last, (N, H, W, C), so that a convolution's output needs no rearranging;
every kind of synapse brings W and R into the layout that its products want, and back.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from network.layers import Conv, Local
from network.spec import Node
from sim.event import kernels as event_kernels
from sim.event import synapse_kernels as kernels
from sim.event.threads import share

CHUNK = 1 << 18  # numbers in the patches that a thread has at a time: they stay in its core's own cache


class Synapses(Protocol):
    """All connections between a layer with weights and what it reads."""

    def inside(self, weights: np.ndarray) -> np.ndarray:
        """W, R or a mask in the engine's layout, from that of `network.weights`; shares no memory with it."""
        ...

    def outside(self, weights: np.ndarray) -> np.ndarray:
        """The way back."""
        ...

    def forward(self, W: np.ndarray, x: np.ndarray, h: np.ndarray) -> None:
        """h = W x, equation (1)."""
        ...

    def backward(self, R: np.ndarray, delta: np.ndarray, received: np.ndarray) -> None:
        """received = R' delta, what reaches the layer below (equation 2)."""
        ...

    def products(self, delta: np.ndarray, x: np.ndarray, increment: np.ndarray) -> None:
        """increment = the sum over the batch of delta_i x_j for every connection."""
        ...

    def forward_bound(self, W: np.ndarray) -> float:
        """How many times larger than max|x| any h can be: the largest sum of |W| into one unit."""
        ...

    def backward_bound(self, R: np.ndarray) -> float:
        """How many times larger than max|delta| any feedback can be: the largest sum of |R| to one unit."""
        ...


def synapses_of(node: Node) -> Synapses:
    """The kind of synapses that `node` has."""
    if isinstance(node.layer, Local):
        return _LocalSynapses(node, node.layer)
    if isinstance(node.layer, Conv):
        return _ConvSynapses(node, node.layer)
    return _FullSynapses(node)


class _FullSynapses:
    """W is (units, in), flattened maps in the order H, W, C."""

    def __init__(self, node: Node) -> None:
        self._source = node.source_shapes[0]

    def inside(self, weights: np.ndarray) -> np.ndarray:
        if len(self._source) == 3:
            weights = weights.reshape(-1, *self._source).transpose(0, 2, 3, 1).reshape(len(weights), -1)
        return np.array(weights, order="C")

    def outside(self, weights: np.ndarray) -> np.ndarray:
        if len(self._source) == 3:
            channels, height, width = self._source
            maps = weights.reshape(-1, height, width, channels)
            weights = maps.transpose(0, 3, 1, 2).reshape(len(weights), -1)
        return np.array(weights, order="C")

    def forward(self, W: np.ndarray, x: np.ndarray, h: np.ndarray) -> None:
        flat = x.reshape(len(x), -1)
        share(lambda b, e: np.matmul(flat[b:e], W.T, out=h[b:e]), len(x), W.size)

    def backward(self, R: np.ndarray, delta: np.ndarray, received: np.ndarray) -> None:
        flat = received.reshape(len(delta), -1)
        share(lambda b, e: np.matmul(delta[b:e], R, out=flat[b:e]), len(delta), R.size)

    def products(self, delta: np.ndarray, x: np.ndarray, increment: np.ndarray) -> None:
        flat = x.reshape(len(x), -1)
        share(lambda b, e: np.matmul(delta[:, b:e].T, flat, out=increment[b:e]), len(increment), increment.size)

    def forward_bound(self, W: np.ndarray) -> float:
        return float(event_kernels.largest_row_sum(W))

    def backward_bound(self, R: np.ndarray) -> float:
        return float(event_kernels.largest_column_sum(R))


class _Windows:
    """The windows of a 'same' convolution: (k-1)//2 before and the rest after."""

    def __init__(self, node: Node, layer: Conv) -> None:
        self._channels, self._height, self._width = node.source_shapes[0]
        self._filters = layer.filters
        self._kernel = kh, kw = layer.kernel
        self._before = (kh - 1) // 2, (kw - 1) // 2
        self._after = kh - 1 - self._before[0], kw - 1 - self._before[1]
        self._positions = self._height * self._width
        self._fan_in = kh * kw * self._channels


class _ConvSynapses(_Windows):
    """W is (kh * kw * in, out), shared by all positions."""

    def inside(self, weights: np.ndarray) -> np.ndarray:
        return np.array(weights.transpose(2, 3, 1, 0).reshape(self._fan_in, self._filters), order="C")

    def outside(self, weights: np.ndarray) -> np.ndarray:
        maps = weights.reshape(*self._kernel, self._channels, self._filters)
        return np.array(maps.transpose(3, 2, 0, 1), order="C")

    def forward(self, W: np.ndarray, x: np.ndarray, h: np.ndarray) -> None:
        self._convolve(x, W, self._before, h)

    def backward(self, R: np.ndarray, delta: np.ndarray, received: np.ndarray) -> None:
        # What a pixel receives is a convolution too: of the filters turned around, over the maps above.
        turned = R.reshape(*self._kernel, self._channels, self._filters)[::-1, ::-1].transpose(0, 1, 3, 2)
        self._convolve(delta, np.array(turned.reshape(-1, self._channels), order="C"), self._after, received)

    def products(self, delta: np.ndarray, x: np.ndarray, increment: np.ndarray) -> None:
        def part(begin: int, end: int) -> np.ndarray:
            total, product = np.zeros_like(increment), np.empty_like(increment)
            for images, patches in self._patches(x, begin, end, self._before):
                total += np.matmul(patches.T, delta[images].reshape(-1, self._filters), out=product)
            return total

        sums = share(part, len(x), x.size)
        np.sum(sums, axis=0, out=increment)

    def forward_bound(self, W: np.ndarray) -> float:
        return float(np.abs(W).sum(0, dtype=float).max())

    def backward_bound(self, R: np.ndarray) -> float:
        return float(np.abs(R).reshape(-1, self._channels, self._filters).sum((0, 2), dtype=float).max())

    def _convolve(self, maps: np.ndarray, filters: np.ndarray, before: tuple[int, int], out: np.ndarray) -> None:
        def part(begin: int, end: int) -> None:
            for images, patches in self._patches(maps, begin, end, before):
                np.matmul(patches, filters, out=out[images].reshape(len(patches), -1))

        share(part, len(maps), maps.size)

    def _patches(
        self, maps: np.ndarray, begin: int, end: int, before: tuple[int, int]
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """For a few images at a time: which, and what every position of theirs sees, (positions, kh * kw * C)."""
        width = maps.shape[3] * self._kernel[0] * self._kernel[1]
        together = min(end - begin, max(1, CHUNK // (self._positions * width)))
        space = np.empty((together * self._positions, width), dtype=maps.dtype)
        for first in range(begin, end, together):
            images = slice(first, min(first + together, end))
            some = maps[images]
            patches = space[: len(some) * self._positions]
            kernels.gather(some.reshape(-1), some.shape, self._kernel, before, patches.reshape(-1))
            yield images, patches


class _LocalSynapses(_Windows):
    """W is (positions, kh * kw * in, out): a matrix for every position."""

    def inside(self, weights: np.ndarray) -> np.ndarray:
        by_position = weights.transpose(1, 2, 4, 5, 3, 0)
        return np.array(by_position.reshape(self._positions, self._fan_in, self._filters), order="C")

    def outside(self, weights: np.ndarray) -> np.ndarray:
        maps = weights.reshape(self._height, self._width, *self._kernel, self._channels, self._filters)
        return np.array(maps.transpose(5, 0, 1, 4, 2, 3), order="C")

    def forward(self, W: np.ndarray, x: np.ndarray, h: np.ndarray) -> None:
        by_image = h.reshape(len(h), self._positions, self._filters)

        def part(begin: int, end: int) -> None:
            for at, patches in self._patches(x, begin, end):
                by_image[:, at] = np.matmul(patches, W[at]).transpose(1, 0, 2)

        share(part, self._positions, h.size)

    def backward(self, R: np.ndarray, delta: np.ndarray, received: np.ndarray) -> None:
        by_position = delta.reshape(len(delta), self._positions, self._filters).transpose(1, 0, 2)

        def part(begin: int, end: int) -> None:  # by images, since positions share the pixels that they write to
            mine = received[begin:end]
            mine[:] = 0
            for at in self._chunks(0, self._positions, end - begin):
                patches = np.matmul(by_position[at, begin:end], R[at].transpose(0, 2, 1))
                kernels.scatter_positions(
                    patches.reshape(-1), mine.shape, at.start, at.stop, self._kernel, self._before, mine.reshape(-1)
                )

        share(part, len(delta), delta.size)

    def products(self, delta: np.ndarray, x: np.ndarray, increment: np.ndarray) -> None:
        by_position = delta.reshape(len(delta), self._positions, self._filters).transpose(1, 0, 2)

        def part(begin: int, end: int) -> None:
            for at, patches in self._patches(x, begin, end):
                np.matmul(patches.transpose(0, 2, 1), by_position[at], out=increment[at])

        share(part, self._positions, x.size)

    def forward_bound(self, W: np.ndarray) -> float:
        return float(np.abs(W).sum(1, dtype=float).max())

    def backward_bound(self, R: np.ndarray) -> float:
        # Over-estimated: as if the strongest synapses of every kernel offset met at one pixel.
        offsets = np.abs(R).sum(2, dtype=float).max(0).reshape(-1, self._channels)
        return float(offsets.sum(0).max())

    def _chunks(self, begin: int, end: int, images: int) -> Iterator[slice]:
        together = max(1, CHUNK // (images * self._fan_in))
        for first in range(begin, end, together):
            yield slice(first, min(first + together, end))

    def _patches(self, x: np.ndarray, begin: int, end: int) -> Iterator[tuple[slice, np.ndarray]]:
        """For a few positions at a time: which, and what they see, (positions, N, kh * kw * in)."""
        for at in self._chunks(begin, end, len(x)):
            patches = np.empty((at.stop - at.start, len(x), self._fan_in), dtype=x.dtype)
            kernels.gather_positions(
                x.reshape(-1), x.shape, at.start, at.stop, self._kernel, self._before, patches.reshape(-1)
            )
            yield at, patches
