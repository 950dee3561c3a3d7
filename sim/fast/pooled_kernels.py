"""Convolutions that get their feedback through a pooling, compiled: only units with feedback are gone through.

Of the units below a pooling only those that won a window have any, with a ``Drop`` above fewer still. Maps are
(N, H, W, C) with C a multiple of 16, weights (filters, kh, kw, C), all flat; `geometry` is (H, W, C, filters, kh, kw).
A padded map has (kh - 1) / 2 rows and (kw - 1) / 2 columns of zeros on every side.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.simd import listed_sum
from sim.fast.simd_active import GROUP, bits_not_zero
from sim.fast.simd_codes import lowest_bit

IN_CACHE = 1 << 16  # numbers of padded maps gone through for all filters before the next


@compiled
def feedback_of_few(delta, begin, end, geometry, R, lanes, received):
    """received = R' delta of the images `begin` to `end`, equation (2) without the shutting off."""
    height, width, channels, filters, kh, kw = geometry
    across = (width + kw - 1) * channels  # numbers in a row of a padded map
    padded = np.empty((height + kh - 1) * across, delta.dtype)
    index, value = np.empty(filters, np.uint32), np.empty(filters, delta.dtype)
    for n in range(begin, end):
        padded[:] = 0
        for i in range(height):
            for j in range(width):
                unit, found = ((n * height + i) * width + j) * filters, 0
                for first in range(0, filters, GROUP):
                    bits = bits_not_zero(delta, unit + first)
                    while bits:
                        k = first + lowest_bit(bits)
                        bits &= bits - np.uint64(1)
                        index[found], value[found] = k, delta[unit + k]
                        found += 1
                if found:
                    for a in range(kh):
                        to = (i + a) * across + j * channels
                        taps, each = a * kw * channels, kh * kw * channels
                        add_rows(kw * channels, lanes, found, index, value, 0, R, taps, each, padded, to)
        corner = (kh - 1) // 2 * across + (kw - 1) // 2 * channels
        for i in range(height):
            row, here = (n * height + i) * width * channels, corner + i * across
            received[row : row + width * channels] = padded[here : here + width * channels]


@compiled
def hebbian_of_few(delta, images, begin, end, geometry, x, lanes, increment):
    """increment = the sum over images of x delta', for the filters `begin` to `end`, multiples of 16."""
    height, width, channels, filters, kh, kw = geometry
    across = (width + kw - 1) * channels
    size, pixels = (height + kh - 1) * across, height * width
    together = max(1, min(images, IN_CACHE // size))
    padded = np.zeros(together * size, x.dtype)
    corner = (kh - 1) // 2 * across + (kw - 1) // 2 * channels
    taps = kh * kw * channels
    room = together * pixels
    index, value = np.empty(GROUP * room, np.uint32), np.empty(GROUP * room, delta.dtype)
    counts = np.empty(GROUP, np.int64)
    increment[begin * taps : end * taps] = 0
    for n0 in range(0, images, together):
        n1 = min(n0 + together, images)
        for n in range(n0, n1):
            for i in range(height):
                row, here = (n * height + i) * width * channels, (n - n0) * size + corner + i * across
                padded[here : here + width * channels] = x[row : row + width * channels]
        for first in range(begin, end, GROUP):
            counts[:] = 0
            for n in range(n0, n1):
                for i in range(height):
                    for j in range(width):
                        unit = ((n * height + i) * width + j) * filters + first
                        bits = bits_not_zero(delta, unit)
                        while bits:
                            k = lowest_bit(bits)
                            bits &= bits - np.uint64(1)
                            at = k * room + counts[k]
                            index[at] = ((n - n0) * size + i * across) // channels + j
                            value[at] = delta[unit + k]
                            counts[k] += 1
            for k in range(GROUP):
                for a in range(kh):
                    add_rows(
                        kw * channels, lanes, counts[k], index, value, k * room, padded, a * across, channels,
                        increment, (first + k) * taps + a * kw * channels,
                    )  # fmt: skip


@compiled
def add_rows(width, lanes, count, index, a, i0, b, b0, b_row, c, c0):
    """`listed_sum` of `width` numbers, a multiple of `lanes`, in blocks that odd kernels fill."""
    done, vectors = 0, width // lanes
    while vectors - done >= 12:
        listed_sum(12, count, index, a, i0, b, b0 + done * lanes, b_row, c, c0 + done * lanes)
        done += 12
    while vectors - done >= 6:
        listed_sum(6, count, index, a, i0, b, b0 + done * lanes, b_row, c, c0 + done * lanes)
        done += 6
    while vectors - done >= 3:
        listed_sum(3, count, index, a, i0, b, b0 + done * lanes, b_row, c, c0 + done * lanes)
        done += 3
    while vectors - done >= 1:
        listed_sum(1, count, index, a, i0, b, b0 + done * lanes, b_row, c, c0 + done * lanes)
        done += 1
