import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np.compiled.aligned import zeros
from tervit_np.kernels.packing import pack_rows


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 7, 64), (1000, 33)])
def test_arrays_begin_at_a_cache_line(shape, dtype):
    arrays = [zeros(shape, dtype) for _ in range(5)]
    for array in arrays:
        assert array.ctypes.data % 64 == 0
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert not array.any()
        array[...] = 1  # arrays do not overlap


def test_packed_weights_begin_at_a_cache_line():
    codes = np.random.default_rng(0).integers(-1, 2, (65, 12)).astype(np.float32)
    assert all(pack_rows(codes)[0].ctypes.data % 64 == 0 for _ in range(5))
