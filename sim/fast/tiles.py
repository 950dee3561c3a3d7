"""Blocks of sums of products held in vector registers, of any height up to 8 and one or two vectors.

A loop that adds to an array element goes through memory each time. A tile names a block of sums, keeps it in registers
for the whole loop, and stores it at the end. Every size is compiled; which of them runs is decided where it is used.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from circuits.compiled import compiled
from sim.fast.simd import INDEX, Code, of_values

TALLEST = 8  # two vectors wide: 16 sums, and their products take as long as the processor's limit has it


@compiled
def height(left):
    """How many of the rows that are left the next tile takes; low ones, whose sums wait for each other, are avoided."""
    if left < 2 * TALLEST and left > TALLEST:
        return (left + 1) // 2
    return min(left, TALLEST)


@of_values
def put(typing, rows, two, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k1, b_k2, gain, limit, c, c0, c_row):
    """C[r, :] = clip(gain * sum over k of A[r, k] B[k, :], -limit, limit), for `rows` rows of one vector, or `two`.

    k = (k', k'') goes through k1 times k2 places, those of A at a0 + r * a_row + k' * a_k1 + k'' * a_k2, those of B at
    b0 + k' * b_k1 + k'' * b_k2. There are 1 to 8 rows.
    """
    signature = types.void(types.intp, types.boolean, *_product(a, b), a.dtype, a.dtype, c, *[types.intp] * 2)

    def generate(context, builder, signature, args):
        rows, two, *product, gain, limit, c_, c0, c_row = args
        code = Code(context, builder, a)
        to_c, factor = code.at(code.data(c, c_), c0), code.splat(gain)
        most, least = code.splat(limit), code.splat(builder.fneg(limit))

        def make(height, width):
            places = code.block(to_c, height, width, c_row)
            for place in places:  # a store waits for the line that it changes
                code.prefetch(place)
            sums = _sums(code, height, width, (a, b), product)
            for total, place in zip(sums, places, strict=True):
                value = builder.fmul(factor, builder.load(total))
                value = builder.select(builder.fcmp_ordered(">", value, most), most, value)  # no number stays none
                code.store(builder.select(builder.fcmp_ordered("<", value, least), least, value), place)

        in_every_size(builder, rows, two, make)
        return context.get_dummy_value()

    return signature, generate


@of_values
def add(typing, rows, two, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k1, b_k2, c, c0, c_row):
    """C[r, :] += sum over k of A[r, k] B[k, :], as `put`."""
    signature = types.void(types.intp, types.boolean, *_product(a, b), c, *[types.intp] * 2)

    def generate(context, builder, signature, args):
        rows, two, *product, c_, c0, c_row = args
        code = Code(context, builder, a)
        to_c = code.at(code.data(c, c_), c0)

        def make(height, width):
            sums = _sums(code, height, width, (a, b), product)
            for total, place in zip(sums, code.block(to_c, height, width, c_row), strict=True):
                code.store(builder.fadd(code.load(place), builder.load(total)), place)

        in_every_size(builder, rows, two, make)
        return context.get_dummy_value()

    return signature, generate


@of_values
def change(
    typing, rows, two, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k1, b_k2, scale, c, d, c0, c_row, both
):  # fmt: skip
    """C[r, :] += scale * sum over k of A[r, k] B[k, :], as `put`; D[r, :] gets the same where `both`.

    What is to be changed is fetched while the sums are made.
    """
    signature = types.void(types.intp, types.boolean, *_product(a, b), a.dtype, c, d, *[types.intp] * 2, types.boolean)

    def generate(context, builder, signature, args):
        rows, two, *product, scale, c_, d_, c0, c_row, both = args
        code = Code(context, builder, a)
        to_c, to_d = (code.at(code.data(data, of), c0) for data, of in ((c, c_), (d, d_)))

        def change(block, sums):
            for total, place in zip(sums, block, strict=True):
                code.store(code.fma(code.splat(scale), builder.load(total), code.load(place)), place)

        def make(height, width):
            of_c, of_d = (code.block(to, height, width, c_row) for to in (to_c, to_d))
            for place in [*of_c, *of_d]:
                code.prefetch(place)
            sums = _sums(code, height, width, (a, b), product)
            change(of_c, sums)
            with builder.if_then(both):
                change(of_d, sums)

        in_every_size(builder, rows, two, make)
        return context.get_dummy_value()

    return signature, generate


def in_every_size(builder: Any, rows: Any, two: Any, make: Callable[[int, int], None]) -> None:
    """Code that does what `make` writes for a height and a width, for those that `rows` and `two` then are."""
    behind = builder.append_basic_block("behind")
    which = builder.add(builder.shl(rows, ir.Constant(INDEX, 1)), builder.zext(two, INDEX))
    switch = builder.switch(which, behind)
    for tall in range(1, TALLEST + 1):
        for wide in (1, 2):
            block = builder.append_basic_block(f"tile.{tall}.{wide}")
            switch.add_case(ir.Constant(INDEX, 2 * tall + wide - 1), block)
            builder.position_at_end(block)
            make(tall, wide)
            builder.branch(behind)
    builder.position_at_end(behind)


def _product(a: Any, b: Any) -> list[Any]:
    """The types of a product's arguments."""
    return [a, *[types.intp] * 6, b, *[types.intp] * 3]


def _sums(code: Code, height: int, width: int, array_types: Any, product: Any) -> list[Any]:
    """The sums of a tile, made: where each is, row by row."""
    builder = code.builder
    a_, a0, a_row, k1, a_k1, k2, a_k2, b_, b0, b_k1, b_k2 = product
    # Pointers that move, instead of indices that are multiplied: the loop is then as long as its products take.
    at_a = cgutils.alloca_once_value(builder, code.at(code.data(array_types[0], a_), a0))
    at_b = cgutils.alloca_once_value(builder, code.at(code.data(array_types[1], b_), b0))
    sums = code.sums(height * width)
    with cgutils.for_range(builder, k1):
        row_of_a, row_of_b = builder.load(at_a), builder.load(at_b)
        with cgutils.for_range(builder, k2):
            from_a, from_b = builder.load(at_a), builder.load(at_b)
            of_b = [code.load(code.at(from_b, v * code.lanes)) for v in range(width)]
            for r in range(height):
                factor = code.everywhere(code.at(from_a, builder.mul(a_row, ir.Constant(INDEX, r))))
                for v in range(width):
                    code.add_product(sums[r * width + v], factor, of_b[v])
            builder.store(code.at(from_a, a_k2), at_a)
            builder.store(code.at(from_b, b_k2), at_b)
        builder.store(code.at(row_of_a, a_k1), at_a)
        builder.store(code.at(row_of_b, b_k1), at_b)
    return sums
