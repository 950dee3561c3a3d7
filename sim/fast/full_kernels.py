"""Fully connected layers below which most units are silent, compiled: only units that Drop kept are gone through.

Weights are transposed, a row for each unit below with its synapses to all units above, `width` numbers apart: a
multiple of the vector's length, zeros at the end. Rows of `delta` and `h` have the same `width`. Lists of kept units
are in increasing order, one list an image, `capacity` places each.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.pool_kernels import DROPPED
from sim.fast.simd import listed_products, listed_sum
from sim.fast.simd_codes import bits_below, lowest_bit

BLOCK = 256  # rows of weights gone through for all images before the next: they stay in a core's own cache
WIDEST = 16  # vectors of sums at a time


@compiled
def list_kept(code, begin, end, units, x, capacity, index, value, counts):
    """The units (N * units) that are not `DROPPED`, with their activity, as lists for images `begin` to `end`.

    `units` is a multiple of 16.
    """
    for n in range(begin, end):
        found = n * capacity
        for first in range(0, units, 16):
            bits = bits_below(code, n * units + first, DROPPED)
            while bits:
                j = first + lowest_bit(bits)
                bits &= bits - np.uint64(1)
                index[found], value[found] = j, x[n * units + j]
                found += 1
        counts[n] = found - n * capacity


@compiled
def add_listed(vectors, count, index, a, i0, b, b0, b_row, c, c0, lanes):
    """`listed_sum` for any number of vectors, the widest blocks first."""
    done = 0
    while vectors - done >= 16:
        at = done * lanes
        listed_sum(16, count, index, a, i0, b, b0 + at, b_row, c, c0 + at)
        done += 16
    while vectors - done >= 4:
        at = done * lanes
        listed_sum(4, count, index, a, i0, b, b0 + at, b_row, c, c0 + at)
        done += 4
    while vectors - done >= 1:
        at = done * lanes
        listed_sum(1, count, index, a, i0, b, b0 + at, b_row, c, c0 + at)
        done += 1


@compiled
def input_of_units(index, value, capacity, counts, units, W, width, lanes, h):
    """h += W x, equation (1), with x = 0 at all units that are not listed."""
    images = len(counts)
    position = np.zeros(images, np.int64)
    for first in range(0, units, BLOCK):
        for n in range(images):
            begin = position[n]
            end = begin
            while end < counts[n] and index[n * capacity + end] < first + BLOCK:
                end += 1
            position[n] = end
            at = n * capacity + begin
            add_listed(width // lanes, end - begin, index, value, at, W, 0, width, h, n * width, lanes)


@compiled
def feedback_to_source(index, capacity, counts, delta, units, R, width, lanes, received):
    """R' delta at the listed units (equation 2); others of `received` (N * units) are left as they are."""
    images = len(counts)
    position = np.zeros(images, np.int64)
    vectors = width // lanes
    for first in range(0, units, BLOCK):
        for n in range(images):
            begin = position[n]
            end = begin
            while end < counts[n] and index[n * capacity + end] < first + BLOCK:
                received[n * units + index[n * capacity + end]] = 0
                end += 1
            position[n] = end
            at, here, below, count = n * capacity + begin, n * width, n * units, end - begin
            done = 0
            while vectors - done >= 16:
                v = done * lanes
                listed_products(16, count, index, at, delta, here + v, R, v, width, received, below)
                done += 16
            while vectors - done >= 4:
                v = done * lanes
                listed_products(4, count, index, at, delta, here + v, R, v, width, received, below)
                done += 4
            while vectors - done >= 1:
                v = done * lanes
                listed_products(1, count, index, at, delta, here + v, R, v, width, received, below)
                done += 1


@compiled
def hebbian(index, value, capacity, counts, begin, end, delta, width, lanes, scale, W, R, both):
    """W += scale * the sum over images of x delta', for units `begin` to `end`; R gets the same where `both`."""
    images = len(counts)
    position = np.zeros(images, np.int64)
    listed = np.empty(BLOCK * images, np.uint32)  # for every unit of a block, the images in which it was kept
    activity = np.empty(BLOCK * images, value.dtype)
    lengths = np.zeros(BLOCK, np.int64)
    increment = np.empty(width, value.dtype)
    for n in range(images):
        while position[n] < counts[n] and index[n * capacity + position[n]] < begin:
            position[n] += 1
    for first in range(begin, end, BLOCK):
        last = min(first + BLOCK, end)
        lengths[:] = 0
        for n in range(images):
            k = position[n]
            while k < counts[n] and index[n * capacity + k] < last:
                j = index[n * capacity + k] - first
                listed[j * images + lengths[j]] = n
                activity[j * images + lengths[j]] = value[n * capacity + k]
                lengths[j] += 1
                k += 1
            position[n] = k
        done = 0
        while done < width:
            wide = min(width - done, WIDEST * lanes)
            for j in range(first, last):
                increment[:wide] = 0
                at = (j - first) * images
                add_listed(
                    wide // lanes, lengths[j - first], listed, activity, at, delta, done, width, increment, 0, lanes
                )
                here = j * width + done
                to_W, to_R = W[here : here + wide], R[here : here + wide]
                if both:
                    for i in range(wide):
                        change = scale * increment[i]
                        to_W[i] += change
                        to_R[i] += change
                else:
                    for i in range(wide):
                        to_W[i] += scale * increment[i]
            done += wide
