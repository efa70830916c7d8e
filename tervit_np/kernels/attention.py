"""Attention of one head within one window, for inference: no cache is kept for a backward pass.

    S = Q K^T / sqrt(K) + attn_bias      A = exp(S - max)      O = A V / sum(A)

A window is the set of tokens that attend to each other: Swin's window, or a whole image in DeiT.
MR queries are computed at a time: their scores, exponentials and outputs fit the L1 cache, and the
T x T matrix S is never stored. The division comes last, on K numbers instead of T.

Queries and values are read from qkv in place; only the keys are copied, transposed. Scores are
computed for whole registers of keys. The keys beyond T belong to the next window or are padding;
their attn_bias is PADDING_BIAS, so that their exponentials do not count. In Swin, attn_bias is the
position bias plus the mask.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.arithmetic import address_of, fma
from tervit_np.compiled.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.compiled.float_microkernel import multiply_rows
from tervit_np.compiled.float_panels import Matrix, matrix_of
from tervit_np.compiled.float_tile import FLOAT, LANES, MR
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.row_sums import row_sum
from tervit_np.compiled.simd import (
    F32,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    array_data,
    array_stride,
    byte_offset,
    intrinsic,
    load,
    store,
    transpose,
)
from tervit_np.compiled.softmax import ordered
from tervit_np.kernels.team import round_up

PADDING_BIAS = -1e30  # attn_bias of keys beyond the window, which makes their exponentials 1e-38


class AttentionScratch(NamedTuple):
    """Buffers for one head of one window; T' and K' are rounded up to multiples of LANES."""

    k_transposed: Array  # float32 (K', T')
    scores: Array  # float32 (MR, T'), then their exponentials
    out: Array  # float32 (MR, K')
    row_max: Array  # float32 (MR,): the largest score of each query
    inv_sum: Array  # float32 (MR,): one over the sum of its exponentials


def make_attention_scratch(window_tokens: int, head_dim: int) -> AttentionScratch:
    """Allocate scratch for windows of T tokens and heads of K columns."""
    keys, columns = round_up(window_tokens, LANES), round_up(head_dim, LANES)
    return AttentionScratch(
        k_transposed=zeros((columns, keys), np.float32),
        scores=zeros((MR, keys), np.float32),
        out=zeros((MR, columns), np.float32),
        row_max=zeros((MR,), np.float32),
        inv_sum=zeros((MR,), np.float32),
    )


def rows_read(window_tokens: int) -> int:
    """Return how many rows of qkv `attend` may read for a window of T tokens.

    It reads whole tiles of queries and whole registers of keys, and a row more, because a register
    that holds the last columns of a row may extend into the next one.
    """
    rows: int = max(round_up(window_tokens, MR), round_up(window_tokens, LANES))
    return rows + 1


@kernel(boundscheck=False)
def attend(
    qkv: Array, head: int, head_dim: int, attn_bias: Array, scratch: AttentionScratch, out: Array
) -> None:
    """Attend in one head.  qkv (rows_read(T) or more, 3 D or more) -> K columns of out (T, D).

    attn_bias (T, T'), or (1, T') if it is the same for all queries. Rows of qkv beyond T may hold
    any finite numbers.
    """
    (tokens, dim), stride = out.shape, qkv.shape[1]
    start, stop, scale = head * head_dim, (head + 1) * head_dim, ONE / np.sqrt(F(head_dim))
    keys, columns = scratch.k_transposed.shape[1], scratch.out.shape[1]
    for t in range(0, keys, LANES):
        for d in range(0, columns, LANES):
            transpose_tile(qkv, t, dim + start + d, scratch.k_transposed, d, t)
    for m in range(0, tokens, MR):
        queries = min(MR, tokens - m)
        q = Matrix(address_of(qkv) + (m * stride + start) * FLOAT, stride * FLOAT, FLOAT)
        multiply_rows(keys, head_dim, q, matrix_of(scratch.k_transposed), matrix_of(scratch.scores))
        for i in range(queries):  # each step for all queries before the next: latencies overlap
            query_bias = attn_bias[(m + i) % attn_bias.shape[0]]
            scratch.row_max[i] = _scale_and_add_bias(scratch.scores[i], scale, query_bias)
        for i in range(queries):
            _exponentials(scratch.scores[i], scratch.row_max[i])
        for i in range(queries):
            row = address_of(scratch.scores) + i * keys * FLOAT
            scratch.inv_sum[i] = ONE / row_sum(row, tokens)
        v = Matrix(address_of(qkv) + (2 * dim + start) * FLOAT, stride * FLOAT, FLOAT)
        multiply_rows(columns, tokens, matrix_of(scratch.scores), v, matrix_of(scratch.out))
        for i in range(queries):
            normalize(scratch.out[i], scratch.inv_sum[i], out[m + i, start:stop])


@kernel(boundscheck=False)
def _scale_and_add_bias(scores: Array, scale: np.float32, attn_bias: Array) -> np.float32:
    """scores = scale scores + attn_bias, in place; return the largest.  (T'), (T')."""
    largest = np.int32(-(2**31))
    for t in range(scores.shape[0]):
        score = fma(scores[t], scale, attn_bias[t])
        scores[t] = score
        largest = max(largest, ordered(float_to_bits(score)))  # as integers (softmax.py)
    return bits_to_float(ordered(largest))


@kernel(boundscheck=False)
def _exponentials(scores: Array, row_max: np.float32) -> None:
    """scores = exp(scores - row_max), in place.  (T')."""
    for t in range(scores.shape[0]):
        scores[t] = exp32(scores[t] - row_max)


@kernel(boundscheck=False)
def normalize(values: Array, inv_sum: np.float32, out: Array) -> None:
    """out = values inv_sum.  (K'), (K)."""
    for d in range(out.shape[0]):
        out[d] = values[d] * inv_sum


@intrinsic
def transpose_tile(
    typing: TypingContext,
    source: types.Array,
    row: types.Integer,
    column: types.Integer,
    target: types.Array,
    to_row: types.Integer,
    to_column: types.Integer,
) -> Intrinsic:
    """target[to_row:, to_column:] = source[row:, column:].T, LANES x LANES elements of 4 bytes.

    Four neighbours in an array of bytes count as one element.
    """

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        source_, row_, column_, target_, to_row_, to_column_ = args
        source_data = array_data(context, builder, source, source_)
        target_data = array_data(context, builder, target, target_)
        stride = array_stride(context, builder, source, source_, 0)
        vector = ir.VectorType(F32, LANES)
        offsets = _row_offsets(builder, stride, row_, column_)
        rows = [load(builder, source_data, offset, vector) for offset in offsets]
        stride = array_stride(context, builder, target, target_, 0)
        offsets = _row_offsets(builder, stride, to_row_, to_column_)
        for value, offset in zip(transpose(builder, rows), offsets, strict=True):
            store(builder, value, target_data, offset)
        return context.get_dummy_value()

    position = (types.intp, types.intp)
    return types.void(source, *position, target, *position), codegen


def _row_offsets(builder: Builder, stride: Value, row: Value, column: Value) -> Iterator[Value]:
    """Yield the byte offset of element `column` in each of LANES rows from `row` on."""
    offset = builder.add(builder.mul(row, stride), byte_offset(builder, column))
    for _ in range(LANES):
        yield offset
        offset = builder.add(offset, stride)
