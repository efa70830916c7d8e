"""Multi-head self-attention (Vaswani et al. 2017, eq. 1), without its two linear layers.

    S = Q K^T / sqrt(K)      A = softmax(S)      O = A V          for each image and head

    dV = A^T dO      dA = dO V^T      dS = softmax'(dA) / sqrt(K)      dQ = dS K      dK = dS^T Q

The rows of the fused projection hold q, then k, then v, and within each head h owns K neighbouring
rows: reshape first, then transpose. Reshaping straight to (B, H, T, K) would mix tokens and heads.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.ops.softmax import softmax, softmax_backward


class AttentionCache(NamedTuple):
    """What the backward pass needs."""

    qkv: Array  # (B, T, 3 D)
    probs: Array  # (B, H, T, T)  row = query, column = key
    probs_hat: Array  # (B, H, T, T)  what multiplied v: probs, or probs rounded


def attention(
    qkv: Array, heads: int, quantize_probs: Callable[[Array], Array] | None = None
) -> tuple[Array, AttentionCache]:
    """Mix tokens by their similarity.  (B, T, 3 D) -> (B, T, D).

    `quantize_probs` quantizes the probabilities before they multiply v; the backward pass treats it
    as the identity (straight-through).

    Raises
    ------
    ValueError
        If the last axis of `qkv` is not 3 x heads x K for a whole K.
    """
    if qkv.shape[-1] % (3 * heads):
        raise ValueError(f"attention: last axis {qkv.shape[-1]} is not 3 x {heads} heads x K")
    q, k, v = split_qkv(qkv, heads)
    probs, _ = softmax(q @ k.swapaxes(-1, -2), scale=q.shape[-1] ** -0.5)
    probs_hat = probs if quantize_probs is None else quantize_probs(probs)
    return merge_heads(probs_hat @ v), AttentionCache(qkv, probs, probs_hat)


def attention_backward(dout: Array, cache: AttentionCache) -> Array:
    """Undo `out = softmax(q k^T / sqrt(K)) v`.  (B, T, D) -> dqkv (B, T, 3 D)."""
    qkv, probs, probs_hat = cache
    heads = probs.shape[1]
    q, k, v = split_qkv(qkv, heads)
    dqkv = np.empty_like(qkv)
    dq, dk, dv = split_qkv(dqkv, heads)  # views: writing into them fills dqkv
    do = split_heads(dout, heads)
    np.matmul(probs_hat.swapaxes(-1, -2), do, out=dv)
    dprobs = do @ v.swapaxes(-1, -2)
    dscores = softmax_backward(dprobs, probs, scale=q.shape[-1] ** -0.5)
    np.matmul(dscores, k, out=dq)
    np.matmul(dscores.swapaxes(-1, -2), q, out=dk)
    return dqkv


def split_qkv(qkv: Array, heads: int) -> tuple[Array, Array, Array]:
    """View the fused projection as q, k, v.  (B, T, 3 D) -> three of (B, H, T, K)."""
    batch, tokens, width = qkv.shape
    parts = qkv.reshape(batch, tokens, 3, heads, width // (3 * heads)).transpose(2, 0, 3, 1, 4)
    return parts[0], parts[1], parts[2]


def split_heads(x: Array, heads: int) -> Array:
    """View the heads that lie side by side; undoes merge_heads.  (B, T, D) -> (B, H, T, K)."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def merge_heads(out: Array) -> Array:
    """Lay the heads side by side again.  (B, H, T, K) -> (B, T, D)."""
    batch, heads, tokens, width = out.shape
    return out.swapaxes(1, 2).reshape(batch, tokens, heads * width)
