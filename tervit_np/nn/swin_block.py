"""Swin's block: attention inside windows, shifted in every second block."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tervit_np import ops
from tervit_np.arrays import Array
from tervit_np.nn.attention import Products
from tervit_np.nn.layernorm import LayerNorm
from tervit_np.nn.linear import Linear, QuantLinearCache
from tervit_np.nn.mlp import MLP, MLPCache
from tervit_np.nn.module import Module
from tervit_np.ops.layernorm import LayerNormCache
from tervit_np.ops.window_attention import WindowAttentionCache
from tervit_np.param import Param
from tervit_np.quant import Identity

EPS = 1e-5  # of every LayerNorm in Swin


class WindowAttentionModuleCache(NamedTuple):
    """What the backward pass needs."""

    qkv: QuantLinearCache
    products: tuple[WindowAttentionCache, Any]
    proj: QuantLinearCache


class WindowProducts(Products):
    """The two products inside windows, quantized as in `Products`."""

    def forward(  # type: ignore[override]
        self, qkv: Array, attn_bias: Array, mask: Array | None
    ) -> tuple[Array, tuple[WindowAttentionCache, Any]]:
        """Attend.  (B nW, T, 3 D), (H, T, T), (nW, T, T) -> (B nW, T, D)."""
        if isinstance(self.act_quant, Identity):
            out, cache = ops.window_attention(qkv, attn_bias, mask)
            return out, (cache, None)
        qkv_hat, act = self.quantize_qkv(qkv)
        out, cache = ops.window_attention(qkv_hat, attn_bias, mask, self.quantize_probs)
        return out, (cache, act)

    def backward(  # type: ignore[override]
        self, dout: Array, cache: tuple[WindowAttentionCache, Any]
    ) -> tuple[Array, Array]:
        """Return dqkv (B nW, T, 3 D) and dattn_bias (H, T, T)."""
        dqkv, dattn_bias = ops.window_attention_backward(dout, cache[0])
        return self.quantize_qkv_backward(dqkv, cache[1]), dattn_bias


class WindowAttention(Module):
    """Attention with relative position bias.  (B nW, w w, D) -> (B nW, w w, D)."""

    def __init__(self, dim: int, heads: int, window: int, dtype: DTypeLike = np.float32) -> None:
        self.relative_position_bias_table = Param(np.zeros(((2 * window - 1) ** 2, heads), dtype))
        self.qkv = Linear(dim, 3 * dim, dtype)
        self.products = WindowProducts(heads)
        self.proj = Linear(dim, dim, dtype)
        self.relative_position_index = ops.relative_position_index(window)

    def forward(self, x: Array, mask: Array | None) -> tuple[Array, WindowAttentionModuleCache]:
        """Mix the tokens of each window."""
        qkv, c1 = self.qkv.forward(x)
        attn_bias = ops.relative_bias(
            self.relative_position_bias_table.data, self.relative_position_index
        )
        mixed, c2 = self.products.forward(qkv, attn_bias, mask)
        y, c3 = self.proj.forward(mixed)
        return y, WindowAttentionModuleCache(c1, c2, c3)

    def backward(self, dy: Array, cache: WindowAttentionModuleCache) -> Array:
        """Add into the gradients, return dx."""
        dmixed = self.proj.backward(dy, cache.proj)
        dqkv, dattn_bias = self.products.backward(dmixed, cache.products)
        table = self.relative_position_bias_table
        table.grad += ops.relative_bias_backward(
            dattn_bias, self.relative_position_index, len(table.data)
        )
        return self.qkv.backward(dqkv, cache.qkv)


class SwinBlockCache(NamedTuple):
    """What the backward pass needs."""

    norm1: LayerNormCache
    attn: WindowAttentionModuleCache
    drop1: Array | None
    norm2: LayerNormCache
    mlp: MLPCache
    drop2: Array | None


class SwinBlock(Module):
    """A pre-norm block on a map.  (B, H, W, D) -> (B, H, W, D).

    A map that is not larger than the window is one window and is not shifted.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        side: int,
        window: int,
        shifted: bool,
        hidden: int,
        drop_rate: float,
        gelu_form: str = "erf",
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.window = min(window, side)
        self.shift_size = window // 2 if shifted and side > window else 0
        self.mask = ops.shift_mask(side, side, self.window, self.shift_size)
        self.norm1 = LayerNorm(dim, EPS, dtype)
        self.attn = WindowAttention(dim, heads, self.window, dtype)
        self.norm2 = LayerNorm(dim, EPS, dtype)
        self.mlp = MLP(dim, hidden, gelu_form, dtype)
        self.drop_rate = drop_rate

    def forward(
        self, x: Array, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Array, SwinBlockCache]:
        """Run both branches."""
        normed, c1 = self.norm1.forward(x)
        windows = ops.window_partition(ops.cyclic_shift(normed, self.shift_size), self.window)
        mixed, c2 = self.attn.forward(windows, self.mask)
        branch = ops.cyclic_shift(ops.window_reverse(mixed, x.shape), -self.shift_size)
        branch, c3 = ops.drop_path(branch, self.drop_rate, train, rng)
        x = x + branch
        normed, c4 = self.norm2.forward(x)
        branch, c5 = self.mlp.forward(normed)
        branch, c6 = ops.drop_path(branch, self.drop_rate, train, rng)
        return x + branch, SwinBlockCache(c1, c2, c3, c4, c5, c6)

    def backward(self, dy: Array, cache: SwinBlockCache) -> Array:
        """Add into the gradients, return dx."""
        dbranch = self.mlp.backward(ops.drop_path_backward(dy, cache.drop2), cache.mlp)
        dx = dy + self.norm2.backward(dbranch, cache.norm2)
        dbranch = ops.drop_path_backward(dx, cache.drop1)
        dmixed = ops.window_partition(ops.cyclic_shift(dbranch, self.shift_size), self.window)
        dwindows = self.attn.backward(dmixed, cache.attn)
        dnormed = ops.cyclic_shift(ops.window_reverse(dwindows, dx.shape), -self.shift_size)
        return dx + self.norm1.backward(dnormed, cache.norm1)
