"""Operators refuse gradients of another shape, on both backends.

Compiled loops take the lengths of one array for all and would read beyond the end of another.
"""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np import ops
from tests.checks import BACKENDS

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def with_cache(backward, result):
    """Return the shape of an output, and its backward pass as a function of dy."""
    y, cache = result
    return y.shape, lambda dy: backward(dy, cache)


def backward_passes():
    """Return the shape of dy and the backward pass of every operator that is compiled."""
    qkv, bias, mask = array(4, 3, 24), array(2, 3, 3), array(2, 3, 3)
    linear = ops.linear(array(2, 3, 5), array(7, 5))
    x = array(2, 6, 5, 3)
    return {
        "linear": with_cache(ops.linear_backward, linear),
        "linear_bf16": with_cache(lambda dy, c: ops.linear_backward_bf16(dy, c, "bf16"), linear),
        "softmax": with_cache(ops.softmax_backward, ops.softmax(array(2, 3, 5))),
        "gelu": with_cache(ops.gelu_backward, ops.gelu(array(2, 3, 5))),
        "layernorm": with_cache(
            ops.layernorm_backward, ops.layernorm(array(2, 3, 5), array(5), array(5))
        ),
        "attention": with_cache(ops.attention_backward, ops.attention(qkv, 2)),
        "window_attention": with_cache(
            ops.window_attention_backward, ops.window_attention(qkv, bias, mask)
        ),
        "col2im": (ops.im2col(x, 3, 2, 1).shape, lambda dy: ops.col2im(dy, x.shape, 3, 2, 1)),
    }


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", backward_passes())
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_gradient_of_another_shape_is_refused(backend, name, axis, change):
    with tv.backend(backend):
        shape, backward = backward_passes()[name]
        wrong = list(shape)
        wrong[axis] += change
        backward(array(*shape))
        with pytest.raises(ValueError, match=r"is \(.*\), expected \(.*\)"):
            backward(array(*wrong))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("bias", "mask", "words"),
    [
        ((2, 4, 4), (2, 3, 3), r"attn_bias is \(2, 4, 4\), expected \(2, 3, 3\)"),
        ((2, 3, 2), (2, 3, 3), "attn_bias is"),
        ((2, 3, 3), (2, 2, 2), r"mask is \(2, 2, 2\), expected \(2, 3, 3\)"),
        ((2, 3, 3), (3, 3, 3), "4 windows are not 3 of each image"),
        ((5, 3, 3), (2, 3, 3), "last axis 24 is not 3 x 5 heads x K"),
    ],
)
def test_a_bias_or_mask_of_other_windows_is_refused(backend, bias, mask, words):
    with tv.backend(backend), pytest.raises(ValueError, match=words):
        ops.window_attention(array(4, 3, 24), array(*bias), array(*mask))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("qkv", [(24,), (3, 24), (2, 3, 6, 24)])
def test_a_projection_with_other_axes_is_refused(backend, qkv):
    """Compiled loops would take the third axis for the columns, wherever the last one is."""
    with tv.backend(backend), pytest.raises(ValueError, match=r"qkv is \(.*\), expected \(images"):
        ops.attention(array(*qkv), 2)
    with tv.backend(backend), pytest.raises(ValueError, match=r"qkv is \(.*\), expected \(images"):
        ops.window_attention(array(*qkv), array(2, 3, 3), None)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("columns", [1, 2, 4])
def test_quantized_probabilities_of_another_shape_are_refused(backend, columns):
    def quantize(probs):
        return np.zeros((*probs.shape[:-1], columns), np.float32)

    message = r"quantize_probs is \(4, 2, 3, .\), expected \(4, 2, 3, 3\)"
    with tv.backend(backend), pytest.raises(ValueError, match=message):
        ops.attention(array(4, 3, 24), 2, quantize)
    with tv.backend(backend), pytest.raises(ValueError, match=message):
        ops.window_attention(array(4, 3, 24), array(2, 3, 3), None, quantize)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weight", [(5,), (7, 5, 2), (7, 5, 1, 1)])
def test_a_weight_that_is_no_matrix_is_refused(backend, weight):
    """Compiled loops would take the first numbers of a kernel (O, C, k, k) for a matrix (O, C)."""
    with tv.backend(backend), pytest.raises(ValueError, match=r"weight is \(.*\), expected \(out"):
        ops.linear(array(2, 5), array(*weight))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_map_smaller_than_the_kernel_is_refused(backend):
    with tv.backend(backend), pytest.raises(ValueError, match="1 x 4 map with 1 pixels around"):
        ops.im2col(array(2, 1, 4, 3), 5, 2, 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_number_is_an_array_without_axes(backend):
    with tv.backend(backend):
        y, cache = ops.gelu(np.array(1, np.float32))
        dx = ops.gelu_backward(np.array(1, np.float32), cache)
    assert y.shape == dx.shape == ()
    assert y == pytest.approx(0.8413447)
    assert dx == pytest.approx(1.0833155)
