"""Attention of one head whose two products are those of a matrix unit for bfloat16.

    S = q k^T / sqrt(K) + attn_bias      q, k bfloat16, S float32
    w = bfloat16(exp(S - max))
    O = w v / sum(w)                     v bfloat16, O float32

Queries pass 32 at a time, as many as two tiles have rows: their scores fit the L1 cache. Keys
become tiles of B by a transposition, values are tiles of B as they are, in pairs of rows. The
division by the sum of the rounded weights makes O a weighted mean of the values. Exponentials are
in float32.

On a processor without such a unit it is emulated (compiled/amx.py): the same bits, slowly.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.amx import MatrixTile, configure, registers_of, release
from tervit_np.compiled.arithmetic import address_of, fma
from tervit_np.compiled.bf16_matmul import BLOCK, add_product, bf16_tile
from tervit_np.compiled.bf16_panels import (
    B_LOW,
    INPUTS,
    SIZE,
    Region,
    bf16_bits,
    pack_pairs,
    pack_rows,
    transpose_tiles,
)
from tervit_np.compiled.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.compiled.float_tile import FLOAT
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.row_sums import row_sum
from tervit_np.compiled.softmax import ordered
from tervit_np.kernels.attention import normalize
from tervit_np.kernels.team import round_up


class Bf16AttentionScratch(NamedTuple):
    """Buffers for one head of one window of T tokens; T' and K' are multiples of 32."""

    tile: MatrixTile
    q: Array  # int32 (2, K' / 32, 1, 16, 16): 32 queries
    k: Array  # int32 (T' / 16, K' / 32, 1, 16, 16)
    v: Array  # int32 (K' / 16, T' / 32, 1, 16, 16)
    scores: Array  # float32 (32, T'), then their exponentials
    weights: Array  # int32 (2, T' / 32, 1, 16, 16)
    out: Array  # float32 (32, K')


def make_bf16_attention_scratch(window_tokens: int, head_dim: int) -> Bf16AttentionScratch:
    """Allocate scratch for windows of T tokens and heads of K columns."""
    keys, columns = round_up(window_tokens, BLOCK), round_up(head_dim, BLOCK)

    def tiles(outer: int, inputs: int) -> Array:
        return zeros((outer // SIZE, inputs // INPUTS, 1, SIZE, SIZE), np.int32)

    return Bf16AttentionScratch(
        tile=bf16_tile(),
        q=tiles(BLOCK, columns),
        k=tiles(keys, columns),
        v=tiles(columns, keys),
        scores=zeros((BLOCK, keys), np.float32),
        weights=tiles(BLOCK, keys),
        out=zeros((BLOCK, columns), np.float32),
    )


@kernel(boundscheck=False)
def attend_bf16(
    qkv: Array, head: int, head_dim: int, attn_bias: Array, scratch: Bf16AttentionScratch,
    out: Array,
) -> None:  # fmt: skip
    """Attend in one head; arguments as in `attend` (attention.py)."""
    (tokens, dim), start, stop = out.shape, head * head_dim, (head + 1) * head_dim
    tile, scale = scratch.tile, ONE / np.sqrt(F(head_dim))
    registers = registers_of(tile)
    q_steps, v_steps = scratch.q.shape[1], scratch.v.shape[1]
    pack_rows(qkv, Region(0, tokens, dim + start, dim + stop), 1, scratch.k)
    transpose_tiles(scratch.k.shape[0], q_steps, 1, scratch.k)
    pack_pairs(qkv, Region(0, tokens, 2 * dim + start, 2 * dim + stop), 1, B_LOW, scratch.v)
    configure(tile)
    for m in range(0, tokens, BLOCK):
        queries = min(BLOCK, tokens - m)
        pack_rows(qkv, Region(m, m + queries, start, stop), 1, scratch.q)
        add_product(tile, registers, scratch.q, scratch.k, q_steps, 0, 1, True, scratch.scores)
        for i in range(queries):
            weigh(scratch.scores[i], scale, attn_bias[(m + i) % attn_bias.shape[0]], tokens)
        keys = scratch.scores.shape[1]
        pack_rows(scratch.scores, Region(0, queries, 0, keys), 1, scratch.weights)
        add_product(tile, registers, scratch.weights, scratch.v, v_steps, 0, 1, True, scratch.out)
        for i in range(queries):
            total = row_sum(address_of(scratch.scores) + i * keys * FLOAT, tokens)
            normalize(scratch.out[i], ONE / total, out[m + i, start:stop])
    release(tile)


@kernel(boundscheck=False)
def weigh(scores: Array, scale: np.float32, attn_bias: Array, tokens: int) -> None:
    """scores = bfloat16(exp(S - max S)), S = scale scores + attn_bias; 0 from T on.  (T')."""
    largest = np.int32(-(2**31))
    for t in range(tokens):
        score = fma(scores[t], scale, attn_bias[t])
        scores[t] = score
        largest = max(largest, ordered(float_to_bits(score)))  # as integers (softmax.py)
    row_max = bits_to_float(ordered(largest))
    for t in range(tokens):
        scores[t] = bits_to_float(bf16_bits(exp32(scores[t] - row_max)))
    scores[tokens:] = F(0)
