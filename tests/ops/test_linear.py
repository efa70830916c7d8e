import numpy as np
import pytest

import tervit_np as tv
from tervit_np.ops import linear, linear_backward
from tervit_np.verify.operators import Operator
from tests.checks import BACKENDS, check


@pytest.mark.parametrize("leading", [(), (1,), (4,), (2, 3), (2, 1, 3)])
def test_linear_passes_all_checks(leading):
    n = np.random.default_rng(0).normal
    inputs = {"x": n(size=(*leading, 5)), "w": n(size=(7, 5)), "b": n(size=7)}
    check(Operator(f"linear {leading}", inputs, linear, linear_backward))


def test_linear_is_a_sum_over_inputs():
    rng = np.random.default_rng(1)
    x, w, b = rng.normal(size=(2, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
    y, _ = linear(x, w, b)
    for i in range(2):
        for o in range(4):
            assert y[i, o] == pytest.approx(sum(x[i, k] * w[o, k] for k in range(3)) + b[o])


def test_linear_works_without_a_bias():
    x, w = np.ones((2, 3)), np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(linear(x, w)[0], [[3, 12], [3, 12]])


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_images_give_no_outputs_and_zero_gradients(backend):
    x, w, b = (np.ones(shape, np.float32) for shape in ((0, 2, 3), (4, 3), 4))
    with tv.backend(backend):
        y, cache = linear(x, w, b)
        dx, dw, db = linear_backward(y, cache)
    assert y.shape == (0, 2, 4)
    assert dx.shape == (0, 2, 3)
    np.testing.assert_array_equal(dw, np.zeros((4, 3)))
    np.testing.assert_array_equal(db, np.zeros(4))


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_inputs_give_the_bias(backend):
    x, w, b = (np.ones(shape, np.float32) for shape in ((2, 3, 0), (4, 0), 4))
    with tv.backend(backend):
        y, cache = linear(x, w, b)
        dx, dw, db = linear_backward(y, cache)
    np.testing.assert_array_equal(y, np.ones((2, 3, 4)))
    assert (dx.shape, dw.shape) == (x.shape, w.shape)
    np.testing.assert_array_equal(db, np.full(4, 6))


def test_a_wrong_width_is_refused():
    with pytest.raises(
        ValueError,
        match=r"x has last axis 48, weight expects 64 \(weight is \(out, in\) = \(192, 64\)\)",
    ):
        linear(np.ones((2, 48)), np.ones((192, 64)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(3,), (5,), (1,), (1, 4)])
def test_a_wrong_bias_is_refused_by_both_backends(backend, shape):
    """A compiled loop would read past the end of a short one."""
    with tv.backend(backend), pytest.raises(ValueError, match="bias has shape"):
        linear(np.ones((2, 3), np.float32), np.ones((4, 3), np.float32), np.ones(shape, np.float32))
