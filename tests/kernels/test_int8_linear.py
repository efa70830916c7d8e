"""Layers of 8-bit weights: packing, integers, agreement with the trained layer."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.kernels import int8_linear, pack_int8
from tervit_np.kernels.int8_weights import unpack_int8
from tervit_np.nn import Linear
from tervit_np.quant import StaticAct, UniformAct, UniformWeight, fixed_scale
from tests.checks import BACKENDS, relative_error

EACH_BACKEND = pytest.mark.parametrize("backend", BACKENDS)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 4), (17, 27), (100, 768)])
def test_unpacking_returns_the_codes(shape):
    codes = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    layer = pack_int8(codes, np.float32(0.5))
    np.testing.assert_array_equal(unpack_int8(layer), codes)
    np.testing.assert_array_equal(
        layer.compensation[: shape[0]], 128 * codes.sum(axis=1, dtype=int)
    )


@EACH_BACKEND
@pytest.mark.parametrize(
    "shape", [(1, 5, 3), (7, 27, 24), (13, 64, 100), (196, 48, 192), (0, 4, 4)]
)
@pytest.mark.parametrize("act", [UniformAct(8), StaticAct(8, 0.015)], ids=["dynamic", "static"])
def test_it_equals_the_trained_layer(backend, shape, act):
    rows, inputs, outputs = shape
    rng = np.random.default_rng(1)
    trained = Linear(inputs, outputs, weight_quant=UniformWeight(8), act_quant=act)
    trained.weight.data[...] = rng.normal(size=(outputs, inputs))
    trained.bias.data[...] = rng.normal(size=outputs)
    x = rng.normal(size=(rows, inputs)).astype(np.float32)
    x[rows // 2 : rows // 2 + 1] = 0
    stored = trained.weight_quant.encode(trained.weight.data)
    layer = pack_int8(stored.codes, stored.scale, fixed_scale(act))
    with tv.backend(backend):
        y = int8_linear(x, layer, trained.bias.data)
        without = int8_linear(x, layer)
    assert y.shape == (rows, outputs)
    if rows:
        assert relative_error(y, trained.forward(x)[0]) < 1e-6
        np.testing.assert_allclose(y - without, np.tile(trained.bias.data, (rows, 1)), atol=1e-5)


@EACH_BACKEND
@pytest.mark.parametrize("sign", [-1, 1])
def test_extreme_inputs_are_exact(backend, sign):
    x = np.full((7, 3072), 127.0, np.float32)
    layer = pack_int8(np.full((20, 3072), sign * 127, np.int8), np.float32(1))
    with tv.backend(backend):
        y = int8_linear(x, layer)
    np.testing.assert_array_equal(y, np.float32(sign * 127 * 127 * 3072))


def test_the_largest_number_of_inputs_fits_32_bits():
    x, codes = np.full((1, 65_793), 1.0, np.float32), np.full((1, 65_793), -128, np.int8)
    y = int8_linear(x, pack_int8(codes, np.float32(1)))
    np.testing.assert_allclose(y, -128.0 * 65_793, rtol=1e-6)
    with pytest.raises(ValueError, match="65794 inputs; at most 65793"):
        pack_int8(np.ones((1, 65_794), np.int8), np.float32(1))


@EACH_BACKEND
def test_wrong_arguments_are_refused(backend):
    layer = pack_int8(np.ones((3, 4), np.int8), np.float32(1))
    with tv.backend(backend):
        with pytest.raises(ValueError, match=r"x is \(2, 5\), expected \(tokens, 4\)"):
            int8_linear(np.zeros((2, 5)), layer)
        with pytest.raises(ValueError, match="NaN or infinite"):
            int8_linear(np.full((2, 4), np.inf), layer)
        for bias in (np.ones(1), np.ones(4)):
            with pytest.raises(ValueError, match=r"bias is .*, expected \(3,\)"):
                int8_linear(np.zeros((2, 4)), layer, bias)
    for scale in (np.ones(1), np.ones(4), np.full(3, np.nan)):
        with pytest.raises(ValueError, match=r"scale is .*, expected \(3,\) finite numbers"):
            pack_int8(np.ones((3, 4), np.int8), scale)
    for wrong in (np.ones(4, np.int8), np.ones((2, 2)), np.ones((0, 3), np.int8)):
        with pytest.raises(ValueError, match="not int8"):
            pack_int8(wrong, np.float32(1))
