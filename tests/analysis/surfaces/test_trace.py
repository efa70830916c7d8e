import numpy as np
import pytest

from tervit_np.analysis.surfaces.trace import signs, trace


def test_a_diagonal_operator_is_exact():
    d = np.random.default_rng(0).normal(size=60)
    estimate = trace(lambda v: d * v, 60, probes=3)
    assert estimate.mean == pytest.approx(d.sum())
    assert estimate.error < 1e-12


def test_the_error_agrees_with_the_formula():
    m = np.random.default_rng(1).normal(size=(80, 80))
    m = m + m.T
    estimate = trace(lambda v: m @ v, 80, probes=400)
    variance = 2 * ((m**2).sum() - (np.diag(m) ** 2).sum())
    assert estimate.error == pytest.approx(np.sqrt(variance / 400), rel=0.15)
    assert abs(estimate.mean - m.trace()) < 3 * estimate.error


def test_each_probe_draws_its_own_signs():
    assert set(np.unique(signs(50, 0, 0))) == {-1.0, 1.0}
    assert (signs(50, 0, 0) != signs(50, 0, 1)).any()
    with pytest.raises(ValueError, match="at least two"):
        trace(lambda v: v, 5, probes=1)
