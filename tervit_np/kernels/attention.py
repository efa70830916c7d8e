"""Attention of one head within one group of tokens, with nothing kept for a way back.

    S = Q K^T / sqrt(K) + offsets      A = exp(S - max)      O = A V / sum(A)

A group is an image in DeiT, a window in Swin. Some queries at a time: their scores, exponentials
and outputs stay in the nearest cache, and the whole matrix S never exists. The division comes last,
on K numbers instead of T.

Queries and values are read where they lie; keys alone are copied, turned. Keys are taken in whole
registers: beyond the tokens of a group lie some of the next, or nothing, and `offsets`, Swin's bias
and mask, makes zeros of their exponentials.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.compiled.jit import REORDER, kernel
from tervit_np.compiled.simd import F32, I64, load, store, transpose
from tervit_np.compiled.softmax import ordered
from tervit_np.kernels.gemm import View, gemm_rows
from tervit_np.kernels.team import round_up
from tervit_np.kernels.tiles import FLOAT_TILES, LANES, MR

PADDING = -1e30  # an offset whose exponential is nothing beside any other


class AttentionScratch(NamedTuple):
    """Arrays for one head of one window: T tokens, K columns, padded to whole registers."""

    keys: Array  # float32 (K', T''): k transposed
    scores: Array  # float32 (MR, T'')
    out: Array  # float32 (MR, K')
    row: Array  # float32 (MR,): the largest score of each query, then one over its sum


def desk(tokens: int, width: int) -> AttentionScratch:
    """Make room for groups of T tokens and heads of K columns."""
    count, columns = round_up(tokens, LANES), round_up(width, LANES)
    shapes: list[Any] = [(columns, count), (MR, count), (MR, columns), (MR,)]
    return AttentionScratch(*(zeros(shape, np.float32) for shape in shapes))


def reach(tokens: int) -> int:
    """Return how many rows of q, k, v an `attend` of T tokens may read.

    Whole tiles of queries, whole registers of keys, and a row because the last head's columns may
    end within a register.
    """
    rows: int = max(round_up(tokens, MR), round_up(tokens, LANES))
    return rows + 1


@kernel(boundscheck=False)
def attend(qkv: Any, first: int, width: int, offsets: Any, desk: Any, out: Any) -> None:
    """One head: columns first..first + width of out (T, D), from qkv (reach(T) or more, 3 D...).

    offsets (T, T''), or (1, T'') where all queries have the same. What lies beyond T is finite.
    """
    (tokens, whole), stride = out.shape, qkv.shape[1]
    count, columns = desk.keys.shape[1], desk.out.shape[1]
    scale, row = ONE / np.sqrt(F(width)), desk.row
    for t in range(0, count, LANES):
        for d in range(0, columns, LANES):
            transpose_tile(qkv, t, whole + first + d, desk.keys, d, t)
    for m in range(0, tokens, MR):
        queries = min(MR, tokens - m)
        gemm_rows(FLOAT_TILES, View(qkv, m * stride + first, stride), View(desk.keys, 0, count),
                  count, width, desk.scores)  # fmt: skip
        for i in range(queries):  # all rows before the next step: their latencies overlap
            row[i] = _scale_and_shift(desk.scores[i], scale, offsets[(m + i) % offsets.shape[0]])
        for i in range(queries):
            row[i] = ONE / _exponentials(desk.scores[i], row[i])
        gemm_rows(FLOAT_TILES, View(desk.scores, 0, count), View(qkv, 2 * whole + first, stride),
                  columns, tokens, desk.out)  # fmt: skip
        for i in range(queries):
            _give(desk.out[i], row[i], out[m + i, first : first + width])


@kernel(fastmath=REORDER, boundscheck=False)
def _scale_and_shift(scores: Any, scale: Any, offsets: Any) -> Any:
    """scores <- scale scores + offsets; return the largest.  (T''), (T'')."""
    highest = np.int32(-(2**31))
    for t in range(scores.shape[0]):
        score = scores[t] * scale + offsets[t]
        scores[t] = score
        highest = max(highest, ordered(float_to_bits(score)))  # as integers (softmax.py)
    return bits_to_float(ordered(highest))


@kernel(fastmath=REORDER, boundscheck=False)
def _exponentials(scores: Any, highest: Any) -> Any:
    """scores <- exp(scores - highest); return their sum.  (T'')."""
    total = F(0)
    for t in range(scores.shape[0]):
        value = exp32(scores[t] - highest)
        scores[t] = value
        total += value
    return total


@kernel(boundscheck=False)
def _give(values: Any, share: Any, out: Any) -> None:
    """out <- share values.  (K'), (K)."""
    for d in range(out.shape[0]):
        out[d] = values[d] * share


@intrinsic
def transpose_tile(
    typing: Any, source: Any, row: Any, column: Any, target: Any, to_row: Any, to_column: Any
) -> Any:
    """target[to_row:, to_column:] = source[row:, column:].T, LANES x LANES numbers of 4 bytes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source_, row_, column_, target_, to_row_, to_column_ = args
        taken, given = (
            context.make_array(kind)(context, builder, value)
            for kind, value in ((source, source_), (target, target_))
        )
        kind = ir.VectorType(F32, LANES)
        places = _places(builder, taken, row_, column_)
        rows = [load(builder, taken.data, place, kind) for place in places]
        places = _places(builder, given, to_row_, to_column_)
        for value, place in zip(transpose(builder, rows), places, strict=True):
            store(builder, value, given.data, place)
        return context.get_dummy_value()

    place = (types.intp, types.intp)
    return types.void(source, *place, target, *place), generate


def _places(builder: Any, array: Any, row: Any, column: Any) -> Any:
    """Yield the byte of `column` in each of LANES rows."""
    stride = builder.extract_value(array.strides, 0)
    place = builder.add(builder.mul(row, stride), builder.mul(column, ir.Constant(I64, 4)))
    for _ in range(LANES):
        yield place
        place = builder.add(place, stride)
