import math

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.ops import gelu, gelu_backward
from tervit_np.ops.gelu import FORMS
from tervit_np.verify.operators import Operator
from tests.checks import BACKENDS, ROUNDOFF32, ROUNDOFF64, check, close
from tests.golden.golden import stored


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(1,), (7,), (2, 3, 4)])
def test_gelu_passes_all_checks(form, shape):
    x = 2 * np.random.default_rng(0).normal(size=shape)

    def backward(dy, x):
        return gelu_backward(dy, x, form)

    check(Operator(f"gelu {form}", {"x": x}, lambda x: gelu(x, form), backward))


def test_the_exact_form_is_x_times_the_normal_cdf():
    x = np.linspace(-6, 6, 101)
    expected = [v * math.erfc(-v / math.sqrt(2)) / 2 for v in x]
    np.testing.assert_allclose(gelu(x)[0], expected, rtol=0, atol=ROUNDOFF64)


def test_the_forms_differ_by_up_to_5e_4():
    x = np.linspace(-5, 5, 2_001)
    gap = np.abs(gelu(x, "erf")[0] - gelu(x, "tanh")[0]).max()
    assert 4e-4 < gap < 5e-4


@pytest.mark.parametrize("form", FORMS)
def test_extreme_values_match_pytorch(form):
    golden = stored("operators")
    x, dy = golden[f"gelu/{form}/x"], golden[f"gelu/{form}/dy"]
    np.testing.assert_allclose(
        gelu(x, form)[0], golden[f"gelu/{form}/y"], rtol=ROUNDOFF64, atol=ROUNDOFF64
    )
    dx = gelu_backward(dy, x, form)
    np.testing.assert_allclose(dx, golden[f"gelu/{form}/dx"], rtol=ROUNDOFF64, atol=ROUNDOFF64)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_is_accurate_far_from_zero(form, backend):
    """The ends are flat and straight, and nothing overflows on the way there."""
    x = np.array([-1e4, -40.0, -9.0, 0.0, 9.0, 40.0, 1e4], np.float32)
    with tv.backend(backend):
        close(gelu(x, form)[0], np.maximum(x, 0), ROUNDOFF32)
        close(gelu_backward(np.ones_like(x), x, form), np.where(x == 0, 0.5, x > 0), ROUNDOFF32)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_squares_and_cubes_that_overflow_and_infinity_give_the_limits(form, backend, dtype):
    largest = float(np.finfo(dtype).max)
    powers = [a for a in (300, 1e13, 1e20, 1e38, 1e150) if a < largest]
    x = np.array([*powers, largest, np.inf], dtype)
    with tv.backend(backend):
        for sign, slope in ((1, 1), (-1, 0)):
            y = gelu(sign * x, form)[0]
            np.testing.assert_allclose(y, x if sign > 0 else np.zeros_like(x), rtol=ROUNDOFF32)
            dx = gelu_backward(np.ones_like(x), sign * x, form)
            np.testing.assert_allclose(dx, slope, rtol=ROUNDOFF32, atol=1e-25)
        assert np.isnan(gelu(np.array([np.nan], dtype), form)[0])
        assert np.isnan(gelu_backward(np.ones(1, dtype), np.array([np.nan], dtype), form))


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="'exact'; expected one of erf, tanh"):
        gelu(np.ones(3), "exact")
    with pytest.raises(ValueError, match="'exact'; expected one of erf, tanh"):
        gelu_backward(np.ones(3), np.ones(3), "exact")
