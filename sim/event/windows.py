"""The synapses of convolutions and of locally connected units: what every position sees, times a matrix.

Two kinds of convolution need no patches laid out. One of few channels has short windows, which are read where they are.
And where most units put out 0, as they do below a Maxpool, which sends feedback to the pixels that won and to no
others, an increment is made by those that do not.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from network.layers import Conv
from network.spec import Node
from sim.event import synapse_kernels as kernels
from sim.event.full import Listed
from sim.event.threads import share
from sim.fast import conv_kernels
from sim.fast.simd import lanes
from sim.fast.simd_active import GROUP

CHUNK = 1 << 18  # numbers in the patches that a thread has at a time: they stay in its core's own cache
LONGEST = 64  # numbers in one row of a window, up to which a convolution without patches is faster
SPARE = 64  # numbers behind the padded maps: the last vectors begin in their last row
FEW = 0.25  # share of units that put out something, up to which going through them is faster


class _Windows:
    """The windows of a 'same' convolution: (k-1)//2 before and the rest after."""

    by_lists = False

    def __init__(self, node: Node, layer: Conv) -> None:
        self._channels, self._height, self._width = node.source_shapes[0]
        self._filters = layer.filters
        self._kernel = kh, kw = layer.kernel
        self._before = (kh - 1) // 2, (kw - 1) // 2
        self._after = kh - 1 - self._before[0], kw - 1 - self._before[1]
        self._positions = self._height * self._width
        self._fan_in = kh * kw * self._channels


class ConvSynapses(_Windows):
    """W is (kh * kw * in, out), shared by all positions."""

    def inside(self, weights: np.ndarray) -> np.ndarray:
        return np.array(weights.transpose(2, 3, 1, 0).reshape(self._fan_in, self._filters), order="C")

    def outside(self, weights: np.ndarray) -> np.ndarray:
        maps = weights.reshape(*self._kernel, self._channels, self._filters)
        return np.array(maps.transpose(3, 2, 0, 1), order="C")

    def forward(self, W: np.ndarray, x: np.ndarray, h: np.ndarray, _: Listed | None = None) -> None:
        vector = lanes(W.itemsize)
        if self._kernel[1] * self._channels > LONGEST or self._filters % vector:
            self._convolve(x, W, self._before, h)
            return
        shape, as_it_is = (self._height, self._width, self._filters), W.dtype.type(0)

        def part(begin: int, end: int) -> None:
            for images, padded, image, row in self._padded(x, begin, end):
                conv_kernels.convolve_images(
                    padded, image, row, self._channels, self._kernel, W.reshape(-1), as_it_is, 0,
                    images.stop - images.start, shape, vector, h[images].reshape(-1),
                )  # fmt: skip

        share(part, len(x), h.size)

    def backward(self, R: np.ndarray, delta: np.ndarray, received: np.ndarray, _: Listed | None = None) -> None:
        # What a pixel receives is a convolution too: of the filters turned around, over the maps above.
        turned = R.reshape(*self._kernel, self._channels, self._filters)[::-1, ::-1].transpose(0, 1, 3, 2)
        self._convolve(delta, np.array(turned.reshape(-1, self._channels), order="C"), self._after, received)

    def products(self, delta: np.ndarray, x: np.ndarray, increment: np.ndarray, _: Listed | None = None) -> None:
        sums = share(partial(self._products, delta, x), len(x), delta.size)
        np.sum(sums, axis=0, out=increment)

    def forward_bound(self, W: np.ndarray) -> float:
        return float(np.abs(W).sum(0, dtype=float).max())

    def backward_bound(self, R: np.ndarray) -> float:
        return float(np.abs(R).reshape(-1, self._channels, self._filters).sum((0, 2), dtype=float).max())

    def _products(self, delta: np.ndarray, x: np.ndarray, begin: int, end: int) -> np.ndarray:
        """The products of images `begin` to `end`: by the units that put out something, where they are few."""
        if self._filters % GROUP or kernels.active(delta[begin].reshape(-1)) > FEW * delta[begin].size:
            total = np.zeros((self._fan_in, self._filters), delta.dtype)
            product = np.empty_like(total)
            for images, patches in self._patches(x, begin, end, self._before):
                total += np.matmul(patches.T, delta[images].reshape(-1, self._filters), out=product)
            return total
        (kh, kw), vector = self._kernel, lanes(delta.itemsize)
        run = kw * self._channels
        total = np.zeros((self._filters, kh, -(-run // vector) * vector), delta.dtype)
        for images, padded, image, row in self._padded(x, begin, end):
            kernels.products_of_active(delta[images], padded, image, row, self._channels, vector, total)
        return total[:, :, :run].reshape(self._filters, -1).T

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

    def _padded(self, maps: np.ndarray, begin: int, end: int) -> Iterator[tuple[slice, np.ndarray, int, int]]:
        """For a few images at a time: which, their maps with zeros around, and how long an image and a row are."""
        (top, left), (kh, kw) = self._before, self._kernel
        row = (self._width + kw - 1) * self._channels
        image = (self._height + kh - 1) * row
        together = min(end - begin, max(1, CHUNK // image))
        padded = np.zeros(together * image + SPARE, maps.dtype)
        whole = padded[: together * image].reshape(together, self._height + kh - 1, -1, self._channels)
        for first in range(begin, end, together):
            images = slice(first, min(first + together, end))
            middle = whole[: images.stop - first, top : top + self._height, left : left + self._width]
            middle[:] = maps[images]
            yield images, padded, image, row


class LocalSynapses(_Windows):
    """W is (positions, kh * kw * in, out): a matrix for every position."""

    def inside(self, weights: np.ndarray) -> np.ndarray:
        by_position = weights.transpose(1, 2, 4, 5, 3, 0)
        return np.array(by_position.reshape(self._positions, self._fan_in, self._filters), order="C")

    def outside(self, weights: np.ndarray) -> np.ndarray:
        maps = weights.reshape(self._height, self._width, *self._kernel, self._channels, self._filters)
        return np.array(maps.transpose(5, 0, 1, 4, 2, 3), order="C")

    def forward(self, W: np.ndarray, x: np.ndarray, h: np.ndarray, _: Listed | None = None) -> None:
        by_image = h.reshape(len(h), self._positions, self._filters)

        def part(begin: int, end: int) -> None:
            for at, patches in self._patches(x, begin, end):
                by_image[:, at] = np.matmul(patches, W[at]).transpose(1, 0, 2)

        share(part, self._positions, h.size)

    def backward(self, R: np.ndarray, delta: np.ndarray, received: np.ndarray, _: Listed | None = None) -> None:
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

    def products(self, delta: np.ndarray, x: np.ndarray, increment: np.ndarray, _: Listed | None = None) -> None:
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
