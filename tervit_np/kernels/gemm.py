"""Products of which both sides change with every image: tiles of floats, and tiles of bytes.

    tile[m, c, :] += a[m] b[c, :]                                 float32, one input a step
    tile[m, c, :] += a[m, 0] b[c, :, 0] + ... + a[m, 3] b[c, :, 3]    a uint8, b int8, four inputs

A tile is `rows` x `vectors` registers of sums. Each step loads `vectors` registers of b and spreads
one number (or four bytes) of each row of a; the sums are written once, at the end.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import F32, I8, I32, I64, broadcast, call, load, shuffle, splat, store
from tervit_np.kernels.arm import dot_neon, dot_sdot, dot_usdot
from tervit_np.kernels.isa import features, supported
from tervit_np.kernels.microkernel import dot_vnni

# 32 registers of 16 lanes (AVX-512), 16 of 8 (AVX2), or 32 of 4 (Arm): as many sums as leave room
# for what is loaded.
LANES = 16 if "avx512vl" in features() else 8 if "avx2" in features() else 4
ROWS = 3 if "avx2" in features() and "avx512vl" not in features() else 6


class Floats(NamedTuple):
    """Four registers wide."""

    vectors: int = 4


class FloatsHalf(NamedTuple):
    """Two registers wide, for columns that are left."""

    vectors: int = 2


class FloatsNarrow(NamedTuple):
    """One register wide."""

    vectors: int = 1


class Bytes(NamedTuple):
    """Four registers wide, sums of 32 bits."""

    vectors: int = 4


class BytesHalf(NamedTuple):
    """Two registers wide."""

    vectors: int = 2


class BytesNarrow(NamedTuple):
    """One register wide."""

    vectors: int = 1


FLOATS = (Floats(), FloatsHalf(), FloatsNarrow())
BYTES = (Bytes(), BytesHalf(), BytesNarrow())


class GemmTile(types.Type):
    """The type of a tile: ROWS x `vectors` registers."""

    def __init__(self, shape: Any) -> None:
        self.vectors: int = shape._field_defaults["vectors"]
        self.floats = shape in map(type, FLOATS)
        super().__init__(f"GemmTile({shape.__name__})")

    @property
    def vector(self) -> ir.VectorType:
        """A register of sums."""
        return ir.VectorType(F32 if self.floats else I32, LANES)


@register_model(GemmTile)
class _DenseTileModel(PrimitiveModel):
    def __init__(self, manager: Any, tile: GemmTile) -> None:
        super().__init__(manager, tile, ir.ArrayType(tile.vector, ROWS * tile.vectors))


@kernel(boundscheck=False)
def multiply(
    shape: Any, a: Any, place: int, stride: int, b: Any, at: int, row: int, steps: int,
    out: Any, to: int, width: int,
) -> None:  # fmt: skip
    """One tile of a b: ROWS rows of a from `place`, `stride` apart, columns of b from `at`.

    A step moves one row of b onwards, `row` elements. The sums go to `out` from `to`, rows `width`
    apart. All counts are elements of the arrays, whose shapes do not matter.
    """
    tile: Any = zero_tile(shape)
    for _ in range(steps):
        tile = dense_add(tile, a, place, stride, b, at)
        place += inputs_of(shape)
        at += row
    store_tile(tile, out, to, width)


@kernel(boundscheck=False)
def product(
    shapes: Any, a: Any, place: int, stride: int, b: Any, at: int, columns: int, row: int,
    steps: int, out: Any,
) -> None:  # fmt: skip
    """ROWS rows of a times `columns` columns of b, a whole number of registers of them.  -> out."""
    wide, half, narrow = shapes
    unit: Any = inputs_of(wide)
    column, width = 0, out.shape[1]
    while column + 4 * LANES <= columns:
        multiply(wide, a, place, stride, b, at + unit * column, row, steps, out, column, width)
        column += 4 * LANES
    if column + 2 * LANES <= columns:
        multiply(half, a, place, stride, b, at + unit * column, row, steps, out, column, width)
        column += 2 * LANES
    if column < columns:
        multiply(narrow, a, place, stride, b, at + unit * column, row, steps, out, column, width)


@intrinsic
def inputs_of(typing: Any, shape: Any) -> Any:
    """Return how many inputs a step takes: 1 float, 4 bytes."""
    count = 1 if GemmTile(shape.instance_class).floats else 4

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(I64, count)

    return types.intp(shape), generate


@intrinsic
def zero_tile(typing: Any, shape: Any) -> Any:
    """Return a tile of zeros."""
    tile = GemmTile(shape.instance_class)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(tile), None)

    return tile(shape), generate


@intrinsic
def dense_add(typing: Any, tile: Any, a: Any, place: Any, stride: Any, b: Any, at: Any) -> Any:
    """Add one step of products to a tile."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, a_, place_, stride_, b_, at_ = args
        left, right = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in ((a, a_), (b, b_))
        )
        size = 4 if tile.floats else 1  # bytes of an element
        step = _times(builder, stride_, size)
        byte, column = _times(builder, place_, size), _times(builder, at_, size)
        columns = []
        for _ in range(tile.vectors):
            loaded = tile.vector if tile.floats else ir.VectorType(I8, 4 * LANES)
            columns.append(load(builder, right, column, loaded))
            column = builder.add(column, ir.Constant(I64, 4 * LANES))
        for m in range(ROWS):
            value = load(builder, left, byte, F32 if tile.floats else I32)
            spread_out = broadcast(builder, value, LANES)
            for c in range(tile.vectors):
                i = m * tile.vectors + c
                before = builder.extract_value(sums, i)
                add = _add_floats if tile.floats else _dot_bytes
                sums = builder.insert_value(sums, add(builder, before, spread_out, columns[c]), i)
            byte = builder.add(byte, step)
        return sums

    return tile(tile, a, types.intp, types.intp, b, types.intp), generate


def _add_floats(builder: Any, before: Any, a: Any, b: Any) -> Any:
    name = f"llvm.fma.v{before.type.count}f32"
    return call(builder, name, before.type, a, b, before)


def _dot_bytes(builder: Any, sums: Any, a: Any, b: Any) -> Any:
    """sums_i += a_4i b_4i + ... + a_4i+3 b_4i+3, a unsigned (as 32-bit lanes), b signed bytes."""
    a = builder.bitcast(a, b.type)
    if "vnni256" in supported(features()):
        return dot_vnni(builder, sums, a, b)
    if "i8mm" in features():
        return dot_usdot(builder, sums, a, b)
    if "neon" in features():  # a has no sign and needs all 8 bits: a = a // 2 + a // 2 + a % 2
        one = splat(a.type, 1)
        half, odd = builder.lshr(a, one), builder.and_(a, one)
        for part in (half, half, odd):
            dot = dot_sdot if "dotprod" in features() else dot_neon
            sums = dot(builder, sums, part, b)
        return sums
    # vpmaddubsw would saturate: two products of 255 and 127 do not fit 16 bits.
    for first in range(4):
        lanes = range(first, b.type.count, 4)
        left = builder.zext(shuffle(builder, a, lanes), sums.type)
        right = builder.sext(shuffle(builder, b, lanes), sums.type)
        sums = builder.add(sums, builder.mul(left, right))
    return sums


def _times(builder: Any, number: Any, factor: int) -> Any:
    return builder.mul(number, ir.Constant(I64, factor))


@intrinsic
def store_tile(typing: Any, tile: Any, out: Any, to: Any, width: Any) -> Any:
    """Write the sums, 4 bytes each, to a float32 or int32 array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, out_, to_, width_ = args
        target = context.make_array(out)(context, builder, out_).data
        for m in range(ROWS):
            for c in range(tile.vectors):
                place = builder.add(to_, builder.mul(width_, ir.Constant(I64, m)))
                place = _times(builder, builder.add(place, ir.Constant(I64, c * LANES)), 4)
                store(builder, builder.extract_value(sums, m * tile.vectors + c), target, place)
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), generate
