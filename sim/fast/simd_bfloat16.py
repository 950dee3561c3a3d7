"""bfloat16 in vectors: its numbers are the upper halves of float32, kept in arrays of uint16, since NumPy has none.

A product of bfloat16 takes two numbers of each factor at a time and adds both to one float32 sum: ``vdpbf16ps`` where
the processor has it, else two float32 products of numbers widened by shifting, which is right everywhere and no faster
than float32. The first of a pair lies first in memory. Written as `sim.fast.simd`: no bounds are checked.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from sim.fast.simd import INDEX, Code, of_literals, of_values
from sim.fast.tiles import in_every_size

BLOCK = 32  # numbers that are stored together, see `narrow_block`
HALF = ir.IntType(16)
WORD = ir.IntType(32)
WORDS = ir.VectorType(WORD, 16)
HALVES = ir.VectorType(HALF, BLOCK)
FEATURE, DOT = "+avx512bf16", "llvm.x86.avx512bf16.dpbf16ps.512"
NARROW = "llvm.x86.avx512bf16.cvtneps2bf16.512"
# Places in a block, so that `zipped` puts numbers 0 to 15 into its first vector and 16 to 31 into the other.
STORED = [4 * lane + half * 16 + j for lane in range(4) for half in range(2) for j in range(4)]
ZIP = [[place for j in range(4) for place in (8 * lane + 4 * half + j, BLOCK + 8 * lane + 4 * half + j)]
       for half in range(2) for lane in range(4)]  # fmt: skip


class BFloat(ir.Type):
    """LLVM's bfloat, which llvmlite has no name for. It stands in the types of two instructions only."""

    def __str__(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


BFLOATS_16, BFLOATS_32 = (ir.VectorType(BFloat(), count) for count in (16, 32))


class Pairs(Code):
    """LLVM instructions for products of pairs; sums are vectors of 16 float32."""

    def __init__(self, context: Any, builder: Any, float_array: Any) -> None:
        super().__init__(context, builder, float_array)
        self._has_dot = FEATURE in context.codegen().magic_tuple()[2]

    def pairs(self, pointer: Any) -> Any:
        """16 pairs from `pointer` on."""
        return self.builder.load(self.builder.bitcast(pointer, WORDS.as_pointer()), align=2)

    def one_pair(self, pointer: Any) -> Any:
        """The pair at `pointer`, 16 times."""
        pair = self.builder.load(self.builder.bitcast(pointer, WORD.as_pointer()), align=2)
        return self._sixteen(pair)

    def number_and_zero(self, pointer: Any) -> Any:
        """As `one_pair`, of a last number that has no partner."""
        return self._sixteen(self.builder.zext(self.builder.load(pointer), WORD))

    def _sixteen(self, word: Any) -> Any:
        undefined = ir.Constant(WORDS, ir.Undefined)
        first = self.builder.insert_element(undefined, word, ir.Constant(WORD, 0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(WORDS, [0] * 16))

    def zipped(self, a: Any, b: Any) -> list[Any]:
        """Pairs of one number of the block `a` and its neighbour in `b`: two vectors, in the order of the numbers."""
        both = [self.builder.bitcast(one, HALVES) for one in (a, b)]
        found = []
        for half in range(2):
            places = [place for lane in range(4) for place in ZIP[4 * half + lane]]
            mask = ir.Constant(ir.VectorType(WORD, BLOCK), places)
            found.append(self.builder.bitcast(self.builder.shuffle_vector(*both, mask), WORDS))
        return found

    def dot(self, a: Any, b: Any, total: Any) -> Any:
        """total + a b, of pairs."""
        if self._has_dot:
            kind = ir.FunctionType(self.vector, [self.vector, BFLOATS_32, BFLOATS_32])
            dot = cgutils.get_or_insert_function(self.builder.module, kind, DOT)
            return self.builder.call(dot, [total, *(self.builder.bitcast(one, BFLOATS_32) for one in (a, b))])
        for part in (self._first, self._second):
            total = self.fma(part(a), part(b), total)
        return total

    def _first(self, pairs: Any) -> Any:
        return self.builder.bitcast(self.builder.shl(pairs, ir.Constant(WORDS, [16] * 16)), self.vector)

    def _second(self, pairs: Any) -> Any:
        upper = ir.Constant(WORDS, [0xFFFF0000] * 16)
        return self.builder.bitcast(self.builder.and_(pairs, upper), self.vector)

    def widened(self, pointer: Any) -> Any:
        """16 numbers from `pointer` on, as float32."""
        sixteen = ir.VectorType(HALF, 16)
        halves = self.builder.load(self.builder.bitcast(pointer, sixteen.as_pointer()), align=2)
        return self._first(self.builder.zext(halves, WORDS))

    def narrowed(self, vector: Any) -> Any:
        """16 float32, each rounded to the nearest bfloat16, and of two as near to the even one."""
        sixteen = ir.VectorType(HALF, 16)
        if self._has_dot:
            kind = ir.FunctionType(BFLOATS_16, [self.vector])
            narrow = cgutils.get_or_insert_function(self.builder.module, kind, NARROW)
            return self.builder.bitcast(self.builder.call(narrow, [vector]), sixteen)
        b = self.builder
        bits = b.bitcast(vector, WORDS)
        odd = b.and_(b.lshr(bits, ir.Constant(WORDS, [16] * 16)), ir.Constant(WORDS, [1] * 16))
        up = b.add(b.add(bits, odd), ir.Constant(WORDS, [0x7FFF] * 16))
        not_a_number = ir.Constant(WORDS, [0x7FC00000] * 16)
        rounded = b.select(b.fcmp_unordered("uno", vector, vector), not_a_number, up)
        return b.trunc(b.lshr(rounded, ir.Constant(WORDS, [16] * 16)), sixteen)


@of_values
def narrow_vector(typing, x, x0, c, c0):
    """C = the 16 float32 from x0 on as bfloat16."""
    signature = types.void(x, types.intp, c, types.intp)

    def generate(context, builder, signature, args):
        x_, x0, c_, c0 = args
        code = Pairs(context, builder, x)
        value = code.narrowed(code.load(code.at(code.data(x, x_), x0)))
        at_c = code.at(code.data(c, c_), c0)
        builder.store(value, builder.bitcast(at_c, value.type.as_pointer()), align=2)
        return context.get_dummy_value()

    return signature, generate


@of_values
def narrow_block(typing, x, x0, c, c0):
    """C = the 32 float32 from x0 on as bfloat16, in the order that `listed_sum` undoes."""
    signature = types.void(x, types.intp, c, types.intp)

    def generate(context, builder, signature, args):
        x_, x0, c_, c0 = args
        code = Pairs(context, builder, x)
        from_x = code.at(code.data(x, x_), x0)
        two = [code.narrowed(code.load(code.at(from_x, half * 16))) for half in range(2)]
        value = builder.shuffle_vector(*two, ir.Constant(ir.VectorType(WORD, BLOCK), STORED))
        at_c = code.at(code.data(c, c_), c0)
        builder.store(value, builder.bitcast(at_c, HALVES.as_pointer()), align=2)
        return context.get_dummy_value()

    return signature, generate


@of_values
def widen_vector(typing, x, x0, c, c0):
    """C = the 16 bfloat16 from x0 on as float32."""
    signature = types.void(x, types.intp, c, types.intp)

    def generate(context, builder, signature, args):
        x_, x0, c_, c0 = args
        code = Pairs(context, builder, c)
        code.store(code.widened(code.at(code.data(x, x_), x0)), code.at(code.data(c, c_), c0))
        return context.get_dummy_value()

    return signature, generate


@of_values
def put(typing, rows, two, a, a0, a_row, k1, a_k1, k2, b, b0, b_k, c, c0, c_row):
    """C[r, :] = sum over k of A[r, k] B[k, :] in float32, for `rows` rows, 1 to 8, of one vector, or `two`.

    k = (k', k'') goes through k1 times k2 pairs, those of A at a0 + r * a_row + k' * a_k1 + 2 k'', those of B, one for
    every column, b_k apart.
    """
    product_types = a, *[types.intp] * 5, b, *[types.intp] * 2
    signature = types.void(types.intp, types.boolean, *product_types, c, *[types.intp] * 2)

    def generate(context, builder, signature, args):
        rows, two, a_, a0, a_row, k1, a_k1, k2, b_, b0, b_k, c_, c0, c_row = args
        code = Pairs(context, builder, c)
        from_a, from_b = code.at(code.data(a, a_), a0), code.at(code.data(b, b_), b0)
        to_c = code.at(code.data(c, c_), c0)

        def make(height, width):
            sums = code.sums(height * width)
            with cgutils.for_range(builder, k1) as outer, cgutils.for_range(builder, k2) as inner:
                at_b = code.at(from_b, builder.mul(builder.add(builder.mul(outer.index, k2), inner.index), b_k))
                of_b = [code.pairs(code.at(at_b, v * BLOCK)) for v in range(width)]
                at_a = code.at(from_a, builder.mul(outer.index, a_k1), inner.index, inner.index)
                for r in range(height):
                    factor = code.one_pair(code.at(at_a, builder.mul(a_row, ir.Constant(INDEX, r))))
                    for v in range(width):
                        place = sums[r * width + v]
                        builder.store(code.dot(factor, of_b[v], builder.load(place)), place)
            for total, place in zip(sums, code.block(to_c, height, width, c_row), strict=True):
                code.store(builder.load(total), place)

        in_every_size(builder, rows, two, make)
        return context.get_dummy_value()

    return signature, generate


@of_literals
def listed_sum(typing, blocks, count, index, a, i0, b, b0, b_row, c, c0):
    """C[:] += sum over k < `count` of A[k] B[index[k], :], for `blocks` blocks of columns, a literal number.

    As `sim.fast.simd.listed_sum`; rows of B are stored as `narrow_block` makes them, C is float32.
    """
    signature = types.void(blocks, types.intp, index, a, types.intp, b, *[types.intp] * 2, c, types.intp)
    width = blocks.literal_value

    def generate(context, builder, signature, args):
        _, count, index_, a_, i0, b_, b0, b_row, c_, c0 = args
        code = Pairs(context, builder, c)
        from_list, from_a = code.at(code.data(index, index_), i0), code.at(code.data(a, a_), i0)
        from_b, to_c = code.at(code.data(b, b_), b0), code.at(code.data(c, c_), c0)
        sums = code.sums(2 * width)
        for v, place in enumerate(sums):
            builder.store(code.load(code.at(to_c, v * code.lanes)), place)

        def row(k):
            i = builder.zext(builder.load(code.at(from_list, k)), INDEX)
            return code.at(from_b, builder.mul(i, b_row))

        def add(factor, first, second):
            for v in range(width):
                block = code.pairs(code.at(first, v * BLOCK))
                partner = code.pairs(code.at(second, v * BLOCK)) if second else ir.Constant(WORDS, None)
                for half, pairs in enumerate(code.zipped(block, partner)):
                    place = sums[2 * v + half]
                    builder.store(code.dot(factor, pairs, builder.load(place)), place)

        one = ir.Constant(INDEX, 1)
        with cgutils.for_range(builder, builder.lshr(count, one)) as loop:
            k = builder.shl(loop.index, one)
            add(code.one_pair(code.at(from_a, k)), row(k), row(builder.add(k, one)))
        with builder.if_then(builder.trunc(count, ir.IntType(1))):
            last = builder.sub(count, one)
            add(code.number_and_zero(code.at(from_a, last)), row(last), None)
        for v, place in enumerate(sums):
            code.store(builder.load(place), code.at(to_c, v * code.lanes))
        return context.get_dummy_value()

    return signature, generate


@of_literals
def listed_products(typing, blocks, count, index, i0, a, a0, b, b0, b_row, c, c0):
    """C[index[k]] += sum over A[:] B[index[k], :] for k < `count`, with `blocks` blocks in A, a literal number.

    As `sim.fast.simd.listed_products`; A and the rows of B are stored alike, C is float32.
    """
    signature = types.void(blocks, types.intp, index, types.intp, a, types.intp, b, *[types.intp] * 2, c, types.intp)
    width = blocks.literal_value
    chains = min(4, width)  # sums that do not wait for each other

    def generate(context, builder, signature, args):
        _, count, index_, i0, a_, a0, b_, b0, b_row, c_, c0 = args
        code = Pairs(context, builder, c)
        from_list, from_b = code.at(code.data(index, index_), i0), code.at(code.data(b, b_), b0)
        to_c, from_a = code.at(code.data(c, c_), c0), code.at(code.data(a, a_), a0)
        of_a = [code.pairs(code.at(from_a, v * BLOCK)) for v in range(width)]
        with cgutils.for_range(builder, count) as loop:
            i = builder.zext(builder.load(code.at(from_list, loop.index)), INDEX)
            at_b = code.at(from_b, builder.mul(i, b_row))
            sums = [code.zero] * chains
            for v in range(width):
                sums[v % chains] = code.dot(of_a[v], code.pairs(code.at(at_b, v * BLOCK)), sums[v % chains])
            while len(sums) > 1:
                sums = [builder.fadd(*sums[p : p + 2]) for p in range(0, len(sums), 2)]
            place = code.at(to_c, i)
            builder.store(builder.fadd(builder.load(place), code.total(sums[0])), place)
        return context.get_dummy_value()

    return signature, generate
