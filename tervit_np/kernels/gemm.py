"""Products of bytes whose operands both change with every image.

    acc[m, c, :] += a[m, 0] b[c, :, 0] + ... + a[m, 3] b[c, :, 3]     a uint8, b int8

The sums of MR rows of a and `vectors` vectors of columns of b stay in registers through all inputs.
Each step of four inputs loads `vectors` vectors of b, and broadcasts four bytes of each row of a.
compiled/float_tile.py has the same for float32.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core.datamodel.manager import DataModelManager
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import register_model

from tervit_np.arrays import Array
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
    I8,
    I16,
    I32,
    I64,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    array_data,
    broadcast,
    byte_offset,
    call,
    intrinsic,
    load,
    shuffle,
    splat,
    store,
)
from tervit_np.kernels.arm import dot_neon, dot_sdot, dot_usdot
from tervit_np.kernels.isa import features, supported
from tervit_np.kernels.microkernel import dot_vnni
from tervit_np.kernels.tiles import LANES, MR, GemmTile


class View(NamedTuple):
    """A matrix within an array of any shape; offset and stride count elements."""

    array: Array
    offset: int  # of the first element
    stride: int  # from one row to the next


@kernel(boundscheck=False, forceinline=True)  # LLVM then sees constant strides
def gemm_rows(
    tiles: tuple[GemmTile, ...], a: View, b: View, columns: int, steps: int, out: Array
) -> None:
    """out = a b for MR rows of a, in K steps.  -> out int32 (MR, N).

    N is a multiple of LANES. The bytes of a are (MR, 4 K), those of b (K, 4 N), with the four
    inputs of a column next to each other.
    """
    wide, half, narrow = tiles
    n, stride = 0, out.shape[1]
    while n + 4 * LANES <= columns:
        gemm_tile(wide, a, _columns(b, 4 * n), steps, View(out, n, stride))
        n += 4 * LANES
    if n + 2 * LANES <= columns:
        gemm_tile(half, a, _columns(b, 4 * n), steps, View(out, n, stride))
        n += 2 * LANES
    if n < columns:
        gemm_tile(narrow, a, _columns(b, 4 * n), steps, View(out, n, stride))


@kernel(boundscheck=False)
def _columns(b: View, first: int) -> View:
    """Return the columns of b from element `first` of each row."""
    return View(b.array, b.offset + first, b.stride)


@kernel(boundscheck=False)
def gemm_tile(tile: GemmTile, a: View, b: View, steps: int, out: View) -> None:
    """out = a b for one tile.  -> out int32 (MR, NR)."""
    acc: GemmAccumulators = zero_accumulators(tile)
    a_offset, b_offset = a.offset, b.offset
    for _ in range(steps):
        acc = multiply_add(acc, a.array, a_offset, a.stride, b.array, b_offset)
        a_offset += 4
        b_offset += b.stride
    store_tile(acc, out.array, out.offset, out.stride)


class GemmAccumulators(types.Type):
    """Numba's type of a tile's sums: MR x `vectors` vectors of int32."""

    def __init__(self, tile: Any) -> None:  # the class of a tile
        (self.vectors,) = tile.shape
        self.vector = ir.VectorType(I32, LANES)
        super().__init__(f"GemmAccumulators({tile.__name__})")


@register_model(GemmAccumulators)
class _GemmAccumulatorsModel(PrimitiveModel):
    def __init__(self, manager: DataModelManager, acc: GemmAccumulators) -> None:
        super().__init__(manager, acc, ir.ArrayType(acc.vector, MR * acc.vectors))


@intrinsic
def zero_accumulators(typing: TypingContext, tile: types.NamedUniTuple) -> Intrinsic:
    """Return a tile's sums, all zero."""
    acc = GemmAccumulators(tile.instance_class)

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return ir.Constant(context.get_value_type(acc), None)

    return acc(tile), codegen


@intrinsic
def multiply_add(
    typing: TypingContext, acc: GemmAccumulators, a: types.Array, a_offset: types.Integer,
    stride: types.Integer, b: types.Array, b_offset: types.Integer,
) -> Intrinsic:  # fmt: skip
    """acc[m, :] += four bytes of a from a_offset + m stride on, times those of b."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        sums, a_, a_at, stride_, b_, b_at = args
        left, right = array_data(context, builder, a, a_), array_data(context, builder, b, b_)
        columns = []
        for _ in range(acc.vectors):
            columns.append(load(builder, right, b_at, ir.VectorType(I8, 4 * LANES)))
            b_at = builder.add(b_at, ir.Constant(I64, 4 * LANES))
        for m in range(MR):
            row = broadcast(builder, load(builder, left, a_at, I32), LANES)
            for c, column in enumerate(columns):
                i = m * acc.vectors + c
                after = _dot_bytes(builder, builder.extract_value(sums, i), row, column)
                sums = builder.insert_value(sums, after, i)
            a_at = builder.add(a_at, stride_)
        return sums

    return acc(acc, a, types.intp, types.intp, b, types.intp), codegen


def _dot_bytes(builder: Builder, sums: Value, a: Value, b: Value) -> Value:
    """sums_i += a_4i b_4i + ... + a_4i+3 b_4i+3, a unsigned (as 32-bit lanes), b signed bytes."""
    a = builder.bitcast(a, b.type)
    if "vnni256" in supported(features()):
        return dot_vnni(builder, sums, a, b)
    if "i8mm" in features():
        return dot_usdot(builder, sums, a, b)
    if "neon" in features():  # no unsigned 8-bit factor: a = a // 2 + a // 2 + a % 2
        one = splat(a.type, 1)
        half, odd = builder.lshr(a, one), builder.and_(a, one)
        for part in (half, half, odd):
            dot = dot_sdot if "dotprod" in features() else dot_neon
            sums = dot(builder, sums, part, b)
        return sums
    if "avx2" in features():
        return _dot_words(builder, sums, a, b)
    for first in range(4):
        lanes = range(first, b.type.count, 4)
        left = builder.zext(shuffle(builder, a, lanes), sums.type)
        right = builder.sext(shuffle(builder, b, lanes), sums.type)
        sums = builder.add(sums, builder.mul(left, right))
    return sums


def _dot_words(builder: Builder, sums: Value, a: Value, b: Value) -> Value:
    """Do the same with 16 bits for each factor: bytes of even number first, then those of odd.

    `vpmaddubsw` multiplies bytes, but two products of 255 and 127 do not fit its 16-bit sums.
    `vpmaddwd` adds two products of 16 bits to 32. What makes words of bytes is done once for a row
    of a and once for a column of b.
    """
    words = ir.VectorType(I16, 2 * LANES)
    a, b, byte = builder.bitcast(a, words), builder.bitcast(b, words), splat(words, 8)
    even = builder.and_(a, splat(words, 255)), builder.ashr(builder.shl(b, byte), byte)
    odd = builder.lshr(a, byte), builder.ashr(b, byte)
    name = "llvm.x86.avx512.pmaddw.d.512" if LANES == 16 else "llvm.x86.avx2.pmadd.wd"
    for factors in (even, odd):
        sums = builder.add(sums, call(builder, name, sums.type, *factors))
    return sums


@intrinsic
def store_tile(
    typing: TypingContext, acc: GemmAccumulators, out: types.Array, offset: types.Integer,
    stride: types.Integer,
) -> Intrinsic:  # fmt: skip
    """Store the sums in an int32 array."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        sums, out_, offset_, stride_ = args
        target = array_data(context, builder, out, out_)
        for m in range(MR):
            for c in range(acc.vectors):
                at = builder.add(offset_, builder.mul(stride_, ir.Constant(I64, m)))
                at = builder.add(at, ir.Constant(I64, c * LANES))
                value = builder.extract_value(sums, m * acc.vectors + c)
                store(builder, value, target, byte_offset(builder, at))
        return context.get_dummy_value()

    return types.void(acc, out, types.intp, types.intp), codegen
