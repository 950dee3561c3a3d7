"""Locally connected units, compiled: every position has filters of its own, and no patches are ever laid out.

Maps are (N, H, W, C), flat. Weights are (positions, groups of filters, kh * kw * in, filters of a group), flat: the
loops over what a unit sees then go through memory in order. `maps` is (H, W, in) of the layer below, `size` is (kh,
kw, filters), `begin` and `end` are rows of positions, or images.

At the edges of the maps units have fewer synapses; those outside are passed over, and nothing is padded. What the units
of a few rows see is copied to where images are no powers of two apart, since caches hold few lines that are.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.conv_kernels import gain_and_limit
from sim.fast.simd import copy_rows, fetch, turn_block
from sim.fast.tiles import add, change, height, put

GROUP = 32  # filters whose weights lie together, where there are as many
WEIGHTS_IN_CACHE = 1 << 16  # numbers of W that all images go through before the next
DELTA_IN_CACHE = 1 << 17  # numbers of delta that are laid out anew at a time
IMAGES = 512  # at a time, whose increments are summed before weights change
ROWS = 8  # of positions, whose part of the maps below is copied at a time


@compiled
def group_of(f, filters, synapses):
    """Where the weights of filter f begin at a position, and how far its inputs are from each other."""
    first = f // GROUP * GROUP
    return first * synapses + f - first, min(GROUP, filters - first)


@compiled
def seen(place, extent, length):
    """The first of a kernel's `extent` rows or columns around `place` that is inside maps, and one behind the last."""
    before = (extent - 1) // 2
    return max(0, before - place), min(extent, length + before - place)


@compiled
def window(i, j, maps, size):
    """What a unit at (i, j) sees: row, place in the row, first synapse; how many rows, how many numbers in each."""
    rows, columns, channels = maps
    kh, kw, _ = size
    a, below = seen(i, kh, rows)
    b, behind = seen(j, kw, columns)
    left = (j + b - (kw - 1) // 2) * channels
    return i + a - (kh - 1) // 2, left, (a * kw + b) * channels, below - a, (behind - b) * channels


@compiled
def copied(x, maps, images, begin, end, size, lanes, room):
    """Copies the rows that units in rows `begin` to `end` see, of so many images, into `room`, of `room_for_rows`.

    In x the same place of all images is often a multiple of a large power of two away, and a cache holds few such
    lines. Here they are an odd number of lines apart. Returns the first row, and how far images are from each other.
    """
    rows, columns, channels = maps
    row, before = columns * channels, (size[0] - 1) // 2
    first, last = max(0, begin - before), min(rows, end - 1 - before + size[0])
    image, numbers = image_stride(maps, size, lanes), (last - first) * row
    whole = numbers // lanes
    for n in range(images):
        at, to = (n * rows + first) * row, n * image
        copy_rows(1, whole, x, at, lanes, room, to, lanes)
        for k in range(whole * lanes, numbers):
            room[to + k] = x[at + k]
    return first, image


@compiled
def image_stride(maps, size, lanes):
    """How far images are from each other where `copied` puts them: a place for what units in `ROWS` rows see."""
    _, columns, channels = maps
    return (-(-(ROWS + size[0] - 1) * columns * channels // lanes) | 1) * lanes


@compiled
def room_for_rows(maps, images, size, lanes, dtype):
    """Room for `copied`, with as much to spare as a unit sees of two rows, in whole vectors."""
    return np.empty(images * image_stride(maps, size, lanes) + 2 * (size[1] * maps[2] + lanes), dtype)


@compiled
def forward(x, maps, images, W, size, gain, begin, end, lanes, out):
    """out = clip(gain W x, -1, 1), equation (1), at positions of the rows `begin` to `end`; h itself with a gain of 0.

    x is (N, H * W * in), out (N, H * W * filters).
    """
    (_, columns, channels), (kh, kw, filters) = maps, size
    room = room_for_rows(maps, images, size, lanes, x.dtype)
    weights = kh * kw * channels * filters
    together = max(1, WEIGHTS_IN_CACHE // weights)
    lines = weights // lanes if together > 1 else 0  # long ones the processor foresees by itself
    gain, limit = gain_and_limit(gain)
    for top in range(begin, end, ROWS):
        bottom = min(top + ROWS, end)
        where = copied(x, maps, images, top, bottom, size, lanes, room)
        for i in range(top, bottom):
            for first in range(0, columns, together):
                n = 0
                while n < images:
                    few = height(images - n)
                    for j in range(first, min(first + together, columns)):
                        # While these images go through, the weights that they will all go through next come nearer.
                        w1 = min((i * columns + j + together) * weights, len(W) - weights)
                        for line in range(n * lines // images, (n + few) * lines // images):
                            fetch(W, w1 + line * lanes)
                        input_of(room, where, maps, i, j, n, few, W, size, gain, limit, lanes, out)
                    n += few


@compiled
def input_of(x, where, maps, i, j, n, few, W, size, gain, limit, lanes, out):
    """Those of all units at (i, j) in a `few` images from the nth on, of x as `copied` leaves it."""
    (rows, columns, channels), (kh, kw, filters), (first_row, image) = maps, size, where
    row, across, units, p = columns * channels, kw * channels, rows * columns * filters, i * columns + j
    top, left, synapse, tall, run = window(i, j, maps, size)
    x0 = n * image + (top - first_row) * row + left
    for f in range(0, filters, 2 * lanes):
        at, step = group_of(f, filters, kh * across)
        w0, two = p * kh * across * filters + at + synapse * step, f + 2 * lanes <= filters
        put(
            few, two, x, x0, image, tall, row, run, 1, W, w0, across * step, step, gain, limit, out,
            n * units + p * filters + f, units,
        )  # fmt: skip


@compiled
def hebbian(x, maps, images, delta, scale, size, begin, end, lanes, room, W, mask_W, R, mask_R, both):
    """W += scale * the sum over images of x delta', in the rows `begin` to `end`; R gets the same where `both`.

    x and `delta` as for `forward`. Masks are as the weights, or empty where all connections exist. `room` is for its
    own use: `room_for` says how much.
    """
    (rows, columns, channels), (kh, kw, filters) = maps, size
    units, weights = rows * columns * filters, kh * kw * channels * filters
    masked = len(mask_W) > 0 or (both and len(mask_R) > 0)
    sums = np.empty(weights if masked else 0, delta.dtype)
    room_for_x = room_for_rows(maps, min(images, IMAGES), size, lanes, x.dtype)
    for n in range(0, images, IMAGES):
        count = min(IMAGES, images - n)
        together, of_images = len(room) // (count * filters), x[n * rows * columns * channels :]
        for top in range(begin, end, ROWS):
            bottom = min(top + ROWS, end)
            where = copied(of_images, maps, count, top, bottom, size, lanes, room_for_x)
            for p in range(top * columns, bottom * columns):
                place = (p - top * columns) % together
                if place == 0:
                    few = min(together, bottom * columns - p)
                    lay_out(delta, n * units + p * filters, units, count, few, filters, lanes, room)
                common = room_for_x, where, maps, p, room, place * count * filters, count, size, lanes, scale
                if masked:
                    sums[:] = 0
                    products(*common, sums, sums, 0, False)
                    add_existing(sums, W[p * weights : (p + 1) * weights], mask_W[p * weights : (p + 1) * weights])
                    if both:
                        add_existing(sums, R[p * weights : (p + 1) * weights], mask_R[p * weights : (p + 1) * weights])
                else:
                    products(*common, W, R, p * weights, both)


@compiled
def room_for(images, filters, width):
    """How many numbers of delta `hebbian` lays out at a time: those of a few positions."""
    one = min(images, IMAGES) * filters
    return one * max(1, min(width, DELTA_IN_CACHE // one))


@compiled
def lay_out(delta, d0, units, images, positions, filters, lanes, out):
    """Delta at positions next to each other, from d0 on: (positions, pairs of vectors of filters, images), flat."""
    for n in range(images):
        for f in range(0, positions * filters, lanes):  # of a later image: each begins on a page of its own
            fetch(delta, d0 + (n + 4) * units + f)
        for f in range(0, filters, 2 * lanes):
            at, each = d0 + n * units + f, min(2 * lanes, filters - f)
            to = f * images + n * each
            copy_rows(1, positions, delta, at, filters, out, to, images * filters)
            if each == 2 * lanes:
                copy_rows(1, positions, delta, at + lanes, filters, out, to + lanes, images * filters)


@compiled
def products(x, where, maps, p, deltas, d0, images, size, lanes, scale, W, R, w0, both):
    """W += scale * x delta' at position p, of x as `copied` leaves them and deltas as `lay_out` does.

    R gets the same where `both`.
    """
    kh, kw, filters = size
    (first_row, image), row, across = where, maps[1] * maps[2], kw * maps[2]
    top, left, synapse, tall, run = window(p // maps[1], p % maps[1], maps, size)
    x0 = (top - first_row) * row + left
    for f in range(0, filters, 2 * lanes):
        at, step = group_of(f, filters, kh * across)
        from_delta, each, two = d0 + f * images, min(2 * lanes, filters - f), f + 2 * lanes <= filters
        for a in range(tall):
            k = 0
            while k < run:
                few, to = height(run - k), w0 + at + (synapse + a * across + k) * step
                change(
                    few, two, x, x0 + a * row + k, 1, 1, 0, images, image, deltas, from_delta, 0, each, scale, W, R,
                    to, step, both,
                )  # fmt: skip
                k += few


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
def feedback(delta, R, maps, size, begin, end, lanes, received):
    """R' delta (equation 2) for images `begin` to `end`; `received` is (N, H * W * in + a vector), and begins as zeros.

    What is added there behind a row is 0.
    """
    rows, columns, channels = maps
    kh, kw, filters = size
    row, units, image = columns * channels, rows * columns * filters, rows * columns * channels + lanes
    long = -(-kw * channels // lanes) * lanes
    turned = np.empty(filters * kh * long, delta.dtype)  # the filters of one position, what they send to a pixel last
    step = kh * long
    for i in range(rows):
        for j in range(columns):
            top, left, synapse, tall, run = window(i, j, maps, size)
            turn(R, i * columns + j, synapse, tall, run, kw * channels, size, lanes, turned, long)
            n = begin
            while n < end:
                few, d0 = height(end - n), n * units + (i * columns + j) * filters
                for a in range(tall):
                    for k in range(0, run, 2 * lanes):
                        t0, to, two = a * long + k, n * image + (top + a) * row + left + k, k + lanes < run
                        add(few, two, delta, d0, units, 1, 0, filters, 1, turned, t0, 0, step, received, to, image)
                n += few


@compiled
def turn(R, p, synapse, tall, run, across, size, lanes, turned, long):
    """The weights of position p as (filters, kh, long): what a unit sends to the pixels of a row lies together."""
    kh, _, filters = size
    step = kh * long
    for f in range(0, filters, lanes):
        at, apart = group_of(f, filters, kh * across)
        for a in range(tall):
            w0, to = p * kh * across * filters + at + (synapse + a * across) * apart, f * step + a * long
            whole = run // lanes * lanes
            for k in range(0, whole, lanes):
                turn_block(R, w0 + k * apart, apart, turned, to + k, step)
            for k in range(whole, -(-run // lanes) * lanes):
                for g in range(lanes):
                    turned[to + g * step + k] = R[w0 + k * apart + g] if k < run else R.dtype.type(0)
