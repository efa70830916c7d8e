import numpy as np
import pytest

import tervit_np as tv
from tervit_np.param import Param
from tests.checks import BACKENDS, ROUNDOFF32


def gradients(*arrays, dtype="float64"):
    named = [(f"p{i}", Param(np.zeros_like(a, dtype))) for i, a in enumerate(arrays)]
    for (_, param), array in zip(named, arrays, strict=True):
        param.grad[...] = array
    return named


A, B = np.array([[3.0, 0.0], [0.0, 0.0]]), np.array([0.0, 4.0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_norm_covers_all_parameters(backend, dtype):
    named = gradients(A, B, dtype=dtype)
    with tv.backend(backend):
        assert tv.clip_grad_norm(named, 1.0) == pytest.approx(5)
    np.testing.assert_allclose(named[0][1].grad, A / 5, rtol=ROUNDOFF32)
    np.testing.assert_allclose(named[1][1].grad, B / 5, rtol=ROUNDOFF32)
    assert named[0][1].grad.dtype == dtype


def test_an_iterator_is_clipped_as_a_list_is():
    named = gradients(A, B)
    assert tv.clip_grad_norm(iter(named), 1.0) == 5
    np.testing.assert_allclose(named[1][1].grad, B / 5, rtol=ROUNDOFF32)


def test_the_factor_matches_pytorch():
    named = gradients(A, B)
    tv.clip_grad_norm(named, 2.0)
    assert named[1][1].grad[1] == 4 * (2.0 / (5 + 1e-6))


def test_small_gradients_stay_to_the_last_bit():
    named = gradients(A, B)
    assert tv.clip_grad_norm(named, 5.1) == 5
    np.testing.assert_array_equal(named[0][1].grad, A)
    np.testing.assert_array_equal(named[1][1].grad, B)


def test_no_gradients_and_zero_gradients_have_norm_0():
    assert tv.clip_grad_norm([], 1.0) == 0
    named = gradients(np.zeros(3))
    assert tv.clip_grad_norm(named, 1.0) == 0
    assert not named[0][1].grad.any()


def test_gradients_are_scaled_in_place():
    named = gradients(A)
    grad = named[0][1].grad
    tv.clip_grad_norm(named, 1.0)
    assert named[0][1].grad is grad


@pytest.mark.parametrize("backend", BACKENDS)
def test_large_gradients_of_single_precision_have_a_norm(backend):
    """Their squares do not fit into float32."""
    named = gradients(np.full(4, 1e25), dtype="float32")
    with tv.backend(backend):
        assert tv.clip_grad_norm(named, 1.0) == pytest.approx(2e25, rel=ROUNDOFF32)
    np.testing.assert_allclose(named[0][1].grad, 0.5, rtol=ROUNDOFF32)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_non_finite_gradient_makes_the_norm_non_finite(bad):
    assert not np.isfinite(tv.clip_grad_norm(gradients(np.array([1.0, bad])), 1.0))


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan])
def test_the_limit_must_be_positive(limit):
    with pytest.raises(ValueError, match="max_norm is .*expected a positive number"):
        tv.clip_grad_norm(gradients(A), limit)
