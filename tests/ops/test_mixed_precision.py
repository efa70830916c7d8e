"""Backward products in bfloat16: the order of a matrix unit, and errors as stated."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.bfloat16 import bfloat16_bits, split_bfloat16
from tervit_np.kernels.matrix_unit import multiply
from tervit_np.ops import linear
from tervit_np.ops.mixed_precision import (
    check_precision,
    linear_backward_bf16,
    linear_backward_mixed,
    matmul,
)
from tests.checks import BACKENDS

RMS = {"bf16": (1.5e-3, 3e-3), "bf16x2": (3e-6, 6e-6)}  # of normal numbers: docs/float_product.md
SHAPES = [(1, 1, 1), (33, 20, 40), (300, 70, 50)]  # tokens, outputs, inputs


def problem(tokens, outputs, inputs, seed=0):
    rng = np.random.default_rng(seed)
    shapes = (tokens, outputs), (tokens, inputs), (outputs, inputs)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def gradients(dy, x, w, precision):
    return linear_backward_mixed(dy, linear(x, w)[1], precision)


def split_in_steps(x, low_part, axis):
    """Lay the three parts of each step of 32 inputs one after the other."""
    x = np.moveaxis(x, axis, 0)
    x = np.pad(x, ((0, -len(x) % 32), (0, 0)))
    high, low = split_bfloat16(x)
    parts = [low if part == low_part else high for part in range(3)]
    steps = np.stack([part.reshape(-1, 32, x.shape[1]) for part in parts], axis=1)
    return np.ascontiguousarray(np.moveaxis(steps.reshape(-1, x.shape[1]), 0, axis))


@pytest.mark.parametrize("shape", SHAPES)
def test_compiled_products_have_the_bits_of_the_unit(shape):
    pytest.importorskip("numba")
    dy, x, w = problem(*shape)
    dx, dw, db = gradients(dy, x, w, "bf16")
    np.testing.assert_array_equal(dx, multiply(dy, w))
    np.testing.assert_array_equal(dw, multiply(np.ascontiguousarray(dy.T), x))
    np.testing.assert_array_equal(db, gradients(dy, x, w, "float32")[2])
    dx, dw, _ = gradients(dy, x, w, "bf16x2")
    np.testing.assert_array_equal(dx, multiply(split_in_steps(dy, 0, 1), split_in_steps(w, 1, 0)))
    np.testing.assert_array_equal(dw, multiply(split_in_steps(dy.T, 0, 1), split_in_steps(x, 1, 0)))


@pytest.mark.parametrize("precision", RMS)
@pytest.mark.parametrize("shape", [(0, 3, 5), *SHAPES])
def test_loops_over_tiles_have_the_same_bits(shape, precision):
    """They run here on emulated tiles; without a matrix unit, trainings run on float registers."""
    pytest.importorskip("numba")
    from tervit_np.compiled.amx import EMULATED
    from tervit_np.compiled.bf16_matmul import gradients_on_tiles

    dy, x, w = problem(*shape, seed=2)
    dy[:1, 0], x[-1:, 0] = 3e38, 1e-20
    dx, dw = gradients_on_tiles(EMULATED, dy, x, w, precision == "bf16x2")
    found = gradients(dy, x, w, precision)
    np.testing.assert_array_equal(dx, found[0])
    np.testing.assert_array_equal(dw, found[1])
    no_dx, same = gradients_on_tiles(EMULATED, dy, x, w[:, :0].copy(), precision == "bf16x2")
    assert no_dx.shape == (len(x), 0)
    np.testing.assert_array_equal(same, dw)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", RMS)
def test_errors_are_those_stated(backend, precision):
    dy, x, w = problem(260, 96, 130)
    with tv.backend(backend):
        found = gradients(dy, x, w, precision)
    exact = gradients(*(a.astype(np.float64) for a in (dy, x, w)), precision)
    for one, two in zip(found[:2], exact[:2], strict=True):
        assert one.dtype == np.float32
        assert one.flags.c_contiguous
        error = np.sqrt(np.mean((one - two) ** 2) / np.mean(two**2))
        assert RMS[precision][0] < error < RMS[precision][1]


def test_float64_keeps_its_precision():
    """Gradient checks compare what a student reads."""
    dy, x, w = (a.astype(np.float64) for a in problem(5, 4, 3))
    for one, two in zip(gradients(dy, x, w, "bf16"), gradients(dy, x, w, "float32"), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gradient_that_is_not_a_number_stays_one(backend):
    """Or a run that diverges would go on."""
    dy, x, w = problem(40, 20, 33)
    dy[7, 3] = np.nan
    with tv.backend(backend):
        for precision in RMS:
            dx, dw, _ = gradients(dy, x, w, precision)
            assert np.isnan(dx[7]).all()
            assert np.isnan(dw[3]).all()
            assert np.isfinite(np.delete(dx, 7, axis=0)).all()


def test_leading_axes_and_no_tokens():
    dy, x, w = problem(12, 5, 4)
    flat = gradients(dy, x, w, "bf16")
    found = gradients(dy.reshape(3, 4, 5), x.reshape(3, 4, 4), w, "bf16")
    assert found[0].shape == (3, 4, 4)
    np.testing.assert_array_equal(found[0].reshape(12, 4), flat[0])
    dx, dw, db = gradients(dy[:0], x[:0], w, "bf16x2")
    assert dx.shape == (0, 4)
    assert not dw.any()
    assert not db.any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", ["float32", "bf16x3"])
def test_factors_in_bfloat16_are_one_or_two_numbers(backend, precision):
    """Compiled code took one for any other word, NumPy two, and for "float32" no bfloat16."""
    x, w = np.ones((1, 3), np.float32), np.ones((2, 3), np.float32)
    with tv.backend(backend), pytest.raises(ValueError, match="expected 'bf16' or 'bf16x2'"):
        linear_backward_bf16(np.ones((1, 2), np.float32), linear(x, w)[1], precision)


def test_unknown_precisions_are_refused():
    with pytest.raises(ValueError, match="'fp16'; expected one of float32, bf16, bf16x2"):
        check_precision("fp16")


def test_panels_are_rounded_and_laid_out_as_in_numpy():
    pytest.importorskip("numba")
    from tervit_np.compiled import bf16_panels as panels

    x = np.random.default_rng(1).normal(size=(20, 40)).astype(np.float32)
    x[0, :8] = np.nan, np.inf, -np.inf, 1e-20, -1e-40, 2.0**-56, 3.4e38, 1.00390625
    whole = np.pad(bfloat16_bits(x), ((0, 12), (0, 24)))  # (32, 64)
    rows = np.zeros((2, 2, 1, 16, 16), np.int32)
    panels.pack_rows(x, panels.Region(0, 20, 0, 40), 1, rows)
    tiles = whole.reshape(2, 16, 2, 32).swapaxes(1, 2)
    np.testing.assert_array_equal(rows[:, :, 0].view(np.uint16), tiles)
    columns = np.zeros((3, 1, 1, 16, 16), np.int32)  # 20 inputs of 40 columns
    panels.pack_pairs(x, panels.Region(0, 20, 0, 40), 1, panels.B_LOW, columns)
    panels.transpose_tiles(3, 1, 1, columns)
    tiles = whole[:, :48].T.reshape(3, 16, 1, 32).swapaxes(1, 2)
    np.testing.assert_array_equal(columns[:, :, 0].view(np.uint16), tiles)
    inner = np.zeros((1, 1, 1, 16, 16), np.int32)
    panels.pack_rows(x, panels.Region(3, 19, 5, 37), 1, inner)
    np.testing.assert_array_equal(inner[0, 0, 0].view(np.uint16), whole[3:19, 5:37])
    assert matmul(x[1:3], x[1:3].T, "float32").shape == (2, 2)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("shape", [*SHAPES, (65, 130, 96)])
def test_pairs_and_numbers_have_the_same_sums(shape, parts):
    """One of them on registers, by what the processor has; the test takes both anywhere."""
    pytest.importorskip("numba")
    from tervit_np.compiled.bf16_sgemm import gradients as on_registers
    from tervit_np.compiled.float_microkernel import OF_MATRIX_UNIT, PAIRS_OF_BF16
    from tervit_np.compiled.sgemm import workspace

    dy, x, w = problem(*shape, seed=3)
    dy[:1, 0], x[-1:, 0], w[0] = -3e38, 1e-20, 2.0**-60
    numbers = on_registers(OF_MATRIX_UNIT, dy, x, w, parts, *workspace())
    pairs = on_registers(PAIRS_OF_BF16, dy, x, w, parts, *workspace())
    for one, two in zip(numbers, pairs, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("exponents", [(-59, -40), (60, 66), (-149, 128)])
def test_extreme_numbers_have_the_same_sums_in_pairs(exponents, parts):
    """The dot product of pairs sets denormal numbers to 0: no sum is one, nor -0."""
    pytest.importorskip("numba")
    from tervit_np.compiled.bf16_sgemm import gradients as on_registers
    from tervit_np.compiled.float_microkernel import OF_MATRIX_UNIT, PAIRS_OF_BF16
    from tervit_np.compiled.sgemm import workspace

    rng = np.random.default_rng(5)
    dy, x, w = (
        np.ldexp(rng.choice([-1.9999999, -1, -0.0, 1, 1.0039062], a.shape),
                 rng.integers(*exponents, a.shape)).astype(np.float32)
        for a in problem(200, 70, 50)
    )  # fmt: skip
    numbers = on_registers(OF_MATRIX_UNIT, dy, x, w, parts, *workspace())
    pairs = on_registers(PAIRS_OF_BF16, dy, x, w, parts, *workspace())
    for one, two in zip(numbers, pairs, strict=True):
        np.testing.assert_array_equal(one, two)
        assert not np.signbit(one[one == 0]).any()
        assert not np.any((one != 0) & (np.abs(one) < np.finfo(np.float32).tiny))


def test_pairs_are_laid_out_as_stated():
    """Word 2 j holds inputs 4 j and 4 j + 2, word 2 j + 1 the inputs 4 j + 1 and 4 j + 3."""
    pytest.importorskip("numba")
    from tervit_np.compiled.bf16_pairs import pairs_across, pairs_down
    from tervit_np.compiled.bf16_panels import B_LOW

    x = np.random.default_rng(4).normal(size=(37, 40)).astype(np.float32)
    bits = np.pad(bfloat16_bits(x), ((0, 27), (0, 24)))  # (64, 64)
    first = np.array([4 * (word // 2) + word % 2 for word in range(32)])
    across, down = np.zeros((30, 32), np.float32), np.zeros((32, 48), np.float32)
    pairs_across(x, 5, 35, 1, across)
    pairs_down(x, 0, 37, 1, B_LOW, down)
    words = across.view(np.uint32)
    np.testing.assert_array_equal(words >> 16, bits[5:35, first])
    np.testing.assert_array_equal(words & 0xFFFF, bits[5:35, first + 2])
    words = down.view(np.uint32)
    np.testing.assert_array_equal(words >> 16, bits[first, :48])
    np.testing.assert_array_equal(words & 0xFFFF, bits[first + 2, :48])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", ["float32", *RMS])
@pytest.mark.parametrize("shape", [(0, 3, 5), *SHAPES])
def test_a_first_layer_may_leave_out_the_gradient_of_its_input(backend, precision, shape):
    dy, x, w = problem(*shape, seed=4)
    with tv.backend(backend):
        cache = linear(x, w)[1]
        _, *expected = linear_backward_mixed(dy, cache, precision)
        dx, *found = linear_backward_mixed(dy, cache.without_dx(), precision)
    assert dx.shape == (len(x), 0)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)
