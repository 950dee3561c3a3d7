"""Which pixel wins a window, and which units count, a vector at a time, written as in `sim.fast.simd`."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from sim.fast.simd import INDEX, Code, of_literals, of_values

_CODES = ir.VectorType(ir.IntType(8), 16)


@of_literals
def window_maximum(typing, taps, places, names, x, x0, best, b0, place, p0):
    """best = max over taps k of x[places[k] + x0 + ...], one vector, and the name of the first that is largest.

    `taps` is a literal number; a place below 0 is outside the maps and counts as 0. `names` and `place` are uint8.
    """
    signature = types.void(taps, places, names, x, types.intp, best, types.intp, place, types.intp)
    count = taps.literal_value

    def generate(context, builder, signature, args):
        _, places_, names_, x_, x0, best_, b0, place_, p0 = args
        code = Code(context, builder, x)
        at_places, at_names = code.data(places, places_), code.data(names, names_)
        from_x = code.at(code.data(x, x_), x0)
        zeros = cgutils.alloca_once_value(builder, code.zero)
        outside = builder.bitcast(zeros, from_x.type)
        small = ir.VectorType(ir.IntType(8), code.lanes)
        largest, winner = None, None
        for k in range(count):
            where = builder.load(code.at(at_places, k))
            is_inside = builder.icmp_signed(">=", where, ir.Constant(INDEX, 0))
            value = code.load(builder.select(is_inside, builder.gep(from_x, [where]), outside))
            undefined = ir.Constant(small, ir.Undefined)
            one = builder.insert_element(undefined, builder.load(code.at(at_names, k)), ir.Constant(ir.IntType(32), 0))
            indices = ir.Constant(ir.VectorType(ir.IntType(32), code.lanes), [0] * code.lanes)
            name = builder.shuffle_vector(one, undefined, indices)
            if k == 0:
                largest, winner = value, name
            else:
                larger = builder.fcmp_ordered(">", value, largest)
                largest, winner = builder.select(larger, value, largest), builder.select(larger, name, winner)
        code.store(largest, code.at(code.data(best, best_), b0))
        to = builder.bitcast(code.at(code.data(place, place_), p0), small.as_pointer())
        builder.store(winner, to, align=1)
        return context.get_dummy_value()

    return signature, generate


@of_values
def bits_below(typing, codes, c0, limit):
    """Which of the 16 uint8 from c0 on are below `limit` (uint8): bit k of the uint64 for the k-th."""
    signature = types.uint64(codes, types.intp, types.uint8)

    def generate(context, builder, signature, args):
        codes_, c0, limit = args
        return _bits_of(builder, _codes_at(context, builder, codes, codes_, c0), limit)

    return signature, generate


@of_values
def bits_within(typing, codes, c0, first, count):
    """As `bits_below`, for those from `first` to below first + `count`."""
    signature = types.uint64(codes, types.intp, types.uint8, types.uint8)

    def generate(context, builder, signature, args):
        codes_, c0, first, count = args
        found = _codes_at(context, builder, codes, codes_, c0)
        return _bits_of(builder, builder.sub(found, _everywhere(builder, first)), count)

    return signature, generate


def _codes_at(context: Any, builder: Any, array_type: Any, array: Any, c0: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.load(builder.bitcast(builder.gep(data, [c0]), _CODES.as_pointer()), align=1)


def _everywhere(builder: Any, code: Any) -> Any:
    undefined = ir.Constant(_CODES, ir.Undefined)
    one = builder.insert_element(undefined, code, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), 16), [0] * 16))


def _bits_of(builder: Any, found: Any, limit: Any) -> Any:
    below = builder.icmp_unsigned("<", found, _everywhere(builder, limit))
    return builder.zext(builder.bitcast(below, ir.IntType(16)), ir.IntType(64))


@of_values
def lowest_bit(typing, bits):
    """The place of the lowest bit that is set; at least one must be."""
    signature = types.int64(types.uint64)

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return signature, generate
