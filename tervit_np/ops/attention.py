"""Multi-head self-attention (Vaswani et al. 2017, eq. 1), without its two linear layers.

    S = Q K^T / sqrt(K)      A = softmax(S)      O = A V          for each image and head

    dV = A^T dO      dA = dO V^T      dS = softmax'(dA) / sqrt(K)      dQ = dS K      dK = dS^T Q

The last axis of the fused projection holds q, then k, then v; in each of them head h has K
consecutive columns. So reshape first, then transpose: reshaping to (B, H, T, K) at once would mix
tokens and heads.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array, require_shape
from tervit_np.dispatch import compiled
from tervit_np.ops.softmax import softmax, softmax_backward


class AttentionCache(NamedTuple):
    """What the backward pass needs."""

    qkv: Array  # (B, T, 3 D)
    probs: Array  # (B, H, T, T)  row = query, column = key
    probs_hat: Array  # (B, H, T, T)  multiplies v: probs, or probs quantized


def attention(
    qkv: Array, heads: int, quantize_probs: Callable[[Array], Array] | None = None
) -> tuple[Array, AttentionCache]:
    """Mix tokens by their similarity.  (B, T, 3 D) -> (B, T, D).

    `quantize_probs` quantizes the probabilities before they multiply v; the backward pass treats it
    as the identity (straight-through).

    Raises
    ------
    ValueError
        If `qkv` is not (B, T, 3 x heads x K) for an integer K, or `quantize_probs` returns another
        shape.
    """
    check_heads(qkv, heads)
    if (compiled_ops := compiled(qkv)) is not None:
        qkv = np.ascontiguousarray(qkv)
        probs = compiled_ops.attention_probs(qkv, heads)
        probs_hat = quantized(probs, quantize_probs)
        out: Array = compiled_ops.attention_mix(probs_hat, qkv)
        return out, AttentionCache(qkv, probs, probs_hat)
    q, k, v = split_qkv(qkv, heads)
    probs, _ = softmax(q @ k.swapaxes(-1, -2), scale=q.shape[-1] ** -0.5)
    probs_hat = quantized(probs, quantize_probs)
    return merge_heads(probs_hat @ v), AttentionCache(qkv, probs, probs_hat)


def attention_backward(dout: Array, cache: AttentionCache) -> Array:
    """Undo `out = softmax(q k^T / sqrt(K)) v`.  (B, T, D) -> dqkv (B, T, 3 D).

    Raises
    ------
    ValueError
        If `dout` does not have the shape of the output.
    """
    qkv, probs, probs_hat = cache
    require_shape("attention_backward: dout", dout, (*qkv.shape[:2], qkv.shape[2] // 3))
    if (compiled_ops := compiled(dout, *cache)) is not None:
        dqkv: Array = compiled_ops.attention_backward(dout, qkv, probs, probs_hat)[0]
        return dqkv
    heads = probs.shape[1]
    q, k, v = split_qkv(qkv, heads)
    do = split_heads(dout, heads)
    # exercise attention_backward: dq, dk and dv, each (B, H, T, K)
    dv = probs_hat.swapaxes(-1, -2) @ do
    dprobs = do @ v.swapaxes(-1, -2)
    dscores = softmax_backward(dprobs, probs, scale=q.shape[-1] ** -0.5)
    dq = dscores @ k
    dk = dscores.swapaxes(-1, -2) @ q
    # end of exercise
    return merge_qkv(dq, dk, dv)


def check_heads(qkv: Array, heads: int) -> None:
    """Raise ValueError unless qkv is (B, T, 3 x heads x K), with at least one head and K >= 1."""
    if qkv.ndim != 3:
        raise ValueError(f"attention: qkv is {qkv.shape}, expected (images, tokens, 3 dim)")
    if heads < 1 or not qkv.shape[-1] or qkv.shape[-1] % (3 * heads):
        raise ValueError(f"attention: last axis {qkv.shape[-1]} is not 3 x {heads} heads x K")


def quantized(probs: Array, quantize_probs: Callable[[Array], Array] | None) -> Array:
    """Quantize the probabilities, unless there is nothing that does.  (B, H, T, T) -> alike."""
    if quantize_probs is None:
        return probs
    probs_hat = quantize_probs(probs)
    require_shape("attention: the array from quantize_probs", probs_hat, probs.shape)
    return probs_hat


def split_qkv(qkv: Array, heads: int) -> tuple[Array, Array, Array]:
    """View the fused projection as q, k, v.  (B, T, 3 D) -> three of (B, H, T, K)."""
    # exercise split_heads: q, k and v, each (B, H, T, K)
    batch, tokens, columns = qkv.shape
    head_dim = columns // (3 * heads)
    parts = qkv.reshape(batch, tokens, 3, heads, head_dim).transpose(2, 0, 3, 1, 4)
    return parts[0], parts[1], parts[2]


def merge_qkv(q: Array, k: Array, v: Array) -> Array:
    """Join three parts; the inverse of split_qkv.  Three of (B, H, T, K) -> (B, T, 3 D)."""
    batch, heads, tokens, head_dim = q.shape
    qkv = np.empty((batch, tokens, 3 * heads * head_dim), q.dtype)
    for view, part in zip(split_qkv(qkv, heads), (q, k, v), strict=True):
        view[...] = part
    return qkv


def split_heads(x: Array, heads: int) -> Array:
    """View each head by itself; the inverse of merge_heads.  (B, T, D) -> (B, H, T, K)."""
    # exercise split_heads: (B, H, T, K), each head by itself
    batch, tokens, dim = x.shape
    return x.reshape(batch, tokens, heads, dim // heads).swapaxes(1, 2)


def merge_heads(out: Array) -> Array:
    """Concatenate the heads of each token.  (B, H, T, K) -> (B, T, D)."""
    # exercise split_heads: (B, T, D), the heads of a token side by side
    batch, heads, tokens, head_dim = out.shape
    return out.swapaxes(1, 2).reshape(batch, tokens, heads * head_dim)
