"""The register tile of the float product: what stays in registers while the inputs pass.

    tile[m, v, :] = fma(a[m], b[v, :], tile[m, v, :])        m < MR,  v < vectors

MR x vectors registers hold sums, `vectors` hold numbers of b, and one holds a number of a in all
its lanes: 24 + 4 + 1 of 32 registers (AVX-512, NEON), 12 + 2 + 1 of 16 (AVX2). More rows would
leave sums no register, fewer would load more often than they multiply.

Memory is addressed as in BLAS, by the number of a byte, so that one piece of machine code serves
arrays of any strides.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core.datamodel.manager import DataModelManager
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import register_model

from tervit_np.compiled.arithmetic import fused
from tervit_np.compiled.bf16_dot import dot_of_pairs
from tervit_np.compiled.simd import (
    F32,
    I8,
    I64,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    broadcast,
    intrinsic,
    load,
    store,
)
from tervit_np.target import lanes, registers

LANES, MR = lanes(), 6
VECTORS = 4 if registers() == 32 else 2
NR = VECTORS * LANES  # columns of a whole tile
FLOAT, LINE = 4, 64  # bytes of a number, and of a line of the cache
VECTOR = ir.VectorType(F32, LANES)


class FullTile(NamedTuple):
    """A tile of NR columns."""

    vectors: int = VECTORS


class HalfTile(NamedTuple):
    """Two registers wide, for columns that are left."""

    vectors: int = 2


class OneVector(NamedTuple):
    """One register wide."""

    vectors: int = 1


FULL, HALF, ONE_VECTOR = FullTile(), HalfTile(), OneVector()


class FloatTile(types.Type):
    """The type of a tile: MR x `vectors` registers."""

    def __init__(self, shape: types.NamedUniTuple) -> None:
        self.vectors: int = vectors_of(shape)
        super().__init__(f"FloatTile({self.vectors})")


@register_model(FloatTile)
class _FloatTileModel(PrimitiveModel):
    def __init__(self, manager: DataModelManager, tile: FloatTile) -> None:
        super().__init__(manager, tile, ir.ArrayType(VECTOR, MR * tile.vectors))


def vectors_of(shape: types.NamedUniTuple) -> int:
    """Return the width of a shape from its type."""
    return int(shape.instance_class._field_defaults["vectors"])


def pointer(builder: Builder, address: Value) -> Value:
    """Return a pointer to an address."""
    return builder.inttoptr(address, I8.as_pointer())


@intrinsic
def width_of(typing: TypingContext, shape: types.NamedUniTuple) -> Intrinsic:
    """Return how many numbers `vectors` registers hold."""
    count = vectors_of(shape) * LANES

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return I64(count)

    return types.intp(shape), codegen


@intrinsic
def zero_tile(typing: TypingContext, shape: types.NamedUniTuple) -> Intrinsic:
    """Return a tile of zeros."""
    tile = FloatTile(shape)

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return ir.Constant(context.get_value_type(tile), None)

    return tile(shape), codegen


@intrinsic
def load_tile(
    typing: TypingContext, shape: types.NamedUniTuple, c: types.Integer, row_stride: types.Integer
) -> Intrinsic:
    """Return the tile at c; with a row_stride of 0, one row for all."""
    tile = FloatTile(shape)

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        sums = ir.Constant(context.get_value_type(tile), ir.Undefined)
        base, offset = pointer(builder, args[1]), I64(0)
        for m in range(MR):
            for v in range(tile.vectors):
                value = load(builder, base, plus(builder, offset, v), VECTOR)
                sums = builder.insert_value(sums, value, m * tile.vectors + v)
            offset = builder.add(offset, args[2])
        return sums

    return tile(shape, types.intp, types.intp), codegen


@intrinsic
def store_tile(
    typing: TypingContext, tile: FloatTile, c: types.Integer, row_stride: types.Integer
) -> Intrinsic:
    """Write the tile to c."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        base, offset = pointer(builder, args[1]), I64(0)
        for m in range(MR):
            for v in range(tile.vectors):
                value = builder.extract_value(args[0], m * tile.vectors + v)
                store(builder, value, base, plus(builder, offset, v))
            offset = builder.add(offset, args[2])
        return context.get_dummy_value()

    return types.void(tile, types.intp, types.intp), codegen


def _step(combine: Callable[[Builder, Value, Value, Value], Value]) -> Callable[..., Any]:
    """Make the function of one step: tile[m, v, :] = combine(a[m], b[v, :], tile[m, v, :])."""

    @intrinsic
    def step(
        typing: TypingContext,
        tile: FloatTile,
        a: types.Integer,
        row_stride: types.Integer,
        b: types.Integer,
    ) -> Intrinsic:
        """Use MR numbers of a, row_stride bytes apart, and `vectors` registers of b."""

        def codegen(
            context: Context, builder: Builder, signature: Signature, args: Values
        ) -> Value:
            sums, a_base, offset = args[0], pointer(builder, args[1]), I64(0)
            b_base = pointer(builder, args[3])
            columns = [load(builder, b_base, plus(builder, I64(0), v), VECTOR)
                       for v in range(tile.vectors)]  # fmt: skip
            for m in range(MR):
                number = broadcast(builder, load(builder, a_base, offset, F32), LANES)
                for v in range(tile.vectors):
                    i = m * tile.vectors + v
                    before = builder.extract_value(sums, i)
                    after = combine(builder, number, columns[v], before)
                    sums = builder.insert_value(sums, after, i)
                offset = builder.add(offset, args[2])
            return sums

        return tile(tile, types.intp, types.intp, types.intp), codegen

    return step


multiply_add = _step(fused)
add_products_of_pairs = _step(dot_of_pairs)


@intrinsic
def add_tiles(typing: TypingContext, tile: FloatTile, other: FloatTile) -> Intrinsic:
    """Add two tiles."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        sums = args[0]
        for i in range(MR * tile.vectors):
            one, two = (builder.extract_value(arg, i) for arg in args)
            sums = builder.insert_value(sums, builder.fadd(one, two), i)
        return sums

    return tile(tile, tile), codegen


def plus(builder: Builder, offset: Value, vectors: int) -> Value:
    """Add the bytes of some registers."""
    return builder.add(offset, I64(FLOAT * LANES * vectors))
