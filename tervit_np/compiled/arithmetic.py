"""Arithmetic with one result: fused multiply-adds, written down.

A compiler that may fuse a product with a sum, or reorder a sum, decides by the width of registers
and by what else a function holds. So no kernel allows it either: fusing is written as `fma`, and
row_sums.py has sums in one order.
"""

from llvmlite import ir
from numba import errors, types

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
    array_data,
    call,
    intrinsic,
)
from tervit_np.target import fuses_multiply_adds


@intrinsic
def fma(typing: TypingContext, a: types.Float, b: types.Float, c: types.Float) -> Intrinsic:
    """a b + c, rounded once; twice on a processor that cannot."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return fused(builder, *args)

    return a(a, a, a), codegen


@intrinsic
def address_of(typing: TypingContext, x: types.Array) -> Intrinsic:
    """Return the address of an array's first number: unlike a view, it needs no counting.

    A function that reads on from there would read another view wrongly, so it is not compiled.
    """
    if x.layout != "C":
        raise errors.TypingError(f"address_of: expected a C-contiguous array, found {x}")

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return builder.ptrtoint(array_data(context, builder, x, args[0]), I64)

    return types.intp(x), codegen


def fused(builder: Builder, a: Value, b: Value, c: Value) -> Value:
    """a b + c of numbers or vectors, rounded once; twice on a processor that cannot."""
    if not fuses_multiply_adds():
        return builder.fadd(builder.fmul(a, b), c)
    vector = isinstance(a.type, ir.VectorType)
    number, count = (a.type.element, f"v{a.type.count}") if vector else (a.type, "")
    return call(builder, f"llvm.fma.{count}f{32 if number == F32 else 64}", a.type, a, b, c)
