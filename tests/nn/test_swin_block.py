import numpy as np
import pytest

from tervit_np import ops
from tervit_np.nn.swin_block import SwinBlock, WindowAttention, WindowProducts
from tervit_np.quant import UniformAct
from tests.checks import as_operator, check, check_accumulation, fill
from tests.rounding import decibels


@pytest.mark.parametrize("shifted", [False, True])
def test_a_swin_block_passes_all_checks(shifted):
    rng = np.random.default_rng(0)
    block = fill(SwinBlock(6, 2, 4, 2, shifted, 8, 0.0, "erf", "float64"), rng)
    check(as_operator(block, rng.normal(size=(2, 4, 4, 6))), tolerance=1e-4)


@pytest.mark.parametrize("masked", [False, True])
def test_window_attention_passes_all_checks(masked):
    rng = np.random.default_rng(1)
    module = fill(WindowAttention(6, 3, 2, "float64"), rng)
    mask = ops.shift_mask(4, 4, 2, 1) if masked else None
    check(as_operator(module, rng.normal(size=(8, 4, 6)), mask=mask), tolerance=3e-5)


def test_gradients_accumulate():
    rng = np.random.default_rng(2)
    block = fill(SwinBlock(6, 3, 4, 2, True, 8, 0.0, "erf", "float64"), rng)
    check_accumulation(block, rng.normal(size=(2, 4, 4, 6)), rng)


def test_a_small_map_is_one_window_without_shift():
    block = SwinBlock(6, 2, 4, 7, True, 8, 0.0)
    assert (block.window, block.shift_size, block.mask) == (4, 0, None)
    assert block.attn.relative_position_bias_table.shape == (49, 2)


def test_drop_path_silences_both_branches():
    """An image whose branches are dropped leaves as it came; the others are scaled up."""
    rng = np.random.default_rng(3)
    block = fill(SwinBlock(6, 2, 4, 2, True, 8, 0.75, "erf", "float64"), rng)
    x = rng.normal(size=(64, 4, 4, 6))
    y, cache = block.forward(x, train=True, rng=np.random.default_rng(4))
    kept1, kept2 = (np.ravel(drop) > 0 for drop in (cache.drop1, cache.drop2))
    same = (y == x).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same, ~kept1 & ~kept2)
    assert (kept1 != kept2).any()
    dy = rng.normal(size=x.shape)
    np.testing.assert_array_equal(block.backward(dy, cache)[same], dy[same])


def test_8_bit_products_stay_close_and_quantize_per_token_and_head():
    rng = np.random.default_rng(5)
    products, qkv = WindowProducts(2), rng.normal(size=(8, 4, 24))
    bias, mask = rng.normal(size=(2, 4, 4)), ops.shift_mask(4, 4, 2, 1)
    exact, _ = products.forward(qkv, bias, mask)
    np.testing.assert_array_equal(exact, ops.window_attention(qkv, bias, mask)[0])
    products.act_quant = UniformAct(8)
    out, cache = products.forward(qkv, bias, mask)
    assert 30 < decibels(out, exact).min() < 60  # the noise of 8 bits
    qkv_hat = cache[0].qkv.reshape(8, 4, 6, 4)
    codes = qkv_hat / (np.abs(qkv_hat).max(axis=-1, keepdims=True) / 127)
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-9)
    dqkv, dbias = products.backward(rng.normal(size=out.shape), cache)
    assert (dqkv.shape, dbias.shape) == (qkv.shape, bias.shape)
    assert np.isfinite(dqkv).all()
