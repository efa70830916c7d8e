"""Attention of one head within one group of tokens, with nothing kept for a way back.

    S = Q K^T / sqrt(K) + offsets      A = exp(S - max)      O = A V / sum(A)

A group is an image in DeiT, a window in Swin. Some queries at a time: their scores, exponentials
and outputs stay in the nearest cache, and the whole matrix S never exists. The division comes last,
on K numbers instead of T.

Keys are padded to whole registers, so that the loop of exponentials leaves none over. `offsets` is
Swin's bias and mask; of the columns that are padding it makes zeros.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tervit_np.arrays import Array
from tervit_np.kernels.dense import FLOATS, LANES, ROWS, product
from tervit_np.kernels.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.kernels.jit import REORDER, kernel
from tervit_np.kernels.softmax import ordered
from tervit_np.kernels.team import up
from tervit_np.kernels.vectors import F32, I64, load, save, transposed

PADDING = -1e30  # an offset whose exponential is nothing beside any other


class Desk(NamedTuple):
    """Room for one head of one group: T tokens, K columns, padded to whole registers."""

    q: Array  # float32 (T', K')
    k: Array  # float32 (T'', K')
    keys: Array  # float32 (K', T''): k transposed
    v: Array  # float32 (T'', K')
    scores: Array  # float32 (ROWS, T'')
    out: Array  # float32 (ROWS, K')


def desk(tokens: int, width: int) -> Desk:
    """Make room for groups of T tokens and heads of K columns."""
    rows, count, columns = up(tokens, ROWS), up(tokens, LANES), up(width, LANES)
    shapes: list[Any] = [(rows, columns), (count, columns), (columns, count), (count, columns)]
    shapes += [(ROWS, count), (ROWS, columns)]
    return Desk(*(np.zeros(shape, np.float32) for shape in shapes))


@kernel(boundscheck=False)
def attend(qkv: Any, first: int, width: int, offsets: Any, desk: Any, out: Any) -> None:
    """One head: columns first..first + width of out (T, D), from qkv (T, 3 D...).

    offsets (T, T''), or (1, T'') where all queries have the same.
    """
    tokens, count, columns = out.shape[0], desk.keys.shape[1], desk.v.shape[1]
    _lay_out(qkv, first, width, out.shape[1], desk)
    for m in range(0, tokens, ROWS):
        product(FLOATS, desk.q, m * columns, columns, desk.keys, count, count, width, desk.scores)
        queries = min(ROWS, tokens - m)
        for i in range(queries):
            total = _exponentials(desk.scores[i], offsets[(m + i) % offsets.shape[0]])
            desk.q[m + i, 0] = ONE / total  # this query is not needed any more
        product(FLOATS, desk.scores, 0, count, desk.v, columns, columns, tokens, desk.out)
        for i in range(queries):
            share = desk.q[m + i, 0]
            for d in range(width):
                out[m + i, first + d] = desk.out[i, d] * share


@kernel(boundscheck=False)
def _lay_out(qkv: Any, first: int, width: int, whole: int, desk: Any) -> None:
    """Copy one head's q (times 1 / sqrt(K)), k and v, each from its own D columns; turn k."""
    scale = ONE / np.sqrt(F(width))
    for t in range(qkv.shape[0]):
        for d in range(width):
            desk.q[t, d] = qkv[t, first + d] * scale
            desk.k[t, d] = qkv[t, whole + first + d]
            desk.v[t, d] = qkv[t, 2 * whole + first + d]
    for t in range(0, desk.k.shape[0], LANES):
        for d in range(0, desk.k.shape[1], LANES):
            turn(desk.k, desk.keys, t, d)


@kernel(fastmath=REORDER, boundscheck=False)
def _exponentials(scores: Any, offsets: Any) -> Any:
    """scores <- exp(scores + offsets - max); return their sum.  (T''), (T'')."""
    highest = np.int32(-(2**31))
    for t in range(scores.shape[0]):
        scores[t] += offsets[t]
        highest = max(highest, ordered(float_to_bits(scores[t])))  # as integers (softmax.py)
    top: Any = bits_to_float(ordered(highest))
    for t in range(scores.shape[0]):
        scores[t] = exp32(scores[t] - top)
    total = F(0)
    for t in range(scores.shape[0]):
        total += scores[t]
    return total


@intrinsic
def turn(typing: Any, source: Any, target: Any, row: Any, column: Any) -> Any:
    """target[column:, row:] = source[row:, column:].T, LANES x LANES numbers of 4 bytes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source_, target_, row_, column_ = args
        taken, given = (
            context.make_array(kind)(context, builder, value)
            for kind, value in ((source, source_), (target, target_))
        )
        kind = ir.VectorType(F32, LANES)
        places = _places(builder, taken, row_, column_)
        rows = [load(builder, taken.data, place, kind) for place in places]
        places = _places(builder, given, column_, row_)
        for value, place in zip(transposed(builder, rows), places, strict=True):
            save(builder, value, given.data, place)
        return context.get_dummy_value()

    return types.void(source, target, types.intp, types.intp), generate


def _places(builder: Any, array: Any, row: Any, column: Any) -> Any:
    """Yield the byte of `column` in each of LANES rows."""
    stride = builder.extract_value(array.strides, 0)
    place = builder.add(builder.mul(row, stride), builder.mul(column, ir.Constant(I64, 4)))
    for _ in range(LANES):
        yield place
        place = builder.add(place, stride)
