import numpy as np
import pytest

from tervit_np import ops
from tervit_np.verify.gradcheck import GradientCheck, directional_derivative, numerical_gradient
from tervit_np.verify.mutants import find_mutant
from tervit_np.verify.mutation import mutated


def test_the_gradient_of_sin_is_cos():
    x = np.random.default_rng(0).normal(size=(3, 4))
    dy = np.random.default_rng(1).normal(size=(3, 4))
    np.testing.assert_allclose(numerical_gradient(np.sin, x, dy), dy * np.cos(x), rtol=1e-9)


def test_a_function_may_return_its_argument():
    x, dy = np.zeros((2, 2)), np.arange(4.0).reshape(2, 2)
    np.testing.assert_allclose(numerical_gradient(lambda z: z, x, dy), dy, rtol=1e-9)


def test_a_transposed_array_is_moved_too():
    x, dy = np.arange(6.0).reshape(2, 3).T, np.arange(6.0).reshape(3, 2)
    np.testing.assert_allclose(numerical_gradient(lambda z: 2 * z, x, dy), 2 * dy, rtol=1e-9)


def test_a_directional_derivative_restores_its_array():
    x = np.arange(3.0)
    before = x.copy()
    slope = directional_derivative(lambda: float((x**2).sum()), x, np.ones(3))
    np.testing.assert_allclose(slope, 6, rtol=1e-9)
    np.testing.assert_array_equal(x, before)


def test_nan_is_never_right():
    assert not GradientCheck("x", np.array([np.nan]), np.array([1.0])).ok
    assert not GradientCheck("x", np.array([1.0]), np.array([np.nan])).ok


def test_an_upstream_of_ones_lets_a_zero_softmax_gradient_pass():
    """Why the upstream is random: softmax rows sum to 1 for every x."""
    x = np.random.default_rng(0).normal(size=(2, 5))

    def softmax(z):
        return ops.softmax(z)[0]

    wrong = np.zeros_like(x)
    assert np.abs(numerical_gradient(softmax, x, np.ones((2, 5))) - wrong).max() < 1e-10
    random = np.random.default_rng(1).normal(size=(2, 5))
    assert not GradientCheck("dx", wrong, numerical_gradient(softmax, x, random)).ok


def test_an_upstream_of_ones_lets_a_wrong_layernorm_pass():
    """At initialization gamma is one, so dx is zero with or without the term of the variance."""
    x = np.random.default_rng(0).normal(size=(3, 6))
    gamma, beta = np.ones(6), np.zeros(6)

    def error(dy):
        _, cache = ops.layernorm(x, gamma, beta)
        dx = ops.layernorm_backward(dy, cache)[0]
        numerical = numerical_gradient(lambda z: ops.layernorm(z, gamma, beta)[0], x, dy)
        return np.abs(dx - numerical).max()

    with mutated(find_mutant("layernorm-variance")):
        assert error(np.ones_like(x)) < 1e-9
        assert error(np.random.default_rng(1).normal(size=x.shape)) > 0.1


def test_errors_are_relative_to_the_floor_where_both_are_small():
    tiny, zero = np.array([1e-9]), np.array([0.0])
    assert GradientCheck("x", tiny, zero).error == 1
    assert GradientCheck("x", tiny, zero, floor=1.0).error == 1e-9


def test_an_error_leaves_the_array_restored():
    x = np.arange(3.0)

    def fails():
        raise ValueError

    with pytest.raises(ValueError):
        directional_derivative(fails, x, np.ones(3))
    np.testing.assert_array_equal(x, np.arange(3.0))


def test_a_gradient_of_another_shape_is_wrong():
    """It is broadcast: one number for each row, where all columns agree, was right."""
    gradient = np.ones((3, 2))
    assert GradientCheck("x", gradient, gradient).ok
    assert not GradientCheck("x", gradient[:, :1], gradient).ok
