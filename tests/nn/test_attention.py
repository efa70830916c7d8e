import numpy as np
import pytest

from tervit_np.nn import Attention
from tervit_np.nn.attention import Products
from tervit_np.nn.swin_block import WindowProducts
from tervit_np.ops import attention, attention_backward
from tervit_np.ops.attention import AttentionCache
from tervit_np.quant import HadamardAct, QuestAct, StaticAct, UniformAct
from tests.checks import ROUNDOFF64, as_operator, check, check_accumulation, fill
from tests.rounding import decibels


@pytest.mark.parametrize(("dim", "heads"), [(6, 3), (4, 1), (6, 2)])
def test_attention_passes_all_checks(dim, heads):
    rng = np.random.default_rng(0)
    module = fill(Attention(dim, heads, "float64"), rng)
    check(as_operator(module, rng.normal(size=(2, 4, dim))), tolerance=3e-5)


def test_the_key_bias_has_no_gradient():
    rng = np.random.default_rng(1)
    module = fill(Attention(6, 2, "float64"), rng)
    y, cache = module.forward(rng.normal(size=(3, 4, 6)))
    module.backward(rng.normal(size=y.shape), cache)
    query, key, value = np.abs(module.qkv.bias.grad.reshape(3, 6)).max(axis=1)
    assert key < ROUNDOFF64 < query
    assert value > 1e-3


def test_gradients_accumulate():
    rng = np.random.default_rng(2)
    check_accumulation(fill(Attention(6, 3, "float64"), rng), rng.normal(size=(2, 4, 6)), rng)


def test_float_products_equal_the_operator():
    qkv = np.random.default_rng(3).normal(size=(2, 3, 12))
    out, _ = Products(2).forward(qkv)
    np.testing.assert_array_equal(out, attention(qkv, 2)[0])


def test_8_bit_products_stay_close_and_quantize_q_k_v_per_token_and_head():
    rng = np.random.default_rng(4)
    products, qkv = Products(2), rng.normal(size=(2, 5, 24))
    products.act_quant = UniformAct(8)
    out, cache = products.forward(qkv)
    exact, _ = attention(qkv, 2)
    assert 30 < decibels(out, exact).min() < 60  # the noise of 8 bits
    qkv_hat = cache[0].qkv.reshape(2, 5, 6, 4)  # 3 x 2 heads, K = 4
    scale = np.abs(qkv_hat).max(axis=-1, keepdims=True) / 127
    codes = qkv_hat / scale
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-9)
    dqkv = products.backward(rng.normal(size=out.shape), cache)
    assert dqkv.shape == qkv.shape
    assert np.isfinite(dqkv).all()


@pytest.mark.parametrize("act", [QuestAct(2), HadamardAct(2, block=4), StaticAct(8, 0.01)])
@pytest.mark.parametrize("windows", [False, True])
def test_gradients_of_q_k_and_v_have_the_mask_of_each_token_and_head(act, windows):
    rng = np.random.default_rng(5)
    qkv, dout = rng.normal(size=(2, 4, 24)), rng.normal(size=(2, 4, 8))
    qkv[0, 1, :4] = [9, 0.1, 0.1, 0.1]  # the query of one head
    products = WindowProducts(2) if windows else Products(2)
    products.act_quant = act
    args = (np.zeros((2, 4, 4)), None) if windows else ()
    _, cache = products.forward(qkv, *args)
    dqkv = products.backward(dout, cache)
    dqkv = dqkv[0] if windows else dqkv
    dqkv_hat = attention_backward(dout, AttentionCache(*cache[0]))
    for t, part in np.ndindex(4, 6):
        columns = slice(4 * part, 4 * part + 4)
        _, own = act.forward(qkv[:, t, columns])
        expected = act.backward(dqkv_hat[:, t, columns], own)
        np.testing.assert_allclose(dqkv[:, t, columns], expected, atol=1e-12)


def test_the_products_take_quantizers_and_have_no_parameters():
    module = Attention(6, 3)
    assert [name for name, _ in module.named_params()] == [
        "qkv.weight",
        "qkv.bias",
        "proj.weight",
        "proj.bias",
    ]
    assert [name for name, _ in module.quantizable()] == ["qkv", "products", "proj"]


def test_linear_layers_check_their_input():
    with pytest.raises(ValueError, match="linear: x has last axis 5, weight expects 6"):
        Attention(6, 3).forward(np.ones((1, 2, 5), np.float32))
