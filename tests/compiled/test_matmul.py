"""The float product: its order of summation, its shapes and strides."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tervit_np.arrays import read_only
from tervit_np.compiled import sgemm
from tervit_np.compiled.float_copies import GROUP_STEPS
from tervit_np.compiled.float_microkernel import multiply_rows
from tervit_np.compiled.float_panels import Matrix, pack_rows
from tervit_np.compiled.float_tile import FLOAT, LANES, MR
from tervit_np.compiled.matmul import matmul
from tervit_np.compiled.sgemm import DEPTH, LONG_DEPTH
from tervit_np.target import fuses_multiply_adds

RNG = np.random.default_rng(0)
FUSED = pytest.mark.skipif(not fuses_multiply_adds(), reason="needs fused multiply-adds")


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def fused_product(a, b, start):
    """The definition, exactly: one rounding to float32 a step."""
    c = np.broadcast_to(start, (len(a), b.shape[1])).astype(np.float32).copy()
    for k in range(a.shape[1]):
        c = fma(a[:, k, None], b[None, k], c)
    return c


def fma(x, y, z):
    """x y + z rounded once to float32.

    The product of two float32 numbers is exact in float64. The sum is not: where its rounding
    leaves a tie of float32, the part that was lost decides.
    """
    product = x.astype(np.float64) * y
    total = product + z
    back = total - product
    lost = (product - (total - back)) + (z - back)  # Knuth's two-sum
    toward = np.where(lost > 0, np.inf, -np.inf)
    odd = (total.view(np.int64) & 1) == 1
    sticky = np.where((lost != 0) & ~odd, np.nextafter(total, toward), total)  # round to odd
    return sticky.astype(np.float32)


# Two are large enough for lookahead.py; the one after them has steps of A that AVX2 does not read
# in place, the last two have steps of B and of A that are multiples of a page apart.
SHAPES = [(1, 1, 1), (6, 3, 64), (7, 5, 65), (13, DEPTH + 3, 17), (50, 40, 33), (103, 2, 130),
          (5, 800, 10), (20, LONG_DEPTH + 1, 70), (197, 64, 197), (12, 1, 1),
          (98, 700, 97), (30, 2300, 33), (44 * MR, 200, 20), (9, 20, 1024),
          (1024, 5, 9)]  # fmt: skip


@FUSED
@pytest.mark.parametrize("m, k, n", SHAPES)
def test_each_number_is_a_chain_of_fused_multiply_adds(m, k, n):
    a, b, bias = floats(m, k), floats(k, n), floats(n)
    np.testing.assert_array_equal(matmul(a, b), fused_product(a, b, np.float32(0)))
    np.testing.assert_array_equal(matmul(a, b, bias), fused_product(a, b, bias))
    c = floats(m, n)
    expected = fused_product(a, b, c)
    assert matmul(a, b, c, c) is c
    np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize("m, n", [(3, 4), (2 * MR + 1, 70), (0, 4), (3, 0)])
def test_without_steps_sums_are_what_they_start_from(m, n):
    a, b, bias, c = floats(m, 0), floats(0, n), floats(n), floats(m, n)
    dirty = np.full((m, n + 2), np.nan, np.float32)
    for start in (None, bias, c):
        matmul(a, b, start, dirty[:, 1 : n + 1])
        expected = np.broadcast_to(np.float32(0) if start is None else start, (m, n))
        np.testing.assert_array_equal(dirty[:, 1 : n + 1], expected)
    assert np.isnan(dirty[:, [0, -1]]).all()
    assert matmul(a, b, c, c) is c
    np.testing.assert_array_equal(c, dirty[:, 1 : n + 1])


@pytest.mark.parametrize("m, k, n", SHAPES)
def test_strides_change_no_bit(m, k, n):
    a, b = floats(m, k), floats(k, n)
    expected = matmul(a, b)
    spaced_a = np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3]
    spaced_b = np.repeat(np.repeat(b, 2, axis=0), 3, axis=1)[::2, ::3]
    for left in (a, np.asfortranarray(a), spaced_a):
        for right in (b, np.asfortranarray(b), spaced_b):
            np.testing.assert_array_equal(matmul(left, right), expected)
    wide = np.full((m, n + 5), np.nan, np.float32)
    matmul(a, b, out=wide[:, 2 : n + 2])
    np.testing.assert_array_equal(wide[:, 2 : n + 2], expected)
    assert np.isnan(wide[:, :2]).all() and np.isnan(wide[:, n + 2 :]).all()


@pytest.mark.parametrize("kilobytes", [16, 256, 4096])
def test_the_size_of_a_cache_changes_no_bit(monkeypatch, kilobytes):
    a, b = floats(50, LONG_DEPTH + 9), floats(LONG_DEPTH + 9, 700)
    monkeypatch.setattr(sgemm, "second_cache", lambda: 1024 * kilobytes)
    for left in (a, np.asfortranarray(a)):
        expected = matmul(left, b)
        with ThreadPoolExecutor(1) as pool:  # a new thread has a workspace of its own
            np.testing.assert_array_equal(pool.submit(matmul, left, b).result(), expected)


@pytest.mark.parametrize(("depth", "long_depth"), [(384, 1536), (192, 192), (256, 384)])
def test_the_smallest_workspace_holds_a_panel_of_the_most_steps(depth, long_depth):
    """The depths of AVX-512, of AVX2 and of registers of four numbers (sgemm.py)."""
    assert depth * sgemm.fewest_panels(depth, long_depth) >= long_depth


def test_steps_that_share_memory_change_no_bit():
    column, b = floats(2 * MR, 1), floats(20, 33)
    same = np.broadcast_to(column, (2 * MR, 20))  # columns 0 bytes apart
    windows = np.lib.stride_tricks.sliding_window_view(floats(40), 20)[: 2 * MR]  # 4 bytes
    for a in (same, windows, windows[:, ::-1]):
        np.testing.assert_array_equal(matmul(a, b), matmul(a.copy(), b))


@pytest.mark.parametrize("steps", [GROUP_STEPS - 1, GROUP_STEPS, 3 * GROUP_STEPS + 1])
@pytest.mark.parametrize("rows", [1, MR, 2 * MR + 1])
def test_rows_are_packed_in_groups(rows, steps):
    a = floats(steps, rows + 3)[:, :rows].T
    groups, apart = -(-rows // MR), 5
    out = np.full((groups, steps * MR + apart), np.nan, np.float32)
    matrix = Matrix(a.ctypes.data, *a.strides)
    pack_rows(rows, steps, matrix, out.ctypes.data, out.strides[0])
    padded = np.pad(a, ((0, groups * MR - rows), (0, 0))).reshape(groups, MR, steps)
    expected = padded.transpose(0, 2, 1).reshape(groups, -1)
    np.testing.assert_array_equal(out[:, : steps * MR], expected)
    assert np.isnan(out[:, steps * MR :]).all()


def test_stacks_are_multiplied_one_by_one():
    a, b = floats(2, 3, 7, 20), floats(2, 3, 20, 9)
    c = matmul(a, b)
    for i in range(2):
        for j in range(3):
            np.testing.assert_array_equal(c[i, j], matmul(a[i, j], b[i, j]))
    np.testing.assert_array_equal(matmul(a[0], b[0]), c[0])
    shared = matmul(a, b[0, 0])
    np.testing.assert_array_equal(shared[1, 2], matmul(a[1, 2], b[0, 0]))


def test_rows_do_not_depend_on_their_neighbours():
    a, b = floats(40, 30), floats(30, 70)
    c = matmul(a, b)
    for m in (0, 5, 39):
        np.testing.assert_array_equal(matmul(a[m : m + 1], b)[0], c[m])


def test_nan_and_infinity_pass():
    a, b = floats(8, 4), floats(4, 20)
    a[3, 2] = np.nan
    a[5, 1] = math.inf
    c = matmul(a, b)
    assert np.isnan(c[3]).all() and np.isinf(c[5]).all()
    assert np.isfinite(np.delete(c, [3, 5], axis=0)).all()


@FUSED
@pytest.mark.parametrize("vectors", [1, 2, 3, 4, 5, 6, 7, 9])
@pytest.mark.parametrize("depth", [1, 2, 7, 64])
def test_rows_without_panels_are_the_same_chains(vectors, depth):
    columns = vectors * LANES
    a, b, c = floats(MR, depth + 3), floats(depth, columns), floats(MR, columns)

    def matrix(x):
        return Matrix(x.ctypes.data, x.strides[0], FLOAT)

    multiply_rows(columns, depth, matrix(a), matrix(b), matrix(c))
    np.testing.assert_array_equal(c, fused_product(a[:, :depth], b, np.float32(0)))


def test_what_addresses_would_misread_is_refused():
    a, b = floats(4, 3), floats(3, 5)
    with pytest.raises(ValueError, match="b is float64, expected float32"):
        matmul(a, b.astype(np.float64))
    with pytest.raises(ValueError, match=r"a is \(4, 3\), b is \(4, 5\)"):
        matmul(a, floats(4, 5))
    with pytest.raises(ValueError, match=r"out is \(5, 5\), expected \(4, 5\)"):
        matmul(a, b, out=floats(5, 5))
    with pytest.raises(ValueError, match=r"start is \(4,\), expected \(4, 5\) or \(5,\)"):
        matmul(a, b, floats(4))
    with pytest.raises(ValueError, match="the columns of out are not neighbours in memory"):
        matmul(a, b, out=floats(5, 4).T)
    with pytest.raises(ValueError, match="out is read-only"):
        matmul(a, b, out=read_only(floats(4, 5)))
