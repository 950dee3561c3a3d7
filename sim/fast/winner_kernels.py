"""Increments of locally connected units below a pooling, compiled: only the few units that won are gone through.

Maps and weights are as in `sim.fast.local_kernels`.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.local_kernels import group_of
from sim.fast.simd import add_multiple
from sim.fast.simd_codes import bits_within, lowest_bit
from sim.fast.simd_local import turn_block

IN_CACHE = 1 << 15  # sums that are made at a time


@compiled
def hebbian_of_winners(
    padded, image, row, channels, images, code, feedback, factor, window, pooled, scale, size, begin, end, width, lanes,
    W, mask_W, R, mask_R, both,
):  # fmt: skip
    """W += scale * the sum over images of x delta', in the rows `begin` to `end`; R gets the same where `both`.

    Delta is what a pooling of `window` (size, stride, top, left) sends back of `feedback`, `factor` times, to those
    that its `code` names. Both are (N * H' * W' * filters), `pooled` is (H', W').
    """
    kh, run, filters = size
    extent, stride, top, left = window
    rows, columns = pooled
    long = -(-run // lanes) * lanes
    sums = np.empty(max(1, IN_CACHE // (filters * kh * long)) * filters * kh * long, feedback.dtype)
    together = len(sums) // (filters * kh * long)
    square = np.empty(lanes * lanes, feedback.dtype)
    of_scale, number = np.full(1, scale, feedback.dtype), np.empty(1, feedback.dtype)
    for i in range(begin, end):
        for j0 in range(0, width, together):
            j1 = min(j0 + together, width)
            sums[:] = 0
            for n in range(images):
                for r in range(max(0, -(-(i + top - extent + 1) // stride)), min(rows - 1, (i + top) // stride) + 1):
                    first = (i + top - r * stride) * extent  # the code of this row's first pixel in the window
                    c0 = max(0, -(-(j0 + left - extent + 1) // stride))
                    for c in range(c0, min(columns - 1, (j1 - 1 + left) // stride) + 1):
                        u, corner = ((n * rows + r) * columns + c) * filters, c * stride - left - first
                        for f in range(0, filters, 16):
                            bits = bits_within(code, u + f, np.uint8(first), np.uint8(extent))
                            if bits:
                                x0 = n * image + i * row
                                add_winners(
                                    bits, code, feedback, u + f, factor, corner, j0, j1, padded, x0, row, channels, kh,
                                    long, lanes, filters, f, number, sums,
                                )  # fmt: skip
            for j in range(j0, j1):
                add_turned(
                    sums, (j - j0) * filters * kh * long, i * width + j, size, long, lanes, square, of_scale, W, mask_W
                )
                if both:
                    add_turned(
                        sums,
                        (j - j0) * filters * kh * long,
                        i * width + j,
                        size,
                        long,
                        lanes,
                        square,
                        of_scale,
                        R,
                        mask_R,
                    )


@compiled
def add_winners(
    bits, code, feedback, u, factor, corner, j0, j1, padded, x0, row, channels, kh, long, lanes, filters, f, number,
    sums,
):  # fmt: skip
    """What some of 16 units see, times their delta, added to `sums` (positions from j0 on, filters, kh, long)."""
    while bits:
        k = lowest_bit(bits)
        bits &= bits - np.uint64(1)
        j = corner + code[u + k]
        if j0 <= j < j1:
            number[0] = factor * feedback[u + k]
            to = ((j - j0) * filters + f + k) * kh * long
            for v in range(0, long, lanes):
                add_multiple(1, number, 0, kh, padded, x0 + j * channels + v, row, sums, to + v, long)


@compiled
def add_turned(sums, s0, p, size, long, lanes, square, scale, W, mask):
    """Sums of one position, (filters, kh, long) from s0 on, `scale` times, to its weights where connections exist."""
    kh, run, filters = size
    for f in range(0, filters, lanes):
        at, step = group_of(f, filters, kh * run)
        for a in range(kh):
            for k in range(0, run, lanes):
                turn_block(sums, s0 + (f * kh + a) * long + k, kh * long, square, 0, lanes)
                w0, few = p * kh * run * filters + at + (a * run + k) * step, min(lanes, run - k)
                if len(mask):
                    for b in range(few):
                        for g in range(lanes):
                            if not mask[w0 + b * step + g]:
                                square[b * lanes + g] = 0
                add_multiple(1, scale, 0, few, square, 0, lanes, W, w0, step)
