"""Attention in bfloat16: the bits of the NumPy unit, and its error compared with int8."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np import ops
from tervit_np.kernels.bf16_attention import attend_bf16, make_bf16_attention_scratch, weigh
from tervit_np.kernels.int8_attention import attend_int8, make_int8_attention_scratch
from tervit_np.kernels.matrix_unit import multiply
from tests.kernels.test_attention import SHAPES, by_kernel, draw, pad_keys
from tests.rounding import generator


def by_numpy_unit(qkv, heads, attn_bias):
    """The same with NumPy's tiles; exponentials are the kernel's own."""
    tokens, head_dim = len(qkv), qkv.shape[1] // 3 // heads
    outs = []
    for head, (q, k, v) in enumerate(qkv.reshape(tokens, 3, heads, head_dim).transpose(2, 1, 0, 3)):
        weights, scale = multiply(q, np.ascontiguousarray(k.T)), 1 / np.sqrt(np.float32(head_dim))
        bias = pad_keys(attn_bias[head % len(attn_bias)])
        for m, row in enumerate(weights):
            weigh(row, scale, bias[m % len(bias)], tokens)
        out, total = multiply(weights, v), weights.astype(np.float64).sum(axis=1)
        outs.append((out, total[:, None]))
    return outs


@pytest.mark.parametrize(("tokens", "heads", "width"), SHAPES)
def test_products_have_the_bits_of_the_unit(tokens, heads, width):
    """The sum of the weights alone is compared by a tolerance: it has another order."""
    qkv, bias = draw(tokens, heads, width), generator(1).normal(size=(heads, tokens, tokens))
    found = by_kernel(qkv, heads, bias, attend_bf16, make_bf16_attention_scratch)
    expected = by_numpy_unit(qkv, heads, bias.astype(np.float32))
    for head, (out, total) in enumerate(expected):
        one = found[:, head * width : (head + 1) * width]
        np.testing.assert_allclose(one, out / total, rtol=1e-6)


def rms(found, exact):
    return np.sqrt(np.mean((found - exact) ** 2) / np.mean(exact**2))


@pytest.mark.parametrize(("tokens", "width"), [(197, 64), (49, 32)])
def test_it_is_more_exact_than_int8(tokens, width):
    """docs/kernels.md states the errors of normal numbers at 197 tokens and 64 columns."""
    qkv, bias = draw(tokens, 2, width), np.zeros((1, 1, tokens))
    exact = ops.attention(qkv[None].astype(np.float64), 2)[0][0]
    bf16 = by_kernel(qkv, 2, bias, attend_bf16, make_bf16_attention_scratch)
    int8 = by_kernel(qkv, 2, bias, attend_int8, make_int8_attention_scratch)
    assert 2e-3 < rms(bf16, exact) < 5e-3
    assert rms(bf16, exact) < 0.4 * rms(int8, exact)


def test_scratch_carries_nothing_from_one_head_to_the_next():
    qkv, bias = draw(20, 1, 10), np.zeros((1, 1, 20))

    def used_scratch(tokens, head_dim):
        scratch = make_bf16_attention_scratch(tokens, head_dim)
        for array in scratch[1:]:
            array[...] = 0x44FA44FA if array.dtype == np.int32 else 1e3
        return scratch

    fresh = by_kernel(qkv, 1, bias, attend_bf16, make_bf16_attention_scratch)
    np.testing.assert_array_equal(by_kernel(qkv, 1, bias, attend_bf16, used_scratch), fresh)
