"""Sums over the numbers of a row, in one order of 16 lanes.

    lane j = x[j] + x[16 + j] + x[32 + j] + ...        j = 0..15, zeros beyond the last number
    sum    = the upper half of the lanes added to the lower: 16, 8, 4, 2, 1

Registers of 8 or 4 lanes make the same sums in two or four pieces.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core.datamodel.manager import DataModelManager
from numba.core.datamodel.models import PrimitiveModel

from tervit_np.compiled.arithmetic import fused
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
    F32,
    I32,
    I64,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    broadcast,
    call,
    intrinsic,
    intrinsic_of_literals,
    load,
    shuffle,
)

LANES = 16
_FLOATS, _DOUBLES = ir.VectorType(F32, LANES), ir.VectorType(ir.DoubleType(), LANES)


class Lanes(types.Type):
    """The type of 16 sums in registers, float32 or float64."""

    def __init__(self, number: types.Float) -> None:
        self.number = number
        self.vector = _FLOATS if number == types.float32 else _DOUBLES
        super().__init__(f"Lanes({number})")


@extending.register_model(Lanes)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: DataModelManager, kind: Lanes) -> None:
        super().__init__(manager, kind, kind.vector)


@kernel(forceinline=True)
def row_sum(x: int, count: int, dtype: Any = np.float32) -> float:
    """Sum of `count` neighbouring numbers from address x on, float32 or float64."""
    lanes, whole = zero_lanes(dtype), count // LANES * LANES
    for i in range(0, whole, LANES):
        lanes = add_lanes(lanes, x, i, LANES)
    if whole < count:
        lanes = add_lanes(lanes, x, whole, count - whole)
    return fold_lanes(lanes)


@kernel(forceinline=True)
def row_dot(a: int, b: int, count: int, dtype: Any = np.float32) -> float:
    """Sum of the products of float32 numbers from addresses a and b on, in float32 or float64."""
    lanes, whole = zero_lanes(dtype), count // LANES * LANES
    for i in range(0, whole, LANES):
        lanes = multiply_add_lanes(lanes, a, b, i, LANES)
    if whole < count:
        lanes = multiply_add_lanes(lanes, a, b, whole, count - whole)
    return fold_lanes(lanes)


@kernel(forceinline=True)
def row_dot3(a: int, b: int, c: int, count: int) -> float:
    """Sum of (a[i] b[i]) c[i], float32."""
    lanes, whole = zero_lanes(np.float32), count // LANES * LANES
    for i in range(0, whole, LANES):
        lanes = multiply_add3_lanes(lanes, a, b, c, i, LANES)
    if whole < count:
        lanes = multiply_add3_lanes(lanes, a, b, c, whole, count - whole)
    return fold_lanes(lanes)


@kernel(forceinline=True)
def row_squares(x: int, mean: np.float32, count: int) -> float:
    """Sum of (x[i] - mean)^2, float32."""
    lanes, whole = zero_lanes(np.float32), count // LANES * LANES
    for i in range(0, whole, LANES):
        lanes = square_add_lanes(lanes, x, mean, i, LANES)
    if whole < count:
        lanes = square_add_lanes(lanes, x, mean, whole, count - whole)
    return fold_lanes(lanes)


@intrinsic
def zero_lanes(typing: TypingContext, dtype: types.Type) -> Intrinsic:
    """Return 16 zeros of a type."""
    kind = Lanes(dtype.dtype)  # type: ignore[attr-defined]

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return ir.Constant(kind.vector, None)

    return kind(dtype), codegen


@intrinsic_of_literals
def add_lanes(
    typing: TypingContext, lanes: Lanes, x: types.Integer, i: types.Integer, count: types.Integer
) -> Intrinsic:
    """Add x[i], ..., x[i + count - 1], at most 16 numbers of the lanes' type."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        lanes_, x_, i_, count_ = args
        return builder.fadd(lanes_, _sixteen(builder, lanes.vector, x_, i_, count, count_))

    return lanes(lanes, types.intp, types.intp, count), codegen


@intrinsic_of_literals
def multiply_add_lanes(
    typing: TypingContext,
    lanes: Lanes,
    a: types.Integer,
    b: types.Integer,
    i: types.Integer,
    count: types.Integer,
) -> Intrinsic:
    """Add a[i] b[i], ..., a[i + count - 1] b[i + count - 1], at most 16 float32 products."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        left, right = (_sixteen(builder, _FLOATS, x, args[3], count, args[4]) for x in args[1:3])
        if lanes.vector is _DOUBLES:
            left, right = builder.fpext(left, _DOUBLES), builder.fpext(right, _DOUBLES)
        return fused(builder, left, right, args[0])

    return lanes(lanes, types.intp, types.intp, types.intp, count), codegen


@intrinsic_of_literals
def multiply_add3_lanes(
    typing: TypingContext, lanes: Lanes, a: types.Integer, b: types.Integer, c: types.Integer,
    i: types.Integer, count: types.Integer,
) -> Intrinsic:  # fmt: skip
    """Add (a[i] b[i]) c[i], ..., at most 16 float32 products."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        one, two, three = (
            _sixteen(builder, _FLOATS, x, args[4], count, args[5]) for x in args[1:4]
        )
        return fused(builder, builder.fmul(one, two), three, args[0])

    return lanes(lanes, *[types.intp] * 4, count), codegen


@intrinsic_of_literals
def square_add_lanes(
    typing: TypingContext, lanes: Lanes, x: types.Integer, mean: types.Float, i: types.Integer,
    count: types.Integer,
) -> Intrinsic:  # fmt: skip
    """Add (x[i] - mean)^2, ..., at most 16 float32 squares."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        numbers = _sixteen(builder, _FLOATS, args[1], args[3], count, args[4])
        d = builder.fsub(numbers, broadcast(builder, args[2], LANES))
        if not isinstance(count, types.Literal):
            d = builder.select(_present(builder, args[4]), d, ir.Constant(_FLOATS, None))
        return fused(builder, d, d, args[0])

    return lanes(lanes, types.intp, mean, types.intp, count), codegen


@intrinsic
def fold_lanes(typing: TypingContext, lanes: Lanes) -> Intrinsic:
    """Add the upper half of the lanes to the lower, until one is left."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        (vector,), count = args, LANES
        while count > 1:
            count //= 2
            upper = shuffle(builder, vector, range(count, 2 * count))
            vector = builder.fadd(shuffle(builder, vector, range(count)), upper)
        return builder.extract_element(vector, I64(0))

    return lanes.number(lanes), codegen


def _sixteen(
    builder: Builder,
    vector: ir.VectorType,
    x: Value,
    i: Value,
    known: types.Integer,
    count: Value,
) -> Value:
    """Load x[i], ..., x[i + count - 1], and zeros in the other lanes."""
    size = I64(4 if vector is _FLOATS else 8)
    base = builder.inttoptr(builder.add(x, builder.mul(i, size)), vector.as_pointer())
    if isinstance(known, types.Literal):
        return load(builder, base, I64(0), vector)
    present = _present(builder, count)
    name = f"llvm.masked.load.v{LANES}f{32 if vector is _FLOATS else 64}.p0"
    return call(builder, name, vector, base, I32(1), present, ir.Constant(vector, None))


def _present(builder: Builder, count: Value) -> Value:
    """Return which of 16 lanes are below `count`."""
    numbers = ir.Constant(ir.VectorType(I64, LANES), list(range(LANES)))
    return builder.icmp_signed("<", numbers, broadcast(builder, count, LANES))
