"""Every compiled twin computes what the NumPy lines of its operator compute."""

from functools import partial

import numpy as np
import pytest

import tervit_np as tv
from tervit_np import ops
from tervit_np.quant import Ternary, UniformAct, UniformWeight
from tests.checks import ROUNDOFF32
from tests.rounding import (
    assert_same,
    assert_same_or_flipped,
    flips,
    generator,
    layer_inputs,
    recorded,
)

pytest.importorskip("numba")

SHAPES = [(1, 1), (1, 7), (5, 17), (33, 64), (2, 3, 96)]
SCALES = [1e-4, 1.0, 30.0]


def both(function, *arrays):
    """Call on float32 with each backend.  -> compiled, NumPy."""
    with tv.backend("numba"):
        compiled = function(*arrays)
    with tv.backend("numpy"):
        return compiled, function(*arrays)


def array(shape, scale=1.0, seed=0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def assert_close(compiled, numpy, tolerance=2e-6):
    compiled, numpy = (x if isinstance(x, tuple) else (x,) for x in (compiled, numpy))
    for a, b in zip(compiled, numpy, strict=True):
        assert a.dtype == b.dtype == np.float32
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-30)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", SCALES)
class TestElementwise:
    @pytest.mark.parametrize("form", ["erf", "tanh"])
    def test_gelu(self, shape, scale, form):
        x, dy = array(shape, scale), array(shape, seed=1)
        assert_close(*both(lambda x: ops.gelu(x, form)[0], x))
        assert_close(*both(lambda dy, x: ops.gelu_backward(dy, x, form), dy, x), 4e-6)

    def test_softmax(self, shape, scale):
        x, dy = array(shape, scale), array(shape, seed=1)
        assert_close(*both(lambda x: ops.softmax(x, 0.3)[0], x))
        y = ops.softmax(x, 0.3)[0]
        compiled, numpy = both(lambda dy, y: ops.softmax_backward(dy, y, 0.3), dy, y)
        assert np.abs(compiled - numpy).max() < 1e-6

    def test_layernorm(self, shape, scale):
        x, dy = array(shape, scale), array(shape, seed=1)
        gamma, beta = array(shape[-1:], seed=2), array(shape[-1:], seed=3)
        assert_close(*both(lambda *a: ops.layernorm(*a)[0], x, gamma, beta), 1e-5)
        if shape[-1] > 1:
            with tv.backend("numpy"):
                cache = ops.layernorm(x, gamma, beta)[1]
            assert_close(*both(lambda dy: ops.layernorm_backward(dy, cache), dy), 1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_linear_bias_and_its_gradient(shape):
    x, w, b = array(shape), array((6, shape[-1]), seed=1), array((6,), seed=2)
    assert_close(*both(lambda *a: ops.linear(*a)[0], x, w, b))
    cache, dy = ops.linear(x, w, b)[1], array((*shape[:-1], 6), seed=3)
    assert_close(*both(lambda dy: ops.linear_backward(dy, cache)[2], dy), 1e-5)


@pytest.mark.parametrize(
    ("size", "windows"),  # kernel, stride, padding; in the last case some are outside of the image
    [((2, 5, 4, 3), (3, 2, 1)), ((1, 8, 8, 1), (3, 1, 1)), ((3, 4, 7, 16), (2, 2, 0)),
     ((2, 3, 2, 2), (2, 1, 4))],
)  # fmt: skip
def test_windows(size, windows):
    x = array(size)
    compiled, numpy = both(lambda x: ops.im2col(x, *windows), x)
    np.testing.assert_array_equal(compiled, numpy)
    columns = array(numpy.shape, seed=1)
    assert_close(*both(lambda c: ops.col2im(c, size, *windows), columns))


QUANTIZERS = [
    UniformWeight(8),
    UniformWeight(3, "tensor"),
    UniformAct(8),
    UniformAct(8, "minmax"),
    UniformAct(4, "minmax", "tensor"),
    Ternary(),
    Ternary("tensor", "absmean", "mean"),
    Ternary("channel", 0.4, clip=1.0),
]


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
@pytest.mark.parametrize("shape", [(1, 1), (4, 17), (9, 128)])
def test_quantizers_to_the_last_bit(quantizer, scale, shape):
    w = array(shape, scale)
    w[0, 0] = 0
    compiled, numpy = both(lambda w: quantizer.forward(w)[0], w)
    np.testing.assert_array_equal(compiled, numpy)


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_zero_rows_and_ties(quantizer):
    w = np.zeros((3, 8), np.float32)
    w[1] = np.arange(-4, 4) / 4 * 127  # many halves
    compiled, numpy = both(lambda w: quantizer.forward(w)[0], w)
    np.testing.assert_array_equal(compiled, numpy)
    assert not compiled[0].any() or quantizer.__class__ is not UniformWeight


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_both(quantizer, bad):
    if getattr(quantizer, "clip", None) is not None and np.isinf(bad):
        pytest.skip("a clip makes infinity finite")
    w = array((3, 20))
    w[1, 5] = bad
    for backend in ("numba", "numpy"):
        with tv.backend(backend), pytest.raises(ValueError, match="NaN or infinite"):
            quantizer.forward(w)


def test_nan_passes_through_element_wise_operators():
    x = array((2, 9))
    x[1, 3] = np.nan
    with tv.backend("numba"):
        assert np.isnan(ops.gelu(x)[0][1, 3])
        assert np.isnan(ops.softmax(x)[0][1]).all()
        assert not np.isnan(ops.softmax(x)[0][0]).any()


@pytest.mark.parametrize("steps", [1, 7])
def test_adamw_clipping_and_average(steps):
    from tervit_np.train import EMA

    def run():
        params = [("w", tv.nn.Linear(13, 9).weight), ("b", tv.nn.Linear(13, 9).bias)]
        for i, (_, p) in enumerate(params):
            p.data[...] = array(p.shape, seed=i)
        optimizer, average = tv.AdamW(params, 0.01), EMA(params, 0.9)
        for step in range(steps):
            for i, (_, p) in enumerate(params):
                p.grad[...] = array(p.shape, 3.0, seed=10 * step + i)
            norm = tv.clip_grad_norm(params, 1.0)
            optimizer.step()
            average.update()
        out = [p.data for _, p in params] + list(average.average.values())
        return (*out, np.array([norm], np.float32))

    assert_close(*both(run), 1e-6)


def test_a_float_model():
    model = tv.create_model("deit_cifar", seed=3)
    images, dlogits = array((4, 3, 32, 32)), array((4, 10), seed=1)

    def step():
        model.zero_grad()
        logits, cache = model.forward(images)
        model.backward(dlogits, cache)
        return (logits, *(p.grad.copy() for _, p in model.named_params()))

    assert_close(*both(step), 2e-5)


@pytest.mark.rounding
def test_a_ternary_model():
    """No image is clear of 67,000 roundings: each layer by itself, then the codes that flip."""
    model = tv.quantize(tv.create_model("deit_cifar", seed=3), "ternary")
    images = generator().normal(size=(4, 3, 32, 32)).astype(np.float32)
    with tv.backend("numpy"):
        inputs = layer_inputs(model, images)
    layers = dict(model.named_modules())
    for name, arguments in inputs.items():
        (compiled, _), (numpy, cache) = both(layers[name].forward, *arguments)
        assert_same(compiled, numpy, 2 * ROUNDOFF32, name)  # float32 sums of 384 products
        dy = generator(1).normal(size=numpy.shape).astype(np.float32)
        assert_close(*both(partial(gradients, layers[name], cache), dy), 2e-5)

    def predict():
        with recorded() as record:
            return model.predict(images), record

    (compiled, one), (numpy, two) = both(predict)
    assert_same_or_flipped(compiled, numpy, flips(one, two, len(images)))


def gradients(layer, cache, dy):
    layer.zero_grad()
    dx = layer.backward(dy, cache)
    dx = dx if isinstance(dx, tuple) else (dx,)
    return (*dx, *(p.grad.copy() for _, p in layer.named_params()))


@pytest.mark.parametrize("tokens, heads, width", [(1, 1, 4), (17, 2, 24), (65, 3, 64)])
@pytest.mark.parametrize("windows", [False, True])
def test_attention(tokens, heads, width, windows):
    qkv, dout = array((4, tokens, 3 * heads * width)), array((4, tokens, heads * width), seed=1)
    bias, mask = array((heads, tokens, tokens), seed=2), array((2, tokens, tokens), seed=3)

    def run(qkv, dout):
        if windows:
            out, cache = ops.window_attention(qkv, bias, mask)
            return out, cache.probs, *ops.window_attention_backward(dout, cache)
        out, cache = ops.attention(qkv, heads)
        return out, cache.probs, ops.attention_backward(dout, cache)

    assert_close(*both(run, qkv, dout), 1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_linear(shape):
    x, w, dy = array(shape), array((6, shape[-1]), seed=1), array((*shape[:-1], 6), seed=2)
    cache = ops.linear(x, w)[1]
    assert_close(*both(lambda dy: ops.linear_backward(dy, cache), dy), 1e-5)
