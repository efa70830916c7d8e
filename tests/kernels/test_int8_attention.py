"""int8 attention, compared with the same rounding in NumPy, and with attention in float64."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np import ops
from tervit_np.kernels.int8_attention import attend_int8, make_int8_attention_scratch
from tervit_np.quant import UniformAct
from tests.checks import ROUNDOFF32
from tests.kernels.int8_reference import EXP_FLIP, mean_of_values
from tests.kernels.test_attention import SHAPES, by_kernel, draw, pad_keys, pad_rows
from tests.rounding import FLIP, assert_same_codes, decibels, from_half, generator

pytestmark = pytest.mark.rounding


def assert_head(qkv, heads, head, bias):
    """Compare the kernel's codes with NumPy's, and its output with NumPy's from the same codes."""
    tokens, head_dim = len(qkv), qkv.shape[1] // 3 // heads
    scratch = make_int8_attention_scratch(tokens, head_dim)
    out = np.zeros((tokens, heads * head_dim), np.float32)
    attend_int8(pad_rows(qkv), head, head_dim, pad_keys(bias), scratch, out)
    exact = qkv.astype(np.float64).reshape(tokens, 3, heads, head_dim)[:, :, head].swapaxes(0, 1)
    q, k, v = (
        codes[:tokens, :head_dim] for codes in (scratch.q.astype(int) - 128, scratch.k, scratch.v)
    )
    q, k, v = decode(q, exact[0]), decode(k, exact[1]), decode(v.T, exact[2].T).T
    expected, weights, distance = mean_of_values(q, k, v, bias)
    near = distance < EXP_FLIP
    allowed = np.einsum("mn,mnd->md", near, np.abs(v[None] - expected[:, None]))
    allowed /= np.maximum(weights.sum(axis=1) - near.sum(axis=1), 1)[:, None]
    error = np.abs(out[:, head * head_dim : (head + 1) * head_dim] - expected)
    assert (error <= allowed + ROUNDOFF32 * np.abs(expected).max()).all()


def decode(found, x):
    """Compare the codes of x, one scale for each row.  (M, N) -> the numbers that they stand for.

    They are found by a reciprocal: x (1 / s), each rounded, is another 6e-8 away from x / s.
    """
    codes, scale, _ = UniformAct(8).encode(x)
    assert_same_codes(found, codes, from_half(x / np.where(scale == 0, 1, scale)), 1.5 * FLIP)
    return found * scale


@pytest.mark.parametrize(("tokens", "heads", "width"), SHAPES)
def test_attention_equals_the_same_rounding_in_numpy(tokens, heads, width):
    qkv, bias = draw(tokens, heads, width), generator(1).normal(size=(heads, tokens, tokens))
    for head in range(heads):
        assert_head(qkv, heads, head, bias[head])


@pytest.mark.parametrize(("tokens", "heads", "width"), SHAPES)
def test_attention_differs_from_floats_by_rounding_alone(tokens, heads, width):
    qkv, bias = draw(tokens, heads, width), generator(1).normal(size=(heads, tokens, tokens))
    found = by_kernel(qkv, heads, bias, attend_int8, make_int8_attention_scratch)
    exact = ops.window_attention(qkv[None].astype(np.float64), bias, None)[0][0]
    assert decibels(found[None], exact[None])[0] > 30


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_of_zeros_gets_a_scale(part):
    qkv = draw(20, 2, 16)
    qkv[3, part * 32 : part * 32 + 32] = 0
    for head in range(2):
        assert_head(qkv, 2, head, np.zeros((1, 20)))


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


def test_more_tokens_than_32_bits_sum_are_refused():
    make_int8_attention_scratch(66_311, 4)
    with pytest.raises(ValueError, match="has 66312 tokens, expected at most 66311"):
        make_int8_attention_scratch(66_312, 4)
