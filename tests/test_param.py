import numpy as np

from tervit_np.param import Param, zero_grad


def test_data_and_gradient_have_one_shape_and_type():
    for dtype in ("float32", "float64"):
        param = Param(np.ones((2, 3), dtype))
        assert param.shape == param.grad.shape == (2, 3)
        assert param.size == 6
        assert param.grad.dtype == param.data.dtype == dtype
        assert not param.grad.any()
    assert repr(param) == "Param(2, 3) float64"


def test_strided_data_becomes_contiguous():
    param = Param(np.arange(6.0).reshape(2, 3).T)
    assert param.data.flags.c_contiguous
    np.testing.assert_array_equal(param.data, [[0, 3], [1, 4], [2, 5]])


def test_a_scalar_stays_a_scalar():
    assert Param(np.array(2.0)).shape == ()


def test_gradients_are_cleared_in_place():
    params = [Param(np.ones(3)), Param(np.ones((2, 2)))]
    arrays = [param.grad for param in params]
    for array in arrays:
        array += 1
    zero_grad(params)
    assert not any(array.any() for array in arrays)
    assert all(param.grad is array for param, array in zip(params, arrays, strict=True))
