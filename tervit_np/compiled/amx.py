"""The instructions of Intel's matrix unit, AMX, one function each.

    configure, release      switch the unit on and off         ldtilecfg, tilerelease
    tile_zero               tile t = 0                         tilezero
    tile_load, tile_store   16 rows of 64 bytes of memory      tileloadd, tilestored
    dot_int8                int32 tile += bytes x bytes        tdpbssd
    dot_bf16                float32 tile += bfloat16 pairs     tdpbf16ps

The unit has eight tiles of 16 rows of 64 bytes. A product reads two tiles, A and B, and adds to a
third, C, which holds 16 x 16 sums of 32 bits:

    C[m, n] += sum over k of A[m, k] B[k, n]       16 rows of A, 16 columns of B

A holds 64 bytes of 16 rows. B holds 64 inputs of 16 columns, four inputs of one column next to each
other: B[k, n] is byte 4 n + k % 4 of row k // 4. With bfloat16 it is 32 inputs, in pairs.
kernels/matrix_unit.py has the same in NumPy.

The first argument of all functions is AMX, for the unit of the processor, or EMULATED, for the
functions of amx_emulation.py on 8 KB of memory, `registers`. Both are called by the same loops.
Numbers of tiles are constants, as in the instructions. LLVM keeps the order of these calls, and
neither saves tiles around a call nor moves them to memory.

    Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, "TDPBSSD", "TDPBF16PS"
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import overload

from tervit_np.arrays import Array
from tervit_np.compiled import amx_emulation as emulation
from tervit_np.compiled.simd import (
    I8,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    address,
    array_data,
    call,
    intrinsic,
    intrinsic_of_literals,
)

TILES, ROWS, ROW_BYTES = 8, 16, 64
TILE_BYTES = ROWS * ROW_BYTES
_VOID = ir.VoidType()


class MatrixTile(NamedTuple):
    """What the kernels need to know of a matrix unit."""

    mr: int = ROWS  # tokens
    inputs: int = ROW_BYTES  # to a multiple of which tokens are padded


class AmxTile(MatrixTile):
    """The unit of the processor."""

    __slots__ = ()
    variant = "amx"


class EmulatedTile(MatrixTile):
    """The unit as a program."""

    __slots__ = ()
    variant = "amx_emulated"


AMX, EMULATED = AmxTile(), EmulatedTile()


def is_emulated(tile: types.NamedUniTuple) -> bool:
    """Tell which unit a kernel is compiled for, from the type of `tile`."""
    return issubclass(tile.instance_class, EmulatedTile)


def registers_of(tile: MatrixTile) -> Array:
    """Return int32 (8, 16, 16), the tiles of an emulated unit; (0, 16, 16) for the processor's."""
    raise NotImplementedError("registers_of exists only in compiled code")


@overload(registers_of, strict=False)  # strict would compare annotations as well as names
def _registers_of(tile: types.NamedUniTuple) -> Callable[[MatrixTile], Array]:
    count = TILES if is_emulated(tile) else 0
    return lambda tile: np.zeros((count, ROWS, ROWS), np.int32)


@intrinsic
def configure(typing: TypingContext, tile: types.NamedUniTuple) -> Intrinsic:
    """Switch the unit on, with eight tiles of 16 rows of 64 bytes, all zero.

    Smaller tiles would not be faster.
    """

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        if not is_emulated(tile):
            shapes = cgutils.global_constant(
                builder, "tile_shapes", ir.Constant(_SHAPES, _shapes())
            )
            pointer = builder.bitcast(shapes, I8.as_pointer())
            call(builder, "llvm.x86.ldtilecfg", _VOID, pointer)
        return context.get_dummy_value()

    return types.void(tile), codegen


_SHAPES = ir.ArrayType(I8, 64)


def _shapes() -> bytearray:
    """Return what ldtilecfg reads: 1, then at 16 the bytes of a row, at 48 the rows of a tile."""
    shapes = bytearray(64)
    shapes[0] = 1
    for t in range(TILES):
        shapes[16 + 2 * t] = ROW_BYTES
        shapes[48 + t] = ROWS
    return shapes


@intrinsic
def release(typing: TypingContext, tile: types.NamedUniTuple) -> Intrinsic:
    """Switch the unit off, so that the system need not save its tiles."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        if not is_emulated(tile):
            call(builder, "llvm.x86.tilerelease", _VOID)
        return context.get_dummy_value()

    return types.void(tile), codegen


@intrinsic_of_literals
def tile_zero(
    typing: TypingContext,
    tile: types.NamedUniTuple,
    registers: types.Array,
    t: types.IntegerLiteral,
) -> Intrinsic:
    """Set all sums of tile t to 0."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        if is_emulated(tile):
            return _emulate(context, builder, emulation.tile_zero, signature, args)
        call(builder, "llvm.x86.tilezero", _VOID, _constant(t))
        return context.get_dummy_value()

    return types.void(tile, registers, t), codegen


@intrinsic_of_literals
def tile_load(
    typing: TypingContext, tile: types.NamedUniTuple, registers: types.Array,
    t: types.IntegerLiteral, source: types.Array, offset: types.Integer, stride: types.Integer,
) -> Intrinsic:  # fmt: skip
    """Tile t = 16 rows of 64 bytes, `stride` bytes apart, from byte `offset` of an array on."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        if is_emulated(tile):
            return _emulate(context, builder, emulation.tile_load, signature, args)
        _move(context, builder, "llvm.x86.tileloadd64", signature, args)
        return context.get_dummy_value()

    return types.void(tile, registers, t, source, types.intp, types.intp), codegen


@intrinsic_of_literals
def tile_store(
    typing: TypingContext, tile: types.NamedUniTuple, registers: types.Array,
    t: types.IntegerLiteral, target: types.Array, offset: types.Integer, stride: types.Integer,
) -> Intrinsic:  # fmt: skip
    """Write tile t to 16 rows of an array, `stride` bytes apart."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        if is_emulated(tile):
            return _emulate(context, builder, emulation.tile_store, signature, args)
        _move(context, builder, "llvm.x86.tilestored64", signature, args)
        return context.get_dummy_value()

    return types.void(tile, registers, t, target, types.intp, types.intp), codegen


def _move(
    context: Context, builder: Builder, name: str, signature: Signature, args: Values
) -> None:
    """Call tileloadd64 or tilestored64."""
    _, _, t, array, _, _ = signature.args
    data = array_data(context, builder, array, args[3])
    call(builder, name, _VOID, _constant(t), address(builder, data, args[4], I8), args[5])


def _dot(name: str, emulated: Callable[..., None]) -> Callable[..., None]:
    """Make the function of a dot product: tile c += tile a times tile b."""

    @intrinsic_of_literals
    def dot(
        typing: TypingContext, tile: types.NamedUniTuple, registers: types.Array,
        c: types.IntegerLiteral, a: types.IntegerLiteral, b: types.IntegerLiteral,
    ) -> Intrinsic:  # fmt: skip
        def codegen(
            context: Context, builder: Builder, signature: Signature, args: Values
        ) -> Value:
            if is_emulated(tile):
                return _emulate(context, builder, emulated, signature, args)
            call(builder, f"llvm.x86.{name}", _VOID, *map(_constant, (c, a, b)))
            return context.get_dummy_value()

        return types.void(tile, registers, c, a, b), codegen

    return dot


dot_int8 = _dot("tdpbssd", emulation.dot_int8)
dot_bf16 = _dot("tdpbf16ps", emulation.dot_bf16)


def _constant(number: types.IntegerLiteral) -> Value:
    """Return the number of a tile as a part of the instruction."""
    return I8(number.literal_value)


def _emulate(
    context: Context, builder: Builder, function: Any, signature: Signature, args: Values
) -> Value:
    """Call a kernel of amx_emulation.py with all arguments but the first."""
    kinds = tuple(types.unliteral(kind) for kind in signature.args[1:])
    function.compile(kinds)
    compiled = function.overloads[kinds]
    context.active_code_library.add_linking_library(compiled.library)
    return context.call_internal(builder, compiled.fndesc, compiled.signature, args[1:])
