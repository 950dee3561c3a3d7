"""Sums over lists of rows of any width, in whole vectors: of floating point rows, and of bfloat16 (uint16)."""

from numba import types
from numba.extending import overload

from sim.fast import simd_bfloat16
from sim.fast.simd import lanes, listed_products, listed_sum


def add_listed(width, count, index, a, i0, b, b0, b_row, c, c0):
    """`listed_sum` of `width` columns, the widest blocks first."""


def add_products(width, count, index, i0, a, a0, b, b0, b_row, c, c0):
    """`listed_products` over `width` columns, the widest blocks first."""


@overload(add_listed)
def _add_listed(width, count, index, a, i0, b, b0, b_row, c, c0):
    if b.dtype == types.uint16:

        def bfloat16(width, count, index, a, i0, b, b0, b_row, c, c0):
            done = 0
            while width - done >= 256:
                simd_bfloat16.listed_sum(8, count, index, a, i0, b, b0 + done, b_row, c, c0 + done)
                done += 256
            while width - done >= 32:
                simd_bfloat16.listed_sum(1, count, index, a, i0, b, b0 + done, b_row, c, c0 + done)
                done += 32

        return bfloat16
    vector = lanes(b.dtype.bitwidth // 8)

    def floating(width, count, index, a, i0, b, b0, b_row, c, c0):
        done = 0
        while width - done >= 16 * vector:
            listed_sum(16, count, index, a, i0, b, b0 + done, b_row, c, c0 + done)
            done += 16 * vector
        while width - done >= 4 * vector:
            listed_sum(4, count, index, a, i0, b, b0 + done, b_row, c, c0 + done)
            done += 4 * vector
        while width - done >= vector:
            listed_sum(1, count, index, a, i0, b, b0 + done, b_row, c, c0 + done)
            done += vector

    return floating


@overload(add_products)
def _add_products(width, count, index, i0, a, a0, b, b0, b_row, c, c0):
    if b.dtype == types.uint16:

        def bfloat16(width, count, index, i0, a, a0, b, b0, b_row, c, c0):
            done = 0
            while width - done >= 512:
                simd_bfloat16.listed_products(16, count, index, i0, a, a0 + done, b, b0 + done, b_row, c, c0)
                done += 512
            while width - done >= 32:
                simd_bfloat16.listed_products(1, count, index, i0, a, a0 + done, b, b0 + done, b_row, c, c0)
                done += 32

        return bfloat16
    vector = lanes(b.dtype.bitwidth // 8)

    def floating(width, count, index, i0, a, a0, b, b0, b_row, c, c0):
        done = 0
        while width - done >= 16 * vector:
            listed_products(16, count, index, i0, a, a0 + done, b, b0 + done, b_row, c, c0)
            done += 16 * vector
        while width - done >= 4 * vector:
            listed_products(4, count, index, i0, a, a0 + done, b, b0 + done, b_row, c, c0)
            done += 4 * vector
        while width - done >= vector:
            listed_products(1, count, index, i0, a, a0 + done, b, b0 + done, b_row, c, c0)
            done += vector

    return floating
