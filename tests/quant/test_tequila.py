import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.packing import packed_copy
from tervit_np.nn import Conv2d, Linear, PatchProjection
from tervit_np.quant import Blend, Tequila, Ternary
from tervit_np.verify.frozen import FrozenResidual
from tervit_np.verify.gradcheck import numerical_gradient
from tests.checks import EXACT, ROUNDOFF64, close

RNG = np.random.default_rng(0)
W = np.array([[0.1, -0.5, 0.3, 1.5], [20, -4, 12, 4]])  # zeros: 0.1 and 0.3; -4 and 4


def test_the_bias_is_the_sum_of_the_zeros():
    quantizer = Tequila(strength=0.5)
    w_hat, cache = quantizer.forward(W)
    close(w_hat, Ternary().forward(W)[0], EXACT)
    close(quantizer.bias(W, cache), np.array([0.2, 0]), ROUNDOFF64)
    close(quantizer.bias_backward(np.array([2.0, 4]), cache)[0], np.array([1.0, 0, 1, 0]), EXACT)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Linear(6, 3, "float64"), (2, 6)),
        (Conv2d(2, 3, 3, 1, 1, "float64"), (1, 3, 3, 2)),
        (PatchProjection(2, 2, 3, "float64"), (1, 2, 4, 4)),
    ],
    ids=["linear", "convolution", "patches"],
)
@pytest.mark.parametrize("ramp", [False, True])
def test_layers_add_it_and_pass_its_gradient(layer, shape, ramp):
    """Differences of the whole layer, with the residual and the zeros held fixed."""
    rule = Tequila(strength=0.5)
    layer.weight_quant = FrozenResidual(Blend(rule, 0.3) if ramp else rule)
    layer.weight.data[...] = RNG.normal(size=layer.weight.shape)
    x = RNG.normal(size=shape)
    y, cache = layer.forward(x)
    dy = RNG.normal(size=y.shape)
    layer.weight.grad.fill(0)
    layer.backward(dy, cache)
    original = layer.weight.data.copy()

    def of(w):
        layer.weight.data[...] = w
        return layer.forward(x)[0]

    numeric = numerical_gradient(of, original, dy)
    layer.weight.data[...] = original
    np.testing.assert_allclose(layer.weight.grad, numeric, rtol=1e-6, atol=1e-8)


def test_a_layer_without_a_bias_has_none():
    layer = Linear(4, 2, "float64", weight_quant=Tequila(strength=0.5), bias=False)
    layer.weight.data[...] = W
    y, cache = layer.forward(np.ones((1, 4)))
    close(y[0], Ternary().forward(W)[0].sum(axis=1), ROUNDOFF64)
    layer.backward(np.ones((1, 2)), cache)
    assert layer.weight.grad.tolist() == np.ones((2, 4)).tolist()


def test_a_packed_model_has_it_in_its_biases(tmp_path):
    plan = tv.quant.Plan([(".*(qkv|proj|fc1|fc2)", Tequila(strength=0.5), tv.quant.UniformAct())])
    model = tv.quantize(tv.create_model("deit_shapes", depth=1, seed=1), plan)
    images = RNG.normal(size=(2, 3, 32, 32)).astype(np.float32)
    tv.export(model, tmp_path / "m.safetensors")
    packed = tv.load_packed(tmp_path / "m.safetensors").model
    np.testing.assert_array_equal(packed.predict(images), packed_copy(model).predict(images))
    close(packed.predict(images), model.predict(images), 0.02)
    without = tv.quantize(model, "ternary").predict(images)
    assert np.abs(packed.predict(images) - without).max() > 0.1 * np.abs(without).max()


@pytest.mark.parametrize("strength", [-1, float("inf"), float("nan")])
def test_a_strength_that_is_no_strength_is_refused(strength):
    with pytest.raises(ValueError, match="strength is"):
        Tequila(strength=strength)


def test_the_repr_states_the_rule():
    assert repr(Tequila("tensor")) == "ternary Tequila (tensor, 0.001)"
