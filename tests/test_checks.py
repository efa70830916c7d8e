"""The checks are checked: each mistake fails the check that looks for it."""

import numpy as np
import pytest

from tervit_np.verify.operators import Operator
from tests.checks import check

MISTAKES = {  # backward of y = x^2 with cache x, gone wrong
    "relative error": lambda dy, x: dy * x,
    "read-only": lambda dy, x: 2 * x * np.add(dy, 0, out=dy),
    "changed the cache": lambda dy, x: dy * np.multiply(x, 2, out=x),
    "not linear in dy": lambda dy, x: 2 * x * dy * (1 + 1e-9 * dy),
    "gradient is float64": lambda dy, x: np.float64(2) * x.astype(np.float64) * dy,
    "float32 gradient": lambda dy, x: 2 * dy * x * (1.001 if x.dtype == np.float32 else 1),
    "a second run differs": None,
}


def squared(backward):
    x = np.random.default_rng(0).normal(size=(2, 3))
    return Operator("square", {"x": x}, lambda x: (x * x, x.copy()), backward)


def test_the_right_backward_passes():
    check(squared(lambda dy, x: 2 * x * dy))


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_fail_the_checks(message):
    backward = MISTAKES[message] or remembering()
    with pytest.raises((AssertionError, ValueError), match=message):
        check(squared(backward))


def remembering():
    """Return a backward that keeps something between calls, too little for differences."""
    calls = []

    def backward(dy, x):
        calls.append(1)
        return 2 * x * dy * (1 + 1e-12 * len(calls))

    return backward


def test_a_transposed_gradient_is_named():
    x, w = np.random.default_rng(1).normal(size=(2, 3, 3))
    operator = Operator(
        "product",
        {"x": x, "w": w},
        lambda x, w: (x @ w, (x, w)),
        lambda dy, c: (dy @ c[1].T, dy.T @ c[0]),
    )
    with pytest.raises(AssertionError, match="product dw: .*transposed"):
        check(operator)


def test_an_output_that_becomes_float64_fails():
    x = np.random.default_rng(2).normal(size=(2, 3))
    operator = Operator(
        "double", {"x": x}, lambda x: (x * np.float64(2), None), lambda dy, _: 2 * dy
    )
    with pytest.raises(AssertionError, match="output is float64"):
        check(operator)
