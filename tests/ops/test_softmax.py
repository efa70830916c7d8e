import numpy as np
import pytest

import tervit_np as tv
from tervit_np.ops import softmax, softmax_backward
from tervit_np.verify.operators import Operator
from tests.checks import BACKENDS, ROUNDOFF64, check, close
from tests.golden.golden import stored


@pytest.mark.parametrize("shape", [(5,), (1, 1), (4, 3), (2, 3, 4, 5)])
@pytest.mark.parametrize("scale", [1.0, 0.35])
def test_softmax_passes_all_checks(shape, scale):
    x = 2 * np.random.default_rng(0).normal(size=shape)

    def forward(x):
        return softmax(x, scale)

    check(Operator("softmax", {"x": x}, forward, lambda dy, y: softmax_backward(dy, y, scale)))


def test_collapsed_backward_equals_the_jacobian():
    rng = np.random.default_rng(1)
    x, dy = rng.normal(size=(2, 4, 6))
    y, cache = softmax(x, 0.7)
    dx = softmax_backward(dy, cache, 0.7)
    for row in range(4):
        jacobian = 0.7 * (np.diag(y[row]) - np.outer(y[row], y[row]))
        close(dx[row], jacobian.T @ dy[row], ROUNDOFF64)


def test_rows_sum_to_one_and_their_gradients_to_zero():
    rng = np.random.default_rng(2)
    x, dy = 5 * rng.normal(size=(2, 7, 9))
    y, cache = softmax(x)
    assert np.abs(y.sum(axis=-1) - 1).max() < ROUNDOFF64
    assert np.abs(softmax_backward(dy, cache).sum(axis=-1)).max() < ROUNDOFF64


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adding_a_large_constant_changes_nothing(backend, dtype):
    x = np.random.default_rng(3).integers(-5, 5, (3, 8)).astype(dtype)
    with tv.backend(backend):
        expected = softmax(x)[0]
        for shift in (700, -900, 65_536):
            np.testing.assert_array_equal(softmax(x + x.dtype.type(shift))[0], expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_negative_scale_reverses_the_order(backend):
    x = np.array([[-300, 0, 200]], np.float32)
    with tv.backend(backend):
        np.testing.assert_array_equal(softmax(x, -1.0)[0], [[1, 0, 0]])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(3, 0), (0, 4), (0,)])
def test_empty_rows_stay_empty(backend, shape):
    with tv.backend(backend):
        y, cache = softmax(np.empty(shape, np.float32))
        assert y.shape == softmax_backward(y, cache).shape == shape


@pytest.mark.parametrize("case", ["spread", "ties", "one", "masked"])
def test_extreme_rows_match_pytorch(case):
    golden = stored("operators")
    x, dy = golden[f"softmax/{case}/x"], golden[f"softmax/{case}/dy"]
    y, cache = softmax(x)
    close(y, golden[f"softmax/{case}/y"], ROUNDOFF64)
    expected = golden[f"softmax/{case}/dx"]
    assert np.abs(softmax_backward(dy, cache) - expected).max() <= ROUNDOFF64
