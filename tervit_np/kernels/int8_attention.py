"""Attention whose two products run over bytes: faster for images, not for windows, and rounded.

    q, k in steps of s_m, s_n     each token of a head has a scale
    v in steps of s_d             each column of a head has one: it comes out of the sum
    e = exp(S - max) in (0, 1]    in steps of 1/255

    S = s_m s_n sum_d q k / sqrt(K) + offsets      O = s_d sum_n e v / sum_n e

The dot product takes one side unsigned: exponentials are so by nature, and q is moved up by 128,
which adds 128 sum_d k to every score, a number that belongs to the key. Rounding weights that are
divided by their own rounded sum keeps them a mean.
"""

from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.exponential import ONE, F, bits_to_float, exp32, float_to_bits
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.softmax import ordered
from tervit_np.kernels.attention import transpose_tile
from tervit_np.kernels.gemm import View, gemm_rows
from tervit_np.kernels.quantize import ROUND, ROUND_BITS
from tervit_np.kernels.team import round_up
from tervit_np.kernels.tiles import BYTE_TILES, LANES, MR

_TOP = F(127)
_MAGNITUDE = np.int32(0x7FFFFFFF)
_LEVELS = F(255)
_TINY = F(1e-30)  # instead of a scale of zero


class Int8AttentionScratch(NamedTuple):
    """Arrays for one head of one window: T tokens, K columns, padded to whole registers."""

    q: Array  # uint8 (T', 4 W): W words of 4 bytes hold K columns
    k: Array  # int8 (T'', 4 W)
    keys: Array  # int8 (W, 4 T''): words of k transposed
    rounded: Array  # int8 (T'', K')
    v: Array  # int8 (T'' / 4, 4 K'): four tokens side by side
    scores: Array  # float32 (MR, T'')
    weights: Array  # uint8 (MR, T'')
    sums: Array  # int32 (MR, T'')
    highest: Array  # float32 (MR,): largest score of each query
    totals: Array  # int32 (MR,): sum of its weights
    out: Array  # int32 (MR, K')
    q_scale: Array  # float32 (T',)
    k_scale: Array  # float32 (T'',)
    k_sums: Array  # int32 (T'',): times 128
    v_scale: Array  # float32 (K',)
    v_inverse: Array  # float32 (K',)
    v_bits: Array  # int32 (K',): the largest magnitude of each column


def make_int8_attention_scratch(tokens: int, width: int) -> Int8AttentionScratch:
    """Make room for groups of T tokens and heads of K columns."""
    queries, count, columns = (
        round_up(tokens, MR),
        round_up(tokens, LANES),
        round_up(width, LANES),
    )
    words = round_up(-(-width // 4), LANES)
    return Int8AttentionScratch(
        zeros((queries, 4 * words), np.uint8),
        zeros((count, 4 * words), np.int8),
        zeros((words, 4 * count), np.int8),
        zeros((count, columns), np.int8),
        zeros((count // 4, 4 * columns), np.int8),
        zeros((MR, count), np.float32),
        zeros((MR, count), np.uint8),
        zeros((MR, count), np.int32),
        zeros((MR,), np.float32),
        zeros((MR,), np.int32),
        zeros((MR, columns), np.int32),
        zeros((queries,), np.float32),
        zeros((count,), np.float32),
        zeros((count,), np.int32),
        zeros((columns,), np.float32),
        zeros((columns,), np.float32),
        zeros((columns,), np.int32),
    )


@kernel(boundscheck=False)
def attend_int8(qkv: Any, first: int, width: int, offsets: Any, desk: Any, out: Any) -> None:
    """One head, as `attend` in attention.py."""
    tokens, count, columns = out.shape[0], desk.scores.shape[1], desk.out.shape[1]
    words, steps = desk.keys.shape[0], round_up(width, 4) // 4
    _round_queries_and_keys(qkv[:tokens], first, width, out.shape[1], desk)
    _round_values(qkv[:tokens, 2 * out.shape[1] + first :], width, desk)
    for m in range(0, tokens, MR):
        gemm_rows(BYTE_TILES, View(desk.q, m * 4 * words, 4 * words),
                  View(desk.keys, 0, 4 * count), count, steps, desk.sums)  # fmt: skip
        queries = min(MR, tokens - m)
        _score(queries, m, offsets, desk)
        _largest_scores(queries, desk)
        _weigh(queries, desk)
        gemm_rows(BYTE_TILES, View(desk.weights, 0, count), View(desk.v, 0, 4 * columns),
                  columns, count // 4, desk.out)  # fmt: skip
        for i in range(queries):
            _give(
                desk.out[i],
                ONE / F(desk.totals[i]),
                desk.v_scale,
                out[m + i, first : first + width],
            )


@kernel(boundscheck=False)
def _round_queries_and_keys(qkv: Any, first: int, width: int, whole: int, desk: Any) -> None:
    """Round each token's q and k; turn k word by word."""
    root = ONE / np.sqrt(F(width))
    for t in range(qkv.shape[0]):
        q, k = qkv[t, first : first + width], qkv[t, whole + first : whole + first + width]
        step = max(_largest(q) / _TOP, _TINY)
        desk.q_scale[t] = step * root
        _round(q, ONE / step, np.int32(128), desk.q[t])
        step = max(_largest(k) / _TOP, _TINY)
        desk.k_scale[t] = step
        _round(k, ONE / step, np.int32(0), desk.k[t])
        total = np.int32(0)
        for d in range(width):
            total = np.int32(total + np.int32(desk.k[t, d]))
        desk.k_sums[t] = np.int32(128) * total
    for t in range(0, desk.k.shape[0], LANES):
        for d in range(0, desk.keys.shape[0], LANES):
            transpose_tile(desk.k, t, d, desk.keys, d, t)


@kernel(boundscheck=False)
def _round_values(v: Any, width: int, desk: Any) -> None:
    """Round each column of v; lay four tokens side by side."""
    largest, inverse = desk.v_bits, desk.v_inverse
    largest[:] = 0
    whole = v.shape[0] // 4 * 4
    for t in range(0, whole, 4):  # four at a time: each pass waits for the one before
        for d in range(width):
            one, two = max(_bits(v[t, d]), _bits(v[t + 1, d])), _bits(v[t + 2, d])
            largest[d] = max(max(largest[d], one), max(two, _bits(v[t + 3, d])))
    for t in range(whole, v.shape[0]):
        for d in range(width):
            largest[d] = max(largest[d], _bits(v[t, d]))
    for d in range(width):
        desk.v_scale[d] = max(bits_to_float(largest[d]) / _TOP, _TINY)
        inverse[d] = ONE / desk.v_scale[d]
    for t in range(v.shape[0]):
        row = desk.rounded[t]
        for d in range(width):
            row[d] = _nearest(v[t, d] * inverse[d])
    for t in range(desk.v.shape[0]):
        one, two, three, four = (desk.rounded[4 * t], desk.rounded[4 * t + 1],
                                 desk.rounded[4 * t + 2], desk.rounded[4 * t + 3])  # fmt: skip
        row = desk.v[t]
        for d in range(one.shape[0]):
            row[4 * d], row[4 * d + 1] = one[d], two[d]
            row[4 * d + 2], row[4 * d + 3] = three[d], four[d]


@kernel(boundscheck=False)
def _bits(value: Any) -> Any:
    """Return a magnitude as an integer of the same order (fakequant.py)."""
    return np.int32(float_to_bits(value) & _MAGNITUDE)


@kernel(boundscheck=False)
def _largest(values: Any) -> Any:
    """Return max|x|."""
    bits = np.int32(0)
    for i in range(values.shape[0]):
        bits = max(bits, _bits(values[i]))
    return bits_to_float(bits)


@kernel(boundscheck=False)
def _round(values: Any, inverse: Any, round_up: Any, codes: Any) -> None:
    for i in range(values.shape[0]):
        codes[i] = _nearest(values[i] * inverse) + round_up


@kernel(boundscheck=False)
def _nearest(value: Any) -> Any:
    """Return the nearest integer of a small number (tokens.py)."""
    return np.int32(float_to_bits(value + ROUND) - ROUND_BITS)


@kernel(fastmath={"contract"}, boundscheck=False)
def _score(queries: int, m: int, offsets: Any, desk: Any) -> None:
    """scores <- the real numbers that the sums of bytes stand for, plus offsets."""
    for i in range(queries):
        shift = offsets[(m + i) % offsets.shape[0]]
        for t in range(desk.scores.shape[1]):
            moved = F(np.int32(desk.sums[i, t] - desk.k_sums[t]))
            desk.scores[i, t] = moved * (desk.q_scale[m + i] * desk.k_scale[t]) + shift[t]


@kernel(boundscheck=False)
def _largest_scores(queries: int, desk: Any) -> None:
    """Find the largest score of each query."""
    for i in range(queries):
        highest = np.int32(-(2**31))
        for t in range(desk.scores.shape[1]):
            highest = max(highest, ordered(float_to_bits(desk.scores[i, t])))
        desk.highest[i] = bits_to_float(ordered(highest))


@kernel(fastmath={"contract"}, boundscheck=False)
def _weigh(queries: int, desk: Any) -> None:
    """weights <- round(255 exp(scores - highest)), and their totals."""
    for i in range(queries):
        top = desk.highest[i]
        for t in range(desk.scores.shape[1]):
            desk.weights[i, t] = _nearest(_LEVELS * exp32(desk.scores[i, t] - top))
    for i in range(queries):  # a loop of its own: bytes and 32-bit sums make other vectors
        total = np.int32(0)
        for t in range(desk.scores.shape[1]):
            total = np.int32(total + np.int32(desk.weights[i, t]))
        desk.totals[i] = total


@kernel(boundscheck=False)
def _give(sums: Any, share: Any, scale: Any, out: Any) -> None:
    """out <- share scale sums.  (K'), (K'), (K)."""
    for d in range(out.shape[0]):
        out[d] = F(sums[d]) * (share * scale[d])
