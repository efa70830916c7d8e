import numpy as np
import pytest

from tervit_np.nn import Conv2d, Linear
from tervit_np.nn.patch_embed import PatchProjection
from tervit_np.ops.mixed_precision import linear_backward_mixed
from tervit_np.quant import Identity
from tests.checks import ROUNDOFF64, as_operator, check, check_accumulation, close, fill


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("leading", [(4,), (2, 3)])
def test_linear_passes_all_checks(leading):
    layer = fill(Linear(5, 7, "float64"), rng())
    check(as_operator(layer, rng(1).normal(size=(*leading, 5))))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (2, 2, 0), (3, 1, 1)])
def test_convolution_passes_all_checks(kernel, stride, padding):
    layer = fill(Conv2d(2, 3, kernel, stride, padding, "float64"), rng())
    check(as_operator(layer, rng(1).normal(size=(2, 5, 4, 2))))


def test_convolution_follows_the_formula():
    layer = fill(Conv2d(2, 3, 3, 2, 1, "float64"), rng())
    x = rng(1).normal(size=(1, 5, 6, 2))
    y, _ = layer.forward(x)
    assert y.shape == (1, 3, 3, 3)
    padded = np.pad(x[0], ((1, 1), (1, 1), (0, 0))).transpose(2, 0, 1)
    for i, j in np.ndindex(3, 3):
        window = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        expected = (layer.weight.data * window).sum(axis=(1, 2, 3)) + layer.bias.data
        close(y[0, i, j], expected, ROUNDOFF64)


def test_the_first_convolution_may_skip_its_input_gradient():
    layer = fill(Conv2d(2, 3, 3, 2, 1, "float64"), rng())
    y, cache = layer.forward(rng(1).normal(size=(2, 4, 4, 2)))
    assert layer.backward(np.ones_like(y), cache) is not None
    expected_grad = layer.weight.grad.copy()
    layer.zero_grad()
    assert layer.backward(np.ones_like(y), cache, input_grad=False) is None
    np.testing.assert_array_equal(layer.weight.grad, expected_grad)


@pytest.mark.parametrize("kind", ["linear", "patch_embed"])
@pytest.mark.parametrize("input_grad", [True, False])
def test_a_first_layer_multiplies_for_its_input_only_if_asked(kind, input_grad, monkeypatch):
    layers = {"linear": Conv2d(3, 4, 2, 2, 0), "patch_embed": PatchProjection(3, 2, 4)}
    layer, multiply, shapes = fill(layers[kind], rng()), linear_backward_mixed, []

    def record(dy, cache, precision):
        found = multiply(dy, cache, precision)
        shapes.append(found[0].shape[-1])
        return found

    monkeypatch.setattr(f"tervit_np.nn.{kind}.linear_backward_mixed", record)
    shape = (2, 4, 4, 3) if kind == "linear" else (2, 3, 4, 4)
    y, cache = layer.forward(rng(1).normal(size=shape).astype(np.float32))
    layer.backward(np.ones_like(y), cache, input_grad)
    assert shapes == [12 if input_grad else 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_accumulate(dtype):
    x = rng(1).normal(size=(2, 4, 4, 2)).astype(dtype)
    check_accumulation(fill(Linear(2, 3, dtype), rng()), x, rng(2))
    check_accumulation(fill(Conv2d(2, 3, 3, 2, 1, dtype), rng()), x, rng(2))


def test_shapes_and_names_match_pytorch():
    assert [(n, p.shape) for n, p in Linear(5, 7).named_params()] == [
        ("weight", (7, 5)),
        ("bias", (7,)),
    ]
    assert [(n, p.shape) for n, p in Conv2d(2, 3, 4, 1, 0).named_params()] == [
        ("weight", (3, 2, 4, 4)),
        ("bias", (3,)),
    ]


class Doubling(Identity):
    """A rule of a user, whose scale of float64 makes everything behind it float64."""

    def forward(self, w, keep_residual=False):
        return w * np.float64(2), None


class Summing(Identity):
    """A rule of a user, whose gradient has one number for each row."""

    def backward(self, dw_hat, cache):
        return dw_hat.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("which", ["weight_quant", "act_quant"])
@pytest.mark.parametrize("make", [
    lambda: (Linear(4, 3), (2, 4)),
    lambda: (Conv2d(2, 3, 2, 2, 0), (1, 4, 4, 2)),
    lambda: (PatchProjection(2, 2, 3), (1, 2, 4, 4)),
])  # fmt: skip
def test_a_quantizer_keeps_shape_and_dtype(make, which):
    """A gradient of another shape was broadcast, and float64 ran without compiled code."""
    layer, shape = make()
    x = rng(1).normal(size=shape).astype(np.float32)
    setattr(layer, which, Summing())
    y, cache = layer.forward(x)
    with pytest.raises(ValueError, match=r"float: backward returned float32 .*, 1\) for float32"):
        layer.backward(y, cache)
    setattr(layer, which, Doubling())
    with pytest.raises(ValueError, match="float: forward returned float64 .* for float32"):
        layer.forward(x)
