"""Increments of locally connected units below a pooling, compiled: only the few units that won are gone through.

Maps and weights are as in `sim.fast.local_kernels`.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.local_kernels import ROWS, copied, group_of, room_for_rows, window
from sim.fast.simd import add_multiple, turn_block
from sim.fast.simd_codes import bits_within, lowest_bit

IN_CACHE = 1 << 15  # sums that are made at a time


@compiled
def hebbian_of_winners(
    x, maps, images, code, feedback, factor, pooling, pooled, scale, size, begin, end, lanes, W, mask_W, R, mask_R, both
):
    """W += scale * the sum over images of x delta', in the rows `begin` to `end`; R gets the same where `both`.

    Delta is what a `pooling` (size, stride, top, left) sends back of `feedback`, `factor` times, to those that its
    `code` names. Both are (N * H' * W' * filters), `pooled` is (H', W').
    """
    _, width, channels = maps
    kh, kw, filters = size
    extent, stride, top, left = pooling
    rows, columns = pooled
    long = -(-kw * channels // lanes) * lanes
    each = filters * kh * long  # sums of a position: (filters, kh, long)
    together = max(1, IN_CACHE // each)
    sums = np.empty(together * each + long, feedback.dtype)  # vectors that begin within a row end behind it
    square = np.empty(lanes * lanes, feedback.dtype)
    of_scale, number = np.full(1, scale, feedback.dtype), np.empty(1, feedback.dtype)
    # Rows are read as if they went on to the left and right of the maps. What is found there is added to sums that no
    # synapse stands for.
    row, before = width * channels, (kw - 1) // 2 * channels
    room = room_for_rows(maps, images, size, lanes, x.dtype)
    first_row = image = 0
    for i in range(begin, end):
        if (i - begin) % ROWS == 0:
            first_row, image = copied(x, maps, images, i, min(i + ROWS, end), size, lanes, room[before:])
        above, _, _, tall, _ = window(i, 0, maps, size)
        for j0 in range(0, width, together):
            j1 = min(j0 + together, width)
            sums[:] = 0
            for n in range(images):
                x0 = n * image + (above - first_row) * row
                for r in range(max(0, -(-(i + top - extent + 1) // stride)), min(rows - 1, (i + top) // stride) + 1):
                    first = (i + top - r * stride) * extent  # the code of this row's first pixel in the window
                    c0 = max(0, -(-(j0 + left - extent + 1) // stride))
                    for c in range(c0, min(columns - 1, (j1 - 1 + left) // stride) + 1):
                        u, corner = ((n * rows + r) * columns + c) * filters, c * stride - left - first
                        for f in range(0, filters, 16):
                            bits = bits_within(code, u + f, np.uint8(first), np.uint8(extent))
                            if bits:
                                add_winners(
                                    bits, code, feedback, u + f, factor, corner, j0, j1, room, x0, channels, row, tall,
                                    long, lanes, kh, filters, f, number, sums,
                                )  # fmt: skip
            for j in range(j0, j1):
                s0 = (j - j0) * each
                add_turned(sums, s0, i, j, maps, size, long, lanes, square, of_scale, W, mask_W)
                if both:
                    add_turned(sums, s0, i, j, maps, size, long, lanes, square, of_scale, R, mask_R)


@compiled
def add_winners(
    bits, code, feedback, u, factor, corner, j0, j1, x, x0, channels, row, tall, long, lanes, kh, filters, f, number,
    sums,
):  # fmt: skip
    """What some of 16 units see, `tall` rows of x from x0 on, times their delta, added to `sums`."""
    while bits:
        k = lowest_bit(bits)
        bits &= bits - np.uint64(1)
        j = corner + code[u + k]
        if j0 <= j < j1:
            number[0] = factor * feedback[u + k]
            to = ((j - j0) * filters + f + k) * kh * long
            for v in range(0, long, lanes):
                add_multiple(1, number, 0, tall, x, x0 + j * channels + v, row, sums, to + v, long)


@compiled
def add_turned(sums, s0, i, j, maps, size, long, lanes, square, scale, W, mask):
    """Sums of one position, from s0 on, `scale` times, to its weights where connections exist."""
    _, columns, channels = maps
    kh, kw, filters = size
    _, _, synapse, tall, run = window(i, j, maps, size)
    s0 += synapse % (kw * channels)
    for f in range(0, filters, lanes):
        at, step = group_of(f, filters, kh * kw * channels)
        w0 = (i * columns + j) * kh * kw * channels * filters + at
        for a in range(tall):
            for k in range(0, run, lanes):
                turn_block(sums, s0 + (f * kh + a) * long + k, kh * long, square, 0, lanes)
                to, few = w0 + (synapse + a * kw * channels + k) * step, min(lanes, run - k)
                if len(mask):
                    for b in range(few):
                        for g in range(lanes):
                            if not mask[to + b * step + g]:
                                square[b * lanes + g] = 0
                add_multiple(1, scale, 0, few, square, 0, lanes, W, to, step)
