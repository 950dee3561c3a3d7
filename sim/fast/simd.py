"""Sums of products held in vector registers, written in LLVM's own instructions: what Numba's compiler does not find.

These functions and those of `sim.fast.tiles` take flat arrays, all of one floating point type, with offsets and strides
in elements, and check no bounds. Vectors have 64 bytes (16 float32, 8 float64) on every processor; where registers are
shorter, the compiler splits them.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LINE = 64  # bytes in a vector, and in a line of the cache

INDEX = ir.IntType(64)

# Untyped: what calls such a function leaves out its first parameter.
of_literals: Any = intrinsic(prefer_literal=True)
of_values: Any = intrinsic


def lanes(itemsize: int) -> int:
    """Numbers in a vector."""
    return LINE // itemsize


class Code:
    """LLVM instructions for arrays of one floating point type."""

    def __init__(self, context: Any, builder: Any, array_type: Any) -> None:
        self._context = context
        self.builder = builder
        dtype = array_type.dtype
        element = ir.FloatType() if dtype == types.float32 else ir.DoubleType()
        self._bytes = dtype.bitwidth // 8
        self.lanes = lanes(self._bytes)
        self.vector = ir.VectorType(element, self.lanes)
        name = f"v{self.lanes}f{dtype.bitwidth}"
        module = builder.module
        three = ir.FunctionType(self.vector, [self.vector] * 3)
        self._fma = cgutils.get_or_insert_function(module, three, f"llvm.fma.{name}")
        total = ir.FunctionType(element, [element, self.vector])
        self._total = cgutils.get_or_insert_function(module, total, f"llvm.vector.reduce.fadd.{name}")
        self.zero = ir.Constant(self.vector, None)
        self._minus_zero = ir.Constant(element, -0.0)

    def data(self, array_type: Any, array: Any) -> Any:
        return self._context.make_array(array_type)(self._context, self.builder, array).data

    def at(self, pointer: Any, *terms: Any) -> Any:
        """`pointer` moved by the sum of `terms`, each an index or a Python int."""
        for term in terms:
            index = ir.Constant(INDEX, term) if isinstance(term, int) else term
            pointer = self.builder.gep(pointer, [index])
        return pointer

    def load(self, pointer: Any) -> Any:
        return self.builder.load(self.builder.bitcast(pointer, self.vector.as_pointer()), align=self._bytes)

    def store(self, value: Any, pointer: Any) -> None:
        self.builder.store(value, self.builder.bitcast(pointer, self.vector.as_pointer()), align=self._bytes)

    def everywhere(self, pointer: Any) -> Any:
        """The one number at `pointer`, in every place of a vector."""
        return self.splat(self.builder.load(pointer))

    def splat(self, number: Any) -> Any:
        """A number in every place of a vector."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        places = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, places)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.call(self._fma, [a, b, c])

    def total(self, vector: Any) -> Any:
        """The sum of a vector's numbers, added in pairs."""
        return self.builder.call(self._total, [self._minus_zero, vector], fastmath=("reassoc",))

    def prefetch(self, pointer: Any, near: int = 3) -> None:
        """Ask for the line at `pointer`, to be soon in the cache next to the processor, or with 2 in the second."""
        number, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        function = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = cgutils.get_or_insert_function(self.builder.module, function, "llvm.prefetch.p0i8")
        how = [ir.Constant(number, value) for value in (0, near, 1)]  # to be read; data
        self.builder.call(fetch, [self.builder.bitcast(pointer, byte), *how])

    def block(self, pointer: Any, rows: int, vectors: int, row: Any) -> list[Any]:
        """Where the vectors of a block are, row by row; rows are `row` numbers apart."""
        starts = [self.at(pointer, self.builder.mul(row, ir.Constant(INDEX, r))) for r in range(rows)]
        return [self.at(start, v * self.lanes) for start in starts for v in range(vectors)]

    def sums(self, count: int) -> list[Any]:
        """Places for sums, 0 at first; the compiler keeps them in registers."""
        places = [cgutils.alloca_once(self.builder, self.vector) for _ in range(count)]
        for place in places:
            self.builder.store(self.zero, place)
        return places

    def add_product(self, place: Any, a: Any, b: Any) -> None:
        self.builder.store(self.fma(a, b, self.builder.load(place)), place)


@of_literals
def listed_sum(typing, vectors, count, index, a, i0, b, b0, b_row, c, c0):
    """C[:] += sum over k < `count` of A[k] B[index[k], :], for `vectors` vectors, a literal number.

    The lists `index` and A begin at i0; B[i, :] is at b0 + i * b_row.
    """
    signature = types.void(vectors, types.intp, index, a, types.intp, b, *[types.intp] * 2, c, types.intp)
    width = vectors.literal_value

    def generate(context, builder, signature, args):
        _, count, index_, a_, i0, b_, b0, b_row, c_, c0 = args
        code = Code(context, builder, a)
        from_list, from_a = code.at(code.data(index, index_), i0), code.at(code.data(a, a_), i0)
        from_b, to_c = code.at(code.data(b, b_), b0), code.at(code.data(c, c_), c0)
        sums = code.sums(width)
        for v in range(width):
            builder.store(code.load(code.at(to_c, v * code.lanes)), sums[v])
        with cgutils.for_range(builder, count) as loop:
            i = builder.zext(builder.load(code.at(from_list, loop.index)), INDEX)
            factor = code.everywhere(code.at(from_a, loop.index))
            at_b = code.at(from_b, builder.mul(i, b_row))
            for v in range(width):
                code.add_product(sums[v], factor, code.load(code.at(at_b, v * code.lanes)))
        for v in range(width):
            code.store(builder.load(sums[v]), code.at(to_c, v * code.lanes))
        return context.get_dummy_value()

    return signature, generate


@of_literals
def listed_products(typing, vectors, count, index, i0, a, a0, b, b0, b_row, c, c0):
    """C[index[k]] += sum over A[:] B[index[k], :] for k < `count`, with `vectors` vectors in A, a literal number.

    The list `index` begins at i0; B[i, :] is at b0 + i * b_row, C[i] at c0 + i.
    """
    signature = types.void(vectors, types.intp, index, types.intp, a, types.intp, b, *[types.intp] * 2, c, types.intp)
    width = vectors.literal_value
    chains = min(4, width)  # sums that do not wait for each other

    def generate(context, builder, signature, args):
        _, count, index_, i0, a_, a0, b_, b0, b_row, c_, c0 = args
        code = Code(context, builder, a)
        from_list, from_b = code.at(code.data(index, index_), i0), code.at(code.data(b, b_), b0)
        to_c = code.at(code.data(c, c_), c0)
        from_a = code.at(code.data(a, a_), a0)
        of_a = [code.load(code.at(from_a, v * code.lanes)) for v in range(width)]
        with cgutils.for_range(builder, count) as loop:
            i = builder.zext(builder.load(code.at(from_list, loop.index)), INDEX)
            at_b = code.at(from_b, builder.mul(i, b_row))
            sums = [code.zero] * chains
            for v in range(width):
                product = code.load(code.at(at_b, v * code.lanes))
                sums[v % chains] = code.fma(of_a[v], product, sums[v % chains])
            while len(sums) > 1:
                pairs = [sums[p : p + 2] for p in range(0, len(sums), 2)]
                sums = [builder.fadd(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
            place = code.at(to_c, i)
            builder.store(builder.fadd(builder.load(place), code.total(sums[0])), place)
        return context.get_dummy_value()

    return signature, generate


@of_literals
def add_multiple(typing, vectors, factor, f0, rows, x, x0, x_row, c, c0, c_row):
    """C[r, :] += factor[f0] * X[r, :] for r < `rows`, with `vectors` vectors in a row, a literal number."""
    signature = types.void(vectors, factor, types.intp, types.intp, x, *[types.intp] * 2, c, *[types.intp] * 2)
    width = vectors.literal_value

    def generate(context, builder, signature, args):
        _, factor_, f0, rows, x_, x0, x_row, c_, c0, c_row = args
        code = Code(context, builder, x)
        number = code.everywhere(code.at(code.data(factor, factor_), f0))
        from_x, to_c = code.at(code.data(x, x_), x0), code.at(code.data(c, c_), c0)
        with cgutils.for_range(builder, rows) as loop:
            at_x, at_c = (code.at(p, builder.mul(loop.index, step)) for p, step in ((from_x, x_row), (to_c, c_row)))
            for v in range(width):
                place = code.at(at_c, v * code.lanes)
                code.store(code.fma(number, code.load(code.at(at_x, v * code.lanes)), code.load(place)), place)
        return context.get_dummy_value()

    return signature, generate


@of_literals
def copy_rows(typing, vectors, rows, x, x0, x_row, c, c0, c_row):
    """C[r, :] = X[r, :] for r < `rows`, with `vectors` vectors in a row, a literal number."""
    signature = types.void(vectors, types.intp, x, *[types.intp] * 2, c, *[types.intp] * 2)

    def generate(context, builder, signature, args):
        _, rows, x_, x0, x_row, c_, c0, c_row = args
        code = Code(context, builder, x)
        from_x, to_c = code.at(code.data(x, x_), x0), code.at(code.data(c, c_), c0)
        with cgutils.for_range(builder, rows) as loop:
            at_x, at_c = (code.at(p, builder.mul(loop.index, step)) for p, step in ((from_x, x_row), (to_c, c_row)))
            for v in range(vectors.literal_value):
                code.store(code.load(code.at(at_x, v * code.lanes)), code.at(at_c, v * code.lanes))
        return context.get_dummy_value()

    return signature, generate


@of_values
def fetch(typing, x, x0):
    """Ask for the line of x0, so that it is in the second cache when it is used. Numbers of x may be integers too."""

    def generate(context, builder, signature, args):
        code = Code(context, builder, x)
        code.prefetch(code.at(code.data(x, args[0]), args[1]), near=2)
        return context.get_dummy_value()

    return types.void(x, types.intp), generate


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
