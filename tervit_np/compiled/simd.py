"""What LLVM says of vectors, in words: loads, stores, copies into lanes, choices of lanes.

The arguments are LLVM's own: a builder, which writes instructions down, and values that exist only
when they run.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils

I8, I16, I32, I64, F32 = (*map(ir.IntType, (8, 16, 32, 64)), ir.FloatType())


def load(builder: Any, base: Any, offset: Any, kind: Any) -> Any:
    """Load a value of any kind from a byte offset, at no particular alignment."""
    value = builder.load(address(builder, base, offset, kind))
    value.align = 1
    return value


def store(builder: Any, value: Any, base: Any, offset: Any) -> None:
    """Store a value at a byte offset."""
    builder.store(value, address(builder, base, offset, value.type)).align = 1


def prefetch(builder: Any, base: Any, offset: Any) -> None:
    """Have the line of the cache at a byte offset fetched; it need not be ours."""
    place = builder.gep(builder.bitcast(base, I8.as_pointer()), [offset])
    to_read, nearest, data = I32(0), I32(3), I32(1)
    call(builder, "llvm.prefetch.p0", ir.VoidType(), place, to_read, nearest, data)


def address(builder: Any, base: Any, offset: Any, kind: Any) -> Any:
    """Return a pointer to a byte offset."""
    place = builder.gep(builder.bitcast(base, I8.as_pointer()), [offset])
    return builder.bitcast(place, kind.as_pointer())


def broadcast(builder: Any, value: Any, count: int) -> Any:
    """Copy a number into every lane."""
    kind = ir.VectorType(value.type, count)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    return shuffle(builder, one, [0] * count)


def shuffle(builder: Any, values: Any, lanes: Any) -> Any:
    """Choose lanes by number."""
    numbers = ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes))
    return builder.shuffle_vector(values, ir.Constant(values.type, ir.Undefined), numbers)


def splat(kind: Any, value: int) -> Any:
    """Return a constant vector."""
    return ir.Constant(kind, [value] * kind.count)


def call(builder: Any, name: str, result: Any, *args: Any) -> Any:
    """Call an instruction that LLVM knows by name."""
    kinds = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kinds, name), args)


def transpose(builder: Any, rows: list[Any]) -> list[Any]:
    """Turn n registers of n lanes: lane j of row i becomes lane i of row j.

    In log2 n rounds, rows i and i + n/2 are interleaved lane by lane; each round moves one bit of
    the row's number into the lane's, and the highest of the lane's into the row's.
    """
    n = len(rows)
    for _ in range(n.bit_length() - 1):
        low = [lane // 2 + lane % 2 * n for lane in range(n)]
        high = [number + n // 2 for number in low]
        pairs = [(rows[i], rows[i + n // 2]) for i in range(n // 2)]
        rows = [_shuffle(builder, a, b, lanes) for a, b in pairs for lanes in (low, high)]
    return rows


def _shuffle(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    """Choose lanes from two registers, counted through."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(lanes)), lanes))
