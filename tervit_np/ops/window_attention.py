"""Attention inside windows, with relative position bias and a mask for shifted maps.

    A = softmax(Q K^T / sqrt(K) + bias + mask)      O = A V

All windows share a head's bias, so its gradient is dS summed over them.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array, require_shape
from tervit_np.dispatch import compiled
from tervit_np.ops.attention import (
    check_heads,
    merge_heads,
    quantized,
    split_heads,
    split_qkv,
)
from tervit_np.ops.softmax import softmax, softmax_backward


class WindowAttentionCache(NamedTuple):
    """What the backward pass needs."""

    qkv: Array  # (B nW, T, 3 D)
    probs: Array  # (B nW, H, T, T)
    probs_hat: Array  # (B nW, H, T, T)  multiplies v: probs, or probs quantized


def window_attention(
    qkv: Array,
    attn_bias: Array,
    mask: Array | None,
    quantize_probs: Callable[[Array], Array] | None = None,
) -> tuple[Array, WindowAttentionCache]:
    """Attend within each window.  (B nW, T, 3 D), (H, T, T), (nW, T, T) -> (B nW, T, D).

    `quantize_probs` quantizes the probabilities before they multiply v, as in `attention`.

    Raises
    ------
    ValueError
        If `qkv` is not (B nW, T, 3 x heads x K) for an integer K, the bias or the mask is for
        another number of tokens, the windows are not nW of each image, or `quantize_probs` returns
        another shape.
    """
    heads = attn_bias.shape[0]
    check_heads(qkv, heads)
    windows, tokens, _ = qkv.shape
    require_shape("window_attention: attn_bias", attn_bias, (heads, tokens, tokens))
    if mask is not None:
        require_shape("window_attention: mask", mask, (len(mask), tokens, tokens))
        if windows % len(mask):
            raise ValueError(
                f"window_attention: {windows} windows are not {len(mask)} of each image"
            )
    if (compiled_ops := compiled(qkv, attn_bias)) is not None:
        qkv = np.ascontiguousarray(qkv)
        probs = compiled_ops.attention_probs(qkv, heads, attn_bias, mask)
        probs_hat = quantized(probs, quantize_probs)
        out: Array = compiled_ops.attention_mix(probs_hat, qkv)
        return out, WindowAttentionCache(qkv, probs, probs_hat)
    q, k, v = split_qkv(qkv, heads)
    scores = q @ k.swapaxes(-1, -2)
    scores *= q.dtype.type(q.shape[-1] ** -0.5)
    scores += attn_bias
    if mask is not None:
        by_image = scores.reshape(-1, len(mask), *scores.shape[1:])
        by_image += mask[:, None].astype(scores.dtype)
    probs, _ = softmax(scores)
    probs_hat = quantized(probs, quantize_probs)
    return merge_heads(probs_hat @ v), WindowAttentionCache(qkv, probs, probs_hat)


def window_attention_backward(dout: Array, cache: WindowAttentionCache) -> tuple[Array, Array]:
    """Undo window_attention.  (B nW, T, D) -> dqkv (B nW, T, 3 D), dattn_bias (H, T, T).

    Raises
    ------
    ValueError
        If `dout` does not have the shape of the output.
    """
    qkv, probs, probs_hat = cache
    require_shape("window_attention_backward: dout", dout, (*qkv.shape[:2], qkv.shape[2] // 3))
    dqkv: Array
    if (compiled_ops := compiled(dout, *cache)) is not None:
        dqkv, dattn_bias = compiled_ops.attention_backward(dout, qkv, probs, probs_hat, True)
        return dqkv, dattn_bias
    heads = probs.shape[1]
    q, k, v = split_qkv(qkv, heads)
    dqkv = np.empty_like(qkv)
    dq, dk, dv = split_qkv(dqkv, heads)  # views: writing into them fills dqkv
    do = split_heads(dout, heads)
    np.matmul(probs_hat.swapaxes(-1, -2), do, out=dv)
    dscores = softmax_backward(do @ v.swapaxes(-1, -2), probs)
    scale = q.dtype.type(q.shape[-1] ** -0.5)
    dq[...] = dscores @ k * scale
    dk[...] = dscores.swapaxes(-1, -2) @ q * scale
    return dqkv, dscores.sum(axis=0)
