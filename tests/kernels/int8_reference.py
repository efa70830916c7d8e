"""What kernels/int8_attention.py computes, in NumPy and float64."""

import copy

import numpy as np

from tervit_np.nn.attention import Products
from tervit_np.ops.attention import split_qkv
from tervit_np.quant import UniformAct
from tests.rounding import from_half, record_rounding

LEVELS = 255
EXP_FLIP = 1e-3  # 255 exp(S - max) in float32, of scores S that are themselves sums


def int8_attention(qkv, heads, attn_bias=0.0):
    """Round q, k, v and the exponentials; sum what was rounded.  (B, T, 3 D) -> (B, T, D)."""
    q, k, v = split_qkv(qkv.astype(np.float64), heads)  # (B, H, T, K)
    q, k = rounded(q), rounded(k)
    v = rounded(v.swapaxes(-1, -2)).swapaxes(-1, -2)  # a column of v has one scale
    out = mean_of_values(q, k, v, attn_bias)[0]
    return out.swapaxes(1, 2).reshape(*qkv.shape[:2], -1)


def rounded(x):
    return UniformAct(8).forward(x)[0]


def mean_of_values(q, k, v, attn_bias):
    """Weigh v by rounded exponentials.  (..., T, K) -> (..., T, K), weights (..., T, T), distance.

    A weight may be rounded the other way where its distance from a half is below EXP_FLIP.
    """
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) + attn_bias
    exponentials = LEVELS * np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights, distance = np.rint(exponentials), from_half(exponentials)
    record_rounding(weights, distance / 10)  # MARGIN stands for EXP_FLIP
    return weights @ v / weights.sum(axis=-1, keepdims=True), weights, distance


class Int8Products(Products):
    """Attention between the projections of a block, on bytes."""

    def forward(self, qkv, bias=0.0, mask=None):
        if mask is not None:  # (nW, T, T), for the windows of each image
            bias = bias + np.tile(mask, (len(qkv) // len(mask), 1, 1))[:, None]
        return int8_attention(qkv, self.heads, bias), None


def with_int8_attention(model):
    """Copy a model whose blocks then attend on bytes."""
    model = copy.deepcopy(model)
    for _, module in model.named_modules():
        if hasattr(module, "products"):
            module.products = Int8Products(module.products.heads)
    return model
