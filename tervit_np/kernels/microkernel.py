"""The microkernel: one step of a register tile, in the instructions of each variant.

    acc[m, p, s, :] += w[p, s, :] * x[m]      m = 0..mr-1,  p = 0..panels-1,  s = 0..3

A step takes four inputs and loads one vector of packed weights for each panel. The weights of each
of its four slots s (panels.py) are multiplied with the inputs and added to a vector of int32 sums,
one sum for four bytes.

A mask alone selects a slot, without a shift, so that its weights are 4^s times too large;
`undo_zero_point` divides the final sums by 4^s. (Where the instruction takes signed weights, the
last slot is shifted instead, as 2 * 4^3 does not fit a signed byte.) Weights are stored as t + 1
(zero point 1), because the other instructions take unsigned bytes. Each sum is therefore too large
by the sum of the token's inputs, QuantizedTokens.row_sums, which `undo_zero_point` subtracts.
"""

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core.datamodel.manager import DataModelManager
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import register_model

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
    array_stride,
    broadcast,
    call,
    intrinsic,
    load,
    prefetch,
    shuffle,
    splat,
)
from tervit_np.kernels.arm import dot_neon, dot_sdot, dot_usdot
from tervit_np.kernels.panels import SLOTS

_SIGNED = ("neon", "sdot")  # variants whose dot product takes two signed bytes
_PREFETCH = ("vnni256", "vnni512")  # so fast that loads of the next tile's tokens would stall


class Accumulators(types.Type):
    """Numba's type of a tile's sums: mr x panels x 4 vectors of int32."""

    def __init__(self, tile: Any) -> None:  # the class of a tile
        self.variant: str = tile.variant
        self.vector_bytes, self.mr, self.panels = tile.shape
        self.outputs = self.vector_bytes // 4  # in a vector of sums
        # The generic dot product keeps two sums for each output: of even and of odd inputs.
        self.lanes = self.outputs * (2 if self.variant == "generic" else 1)
        # The weights of slot s are multiplied by 2^shifts[s].
        self.shifts = (0, 2, 4, 0) if self.variant in _SIGNED else (0, 2, 4, 6)
        super().__init__(f"Accumulators({tile.__name__})")


@register_model(Accumulators)
class _AccumulatorsModel(PrimitiveModel):
    def __init__(self, manager: DataModelManager, acc: Accumulators) -> None:
        vector = ir.VectorType(I32, acc.lanes)
        super().__init__(manager, acc, ir.ArrayType(vector, acc.mr * acc.panels * SLOTS))


@intrinsic
def zero_accumulators(typing: TypingContext, tile: types.NamedUniTuple) -> Intrinsic:
    """Return a tile's sums, all zero."""
    acc = Accumulators(tile.instance_class)

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        return ir.Constant(context.get_value_type(acc), None)

    return acc(tile), codegen


@intrinsic
def multiply_add(
    typing: TypingContext, acc: Accumulators, packed: types.Array, w_offset: types.Integer,
    q: types.Array, x_offset: types.Integer, stride: types.Integer,
) -> Intrinsic:  # fmt: skip
    """acc[m, p, s, :] += w[p, s, :] * x[m] for 64 bytes of each panel, 4 of each token.

    packed uint8 (P, Q, 64) from byte `w_offset`; q int8 (M, 4 Q) from byte `x_offset`, tokens
    `stride` bytes apart.
    """

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        sums, packed_, w_at, q_, x_at, stride_ = args
        weights = array_data(context, builder, packed, packed_)
        inputs = array_data(context, builder, q, q_)
        panel_bytes = array_stride(context, builder, packed, packed_, 0)
        vector = ir.VectorType(I8, acc.vector_bytes)
        slots = []
        for _ in range(acc.panels):
            loaded = load(builder, weights, w_at, vector)
            slots += [_slot(builder, acc, loaded, s) for s in range(SLOTS)]
            w_at = builder.add(w_at, panel_bytes)
        for m in range(acc.mr):
            x = broadcast(builder, load(builder, inputs, x_at, I32), acc.outputs)
            x = builder.bitcast(x, vector)  # the same four bytes for every output
            for i, slot in enumerate(slots, m * len(slots)):
                before = builder.extract_value(sums, i)
                after = DOT[acc.variant](builder, before, slot, x)
                sums = builder.insert_value(sums, after, i)
            if acc.variant in _PREFETCH and acc.mr > 1:
                ahead = builder.mul(stride_, ir.Constant(I64, acc.mr))
                prefetch(builder, inputs, builder.add(x_at, ahead))
            x_at = builder.add(x_at, stride_)
        return sums

    return acc(acc, packed, types.intp, q, types.intp, types.intp), codegen


def _slot(builder: Builder, acc: Accumulators, loaded: Value, s: int) -> Value:
    """Return the weights of slot s of each byte, times 2^shifts[s]."""
    shift = acc.shifts[s]
    if shift < 2 * s:
        loaded = builder.lshr(loaded, splat(loaded.type, 2 * s - shift))
    return builder.and_(loaded, splat(loaded.type, 3 << shift))


def dot_vnni(builder: Builder, sums: Value, w: Value, x: Value) -> Value:
    """sums_i += w_4i x_4i + ... + w_4i+3 x_4i+3 in one instruction, w unsigned, x signed bytes."""
    kind = sums.type
    if llvm.llvm_version_info[0] < 22:  # its operands were 32-bit lanes before
        w, x = builder.bitcast(w, kind), builder.bitcast(x, kind)
    return call(builder, f"llvm.x86.avx512.vpdpbusd.{32 * kind.count}", kind, sums, w, x)


def _dot_avx2(builder: Builder, sums: Value, w: Value, x: Value) -> Value:
    """Add pairs of products to 16 bits (at most 2 x 128 x 127 = 32,512), those to 32 bits."""
    pairs = ir.VectorType(I16, 2 * sums.type.count)
    products = call(builder, "llvm.x86.avx2.pmadd.ub.sw", pairs, w, x)
    ones = splat(pairs, 1)
    return builder.add(sums, call(builder, "llvm.x86.avx2.pmadd.wd", sums.type, products, ones))


def _dot_generic(builder: Builder, sums: Value, w: Value, x: Value) -> Value:
    """sums_i += w_2i x_2i + w_2i+1 x_2i+1, a pattern that compilers recognize."""
    wide = ir.VectorType(I16, w.type.count)
    w, x = builder.zext(w, wide), builder.sext(x, wide)

    def every_second(vector: Value, first: int) -> Value:
        return builder.sext(shuffle(builder, vector, range(first, wide.count, 2)), sums.type)

    for first in (0, 1):
        sums = builder.add(sums, builder.mul(every_second(w, first), every_second(x, first)))
    return sums


DOT: dict[str, Callable[[Builder, Value, Value, Value], Value]] = {
    "generic": _dot_generic, "avx2": _dot_avx2, "vnni256": dot_vnni, "vnni512": dot_vnni,
    "neon": dot_neon, "sdot": dot_sdot, "usdot": dot_usdot,
}  # fmt: skip


def undo_zero_point(
    builder: Builder, acc: Accumulators, sums: Value, i: int, s: int, row_sum: Value
) -> Value:
    """Return vector i of the sums, which is of slot s, divided by 2^shifts[s], minus row_sum."""
    vector = builder.extract_value(sums, i)
    if acc.variant == "generic":
        even, odd = (shuffle(builder, vector, range(first, acc.lanes, 2)) for first in (0, 1))
        vector = builder.add(even, odd)
    vector = builder.ashr(vector, splat(vector.type, acc.shifts[s]))
    return builder.sub(vector, broadcast(builder, row_sum, acc.outputs))
