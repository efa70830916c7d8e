import numpy as np

from tervit_np import ops
from tervit_np.analysis.gradcheck import Difference, directional_derivative, numerical_gradient


def test_a_known_gradient():
    x = np.random.default_rng(0).normal(size=(3, 4))
    dy = np.random.default_rng(1).normal(size=(3, 4))
    np.testing.assert_allclose(numerical_gradient(np.sin, x, dy), dy * np.cos(x), rtol=1e-9)


def test_a_function_that_returns_its_argument():
    x, dy = np.zeros((2, 2)), np.arange(4.0).reshape(2, 2)
    np.testing.assert_allclose(numerical_gradient(lambda z: z, x, dy), dy, rtol=1e-9)


def test_a_direction_and_the_array_restored():
    x = np.arange(3.0)
    before = x.copy()
    slope = directional_derivative(lambda: float((x**2).sum()), x, np.ones(3))
    np.testing.assert_allclose(slope, 6, rtol=1e-9)
    np.testing.assert_array_equal(x, before)


def test_nan_is_never_right():
    assert not Difference("x", np.array([np.nan]), np.array([1.0])).ok
    assert not Difference("x", np.array([1.0]), np.array([np.nan])).ok


def test_an_upstream_of_ones_sees_nothing():
    """Why the upstream is random: softmax rows sum to 1 whatever x is, so zero passes."""
    x = np.random.default_rng(0).normal(size=(2, 5))

    def softmax(z):
        return ops.softmax(z)[0]

    wrong = np.zeros_like(x)
    assert np.abs(numerical_gradient(softmax, x, np.ones((2, 5))) - wrong).max() < 1e-10
    random = np.random.default_rng(1).normal(size=(2, 5))
    assert not Difference("dx", wrong, numerical_gradient(softmax, x, random)).ok
