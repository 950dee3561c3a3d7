"""Fully connected layers below which most units are silent, compiled: only units that Drop kept are gone through.

Weights are transposed, a row for each unit below with its synapses to all units above, `width` numbers apart: a
multiple of the vector's length, zeros at the end. Rows of `delta` and `h` have the same `width`. Lists of kept units
are in increasing order, one list an image, `capacity` places each. Weights, activity and delta may be bfloat16, rows
stored as `sim.fast.simd_bfloat16` says; what is added up is floating point.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.listed import add_listed, add_products
from sim.fast.pool_kernels import DROPPED
from sim.fast.simd_codes import bits_below, lowest_bit

BLOCK = 256  # rows of weights gone through for all images before the next: they stay in a core's own cache
WIDEST = 256  # columns of sums at a time


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
def input_of_units(index, value, capacity, counts, units, W, width, h):
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
            add_listed(width, end - begin, index, value, at, W, 0, width, h, n * width)


@compiled
def feedback_to_source(index, capacity, counts, delta, units, R, width, received):
    """R' delta at the listed units (equation 2); others of `received` (N * units) are left as they are."""
    images = len(counts)
    position = np.zeros(images, np.int64)
    for first in range(0, units, BLOCK):
        for n in range(images):
            begin = position[n]
            end = begin
            while end < counts[n] and index[n * capacity + end] < first + BLOCK:
                received[n * units + index[n * capacity + end]] = 0
                end += 1
            position[n] = end
            at, here, below, count = n * capacity + begin, n * width, n * units, end - begin
            add_products(width, count, index, at, delta, here, R, 0, width, received, below)


@compiled
def hebbian(index, value, capacity, counts, begin, end, delta, width, scale, W, R, both):
    """W += scale * the sum over images of x delta', for units `begin` to `end`; R gets the same where `both`."""
    images = len(counts)
    position = np.zeros(images, np.int64)
    listed = np.empty(BLOCK * images, np.uint32)  # for every unit of a block, the images in which it was kept
    activity = np.empty(BLOCK * images, value.dtype)
    lengths = np.zeros(BLOCK, np.int64)
    increment = np.empty(width, W.dtype)
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
            wide = min(width - done, WIDEST)
            for j in range(first, last):
                increment[:wide] = 0
                at = (j - first) * images
                add_listed(wide, lengths[j - first], listed, activity, at, delta, done, width, increment, 0)
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
