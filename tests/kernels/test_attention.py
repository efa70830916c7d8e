"""Attention of one head, compared with ops/attention.py and ops/window_attention.py in float64."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np import ops
from tervit_np.compiled.jit import kernel
from tervit_np.kernels.attention import (
    PADDING_BIAS,
    attend,
    make_attention_scratch,
    rows_read,
    transpose_tile,
)
from tervit_np.kernels.team import round_up
from tervit_np.kernels.tiles import LANES
from tests.checks import relative_error
from tests.rounding import generator

SHAPES = [(197, 3, 64), (49, 3, 32), (65, 2, 64), (16, 3, 32), (17, 2, 10), (5, 1, 7), (1, 2, 16)]


def draw(tokens, heads, width, seed=0):
    rng = generator(seed)
    return rng.normal(size=(tokens, 3 * heads * width)).astype(np.float32)


def pad_keys(attn_bias):
    keys = attn_bias.shape[-1]
    padded = np.full((*attn_bias.shape[:-1], round_up(keys, LANES)), PADDING_BIAS, np.float32)
    padded[..., :keys] = attn_bias
    return padded


def pad_rows(qkv):
    """Append the rows that attention may read and must not use."""
    return np.pad(qkv, ((0, rows_read(len(qkv)) - len(qkv)), (0, 0)), constant_values=1e3)


def by_kernel(qkv, heads, attn_bias, attend=attend, make_scratch=make_attention_scratch):
    """qkv (T, 3 D), attn_bias (H, T, T) or (1, 1, T) -> (T, D)."""
    tokens, head_dim = len(qkv), qkv.shape[1] // 3 // heads
    out = np.full((tokens, heads * head_dim), np.nan, np.float32)
    qkv, scratch, attn_bias = (
        pad_rows(qkv),
        make_scratch(tokens, head_dim),
        pad_keys(attn_bias),
    )
    for head in range(heads):
        attend(qkv, head, head_dim, attn_bias[head % len(attn_bias)], scratch, out)
    return out


@pytest.mark.parametrize(("tokens", "heads", "width"), SHAPES)
def test_attention_in_an_image_equals_the_operator(tokens, heads, width):
    qkv = draw(tokens, heads, width)
    expected = ops.attention(qkv[None].astype(np.float64), heads)[0][0]
    assert relative_error(by_kernel(qkv, heads, np.zeros((1, 1, tokens))), expected) < 2e-6


@pytest.mark.parametrize(("tokens", "heads", "width"), SHAPES)
def test_attention_in_a_window_adds_bias_and_mask(tokens, heads, width):
    qkv, rng = draw(tokens, heads, width), generator(1)
    bias = rng.normal(size=(heads, tokens, tokens))
    mask = np.where(rng.random((1, tokens, tokens)) < 0.3, -100.0, 0.0)
    expected = ops.window_attention(qkv[None].astype(np.float64), bias, mask)[0][0]
    assert relative_error(by_kernel(qkv, heads, bias + mask), expected) < 2e-6


def test_large_scores_do_not_overflow_the_exponential():
    qkv = 40 * draw(20, 2, 16)
    expected = ops.attention(qkv[None].astype(np.float64), 2)[0][0]
    assert relative_error(by_kernel(qkv, 2, np.zeros((1, 1, 20))), expected) < 1e-5


def test_scratch_carries_nothing_from_one_head_to_the_next():
    """Large values left in the padding would change the result."""
    tokens, width = 17, 10
    scratch = make_attention_scratch(tokens, width)
    for array in scratch:
        array[...] = 1e3
    qkv, out = draw(tokens, 1, width), np.zeros((tokens, width), np.float32)
    attend(pad_rows(qkv), 0, width, pad_keys(np.zeros((1, tokens))), scratch, out)
    expected = ops.attention(qkv[None].astype(np.float64), 1)[0][0]
    assert relative_error(out, expected) < 2e-6


def test_transpose_tile_transposes_any_part_of_a_matrix():
    @kernel()
    def run(source, row, column, target, to_row, to_column):
        transpose_tile(source, row, column, target, to_row, to_column)

    source = np.arange(6 * LANES * LANES, dtype=np.float32).reshape(2 * LANES, 3 * LANES)
    target = np.zeros((3 * LANES, 2 * LANES), np.float32)
    for row in range(0, 2 * LANES, LANES):
        for column in range(0, 3 * LANES, LANES):
            run(source, row, column, target, column, row)
    np.testing.assert_array_equal(target, source.T)
    run(source, 3, 5, target, 1, 2)
    np.testing.assert_array_equal(
        target[1 : 1 + LANES, 2 : 2 + LANES], source[3 : 3 + LANES, 5 : 5 + LANES].T
    )
