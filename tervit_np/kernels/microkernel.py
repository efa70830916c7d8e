"""Vectors in registers: the few instructions from which the integer kernels are built.

A tile is the piece of the output that stays in registers while the inputs run by:

    tile[m, p, s, :] += codes[p, s, :] * x[m]      m = 0..rows-1,  p = 0..panels-1,  s = 0..3

Many tokens pass in tiles of several rows and one panel; one token alone takes several panels, so
that there are enough sums to be worked on while each waits for its last product.

One step takes 64 bytes of weights: four groups of 16 outputs with four inputs each, two bits a
weight. A group is cut out by a mask alone, without a shift: its codes arrive times 4^s, which is
undone once, at the end (only where bytes must have a sign is the last group shifted). A weight w is
stored as the code w + 1, which no sign can spoil, so the sum comes out too large by the sum of the
inputs, a number that belongs to the token.

What differs between processors is a type here, so that one loop nest serves them all.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

from tervit_np.compiled.simd import (
    I8,
    I16,
    I32,
    I64,
    broadcast,
    call,
    load,
    prefetch,
    shuffle,
    splat,
)  # fmt: skip
from tervit_np.kernels import arm
from tervit_np.kernels.isa import features
from tervit_np.kernels.panels import GROUPS

_WIDE = "avx512vl" in features()  # 32 vector registers instead of 16


class VNNI512(NamedTuple):
    """vpdpbusd on 64 bytes: 24 sums, 4 weights, 1 input of the 32 registers."""

    width: int = 64
    rows: int = 6
    panels: int = 1


class VNNI512Gemv(NamedTuple):
    """The same for one token."""

    width: int = 64
    rows: int = 1
    panels: int = 4


class VNNI256(NamedTuple):
    """vpdpbusd on 32 bytes."""

    width: int = 32
    rows: int = 6 if _WIDE else 2
    panels: int = 1


class VNNI256Gemv(NamedTuple):
    """The same for one token."""

    width: int = 32
    rows: int = 1
    panels: int = 4 if _WIDE else 2


class AVX2(NamedTuple):
    """vpmaddubsw and vpmaddwd on 32 bytes."""

    width: int = 32
    rows: int = 3 if _WIDE else 2
    panels: int = 1


class Generic(NamedTuple):
    """Products of 16 bits in whatever vectors the compiler has."""

    width: int = 64 if _WIDE else 32 if "avx2" in features() else 16
    rows: int = 1 if "avx2" in features() and not _WIDE else 2
    panels: int = 1


TILES: dict[str, Any] = {
    "generic": Generic(),
    "avx2": AVX2(),
    "vnni256": VNNI256(),
    "vnni512": VNNI512(),
} | {name: many for name, (many, _) in arm.TILES.items()}
GEMV_TILES: dict[str, Any] = {
    "vnni256": VNNI256Gemv(),
    "vnni512": VNNI512Gemv(),
} | {name: one for name, (_, one) in arm.TILES.items()}


_FETCHES = (VNNI512, VNNI256)  # so fast that the next tile's tokens must be fetched meanwhile


class Tile(types.Type):
    """The type of a tile: `rows` x `panels` x 4 vectors of sums."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.width, self.rows, self.panels = processor._field_defaults.values()
        # Generic sums stay in pairs until the end.
        self.sums = self.width // (2 if processor is Generic else 4)
        self.outputs = self.width // 4  # of a group
        # Codes of group s arrive times 2^shifts[s]; 2 x 64 is too large for a byte with a sign.
        self.shifts = (0, 2, 4, 0) if processor in arm.SIGNED else (0, 2, 4, 6)
        super().__init__(f"Tile({processor.__name__})")


@register_model(Tile)
class _TileModel(PrimitiveModel):
    def __init__(self, manager: Any, tile: Tile) -> None:
        count = tile.rows * tile.panels * GROUPS
        vectors = ir.ArrayType(ir.VectorType(I32, tile.sums), count)
        super().__init__(manager, tile, vectors)


@intrinsic
def zeros(typing: Any, processor: Any) -> Any:
    """Return a tile of zeros."""
    tile = Tile(processor.instance_class)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(tile), None)

    return tile(processor), generate


@intrinsic
def multiply_add(
    typing: Any, tile: Any, codes: Any, at: Any, x: Any, place: Any, stride: Any
) -> Any:
    """tile[m, p, s, :] += codes[p, s, :] * x[m] for 64 bytes of each panel, 4 of each token.

    codes uint8 (P, Q, 64) from byte `at`; x int8 (M, 4 Q) from byte `place`, rows `stride` apart.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, codes_, at_, x_, place_, stride_ = args
        packed = context.make_array(codes)(context, builder, codes_)
        x_bytes = context.make_array(x)(context, builder, x_).data
        panel_bytes = builder.extract_value(packed.strides, 0)
        vector = ir.VectorType(I8, tile.width)
        groups = []
        for _ in range(tile.panels):
            weights = load(builder, packed.data, at_, vector)
            groups += [_group(builder, tile, weights, s) for s in range(GROUPS)]
            at_ = builder.add(at_, panel_bytes)
        for m in range(tile.rows):
            four = broadcast(builder, load(builder, x_bytes, place_, I32), tile.width // 4)
            four = builder.bitcast(four, vector)
            for i, group in enumerate(groups, m * len(groups)):
                before = builder.extract_value(sums, i)
                after = DOT[tile.processor](builder, before, group, four)
                sums = builder.insert_value(sums, after, i)
            if tile.processor in _FETCHES:
                ahead = builder.mul(stride_, ir.Constant(I64, tile.rows))
                prefetch(builder, x_bytes, builder.add(place_, ahead))
            place_ = builder.add(place_, stride_)
        return sums

    return tile(tile, codes, types.intp, x, types.intp, types.intp), generate


def _group(builder: Any, tile: Tile, weights: Any, s: int) -> Any:
    """Cut group s out of bytes: by a mask alone, or by a shift after which none is needed."""
    shift = tile.shifts[s]
    if shift < 2 * s:
        weights = builder.lshr(weights, splat(weights.type, 2 * s - shift))
    return builder.and_(weights, splat(weights.type, 3 << shift))


def dot_vnni(builder: Any, sums: Any, weights: Any, inputs: Any) -> Any:
    """sums_i += w_4i x_4i + ... + w_4i+3 x_4i+3 in one instruction."""
    kind = sums.type
    if llvm.llvm_version_info[0] < 22:  # its operands were 32-bit lanes before
        weights, inputs = builder.bitcast(weights, kind), builder.bitcast(inputs, kind)
    name = f"llvm.x86.avx512.vpdpbusd.{32 * kind.count}"
    return call(builder, name, kind, sums, weights, inputs)


def _dot_avx2(builder: Any, sums: Any, weights: Any, inputs: Any) -> Any:
    """Pairs to 16 bits (at most 2 x 128 x 127 = 32,512), pairs of those to 32 bits."""
    pairs = ir.VectorType(I16, 2 * sums.type.count)
    products = call(builder, "llvm.x86.avx2.pmadd.ub.sw", pairs, weights, inputs)
    ones = splat(pairs, 1)
    return builder.add(sums, call(builder, "llvm.x86.avx2.pmadd.wd", sums.type, products, ones))


def _dot_generic(builder: Any, sums: Any, weights: Any, inputs: Any) -> Any:
    """sums_i += w_2i x_2i + w_2i+1 x_2i+1, the pattern that compilers know."""
    wide = ir.VectorType(I16, weights.type.count)
    weights, inputs = builder.zext(weights, wide), builder.sext(inputs, wide)

    def every_second(values: Any, first: int) -> Any:
        return builder.sext(shuffle(builder, values, range(first, wide.count, 2)), sums.type)

    for first in (0, 1):
        product = builder.mul(every_second(weights, first), every_second(inputs, first))
        sums = builder.add(sums, product)
    return sums


DOT: dict[Any, Callable[..., Any]] = {
    VNNI512: dot_vnni, VNNI512Gemv: dot_vnni, VNNI256: dot_vnni, VNNI256Gemv: dot_vnni,
    AVX2: _dot_avx2, Generic: _dot_generic, **arm.DOT,
}  # fmt: skip


def undo_zero_point(builder: Any, tile: Tile, sums: Any, i: int, s: int, correction: Any) -> Any:
    """Return the finished integers of vector i, group s: pairs added, shift undone, corrected."""
    found = builder.extract_value(sums, i)
    if tile.processor is Generic:
        even, odd = (shuffle(builder, found, range(first, tile.sums, 2)) for first in (0, 1))
        found = builder.add(even, odd)
    found = builder.ashr(found, splat(found.type, tile.shifts[s]))
    return builder.sub(found, broadcast(builder, correction, tile.outputs))
