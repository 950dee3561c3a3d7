"""Locally connected units, compiled: every position has filters of its own, and no patches are ever laid out.

Maps are (N, H, W, C), flat, and padded so that every window is whole. Weights are (positions, kh * kw * in, filters),
flat; `size` is (kh, run, filters), where a run is what one row of a kernel sees, kw * in numbers.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.simd import copy_rows
from sim.fast.tiles import add, height, put

IN_CACHE = 128  # images at a time, whose delta at one position stays next to the processor
SIDE_BY_SIDE = 1 << 13  # weights of neighbouring positions gone through together: they stay in a core's own cache


@compiled
def forward(padded, image, row, channels, images, W, size, begin, end, width, units, lanes, h):
    """h = W x, equation (1), at positions of the rows `begin` to `end`; h is (N, units), units = H * W * filters."""
    kh, run, filters = size
    weights = kh * run * filters
    together = max(1, SIDE_BY_SIDE // weights)
    for i in range(begin, end):
        for first in range(0, width, together):
            n = 0
            while n < images:
                rows = height(images - n)
                for j in range(first, min(first + together, width)):
                    p, x0 = i * width + j, n * image + i * row + j * channels
                    for f in range(0, filters, 2 * lanes):
                        w0, h0, two = p * weights + f, n * units + p * filters + f, f + 2 * lanes <= filters
                        put(rows, two, padded, x0, image, kh, row, run, 1, W, w0, filters, h, h0, units)
                n += rows


@compiled
def hebbian(
    padded, image, row, channels, images, delta, scale, size, begin, end, width, units, lanes, W, mask_W, R, mask_R,
    both,
):  # fmt: skip
    """W += scale * the sum over images of x delta', in the rows `begin` to `end`; R gets the same where `both`.

    `delta` is (N, units). Masks are as the weights, or empty where all connections exist.
    """
    kh, run, filters = size
    weights, step = kh * run * filters, kh * row
    deltas = np.empty(width * images * filters, delta.dtype)  # of a row of positions, one position after the other
    seen = np.empty(images * step + 4 * lanes, padded.dtype)  # and what they see
    sums = np.empty(weights, delta.dtype)
    for i in range(begin, end):
        for n in range(images):
            for f in range(0, filters, lanes):
                d0 = n * units + i * width * filters + f
                copy_rows(1, width, delta, d0, filters, deltas, n * filters + f, images * filters)
            first, to = n * image + i * row, n * step
            for k in range(step):
                seen[to + k] = padded[first + k]
        for j in range(width):
            sums[:] = 0
            for n in range(0, images, IN_CACHE):
                x0, d0 = n * step + j * channels, (j * images + n) * filters
                products(seen, x0, row, step, deltas, d0, min(IN_CACHE, images - n), size, lanes, sums)
            first = (i * width + j) * weights
            last = first + weights
            add_existing(scale, sums, W[first:last], mask_W[first:last])
            if both:
                add_existing(scale, sums, R[first:last], mask_R[first:last])


@compiled
def products(seen, x0, row, step, deltas, d0, images, size, lanes, sums):
    """sums += x delta' of a few images at one position; `seen` has an image every `step` numbers."""
    kh, run, filters = size
    for a in range(kh):
        k = 0
        while k < run:
            rows, x = height(run - k), x0 + a * row + k
            for f in range(0, filters, 2 * lanes):
                to, two = (a * run + k) * filters + f, f + 2 * lanes <= filters
                add(rows, two, seen, x, 1, 1, 0, images, step, deltas, d0 + f, filters, sums, to, filters)
            k += rows


@compiled
def add_existing(scale, increment, weights, mask):
    """weights += scale * increment where a connection exists; everywhere with an empty mask."""
    if len(mask):
        for k in range(len(weights)):
            weights[k] += scale * increment[k] if mask[k] else increment.dtype.type(0)
    else:
        for k in range(len(weights)):
            weights[k] += scale * increment[k]


@compiled
def feedback(delta, units, R, size, begin, end, positions, width, image, row, channels, lanes, received):
    """R' delta (equation 2) for images `begin` to `end`, as padded maps (N, image), which begin as zeros.

    An image has room for vectors after its last row: what is added there is 0.
    """
    kh, run, filters = size
    long = -(-run // (2 * lanes)) * 2 * lanes
    turned = np.zeros(filters * kh * long, delta.dtype)  # the filters of one position, what they send to a pixel last
    step = kh * long
    for p in range(positions):
        corner = p // width * row + p % width * channels
        for a in range(kh):
            for k in range(run):
                w0 = ((p * kh + a) * run + k) * filters
                for f in range(filters):
                    turned[f * step + a * long + k] = R[w0 + f]
        n = begin
        while n < end:
            rows, d0 = height(end - n), n * units + p * filters
            for a in range(kh):
                for k in range(0, run, 2 * lanes):
                    t0, to, two = a * long + k, n * image + corner + a * row + k, k + lanes < run
                    add(rows, two, delta, d0, units, 1, 0, filters, 1, turned, t0, step, received, to, image)
            n += rows
