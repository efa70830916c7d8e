"""Attention of one head whose two products are integer products: faster for images, less exact.

    S = s_m s_n sum_d q[m, d] k[n, d] / sqrt(K) + attn_bias      q, k int8, a scale per token
    e = round(255 exp(S - max))                                  uint8
    O = s_d sum_n e[m, n] v[n, d] / sum_n e[m, n]                v int8, a scale per column

The integer product takes one unsigned side. e is never negative; q is stored with the zero point
128, which adds 128 sum_d k[n, d] to the product; this number, the compensation of key n, is then
subtracted. v has one scale per column because a scale per token could not be taken out of the sum
over n. Because O is divided by the sum of the rounded e, it is a weighted mean of the values.

In windows of few tokens the quantization takes longer than the faster products save.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.arithmetic import fma
from tervit_np.compiled.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.compiled.fakequant import magnitude_bits
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.softmax import ordered
from tervit_np.kernels.attention import transpose_tile
from tervit_np.kernels.gemm import View, gemm_rows
from tervit_np.kernels.quantize import nearest_integer
from tervit_np.kernels.team import round_up
from tervit_np.kernels.tiles import BYTE_TILES, LANES, MR

_Q_MAX = F(127)
_E_MAX = F(255)
_ZERO_POINT = np.int32(128)  # of q
_MIN_SCALE = F(1e-30)  # instead of 0 where all values are 0
MAX_TOKENS = 66_311  # 255 * 127 * MAX_TOKENS < 2^31


class Int8AttentionScratch(NamedTuple):
    """Buffers for one head of one window.

    T' and K' are rounded up to multiples of LANES, and Tq is T rounded up to a multiple of MR. A
    word is 4 bytes, the inputs of one step of the integer product; W words hold K columns, padded.
    """

    q: Array  # uint8 (Tq, 4 W), zero point 128
    q_scale: Array  # float32 (Tq,), times 1 / sqrt(K)
    k: Array  # int8 (T', 4 W)
    k_scale: Array  # float32 (T',)
    k_compensation: Array  # int32 (T',): 128 times the sum of each row of k
    k_transposed: Array  # int8 (W, 4 T'): k transposed word by word
    v: Array  # int8 (T', K')
    v_scale: Array  # float32 (K',)
    v_inv_scale: Array  # float32 (K',)
    v_max_bits: Array  # int32 (K',): the largest magnitude of each column, as bits
    v_words: Array  # int8 (T' / 4, 4 K'): four rows of v interleaved, a word for each column
    products: Array  # int32 (MR, T'): q k^T
    scores: Array  # float32 (MR, T')
    row_max: Array  # float32 (MR,): the largest score of each query
    exps: Array  # uint8 (MR, T'): e
    exp_sums: Array  # int32 (MR,): the sum of each row of e
    out: Array  # int32 (MR, K'): e v


def make_int8_attention_scratch(window_tokens: int, head_dim: int) -> Int8AttentionScratch:
    """Allocate scratch for windows of T tokens and heads of K columns.

    Raises
    ------
    ValueError
        If there are more tokens than 32-bit sums can hold.
    """
    if window_tokens > MAX_TOKENS:
        raise ValueError(f"int8 attention: a window has {window_tokens} tokens, expected at most "
                         f"{MAX_TOKENS}; choose float32 attention")  # fmt: skip
    queries, keys = round_up(window_tokens, MR), round_up(window_tokens, LANES)
    columns, words = round_up(head_dim, LANES), round_up(-(-head_dim // 4), LANES)
    return Int8AttentionScratch(
        q=zeros((queries, 4 * words), np.uint8),
        q_scale=zeros((queries,), np.float32),
        k=zeros((keys, 4 * words), np.int8),
        k_scale=zeros((keys,), np.float32),
        k_compensation=zeros((keys,), np.int32),
        k_transposed=zeros((words, 4 * keys), np.int8),
        v=zeros((keys, columns), np.int8),
        v_scale=zeros((columns,), np.float32),
        v_inv_scale=zeros((columns,), np.float32),
        v_max_bits=zeros((columns,), np.int32),
        v_words=zeros((keys // 4, 4 * columns), np.int8),
        products=zeros((MR, keys), np.int32),
        scores=zeros((MR, keys), np.float32),
        row_max=zeros((MR,), np.float32),
        exps=zeros((MR, keys), np.uint8),
        exp_sums=zeros((MR,), np.int32),
        out=zeros((MR, columns), np.int32),
    )


@kernel(boundscheck=False)
def attend_int8(
    qkv: Array,
    head: int,
    head_dim: int,
    attn_bias: Array,
    scratch: Int8AttentionScratch,
    out: Array,
) -> None:
    """Attend in one head; arguments as in `attend` (attention.py)."""
    (tokens, dim), start, stop = out.shape, head * head_dim, (head + 1) * head_dim
    keys, columns = scratch.scores.shape[1], scratch.out.shape[1]
    words, steps = scratch.k_transposed.shape[0], round_up(head_dim, 4) // 4
    _quantize_queries(qkv[:tokens], start, stop, scratch)
    _quantize_keys(qkv[:tokens], dim + start, dim + stop, scratch)
    _quantize_values(qkv[:tokens, 2 * dim + start : 2 * dim + stop], scratch)
    for m in range(0, tokens, MR):
        q, k = View(scratch.q, m * 4 * words, 4 * words), View(scratch.k_transposed, 0, 4 * keys)
        gemm_rows(BYTE_TILES, q, k, keys, steps, scratch.products)
        queries = min(MR, tokens - m)
        _dequantize_scores(queries, m, attn_bias, scratch)
        _find_row_max(queries, scratch)
        _exp_and_sum(queries, scratch)
        exps, v = View(scratch.exps, 0, keys), View(scratch.v_words, 0, 4 * columns)
        gemm_rows(BYTE_TILES, exps, v, columns, keys // 4, scratch.out)
        for i in range(queries):
            inv_sum = ONE / F(scratch.exp_sums[i])
            _normalize(scratch.out[i], inv_sum, scratch.v_scale, out[m + i, start:stop])


@kernel(boundscheck=False)
def _quantize_queries(qkv: Array, start: int, stop: int, scratch: Int8AttentionScratch) -> None:
    """Quantize each query, columns start..stop - 1 of qkv (T, 3 D), with the zero point 128."""
    inv_root = ONE / np.sqrt(F(stop - start))
    for t in range(qkv.shape[0]):
        q = qkv[t, start:stop]  # contiguous to the compiler, as a row of qkv[:, start:stop] is not
        scale = max(_max_magnitude(q) / _Q_MAX, _MIN_SCALE)
        scratch.q_scale[t] = scale * inv_root
        _quantize_row(q, ONE / scale, _ZERO_POINT, scratch.q[t])


@kernel(boundscheck=False)
def _quantize_keys(qkv: Array, start: int, stop: int, scratch: Int8AttentionScratch) -> None:
    """Quantize each key, sum its integers, and transpose all keys word by word."""
    for t in range(qkv.shape[0]):
        k = qkv[t, start:stop]
        scale = max(_max_magnitude(k) / _Q_MAX, _MIN_SCALE)
        scratch.k_scale[t] = scale
        _quantize_row(k, ONE / scale, np.int32(0), scratch.k[t])
        total = np.int32(0)
        for d in range(k.shape[0]):
            total = np.int32(total + np.int32(scratch.k[t, d]))
        scratch.k_compensation[t] = _ZERO_POINT * total
    for t in range(0, scratch.k.shape[0], LANES):
        for d in range(0, scratch.k_transposed.shape[0], LANES):
            transpose_tile(scratch.k, t, d, scratch.k_transposed, d, t)


@kernel(boundscheck=False)
def _quantize_values(v: Array, scratch: Int8AttentionScratch) -> None:
    """Quantize each column of v, and interleave its rows in fours.  (T, K)."""
    _find_column_max(v, scratch.v_max_bits)
    for d in range(v.shape[1]):
        scratch.v_scale[d] = max(bits_to_float(scratch.v_max_bits[d]) / _Q_MAX, _MIN_SCALE)
        scratch.v_inv_scale[d] = ONE / scratch.v_scale[d]
    for t in range(v.shape[0]):
        row = scratch.v[t]
        for d in range(v.shape[1]):
            row[d] = nearest_integer(v[t, d] * scratch.v_inv_scale[d])
    for t in range(scratch.v_words.shape[0]):
        row0, row1 = scratch.v[4 * t], scratch.v[4 * t + 1]
        row2, row3 = scratch.v[4 * t + 2], scratch.v[4 * t + 3]
        words = scratch.v_words[t]
        for d in range(row0.shape[0]):
            words[4 * d], words[4 * d + 1] = row0[d], row1[d]
            words[4 * d + 2], words[4 * d + 3] = row2[d], row3[d]


@kernel(boundscheck=False)
def _find_column_max(v: Array, max_bits: Array) -> None:
    """Find the largest magnitude of each column, as bits.  (T, K) -> int32 (K',)."""
    max_bits[:] = 0
    fours = v.shape[0] // 4 * 4
    for t in range(0, fours, 4):  # four rows at a time: a fourth of the dependent maxima
        for d in range(v.shape[1]):
            max01 = max(magnitude_bits(v[t, d]), magnitude_bits(v[t + 1, d]))
            max23 = max(magnitude_bits(v[t + 2, d]), magnitude_bits(v[t + 3, d]))
            max_bits[d] = max(max_bits[d], max(max01, max23))
    for t in range(fours, v.shape[0]):
        for d in range(v.shape[1]):
            max_bits[d] = max(max_bits[d], magnitude_bits(v[t, d]))


@kernel(boundscheck=False)
def _max_magnitude(values: Array) -> np.float32:
    """Return max|x|."""
    bits = np.int32(0)
    for i in range(values.shape[0]):
        bits = max(bits, magnitude_bits(values[i]))
    return bits_to_float(bits)


@kernel(boundscheck=False)
def _quantize_row(values: Array, inv_scale: np.float32, zero_point: np.int32, out: Array) -> None:
    """out = round(values / scale) + zero_point.  (K) -> 8-bit (K)."""
    for i in range(values.shape[0]):
        out[i] = nearest_integer(values[i] * inv_scale) + zero_point


@kernel(boundscheck=False)
def _dequantize_scores(
    queries: int, m: int, attn_bias: Array, scratch: Int8AttentionScratch
) -> None:
    """S = s_m s_n (q k^T - k_compensation) / sqrt(K) + attn_bias, for queries m, m + 1, ..."""
    for i in range(queries):
        query_bias = attn_bias[(m + i) % attn_bias.shape[0]]
        for t in range(scratch.scores.shape[1]):
            total = F(np.int32(scratch.products[i, t] - scratch.k_compensation[t]))
            scale = scratch.q_scale[m + i] * scratch.k_scale[t]
            scratch.scores[i, t] = fma(total, scale, query_bias[t])


@kernel(boundscheck=False)
def _find_row_max(queries: int, scratch: Int8AttentionScratch) -> None:
    """row_max = max(S) of each query, compared as integers (softmax.py)."""
    for i in range(queries):
        largest = np.int32(-(2**31))
        for t in range(scratch.scores.shape[1]):
            largest = max(largest, ordered(float_to_bits(scratch.scores[i, t])))
        scratch.row_max[i] = bits_to_float(ordered(largest))


@kernel(boundscheck=False)
def _exp_and_sum(queries: int, scratch: Int8AttentionScratch) -> None:
    """e = round(255 exp(S - row_max)),  exp_sums = sum(e)."""
    for i in range(queries):
        row_max = scratch.row_max[i]
        for t in range(scratch.scores.shape[1]):
            scratch.exps[i, t] = nearest_integer(_E_MAX * exp32(scratch.scores[i, t] - row_max))
    for i in range(queries):  # a loop of its own, as in quantize.py
        total = np.int32(0)
        for t in range(scratch.scores.shape[1]):
            total = np.int32(total + np.int32(scratch.exps[i, t]))
        scratch.exp_sums[i] = total


@kernel(boundscheck=False)
def _normalize(sums: Array, inv_sum: np.float32, v_scale: Array, out: Array) -> None:
    """out = sums inv_sum v_scale.  int32 (K'), (K') -> out (K)."""
    for d in range(out.shape[0]):
        out[d] = F(sums[d]) * (inv_sum * v_scale[d])
