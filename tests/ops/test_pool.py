import numpy as np
import pytest

from tervit_np.ops import mean_pool, mean_pool_backward
from tervit_np.verify.operators import Operator
from tests.checks import check


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 1, 1), (3, 7, 2)])
def test_mean_pool_passes_all_checks(shape):
    x = np.random.default_rng(0).normal(size=shape)
    check(Operator("mean_pool", {"x": x}, mean_pool, mean_pool_backward))


def test_no_tokens_are_refused():
    with pytest.raises(ValueError, match=r"x is \(2, 0, 4\), expected at least one token"):
        mean_pool(np.ones((2, 0, 4)))


def test_the_mean_and_its_gradient_are_right():
    y, cache = mean_pool(np.array([[[1.0, 5.0], [2.0, 7.0]]]))
    np.testing.assert_array_equal(y, [[1.5, 6.0]])
    dx = mean_pool_backward(np.array([[4.0, -2.0]]), cache)
    np.testing.assert_array_equal(dx, [[[2.0, -1.0], [2.0, -1.0]]])
