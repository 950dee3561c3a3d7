"""Weights changed in registers, and blocks turned around, written as in `sim.fast.simd`."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from sim.fast.simd import Code, of_literals, of_values, tile_sums


@of_literals
def update_tile(
    typing, rows, vectors, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both
):  # fmt: skip
    """C[r, :] += scale * sum over k of A[r, k] B[k, :], see `simd.tile`; D[r, :] gets the same where `both`.

    What is to be changed is fetched while the sums are made.
    """
    product_types = a, *[types.intp] * 6, b, *[types.intp] * 2
    signature = types.void(rows, vectors, *product_types, a.dtype, c, d, *[types.intp] * 2, types.boolean)
    height, width = rows.literal_value, vectors.literal_value

    def generate(context, builder, signature, args):
        *product, scale, c_, d_, c0, c_row, both = args[2:]
        code = Code(context, builder, a)
        of_c, of_d = (
            code.block(code.at(data, c0), height, width, c_row) for data in (code.data(c, c_), code.data(d, d_))
        )
        for place in [*of_c, *of_d]:
            prefetch(code, place)
        sums, factor = tile_sums(code, height, width, (a, b), product), code.splat(scale)

        def change(block):
            for total, place in zip(sums, block, strict=True):
                code.store(code.fma(factor, builder.load(total), code.load(place)), place)

        change(of_c)
        with builder.if_then(both):
            change(of_d)
        return context.get_dummy_value()

    return signature, generate


@of_values
def turn_block(typing, x, x0, x_row, c, c0, c_row):
    """C[s, r] = X[r, s], for as many rows and columns as a vector has numbers."""
    signature = types.void(x, *[types.intp] * 2, c, *[types.intp] * 2)

    def generate(context, builder, signature, args):
        x_, x0, x_row, c_, c0, c_row = args
        code = Code(context, builder, x)
        count = code.lanes
        rows = [code.load(place) for place in code.block(code.at(code.data(x, x_), x0), count, 1, x_row)]
        half = count // 2
        while half:  # exchange the off-diagonal quarters of ever smaller squares
            low = [k if not k & half else count + (k ^ half) for k in range(count)]
            high = [k ^ half if not k & half else count + k for k in range(count)]
            turned = list(rows)
            for r in range(count):
                if not r & half:
                    pair = rows[r], rows[r + half]
                    turned[r], turned[r + half] = (shuffle(code, *pair, places) for places in (low, high))
            rows, half = turned, half // 2
        for row, place in zip(rows, code.block(code.at(code.data(c, c_), c0), count, 1, c_row), strict=True):
            code.store(row, place)
        return context.get_dummy_value()

    return signature, generate


def shuffle(code: Code, a: Any, b: Any, places: list[int]) -> Any:
    """A vector of numbers of a and b, which are counted on."""
    return code.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), code.lanes), places))


def prefetch(code: Code, pointer: Any) -> None:
    """Ask for the line at `pointer`, so that it is in the cache next to the processor soon."""
    number, byte = ir.IntType(32), ir.IntType(8).as_pointer()
    function = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    fetch = cgutils.get_or_insert_function(code.builder.module, function, "llvm.prefetch.p0i8")
    how = [ir.Constant(number, value) for value in (0, 3, 1)]  # to be read, and again, data
    code.builder.call(fetch, [code.builder.bitcast(pointer, byte), *how])
