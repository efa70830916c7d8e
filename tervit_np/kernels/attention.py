"""Attention of one head within one group of tokens, with nothing kept for a way back.

    S = Q K^T / sqrt(K) + bias + mask      A = exp(S - max)      O = A V / sum(A)

A group is an image in DeiT, a window in Swin; its tokens are named by their rows, so that windows
are neither cut out nor rolled. Some queries at a time: their scores, exponentials and outputs stay
in the nearest cache, and the whole matrix S never exists. The division comes last, on K numbers
instead of T.
"""

from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.dense import FLOATS, LANES, ROWS, product
from tervit_np.kernels.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.kernels.jit import REORDER, kernel
from tervit_np.kernels.softmax import ordered


class Desk(NamedTuple):
    """Room for one head of one group: T tokens, K columns, padded to whole registers."""

    q: Array  # float32 (T', K)
    keys: Array  # float32 (K, T''), transposed
    v: Array  # float32 (T, K')
    scores: Array  # float32 (ROWS, T'')
    out: Array  # float32 (ROWS, K')


def desk(tokens: int, width: int) -> Desk:
    """Make room for groups of T tokens and heads of K columns."""
    count, columns = up(tokens, LANES), up(width, LANES)
    shapes = (up(tokens, ROWS), width), (width, count), (tokens, columns), (ROWS, count)
    return Desk(*(np.zeros(shape, np.float32) for shape in (*shapes, (ROWS, columns))))


def up(count: int, unit: int) -> int:
    """Round up to a multiple."""
    return -(-count // unit) * unit


@kernel(boundscheck=False)
def attend(
    qkv: Any, rows: Any, head: int, width: int, bias: Any, mask: Any, desk: Any, out: Any
) -> None:
    """One head.  qkv (M, 3 D...), rows (T,), bias and mask (T, T) or (0, 0) -> columns of out (M, D).
    """
    tokens, count, columns = rows.shape[0], desk.keys.shape[1], desk.v.shape[1]
    _lay_out(qkv, rows, head * width, out.shape[1], desk)
    for m in range(0, tokens, ROWS):
        product(FLOATS, desk.q, m * width, width, desk.keys, count, count, width, desk.scores)
        for i in range(min(ROWS, tokens - m)):
            add_offsets(desk.scores[i], bias, mask, m + i)
            desk.q[m + i, 0] = ONE / _exponentials(desk.scores[i, :tokens])  # its query is done
        product(FLOATS, desk.scores, 0, count, desk.v, columns, columns, tokens, desk.out)
        for i in range(min(ROWS, tokens - m)):
            share, row = desk.q[m + i, 0], out[rows[m + i]]
            for d in range(width):
                row[head * width + d] = desk.out[i, d] * share


@kernel(boundscheck=False)
def _lay_out(qkv: Any, rows: Any, first: int, whole: int, desk: Any) -> None:
    """Copy one head's q (times 1 / sqrt(K)), k (transposed) and v; each kind is D columns."""
    width = desk.q.shape[1]
    scale = F(1) / np.sqrt(F(width))
    for t in range(rows.shape[0]):
        row = qkv[rows[t]]
        for d in range(width):
            desk.q[t, d] = row[first + d] * scale
            desk.v[t, d] = row[2 * whole + first + d]
        for d in range(width):
            desk.keys[d, t] = row[whole + first + d]


@kernel(boundscheck=False)
def add_offsets(scores: Any, bias: Any, mask: Any, query: int) -> None:
    """Add a query's row of bias and mask, where there are any."""
    for t in range(bias.shape[1]):
        scores[t] += bias[query, t]
    for t in range(mask.shape[1]):
        scores[t] += mask[query, t]


@kernel(fastmath=REORDER, boundscheck=False)
def _exponentials(scores: Any) -> Any:
    """scores <- exp(scores - max); return their sum."""
    top, total = largest(scores), F(0)
    for t in range(scores.shape[0]):
        scores[t] = exp32(scores[t] - top)
        total += scores[t]
    return total


@kernel(boundscheck=False)
def largest(values: Any) -> Any:
    """Return the maximum, found on integers (softmax.py)."""
    highest = np.int32(-(2**31))
    for t in range(values.shape[0]):
        highest = max(highest, ordered(float_to_bits(values[t])))
    return bits_to_float(ordered(highest))
