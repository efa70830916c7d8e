import numpy as np
import pytest

from tervit_np.arrays import read_only, rows


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (0, 3, 4)])
def test_rows_is_a_matrix_of_the_last_axis(shape):
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    matrix = rows(x)
    assert matrix.shape == (x.size // 4, 4)
    np.testing.assert_array_equal(matrix.ravel(), x.ravel())
    assert np.shares_memory(matrix, x) or not x.size


def test_strided_arrays_are_copied():
    x = np.arange(24.0).reshape(2, 3, 4).swapaxes(0, 1)
    assert rows(x).flags.c_contiguous
    np.testing.assert_array_equal(rows(x), x.reshape(-1, 4))


def test_a_read_only_array_is_a_copy():
    x = np.ones(2)
    with pytest.raises(ValueError, match="read-only"):
        read_only(x)[0] = 2
    x[0] = 2  # the original stays writeable
    assert read_only(np.float64(3)).shape == ()
