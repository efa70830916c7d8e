"""Copies of float32 numbers through registers, and lines of the cache asked for ahead."""

from llvmlite import ir
from numba import types

from tervit_np.compiled.float_tile import FLOAT, LANES, LINE, MR, VECTOR, plus, pointer, vectors_of
from tervit_np.compiled.simd import (
    F32,
    I64,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    intrinsic,
    load,
    prefetch,
    shuffle_two,
    store,
    transpose,
)

GROUP_STEPS = LANES // 2  # whose MR numbers each fill three registers


@intrinsic
def copy_vectors(
    typing: TypingContext, shape: types.NamedUniTuple, source: types.Integer, target: types.Integer
) -> Intrinsic:
    """Copy `vectors` registers of neighbouring numbers."""
    count = vectors_of(shape)

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        source_base, target_base = pointer(builder, args[1]), pointer(builder, args[2])
        for v in range(count):
            offset = plus(builder, I64(0), v)
            store(builder, load(builder, source_base, offset, VECTOR), target_base, offset)
        return context.get_dummy_value()

    return types.void(shape, types.intp, types.intp), codegen


@intrinsic
def copy_group(
    typing: TypingContext,
    source: types.Integer,
    source_stride: types.Integer,
    target: types.Integer,
) -> Intrinsic:
    """Copy GROUP_STEPS times MR neighbouring numbers, which then follow each other.

    They fill three registers. Each is put together from loads that begin, one for each step, so
    that the numbers of the step come to their lanes. What is loaded lies between the first number
    and the last one, if steps are at least MR numbers apart.
    """

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        source_base, target_base = pointer(builder, args[0]), pointer(builder, args[2])
        for first in range(0, GROUP_STEPS * MR, LANES):  # the number in lane 0
            register = ir.Constant(VECTOR, ir.Undefined)
            for k in range(first // MR, -(-(first + LANES) // MR)):
                begin = k * MR - first  # the lane of the first number of step k
                offset = builder.sub(builder.mul(args[1], I64(k)), I64(FLOAT * begin))
                part = load(builder, source_base, offset, VECTOR)
                lanes = [lane if lane < begin else lane + LANES for lane in range(LANES)]
                register = shuffle_two(builder, register, part, lanes)
            store(builder, register, target_base, I64(FLOAT * first))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), codegen


@intrinsic
def transpose_square(
    typing: TypingContext,
    source: types.Integer,
    source_stride: types.Integer,
    target: types.Integer,
    target_stride: types.Integer,
) -> Intrinsic:
    """Transpose LANES x LANES numbers."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        base, offset, rows = pointer(builder, args[0]), I64(0), []
        for _ in range(LANES):
            rows.append(load(builder, base, offset, VECTOR))
            offset = builder.add(offset, args[1])
        base, offset = pointer(builder, args[2]), I64(0)
        for row in transpose(builder, rows):
            store(builder, row, base, offset)
            offset = builder.add(offset, args[3])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), codegen


@intrinsic
def load_float(typing: TypingContext, address: types.Integer) -> Intrinsic:
    """Return one number."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return load(builder, pointer(builder, args[0]), I64(0), F32)

    return types.float32(types.intp), codegen


@intrinsic
def store_float(typing: TypingContext, address: types.Integer, value: types.Float) -> Intrinsic:
    """Write one number."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        store(builder, args[1], pointer(builder, args[0]), I64(0))
        return context.get_dummy_value()

    return types.void(types.intp, types.float32), codegen


@intrinsic
def prefetch_tile(
    typing: TypingContext, shape: types.NamedUniTuple, c: types.Integer, row_stride: types.Integer
) -> Intrinsic:
    """Fetch the lines of the cache that hold the tile at c."""
    count = vectors_of(shape)

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        base, offset = pointer(builder, args[1]), I64(0)
        for _ in range(MR):
            for byte in range(0, count * LANES * FLOAT, LINE):
                prefetch(builder, base, builder.add(offset, I64(byte)))
            offset = builder.add(offset, args[2])
        return context.get_dummy_value()

    return types.void(shape, types.intp, types.intp), codegen
