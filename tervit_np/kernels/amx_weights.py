"""Weights for the matrix unit: 32 outputs of a layer, written as pairs of B tiles.

    out int8 (steps, 2, 16, 64)      64 inputs a step, two tiles of 16 outputs

Sixteen steps of a panel are a tile already, in the order that the unit wants (compiled/amx.py):
byte b of step q is output b // 4, input 4 q + b % 4. What is left is to make a signed byte of two
bits. A pair of tiles takes 2 KB, and all that belong to 32 outputs stay in the L1 cache while the
tokens pass, so that a weight is unpacked once for up to 512 tokens.

Inputs that a last tile lacks keep what was there before: they meet zeros of the tokens.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import overload

from tervit_np.arrays import Array
from tervit_np.compiled.amx import ROWS, TILE_BYTES, MatrixTile, is_emulated
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
    I8,
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
    call,
    intrinsic,
    load,
    splat,
    store,
)
from tervit_np.kernels.int8_weights import Int8Weights
from tervit_np.kernels.panels import Panels

OUTPUTS = 2 * ROWS  # of a pair of tiles
PAIR_BYTES = 2 * TILE_BYTES
_BYTES = ir.VectorType(I8, 64)


def unpack_pairs(
    tile: MatrixTile, w: Panels | Int8Weights, number: int, start: int, stop: int, out: Array
) -> None:
    """Write outputs 32 `number` and on, steps start..stop - 1 of 64 inputs."""
    raise NotImplementedError("unpack_pairs exists only in compiled code")


@overload(unpack_pairs, strict=False)  # strict would compare annotations as well as names
def _unpack_pairs(
    tile: types.NamedUniTuple, w: types.NamedTuple, number: types.Integer, start: types.Integer,
    stop: types.Integer, out: types.Array,
) -> Callable[..., None]:  # fmt: skip
    unpack: Any = _unpack_ternary if w.instance_class is Panels else _copy_int8
    return lambda tile, w, number, start, stop, out: unpack(tile, w, number, start, stop, out)


@kernel(boundscheck=False)
def _unpack_ternary(
    tile: MatrixTile, w: Panels, number: int, start: int, stop: int, out: Array
) -> None:
    """Unpack two slots of a panel.  packed uint8 (P, Q, 64)."""
    quads, slot = w.packed.shape[1], number % 2 * 2
    source = (number // 2 * quads + ROWS * start) * 64
    for r in range(min(ROWS * stop, quads) - ROWS * start):
        target = r // ROWS * PAIR_BYTES + r % ROWS * 64
        unpack_slot(tile, slot, w.packed, source, out, target)
        unpack_slot(tile, slot + 1, w.packed, source, out, target + TILE_BYTES)
        source += 64


@kernel(boundscheck=False)
def _copy_int8(
    tile: MatrixTile, w: Int8Weights, number: int, start: int, stop: int, out: Array
) -> None:
    """Copy 8-bit weights.  packed int8 (Q, 4 O')."""
    quads, width = w.packed.shape
    first = 4 * OUTPUTS * number
    for half in range(2):
        column = first + 64 * half
        if column >= width:
            continue
        for r in range(min(ROWS * stop, quads) - ROWS * start):
            row = w.packed[ROWS * start + r]
            target = r // ROWS * PAIR_BYTES + r % ROWS * 64 + half * TILE_BYTES
            for i in range(64):
                out[target + i] = row[column + i]


@intrinsic
def unpack_slot(
    typing: TypingContext, tile: types.NamedUniTuple, slot: types.Integer, packed: types.Array,
    source: types.Integer, out: types.Array, target: types.Integer,
) -> Intrinsic:  # fmt: skip
    """Make signed bytes -1, 0, 1 of one slot of 64 bytes, bits 2 s and 2 s + 1: codes 0, 1, 2."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        _, slot_, packed_, source_, out_, target_ = args
        loaded = load(builder, array_data(context, builder, packed, packed_), source_, _BYTES)
        shift = builder.mul(slot_, I64(2))
        extract = _shift_and_mask if is_emulated(tile) else _affine
        weights = extract(builder, loaded, shift)
        store(builder, weights, array_data(context, builder, out, out_), target_)
        return context.get_dummy_value()

    return types.void(tile, types.intp, packed, types.intp, out, types.intp), codegen


def _shift_and_mask(builder: Builder, loaded: Value, shift: Value) -> Value:
    """(byte >> shift & 3) - 1."""
    shifts = broadcast(builder, builder.trunc(shift, I8), 64)
    codes = builder.and_(builder.lshr(loaded, shifts), splat(_BYTES, 3))
    return builder.sub(codes, splat(_BYTES, 1))


AFFINE = 0x0103030303030303  # for slot 0


def _affine(builder: Builder, loaded: Value, shift: Value) -> Value:
    """The same in one instruction, gf2p8affineqb: each bit of a byte is a sum of bits, plus 1.

    Bit i of the result is the parity of byte 7 - i of a matrix AND the input, inverted here. The
    weights -1, 0, 1 are 11111111, 00000000, 00000001 in binary: bit 0 is NOT the low bit of the
    code, all other bits are NOT (low bit XOR high bit). For another slot, the matrix is shifted.
    """
    matrix = broadcast(builder, builder.shl(I64(AFFINE), shift), 8)
    matrix = builder.bitcast(matrix, _BYTES)
    return call(builder, "llvm.x86.vgf2p8affineqb.512", _BYTES, loaded, matrix, I8(-1))
