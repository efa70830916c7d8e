"""Short names for LLVM's vector operations, for Numba's intrinsics: load, store, broadcast, ...

An intrinsic does not compute; it writes instructions with LLVM's builder, and its values are the
names of results that exist when these instructions run. Its inner function is called `codegen`, as
in Numba's manual.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from llvmlite import ir
from numba import extending
from numba.core import base, cgutils, types
from numba.core.typing import context, templates

TypingContext: TypeAlias = context.Context
Context: TypeAlias = base.BaseContext
Signature: TypeAlias = templates.Signature
Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value
Values: TypeAlias = tuple[ir.Value, ...]
Intrinsic: TypeAlias = tuple[Signature, Callable[[Context, Builder, Signature, Values], Value]]

I8, I16, I32, I64, F32 = (*map(ir.IntType, (8, 16, 32, 64)), ir.FloatType())


def intrinsic(define: Callable[..., Intrinsic]) -> Callable[..., Any]:
    """Make a function that kernels can call; Numba passes its first argument, `typing`."""
    return extending.intrinsic(define)


def intrinsic_of_literals(define: Callable[..., Intrinsic]) -> Callable[..., Any]:
    """Make a function that gets a constant argument as a literal type, whose value is known."""
    return extending.intrinsic(prefer_literal=True)(define)


def array_data(context: Context, builder: Builder, kind: types.Array, array: Value) -> Value:
    """Return a pointer to the first element of an array of type `kind`."""
    return context.make_array(kind)(context, builder, array).data


def array_stride(
    context: Context, builder: Builder, kind: types.Array, array: Value, axis: int
) -> Value:
    """Return the distance in bytes of neighbours along an axis of an array of type `kind`."""
    return builder.extract_value(context.make_array(kind)(context, builder, array).strides, axis)


def load(builder: Builder, base: Value, offset: Value, kind: ir.Type) -> Value:
    """Load a value of type `kind` from a byte offset, aligned or not."""
    value = builder.load(address(builder, base, offset, kind))
    value.align = 1
    return value


def store(builder: Builder, value: Value, base: Value, offset: Value) -> None:
    """Store a value at a byte offset, aligned or not."""
    builder.store(value, address(builder, base, offset, value.type)).align = 1


def prefetch(builder: Builder, base: Value, offset: Value) -> None:
    """Prefetch the cache line at a byte offset, which may be outside the array."""
    pointer = builder.gep(builder.bitcast(base, I8.as_pointer()), [offset])
    to_read, nearest, data = I32(0), I32(3), I32(1)
    call(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, to_read, nearest, data)


def address(builder: Builder, base: Value, offset: Value, kind: ir.Type) -> Value:
    """Return a pointer to a value of type `kind` at a byte offset."""
    pointer = builder.gep(builder.bitcast(base, I8.as_pointer()), [offset])
    return builder.bitcast(pointer, kind.as_pointer())


def byte_offset(builder: Builder, index: Value) -> Value:
    """Return where an element is in an array of float32 or int32, in bytes."""
    return builder.mul(index, I64(4))


def broadcast(builder: Builder, value: Value, lanes: int) -> Value:
    """Copy a number into each of `lanes` lanes."""
    kind = ir.VectorType(value.type, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    return shuffle(builder, first, [0] * lanes)


def shuffle(builder: Builder, vector: Value, lanes: Sequence[int]) -> Value:
    """Return the lanes of a vector with the given numbers."""
    return shuffle_two(builder, vector, ir.Constant(vector.type, ir.Undefined), lanes)


def shuffle_two(builder: Builder, a: Value, b: Value, lanes: Sequence[int]) -> Value:
    """Return lanes of two vectors; those of b are numbered after those of a."""
    numbers = ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes))
    return builder.shuffle_vector(a, b, numbers)


def splat(kind: ir.VectorType, value: int) -> Value:
    """Return a constant vector with the same value in each lane."""
    return ir.Constant(kind, [value] * kind.count)


def call(builder: Builder, name: str, result: ir.Type, *args: Value) -> Value:
    """Call an LLVM intrinsic by name."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def transpose(builder: Builder, rows: list[Value]) -> list[Value]:
    """Transpose n vectors of n lanes: lane j of row i becomes lane i of row j.

    Each of log2 n rounds interleaves rows i and i + n/2 lane by lane. The highest bit of a row's
    number becomes the lowest of the lane's, and the highest of the lane's the lowest of the row's.
    """
    n = len(rows)
    for _ in range(n.bit_length() - 1):
        low = [lane // 2 + lane % 2 * n for lane in range(n)]
        high = [number + n // 2 for number in low]
        pairs = [(rows[i], rows[i + n // 2]) for i in range(n // 2)]
        rows = [shuffle_two(builder, a, b, lanes) for a, b in pairs for lanes in (low, high)]
    return rows
