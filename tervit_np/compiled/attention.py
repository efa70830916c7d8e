"""Attention in training, one image and head after the other.

    S = s Q K^T (+ bias + mask)      A = softmax(S)
    dV = A^T dO    dA = dO V^T    dS = softmax'(dA)    dQ = s dS K    dK = s dS^T Q

Twin of ops/attention.py and ops/window_attention.py. NumPy makes each step for all heads at once,
so that scores travel to memory and back between two steps; those of one head stay in the second
cache, and only A is kept for the way back. q, k and v are read where the fused projection put them.
"""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import address_of
from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.float_microkernel import IN_TURN
from tervit_np.compiled.float_panels import NOTHING, Matrix, matrix_of, transposed
from tervit_np.compiled.float_tile import FLOAT
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.sgemm import sgemm, workspace
from tervit_np.compiled.softmax import softmax_rows, softmax_rows_backward

_NONE = np.empty((0, 0, 0), np.float32)


def attention_probs(
    qkv: Array, heads: int, bias: Array | None = None, mask: Array | None = None
) -> Array:
    """Return A.  (B, T, 3 D), bias (H, T, T), mask (nW, T, T) -> (B, H, T, T)."""
    probs = np.empty((qkv.shape[0], heads, qkv.shape[1], qkv.shape[1]), np.float32)
    bias = _NONE if bias is None else np.ascontiguousarray(bias)
    mask = _NONE if mask is None else np.ascontiguousarray(mask, np.float32)
    _probs(np.ascontiguousarray(qkv), bias, mask, probs, *workspace())
    return probs


def attention_mix(probs: Array, qkv: Array) -> Array:
    """Return A V.  (B, H, T, T), (B, T, 3 D) -> (B, T, D)."""
    out = np.empty((*qkv.shape[:2], qkv.shape[2] // 3), np.float32)
    _mix(np.ascontiguousarray(probs, np.float32), np.ascontiguousarray(qkv), out, *workspace())
    return out


def attention_backward(
    dout: Array, qkv: Array, probs: Array, probs_hat: Array, with_bias: bool = False
) -> tuple[Array, Array]:
    """Return dqkv (B, T, 3 D), and dbias (H, T, T) or nothing.  dout (B, T, D)."""
    _, heads, tokens, _ = probs.shape
    dbias = np.zeros((heads, tokens, tokens) if with_bias else (0, 0, 0), np.float32)
    dout, qkv, probs, probs_hat = map(np.ascontiguousarray, (dout, qkv, probs, probs_hat))
    dqkv = np.empty_like(qkv)
    _backward(dout, qkv, probs, probs_hat, dqkv, dbias, *workspace())
    return dqkv, dbias


@kernel(boundscheck=False)
def _part(x: Array, b: int, column: int) -> Matrix:
    """Return the rows of image b from a column on.  (B, T, N)."""
    row = FLOAT * x.shape[2]
    return Matrix(address_of(x) + b * x.shape[1] * row + column * FLOAT, row, FLOAT)


@kernel(boundscheck=False)
def _probs(qkv: Array, bias: Array, mask: Array, probs: Array, work: int, columns: int) -> None:
    batch, heads, tokens, _ = probs.shape
    dim = qkv.shape[2] // 3
    width = dim // heads
    scale = ONE / np.sqrt(F(width))
    scores = np.empty((tokens, tokens), np.float32)
    target = matrix_of(scores)
    for b in range(batch):
        for h in range(heads):
            q, k = _part(qkv, b, h * width), _part(qkv, b, dim + h * width)
            sgemm(IN_TURN, tokens, tokens, width, q, transposed(k), NOTHING, target, work, columns)
            if bias.size == 0:
                softmax_rows(scores, scale, probs[b, h])
                continue
            _scale_and_add(scores, scale, bias[h])
            if mask.size:
                _scale_and_add(scores, ONE, mask[b % mask.shape[0]])
            softmax_rows(scores, ONE, probs[b, h])


@kernel(boundscheck=False)
def _mix(probs: Array, qkv: Array, out: Array, work: int, columns: int) -> None:
    batch, heads, tokens, _ = probs.shape
    width = out.shape[2] // heads
    for b in range(batch):
        for h in range(heads):
            v, o = _part(qkv, b, (2 * heads + h) * width), _part(out, b, h * width)
            sgemm(
                IN_TURN, tokens, width, tokens, matrix_of(probs[b, h]), v, NOTHING, o, work, columns
            )


@kernel(boundscheck=False)
def _scale_and_add(x: Array, scale: Any, y: Array) -> None:
    """x <- s x + y.  (T, T)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] = x[i, j] * scale + y[i, j]


@kernel(boundscheck=False)
def _backward(
    dout: Array, qkv: Array, probs: Array, probs_hat: Array, dqkv: Array, dbias: Array, work: int,
    columns: int,
) -> None:  # fmt: skip
    batch, heads, tokens, _ = probs.shape
    dim = qkv.shape[2] // 3
    width = dim // heads
    scale = ONE / np.sqrt(F(width))
    dprobs = np.empty((tokens, tokens), np.float32)
    dscores = np.empty((tokens, tokens), np.float32)
    da, ds = matrix_of(dprobs), matrix_of(dscores)
    for b in range(batch):
        for h in range(heads):
            first = h * width
            q, k, v = (_part(qkv, b, first), _part(qkv, b, dim + first),
                       _part(qkv, b, 2 * dim + first))  # fmt: skip
            dq, dk, dv = (_part(dqkv, b, first), _part(dqkv, b, dim + first),
                          _part(dqkv, b, 2 * dim + first))  # fmt: skip
            do = _part(dout, b, first)
            a_hat = matrix_of(probs_hat[b, h])
            sgemm(IN_TURN, tokens, width, tokens, transposed(a_hat), do, NOTHING, dv, work, columns)
            sgemm(IN_TURN, tokens, tokens, width, do, transposed(v), NOTHING, da, work, columns)
            if dbias.size:
                softmax_rows_backward(dprobs, probs[b, h], ONE, dscores)
                _add_and_scale(dscores, scale, dbias[h])
            else:
                softmax_rows_backward(dprobs, probs[b, h], scale, dscores)
            sgemm(IN_TURN, tokens, width, tokens, ds, k, NOTHING, dq, work, columns)
            sgemm(IN_TURN, tokens, width, tokens, transposed(ds), q, NOTHING, dk, work, columns)


@kernel(boundscheck=False)
def _add_and_scale(x: Array, scale: Any, total: Array) -> None:
    """total <- total + x, x <- s x.  (T, T)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total[i, j] += x[i, j]
            x[i, j] *= scale
