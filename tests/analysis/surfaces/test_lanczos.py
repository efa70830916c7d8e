import numpy as np
import pytest

from tervit_np.analysis.surfaces.lanczos import lanczos


def symmetric(values, seed=0):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    return (q * values) @ q.T


def test_all_steps_give_the_whole_spectrum():
    values = np.sort(np.random.default_rng(0).normal(size=30))
    matrix = symmetric(values)
    spectrum = lanczos(lambda v: matrix @ v, 30, steps=30)
    np.testing.assert_allclose(spectrum.values, values, atol=1e-10)
    assert spectrum.bounds.max() < 1e-10


def test_the_ends_converge_first_and_within_the_bounds():
    values = np.concatenate([np.linspace(-1, 1, 197), [-4, 6, 9]])
    matrix = symmetric(values)
    spectrum = lanczos(lambda v: matrix @ v, 200, steps=15)
    assert spectrum.largest == pytest.approx(9, abs=1e-6)
    assert spectrum.smallest == pytest.approx(-4, abs=1e-4)
    assert spectrum.bounds[-1] < 1e-4 < spectrum.bounds[7]  # the middle comes last
    for value, bound in zip(spectrum.values, spectrum.bounds, strict=True):
        assert np.abs(values - value).min() <= bound + 1e-9


def test_a_negative_eigenvalue_of_larger_magnitude_is_not_the_largest():
    matrix = symmetric(np.array([-10.0, *np.linspace(0, 1, 40), 3]))
    spectrum = lanczos(lambda v: matrix @ v, 42, steps=42)
    assert (spectrum.largest, spectrum.smallest) == pytest.approx((3, -10))


def test_no_copies_of_an_eigenvalue_appear():
    """Without reorthogonalisation roundoff repeats the largest eigenvalue."""
    values = np.concatenate([np.linspace(0, 1, 119), [1000.0]])
    matrix = symmetric(values)
    spectrum = lanczos(lambda v: matrix @ v, 120, steps=80)
    assert (spectrum.values > 10).sum() == 1


def test_an_invariant_space_ends_the_iteration():
    spectrum = lanczos(lambda v: 2 * v, 10, steps=10)
    np.testing.assert_allclose(spectrum.values, [2])


def test_seeds_differ_and_no_steps_are_refused():
    matrix = symmetric(np.linspace(0, 1, 50))
    a, b = (lanczos(lambda v: matrix @ v, 50, steps=5, seed=s).values for s in (0, 1))
    assert (a != b).all()
    with pytest.raises(ValueError, match="at least one"):
        lanczos(lambda v: v, 5, steps=0)
