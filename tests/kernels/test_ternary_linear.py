"""Every variant computes the integers of an int64 product, for all codes and shapes."""

import itertools

import numpy as np
import pytest

from tervit_np import ops
from tervit_np.kernels import (
    has_tile,
    integer_product,
    isa,
    multiply_floats,
    pack,
    pack_floats,
    pack_int8,
    quantize_tokens,
    runnable,
    ternary_linear,
)
from tervit_np.kernels.int8_linear import int8_product
from tervit_np.nn import Linear
from tervit_np.quant import StaticAct, Ternary, UniformAct, fixed_scale
from tests.checks import BACKENDS, relative_error
from tests.deploy.test_copies import forked

SUPPORTED = (*runnable(), isa.EMULATED) if "numba" in BACKENDS else ("numpy",)
EACH_VARIANT = pytest.mark.parametrize("variant", SUPPORTED)
TILED = tuple(variant for variant in SUPPORTED if has_tile(variant))


def assert_exact(x, t, variant):
    y = integer_product(x, pack(t, 1.0), variant)
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y, x.astype(np.int64) @ t.astype(np.int64).T)


def random_integers(m, k, n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(-127, 128, (m, k)).astype(np.int8)
    return x, rng.integers(-1, 2, (n, k)).astype(np.int8)


@EACH_VARIANT
def test_all_weights_of_three_inputs_are_exact(variant):
    """27 rows of weights, all of them, with 343 tokens of extreme codes."""
    t = np.array(list(itertools.product((-1, 0, 1), repeat=3)), np.int8)
    x = np.array(list(itertools.product((-127, -64, -1, 0, 1, 100, 127), repeat=3)), np.int8)
    assert_exact(x, t, variant)


@EACH_VARIANT
@pytest.mark.parametrize("m", [1, 2, 3, 5, 6, 7, 12, 13])
def test_shapes_near_the_edges_of_a_tile_are_exact(variant, m):
    for k, n in itertools.product((1, 3, 4, 5, 8, 9), (1, 15, 16, 17, 63, 64, 65, 129, 257, 300)):
        if variant == "loop" and k * n > 1000:
            continue
        assert_exact(*random_integers(m, k, n, seed=m * k * n), variant)


@EACH_VARIANT
@pytest.mark.parametrize("sign_x", [-127, 127])
@pytest.mark.parametrize("sign_t", [-1, 0, 1])
def test_extreme_inputs_are_exact(variant, sign_x, sign_t):
    """3,072 inputs, all of them extreme: 16-bit sums of pairs come within 1 % of their limit."""
    assert_exact(np.full((7, 3072), sign_x, np.int8), np.full((65, 3072), sign_t, np.int8), variant)


@pytest.mark.parametrize("variant", [variant for variant in SUPPORTED if variant != "loop"])
def test_the_largest_number_of_inputs_is_exact(variant):
    x = np.full((2, 132_104), 127, np.int8)
    t = np.ones((2, 132_104), np.int8)
    t[1] = -1
    assert_exact(x, t, variant)


@EACH_VARIANT
def test_alternating_signs_are_exact(variant):
    x, t = random_integers(6, 256, 64)
    x[:, ::2], x[:, 1::2] = 127, -127
    t[:, ::2], t[:, 1::2] = 1, -1
    assert_exact(x, t, variant)
    assert_exact(x, -t, variant)


@EACH_VARIANT
def test_a_layer_of_deit_small_is_exact(variant):
    m, k, n = (7, 96, 100) if variant == "loop" else (197, 384, 1536)
    assert_exact(*random_integers(m, k, n), variant)


@EACH_VARIANT
@pytest.mark.parametrize("m", [1, 50])
@pytest.mark.parametrize("act", [UniformAct(8), StaticAct(8, 0.015)], ids=["dynamic", "static"])
def test_it_equals_the_trained_layer(variant, m, act):
    rng = np.random.default_rng(3)
    layer = Linear(48, 300, weight_quant=Ternary(), act_quant=act)
    layer.weight.data[...] = rng.normal(size=(300, 48))
    layer.bias.data[...] = rng.normal(size=300)
    x = rng.normal(size=(m, 48)).astype(np.float32)
    stored = layer.weight_quant.encode(layer.weight.data)
    packed = pack(stored.codes, stored.scale, fixed_scale(act))
    y = ternary_linear(x, packed, layer.bias.data, variant)
    assert y.shape == (m, 300)
    assert relative_error(y, layer.forward(x)[0]) < 1e-6
    without = ternary_linear(x, packed, None, variant)
    np.testing.assert_allclose(y - without, np.tile(layer.bias.data, (m, 1)), atol=1e-5)


@pytest.mark.parametrize("variant", TILED)
@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("shape", [(1, 8, 300), (13, 20, 64), (50, 33, 330)])
def test_threads_do_not_change_the_bits(variant, threads, shape):
    (x, t), rng = random_integers(*shape), np.random.default_rng(6)
    bias = rng.normal(size=shape[2]).astype(np.float32)
    args = x.astype(np.float32), pack(t, 0.5), bias, variant
    np.testing.assert_array_equal(ternary_linear(*args, threads=threads), ternary_linear(*args))


@pytest.mark.parametrize(
    ("x", "bias", "message"),
    [
        (np.zeros((2, 5)), None, r"x is \(2, 5\), expected \(tokens, 4\)"),
        (np.zeros(4), None, "expected"),
        (np.zeros((2, 4)), np.zeros(4), r"bias is \(4,\), expected \(3,\)"),
        (np.full((2, 4), np.nan), None, "NaN or infinite"),
    ],
)
def test_wrong_arguments_are_refused(x, bias, message):
    packed = pack(np.ones((3, 4), np.int8), 1.0)
    for variant in SUPPORTED:
        with pytest.raises(ValueError, match=message):
            ternary_linear(x, packed, bias, variant)


@pytest.mark.parametrize(
    ("x", "bias", "message"),
    [
        ((2, 5), (3,), r"x is \(2, 5\), expected \(tokens, 4\)"),
        ((2, 3), (3,), r"x is \(2, 3\), expected \(tokens, 4\)"),
        ((4,), (3,), r"x is \(4,\), expected \(tokens, 4\)"),
        ((2, 4), (2,), r"bias is \(2,\), expected \(3,\)"),
        ((2, 4), (70,), r"bias is \(70,\), expected \(3,\)"),  # more than a panel
    ],
)
def test_floats_that_do_not_fit_the_panels_are_refused(x, bias, message):
    """The compiled loops would write beyond the tokens and the padded bias."""
    packed = pack(np.ones((3, 4), np.int8), 1.0)
    with pytest.raises(ValueError, match=message):
        multiply_floats(np.ones(x, np.float32), packed, np.ones(bias, np.float32))


def test_a_weight_of_other_inputs_than_its_panels_is_refused():
    pytest.importorskip("numba", reason="only compiled code takes panels")
    panels = pack(np.ones((3, 4), np.int8), 1.0)
    with pytest.raises(ValueError, match=r"x is \(2, 5\), expected \(tokens, 4\)"):
        ops.linear(np.ones((2, 5), np.float32), np.ones((3, 5), np.float32), None, panels)


@EACH_VARIANT
@pytest.mark.parametrize(
    "x",
    [
        np.ones((2, 3), np.int8),  # loops would read beyond a row
        np.ones((2, 1), np.int8),  # would be repeated
        np.ones(4, np.int8),
        np.full((2, 4), 200, np.int16),  # would become -56
    ],
)
def test_integers_that_are_not_those_of_tokens_are_refused(variant, x):
    for product, weights in (
        (integer_product, pack(np.ones((3, 4), np.int8), 1.0)),
        (int8_product, pack_int8(np.ones((3, 4), np.int8), 1.0)),
    ):
        with pytest.raises(ValueError, match=r"expected int8 \(tokens, 4\)"):
            product(x, weights, variant)


@pytest.mark.parametrize("threads", [0, -1])
def test_no_thread_is_refused(threads):
    with pytest.raises(ValueError, match=f"threads is {threads}; expected at least 1"):
        ternary_linear(np.ones((2, 4)), pack(np.ones((3, 4), np.int8), 1.0), threads=threads)


def test_unsupported_variants_are_refused(monkeypatch):
    """Running them would end the process."""
    monkeypatch.setattr(isa, "features", lambda: frozenset({"avx2"}))
    packed = pack(np.ones((3, 4), np.int8), 1.0)
    with pytest.raises(ValueError, match="'vnni512' needs avx512vnni"):
        ternary_linear(np.ones((2, 4)), packed, None, "vnni512")
    with pytest.raises(ValueError, match="no kernel 'fast'; expected one of numpy"):
        integer_product(np.ones((2, 4), np.int8), packed, "fast")


@pytest.mark.parametrize("shape", [(5, 50, 70), (12, 33, 64), (1, 8, 300), (0, 8, 3)])
@pytest.mark.parametrize("act", [UniformAct(8), StaticAct(8, 0.015)], ids=["dynamic", "static"])
def test_training_multiplies_the_same_integers(shape, act):
    """The integers recovered from dequantized floats give the same layer, with smaller errors."""
    pytest.importorskip("numba", reason="pack_floats is compiled")
    m, k, n = shape
    rng = np.random.default_rng(4)
    x = act.forward(rng.normal(size=(m, k)).astype(np.float32))[0]
    w = Ternary().forward(rng.normal(size=(n, k)).astype(np.float32))[0]
    w[n // 2] = 0
    b = rng.normal(size=n).astype(np.float32)
    y, cache = ops.linear(x, w, b, pack_floats(w, fixed_scale(act)))
    exact = x.astype(np.float64) @ w.T.astype(np.float64) + b
    assert y.shape == (m, n)
    assert y.flags.c_contiguous
    if m:
        assert relative_error(y, exact) < 3e-7
    assert cache.x is x
    np.testing.assert_allclose(y, ops.linear(x, w, b)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not TILED, reason="no compiled tile runs here")
@pytest.mark.parametrize("byte", [0, 37, 63])
def test_one_wrong_weight_changes_its_output(byte):
    x, t = random_integers(6, 8, 64)
    packed = pack(t, 1.0)
    packed.packed[0, 1, byte] ^= 0b01  # changes the weight in slot 0
    y = integer_product(x, packed, TILED[-1])
    wrong = (y != x.astype(np.int64) @ t.T.astype(np.int64)).any(axis=0)
    assert wrong.nonzero()[0].tolist() == [byte // 4]


def test_it_quantizes_as_quantize_tokens_does():
    rng = np.random.default_rng(5)
    x, (_, t) = rng.normal(size=(9, 20)).astype(np.float32), random_integers(1, 20, 30)
    tokens = quantize_tokens(x)
    sums = tokens.q[:, :20].astype(np.int64) @ t.T.astype(np.int64)
    for variant in SUPPORTED:
        y = ternary_linear(x, pack(t, 0.5), None, variant)
        assert relative_error(y, sums * tokens.scale[:, None] * 0.5) < 2e-7


@pytest.mark.skipif(not TILED, reason="only compiled work is shared by threads")
def test_a_forked_process_has_threads_of_its_own():
    x, t = random_integers(7, 64, 130)
    x, packed = x.astype(np.float32), pack(t, 0.5)
    expected = ternary_linear(x, packed, threads=2)
    np.testing.assert_array_equal(forked(lambda: ternary_linear(x, packed, threads=2)), expected)
