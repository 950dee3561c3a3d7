"""Locally connected units, compiled: every position has filters of its own, and no patches are ever laid out.

Maps are (N, H, W, C), flat, and padded so that every window is whole; `begin` and `end` are rows of positions, or
images. Weights are (positions, groups of filters, kh * kw * in, filters of a group), flat: the loops over what a unit
sees then go through memory in order. `size` is (kh, run, filters): a run is what a row of a kernel sees, kw * in long.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.conv_kernels import clip
from sim.fast.simd import copy_rows
from sim.fast.simd_local import turn_block
from sim.fast.tiles import add, change, height, put

GROUP = 32  # filters whose weights lie together, where there are as many
SIDE_BY_SIDE = (
    8  # positions gone through together: a few images' h lies in whole lines of the cache, one after the other
)
IN_CACHE = 1 << 17  # numbers of delta that are laid out anew at a time
IMAGES = 512  # at a time, whose increments are summed before weights change


@compiled
def group_of(f, filters, synapses):
    """Where the weights of filter f begin at a position, and how far its inputs are from each other."""
    first = f // GROUP * GROUP
    return first * synapses + f - first, min(GROUP, filters - first)


@compiled
def forward(padded, image, row, channels, images, W, size, gain, begin, end, width, units, lanes, x):
    """x = clip(gain W x', -1, 1), equation (1), at positions of the rows `begin` to `end`; h itself with a gain of 0.

    x is (N, units), units = H * W * filters.
    """
    kh, run, filters = size
    synapses = kh * run
    for i in range(begin, end):
        for first in range(0, width, SIDE_BY_SIDE):
            n = 0
            while n < images:
                rows = height(images - n)
                last = min(first + SIDE_BY_SIDE, width)
                for j in range(first, last):
                    p, x0 = i * width + j, n * image + i * row + j * channels
                    for f in range(0, filters, 2 * lanes):
                        at, step = group_of(f, filters, synapses)
                        w0, h0, two = p * synapses * filters + at, n * units + p * filters + f, f + 2 * lanes <= filters
                        put(rows, two, padded, x0, image, kh, row, run, 1, W, w0, step, x, h0, units)
                if gain != 0:
                    for m in range(n, n + rows):
                        h0 = m * units + (i * width + first) * filters
                        clip(gain, x[h0 : h0 + (last - first) * filters])
                n += rows


@compiled
def hebbian(
    padded, image, row, channels, images, delta, scale, size, begin, end, width, units, lanes, room, W, mask_W, R,
    mask_R, both,
):  # fmt: skip
    """W += scale * the sum over images of x delta', in the rows `begin` to `end`; R gets the same where `both`.

    `delta` is (N, units). Masks are as the weights, or empty where all connections exist. `room` is for its own use:
    `room_for` says how much.
    """
    kh, run, filters = size
    weights = kh * run * filters
    masked = len(mask_W) > 0 or (both and len(mask_R) > 0)
    sums = np.empty(weights if masked else 0, delta.dtype)
    for n in range(0, images, IMAGES):
        count = min(IMAGES, images - n)
        together = len(room) // (count * filters)
        for i in range(begin, end):
            for first in range(0, width, together):
                few = min(together, width - first)
                lay_out(delta, n * units + (i * width + first) * filters, units, count, few, filters, lanes, room)
                for j in range(few):
                    x0, d0 = n * image + i * row + (first + j) * channels, j * count * filters
                    w0 = (i * width + first + j) * weights
                    if masked:
                        sums[:] = 0
                        products(padded, x0, row, image, room, d0, count, size, lanes, scale, sums, sums, 0, False)
                        add_existing(sums, W[w0 : w0 + weights], mask_W[w0 : w0 + weights])
                        if both:
                            add_existing(sums, R[w0 : w0 + weights], mask_R[w0 : w0 + weights])
                    else:
                        products(padded, x0, row, image, room, d0, count, size, lanes, scale, W, R, w0, both)


@compiled
def room_for(images, filters, width):
    """How many numbers of delta `hebbian` lays out at a time: those of a few positions."""
    one = min(images, IMAGES) * filters
    return one * max(1, min(width, IN_CACHE // one))


@compiled
def lay_out(delta, d0, units, images, positions, filters, lanes, out):
    """Delta at positions next to each other, from d0 on: (positions, pairs of vectors of filters, images), flat."""
    for n in range(images):
        for f in range(0, filters, 2 * lanes):
            at, each = d0 + n * units + f, min(2 * lanes, filters - f)
            to = f * images + n * each
            copy_rows(1, positions, delta, at, filters, out, to, images * filters)
            if each == 2 * lanes:
                copy_rows(1, positions, delta, at + lanes, filters, out, to + lanes, images * filters)


@compiled
def products(padded, x0, row, image, deltas, d0, images, size, lanes, scale, W, R, w0, both):
    """W += scale * x delta' at one position, of deltas as `lay_out` leaves them; R gets the same where `both`."""
    kh, run, filters = size
    for f in range(0, filters, 2 * lanes):
        at, step = group_of(f, filters, kh * run)
        from_delta, each, two = d0 + f * images, min(2 * lanes, filters - f), f + 2 * lanes <= filters
        for a in range(kh):
            k = 0
            while k < run:
                rows, x, to = height(run - k), x0 + a * row + k, w0 + at + (a * run + k) * step
                change(
                    rows, two, padded, x, 1, 1, 0, images, image, deltas, from_delta, each, scale, W, R, to, step, both
                )
                k += rows


@compiled
def add_existing(increment, weights, mask):
    """weights += increment where a connection exists; everywhere with an empty mask."""
    if len(mask):
        for k in range(len(weights)):
            weights[k] += increment[k] if mask[k] else increment.dtype.type(0)
    else:
        for k in range(len(weights)):
            weights[k] += increment[k]


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
        turn(R, p, size, lanes, turned, long)
        n = begin
        while n < end:
            rows, d0 = height(end - n), n * units + p * filters
            for a in range(kh):
                for k in range(0, run, 2 * lanes):
                    t0, to, two = a * long + k, n * image + corner + a * row + k, k + lanes < run
                    add(rows, two, delta, d0, units, 1, 0, filters, 1, turned, t0, step, received, to, image)
            n += rows


@compiled
def turn(R, p, size, lanes, turned, long):
    """The weights of position p as (filters, kh, long): what a unit sends to the pixels of a row lies together."""
    kh, run, filters = size
    step = kh * long
    for f in range(0, filters, lanes):
        at, apart = group_of(f, filters, kh * run)
        for a in range(kh):
            w0 = p * kh * run * filters + at + a * run * apart
            whole = run // lanes * lanes
            for k in range(0, whole, lanes):
                turn_block(R, w0 + k * apart, apart, turned, f * step + a * long + k, step)
            for k in range(whole, run):
                for g in range(lanes):
                    turned[(f + g) * step + a * long + k] = R[w0 + k * apart + g]
