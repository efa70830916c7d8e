"""Products of bytes compared with NumPy's."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np.kernels import gemm
from tervit_np.kernels.gemm import View, gemm_rows
from tervit_np.kernels.tiles import BYTE_TILES, LANES, MR


def byte_product(a, b):
    """uint8 (MR, 4 S), int8 (4 S, N) -> int32 (MR, N), packed as the kernel expects it."""
    inputs, columns = b.shape
    packed = b.reshape(inputs // 4, 4, columns).transpose(0, 2, 1).reshape(inputs // 4, -1)
    out = np.full((MR, columns), -1, np.int32)
    b = np.ascontiguousarray(packed)
    steps = inputs // 4
    gemm_rows(BYTE_TILES, View(a, 0, inputs), View(b, 0, 4 * columns), columns, steps, out)
    return out


@pytest.mark.parametrize("vectors", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("steps", [1, 5, 50])
def test_bytes_are_exact(vectors, steps):
    rng = np.random.default_rng(steps)
    a = rng.integers(0, 256, (MR, 4 * steps)).astype(np.uint8)
    b = rng.integers(-128, 128, (4 * steps, vectors * LANES)).astype(np.int8)
    np.testing.assert_array_equal(byte_product(a, b), a.astype(np.int64) @ b.astype(np.int64))


@pytest.mark.parametrize("low", [-128, 127])
def test_extreme_bytes_are_exact(low):
    """Two products of 255 and 128 do not fit 16 bits: a saturating instruction would fail."""
    a, b = np.full((MR, 1024), 255, np.uint8), np.full((1024, LANES), low, np.int8)
    np.testing.assert_array_equal(byte_product(a, b), 255 * 1024 * low)


@pytest.mark.parametrize("columns", [LANES, 3 * LANES])
def test_bytes_without_a_dot_instruction_are_exact(monkeypatch, columns):
    """The generic code gives the same sums."""
    import numba

    monkeypatch.setattr(gemm, "features", lambda: frozenset({"avx2"}))
    gemm_tile = numba.njit(gemm.gemm_tile.py_func)
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (MR, 8)).astype(np.uint8)
    b = rng.integers(-128, 128, (8, columns)).astype(np.int8)
    packed = np.ascontiguousarray(b.reshape(2, 4, columns).transpose(0, 2, 1)).reshape(2, -1)
    out = np.zeros((MR, columns), np.int32)
    for first in range(0, columns, LANES):
        b_columns, target = View(packed, 4 * first, 4 * columns), View(out, first, columns)
        gemm_tile(BYTE_TILES[2], View(a, 0, 8), b_columns, 2, target)
    np.testing.assert_array_equal(out, a.astype(np.int64) @ b.astype(np.int64))
