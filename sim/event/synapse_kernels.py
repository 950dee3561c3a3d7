"""What the synapses of convolutions see, compiled: patches of maps (N, H, W, C), to be multiplied by a matrix.

Indices are unsigned and into flat arrays: Numba lets negative ones count from the end, and checking for those would
keep the loops from being vectorised.
"""

import numpy as np
from numba import uintp

from circuits.compiled import compiled
from sim.fast.simd import add_multiple
from sim.fast.simd_active import GROUP, bits_not_zero
from sim.fast.simd_codes import lowest_bit


@compiled
def _copy_window(x, image, height, row, y, begin, low, high, run, patches, to):
    """One row of a window, `run` numbers of which those from `low` to `high` lie inside the map; at `patches[to]`."""
    if 0 <= y < height:
        source = uintp((image * height + y) * row + begin + low)
        for k in range(low):
            patches[to + uintp(k)] = 0.0
        inside = to + uintp(low)
        for k in range(high - low):
            patches[inside + uintp(k)] = x[source + uintp(k)]
        for k in range(high, run):
            patches[to + uintp(k)] = 0.0
    else:
        for k in range(run):
            patches[to + uintp(k)] = 0.0


@compiled
def gather(x, shape, kernel, before, patches):
    """The pixels around every position, zeros outside: patches (N, H * W, kh * kw * C), flat, as `x`.

    Parameters
    ----------
    x : (N * H * W * C,)
    shape : (N, H, W, C)
    kernel, before : (rows, columns)
        Size of the window, and how much of it lies before its position.
    patches
        Written.
    """
    images, height, width, channels = shape
    row, run = width * channels, kernel[1] * channels
    to = uintp(0)
    for n in range(images):
        for i in range(height):
            for j in range(width):
                begin = (j - before[1]) * channels
                low, high = min(run, max(0, -begin)), max(0, min(run, row - begin))
                for a in range(kernel[0]):
                    _copy_window(x, n, height, row, i + a - before[0], begin, low, high, run, patches, to)
                    to += uintp(run)


@compiled
def gather_positions(x, shape, first, last, kernel, before, patches):
    """The same by position, those from `first` to `last`: patches (positions, N, kh * kw * C), flat."""
    images, height, width, channels = shape
    row, run = width * channels, kernel[1] * channels
    to = uintp(0)
    for p in range(first, last):
        begin = (p % width - before[1]) * channels
        low, high = min(run, max(0, -begin)), max(0, min(run, row - begin))
        for n in range(images):
            for a in range(kernel[0]):
                _copy_window(x, n, height, row, p // width + a - before[0], begin, low, high, run, patches, to)
                to += uintp(run)


@compiled
def scatter_positions(patches, shape, first, last, kernel, before, received):
    """What `gather_positions` took from each pixel goes back to it, added up; what the padding would get is lost."""
    images, height, width, channels = shape
    row, run = width * channels, kernel[1] * channels
    at = uintp(0)
    for p in range(first, last):
        begin = (p % width - before[1]) * channels
        low, high = min(run, max(0, -begin)), max(0, min(run, row - begin))
        for n in range(images):
            for a in range(kernel[0]):
                y = p // width + a - before[0]
                if 0 <= y < height:
                    to, inside = uintp((n * height + y) * row + begin + low), at + uintp(low)
                    for k in range(high - low):
                        received[to + uintp(k)] += patches[inside + uintp(k)]
                at += uintp(run)


@compiled
def active(delta):
    """How many of the units (units,), a multiple of `GROUP`, do not put out 0."""
    found = 0
    for first in range(0, delta.size, GROUP):
        bits = bits_not_zero(delta, first)
        while bits:
            bits &= bits - np.uint64(1)
            found += 1
    return found


@compiled
def products_of_active(delta, padded, image, row, channels, lanes, sums):
    """Adds delta_i x_j for every synapse of the units that do not put out 0; no others are gone through.

    Parameters
    ----------
    delta : (N, H, W, filters)
    padded
        Maps with whole windows, flat: of `image` numbers each, in rows of `row`; `lanes` more at the end.
    channels, lanes : int
        Of the maps, and numbers in a vector.
    sums : (filters, kh, whole vectors)
        With room for a row of the window, kw * channels numbers.
    """
    images, height, width, filters = delta.shape
    kh, long = sums.shape[1], sums.shape[2]
    values, to, vectors = delta.reshape(-1), sums.reshape(-1), long // lanes
    unit = 0
    for n in range(images):
        for i in range(height):
            for j in range(width):
                corner = n * image + i * row + j * channels
                for first in range(0, filters, GROUP):
                    bits = bits_not_zero(values, unit)
                    while bits:
                        k = lowest_bit(bits)
                        bits &= bits - np.uint64(1)
                        at = (first + k) * kh * long
                        for v in range(0, vectors * lanes, lanes):
                            add_multiple(1, values, unit + k, kh, padded, corner + v, row, to, at + v, long)
                    unit += GROUP
