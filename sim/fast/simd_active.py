"""Which units put out something, a vector at a time, written as in `sim.fast.simd`."""

from llvmlite import ir
from numba import types

from sim.fast.simd import of_values

GROUP = 16  # units that are looked at together


@of_values
def bits_not_zero(typing, values, v0):
    """Which of the `GROUP` numbers from v0 on are not 0: bit k of the uint64 for the k-th."""
    signature = types.uint64(values, types.intp)

    def generate(context, builder, signature, args):
        values_, v0 = args
        element = ir.FloatType() if values.dtype == types.float32 else ir.DoubleType()
        vector = ir.VectorType(element, GROUP)
        data = context.make_array(values)(context, builder, values_).data
        at = builder.bitcast(builder.gep(data, [v0]), vector.as_pointer())
        numbers = builder.load(at, align=values.dtype.bitwidth // 8)
        found = builder.fcmp_unordered("!=", numbers, ir.Constant(vector, None))  # what is not a number counts
        return builder.zext(builder.bitcast(found, ir.IntType(GROUP)), ir.IntType(64))

    return signature, generate
