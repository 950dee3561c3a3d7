"""Convolutions of few input channels, compiled: maps are (N, H, W, C), flat, and padded so that every window is whole.

Weights are (kh * kw * in, out). What one row of a kernel sees, kw * in numbers, lies in one piece: a `run`.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.pool_kernels import SHUT, finish, max_pool
from sim.fast.simd import add_multiple
from sim.fast.simd_codes import bits_below, lowest_bit
from sim.fast.tiles import height as next_height
from sim.fast.tiles import put


@compiled
def pad(images, top, left, levels, padded):
    """Images (N, C, H, W) into the middle of `padded` (N, H', W', C), whose edges are 0 already.

    `levels` is what each number of a byte stands for, and empty for images that are as they should be.
    """
    for n in range(images.shape[0]):
        for c in range(images.shape[1]):
            for i in range(images.shape[2]):
                for j in range(images.shape[3]):
                    pixel = images[n, c, i, j]
                    padded[n, top + i, left + j, c] = levels[np.uint8(pixel)] if len(levels) else pixel


@compiled
def convolve(padded, x0, row, channels, kh, run, W, gain, height, width, filters, lanes, x, to):
    """x = clip(gain W x', -1, 1) of one image, equation (1); h itself with a gain of 0.

    x' begins at x0 of `padded`, whose rows have `row` numbers, and x at `to`.
    """
    gain, limit = gain_and_limit(gain)
    for i in range(height):
        for f in range(0, filters, 2 * lanes):
            two, j = f + 2 * lanes <= filters, 0
            while j < width:
                rows, at = next_height(width - j), x0 + i * row + j * channels
                put(
                    rows, two, padded, at, channels, kh, row, run, 1, W, f, run * filters, filters, gain, limit, x,
                    to + (i * width + j) * filters + f, filters,
                )  # fmt: skip
                j += rows


@compiled
def gain_and_limit(gain):
    """For clip(gain h, -limit, limit): h itself where the gain is given as 0."""
    one = type(gain)(1)
    return (gain, one) if gain != 0 else (one, type(gain)(np.inf))


@compiled
def hebbian_of_winners(
    padded, image, row, channels, kh, units, code, feedback, scale, size, stride, top, left, begin, end, lanes, sums
):
    """Adds delta_i x_j for images `begin` to `end`, where delta is what pooling `code` sends back of `feedback`.

    Most units receive nothing then, and are not gone through. Both are (N * H' * W' * filters), `units` is (H', W',
    filters), and an image takes `image` numbers of `padded`, with a vector to spare after the last. `sums` is (filters,
    kh, whole vectors), with room for a run.
    """
    rows, columns, filters = units
    long = sums.shape[2]
    to, vectors = sums.reshape(-1), long // lanes
    u = begin * rows * columns * filters
    factor = np.empty(1, feedback.dtype)
    tap_at = np.empty(size * size, np.int64)
    for tap in range(size * size):
        tap_at[tap] = tap // size * row + tap % size * channels
    for n in range(begin, end):
        for i in range(rows):
            for j in range(columns):
                corner = n * image + (i * stride - top) * row + (j * stride - left) * channels
                for first in range(0, filters, 16):
                    bits = bits_below(code, u, SHUT)
                    while bits:
                        k = lowest_bit(bits)
                        bits &= bits - np.uint64(1)
                        factor[0] = scale * feedback[u + k]
                        at, sum_at = corner + tap_at[code[u + k]], (first + k) * kh * long
                        for v in range(vectors):
                            add_multiple(1, factor, 0, kh, padded, at + v * lanes, row, to, sum_at + v * lanes, long)
                    u += 16


@compiled
def convolve_images(padded, image, row, channels, kernel, W, gain, begin, end, shape, lanes, x):
    """x = clip(gain W x', -1, 1) for images `begin` to `end`; h itself with a gain of 0. `shape` is (H, W, filters)."""
    kh, kw = kernel
    height, width, filters = shape
    size = height * width * filters
    for n in range(begin, end):
        convolve(
            padded, n * image, row, channels, kh, kw * channels, W, gain, height, width, filters, lanes, x, n * size
        )  # fmt: skip


@compiled
def convolve_and_pool(
    padded, image, row, channels, kernel, W, begin, end, shape, window, lanes, gain, draws, threshold, scale, h, h_step,
    pooled, code,
):  # fmt: skip
    """`convolve`, then pooling and all that follows it, for one image after the other: h stays in the core's cache.

    `shape` is that of the pooling. With `h_step` the size of an image all h are kept, with 0 only the last image's.
    """
    size, stride, top, left = window
    height, width, filters, _, _ = shape
    kh, kw = kernel
    kept = np.empty(pooled.shape[1], np.uint8)
    for n in range(begin, end):
        of_image = h[(n - begin) * h_step :]
        convolve(
            padded, n * image, row, channels, kh, kw * channels, W, W.dtype.type(0), height, width, filters, lanes,
            of_image, 0,
        )  # fmt: skip
        max_pool(of_image, shape, size, stride, top, left, lanes, pooled[n], code[n])
        finish(True, gain, draws[n - begin], filters, threshold, scale, kept, pooled[n], code[n])
