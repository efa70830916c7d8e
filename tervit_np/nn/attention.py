"""Multi-head self-attention: fused qkv projection, products of tokens, output projection."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tervit_np.arrays import Array
from tervit_np.nn.linear import Linear, QuantLinearCache
from tervit_np.nn.module import Module
from tervit_np.nn.quantized_layer import quantized, quantized_backward
from tervit_np.ops.attention import AttentionCache, attention, attention_backward
from tervit_np.quant import IDENTITY, Identity, Quantizer


class Products(Module):
    """The two matrix products of attention, which have no weights: q k^T and A v.

    Its activation quantizer, Identity in the default plans, quantizes q, k and v (one scale per
    token and head) and the attention probabilities (one scale per query). Gradients of q, k and v
    follow its convention, those of the probabilities pass straight through.
    """

    weight = None

    def __init__(self, heads: int) -> None:
        self.heads = heads
        self.weight_quant: Quantizer = IDENTITY
        self.act_quant: Quantizer = IDENTITY

    def forward(self, qkv: Array) -> tuple[Array, tuple[AttentionCache, Any]]:
        """Attend.  (B, T, 3 D) -> (B, T, D)."""
        if isinstance(self.act_quant, Identity):
            out, cache = attention(qkv, self.heads)
            return out, (cache, None)
        qkv_hat, act = self.quantize_qkv(qkv)
        out, cache = attention(qkv_hat, self.heads, self.quantize_probs)
        return out, (cache, act)

    def backward(self, dout: Array, cache: tuple[AttentionCache, Any]) -> Array:
        """Return dqkv.  (B, T, D) -> (B, T, 3 D)."""
        return self.quantize_qkv_backward(attention_backward(dout, cache[0]), cache[1])

    def quantize_qkv(self, qkv: Array) -> tuple[Array, Any]:
        """Quantize q, k and v per token and head.  (B, T, 3 D) -> (B, T, 3 D)."""
        qkv_hat, cache = quantized(self.act_quant, self._per_head(qkv))
        return qkv_hat.reshape(qkv.shape), cache

    def quantize_qkv_backward(self, dqkv: Array, cache: Any) -> Array:
        """Undo `quantize_qkv`.  (B, T, 3 D) -> (B, T, 3 D)."""
        dparts = quantized_backward(self.act_quant, self._per_head(dqkv), cache)
        return dparts.reshape(dqkv.shape)

    def quantize_probs(self, probs: Array) -> Array:
        """Quantize each query's probabilities.  (B, H, T, T) -> (B, H, T, T)."""
        return quantized(self.act_quant, probs)[0]

    def _per_head(self, qkv: Array) -> Array:  # (B, T, 3 D) -> (B, T, 3 H, K)
        parts = 3 * self.heads
        return qkv.reshape(*qkv.shape[:2], parts, qkv.shape[2] // parts)


class AttentionModuleCache(NamedTuple):
    """What the backward pass needs."""

    qkv: QuantLinearCache
    products: tuple[AttentionCache, Any]
    proj: QuantLinearCache


class Attention(Module):
    """x -> qkv -> attention -> proj.  (B, T, D) -> (B, T, D)."""

    def __init__(self, dim: int, heads: int, dtype: DTypeLike = np.float32) -> None:
        self.qkv = Linear(dim, 3 * dim, dtype)
        self.products = Products(heads)
        self.proj = Linear(dim, dim, dtype)

    def forward(self, x: Array) -> tuple[Array, AttentionModuleCache]:
        """Mix tokens."""
        qkv, c1 = self.qkv.forward(x)
        mixed, c2 = self.products.forward(qkv)
        y, c3 = self.proj.forward(mixed)
        return y, AttentionModuleCache(c1, c2, c3)

    def backward(self, dy: Array, cache: AttentionModuleCache) -> Array:
        """Add into the gradients, return dx."""
        dmixed = self.proj.backward(dy, cache.proj)
        dqkv = self.products.backward(dmixed, cache.products)
        return self.qkv.backward(dqkv, cache.qkv)
