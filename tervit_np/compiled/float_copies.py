"""Copies of float32 numbers through registers, and lines of the cache asked for ahead."""

from typing import Any

from llvmlite import ir
from numba import types

from tervit_np.compiled.float_tile import FLOAT, LANES, LINE, MR, VECTOR, plus, pointer, vectors_of
from tervit_np.compiled.simd import (
    F32,
    I64,
    Builder,
    Value,
    intrinsic,
    load,
    prefetch,
    shuffle_two,
    store,
    transpose,
)

GROUP_STEPS = LANES // 2  # whose MR numbers each fill three registers


@intrinsic
def copy_vectors(typing: Any, shape: Any, source: Any, target: Any) -> Any:
    """Copy `vectors` registers of neighbouring numbers."""
    count = vectors_of(shape)

    def generate(context: Any, builder: Builder, signature: Any, args: Any) -> Value:
        source_base, target_base = pointer(builder, args[1]), pointer(builder, args[2])
        for v in range(count):
            offset = plus(builder, I64(0), v)
            store(builder, load(builder, source_base, offset, VECTOR), target_base, offset)
        return context.get_dummy_value()

    return types.void(shape, types.intp, types.intp), generate


@intrinsic
def copy_group(typing: Any, source: Any, source_stride: Any, target: Any) -> Any:
    """Copy GROUP_STEPS times MR neighbouring numbers, which then follow each other.

    They fill three registers. Each is put together from loads that begin, one for each step, so
    that the numbers of the step come to their lanes. What is loaded lies between the first number
    and the last one, if steps are at least MR numbers apart.
    """

    def generate(context: Any, builder: Builder, signature: Any, args: Any) -> Value:
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

    return types.void(*[types.intp] * 3), generate


@intrinsic
def transpose_square(
    typing: Any, source: Any, source_stride: Any, target: Any, target_stride: Any
) -> Any:
    """Transpose LANES x LANES numbers."""

    def generate(context: Any, builder: Builder, signature: Any, args: Any) -> Value:
        base, offset, rows = pointer(builder, args[0]), I64(0), []
        for _ in range(LANES):
            rows.append(load(builder, base, offset, VECTOR))
            offset = builder.add(offset, args[1])
        base, offset = pointer(builder, args[2]), I64(0)
        for row in transpose(builder, rows):
            store(builder, row, base, offset)
            offset = builder.add(offset, args[3])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), generate


@intrinsic
def load_float(typing: Any, address: Any) -> Any:
    """Return one number."""

    def generate(context: Any, builder: Builder, signature: Any, args: Any) -> Value:
        return load(builder, pointer(builder, args[0]), I64(0), F32)

    return types.float32(types.intp), generate


@intrinsic
def store_float(typing: Any, address: Any, value: Any) -> Any:
    """Write one number."""

    def generate(context: Any, builder: Builder, signature: Any, args: Any) -> Value:
        store(builder, args[1], pointer(builder, args[0]), I64(0))
        return context.get_dummy_value()

    return types.void(types.intp, types.float32), generate


@intrinsic
def prefetch_tile(typing: Any, shape: Any, c: Any, row_stride: Any) -> Any:
    """Fetch the lines of the cache that hold the tile at c."""
    count = vectors_of(shape)

    def generate(context: Any, builder: Builder, signature: Any, args: Any) -> Value:
        base, offset = pointer(builder, args[1]), I64(0)
        for _ in range(MR):
            for byte in range(0, count * LANES * FLOAT, LINE):
                prefetch(builder, base, builder.add(offset, I64(byte)))
            offset = builder.add(offset, args[2])
        return context.get_dummy_value()

    return types.void(shape, types.intp, types.intp), generate
