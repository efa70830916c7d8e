"""Attention on bytes against the same rounding in NumPy, and against attention in float64."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np import ops
from tervit_np.kernels.int8_attention import attend_int8, make_int8_attention_scratch
from tervit_np.ops.attention import split_qkv
from tests.checks import relative_error
from tests.kernels.test_attention import SHAPES, by_kernel, draw


def by_numpy(qkv, heads, attn_bias):
    """Round q, k, v and the exponentials, and sum what was rounded."""
    q, k, v = (part[0] for part in split_qkv(qkv[None].astype(np.float64), heads))

    def rounded(x, axis):
        step = np.maximum(np.abs(x).max(axis=axis, keepdims=True) / 127, 1e-30)
        return np.rint(x / step), step

    (q, s), (k, t), (v, u) = rounded(q, -1), rounded(k, -1), rounded(v, -2)
    scores = (q @ k.swapaxes(-1, -2)) * s * t.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) + attn_bias
    weights = np.rint(255 * np.exp(scores - scores.max(axis=-1, keepdims=True)))
    out = (weights @ v) * u / weights.sum(axis=-1, keepdims=True)
    return out.swapaxes(0, 1).reshape(len(qkv), -1)


@pytest.mark.parametrize(("tokens", "heads", "width"), SHAPES)
def test_attention_equals_the_same_rounding_in_numpy(tokens, heads, width):
    """A weight next to a half may be rounded the other way: a 255th of one of many."""
    qkv, rng = draw(tokens, heads, width), np.random.default_rng(1)
    bias = rng.normal(size=(heads, tokens, tokens))
    found = by_kernel(qkv, heads, bias, attend_int8, make_int8_attention_scratch)
    assert relative_error(found, by_numpy(qkv, heads, bias)) < 3e-3
    exact = ops.window_attention(qkv[None].astype(np.float64), bias, None)[0][0]
    assert relative_error(found, exact) < 0.05


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_of_zeros_gets_a_scale(part):
    qkv = draw(20, 2, 16)
    qkv[3, part * 32 : part * 32 + 32] = 0
    found = by_kernel(qkv, 2, np.zeros((1, 1, 20)), attend_int8, make_int8_attention_scratch)
    assert relative_error(found, by_numpy(qkv, 2, np.zeros((1, 1, 20)))) < 3e-3


def test_zeros_give_zeros():
    found = by_kernel(
        np.zeros((9, 48), np.float32),
        1,
        np.zeros((1, 1, 9)),
        attend_int8,
        make_int8_attention_scratch,
    )
    np.testing.assert_array_equal(found, 0)


def test_the_largest_sums_fit_32_bits():
    """Equal extremes everywhere: 255 x 127 x 1,024 tokens, and 128 taken off 64 times 127."""
    qkv = np.full((1024, 192), 3.0, np.float32)
    found = by_kernel(qkv, 1, np.zeros((1, 1, 1024)), attend_int8, make_int8_attention_scratch)
    np.testing.assert_allclose(found, 3.0, rtol=1e-6)
