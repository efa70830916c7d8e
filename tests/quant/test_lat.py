import numpy as np
import pytest

from tervit_np.param import Param
from tervit_np.quant import LAT, Ternary
from tervit_np.quant.lat import weighted_level
from tests.checks import EXACT, close

RNG = np.random.default_rng(0)
W = RNG.normal(size=(5, 12))


def after(*gradients):
    """Prepare for W and take steps with these gradients."""
    quantizer, weight = LAT(), Param(W.copy())
    quantizer.prepare(W)
    for gradient in gradients:
        weight.grad[...] = gradient
        quantizer.after_step(weight)
    return quantizer


def test_without_gradients_it_is_the_exact_interval():
    close(after().forward(W)[0], Ternary(threshold="exact").forward(W)[0], EXACT)
    close(LAT().forward(W)[0], Ternary(threshold="exact").forward(W)[0], EXACT)
    close(after(np.full_like(W, 1e-3)).forward(W)[0], after().forward(W)[0], EXACT)


def test_no_other_level_has_a_smaller_weighted_error():
    d = np.abs(RNG.normal(size=W.shape))
    levels = weighted_level(np.abs(W), d)

    def error(a):
        kept = np.abs(W) > a[:, None] / 2
        return (d * np.square(np.abs(W) - a[:, None] * kept)).sum(axis=1)

    best = np.min([error(np.full(len(W), a)) for a in np.linspace(0.05, 3, 600)], axis=0)
    assert (error(levels) <= best).all()
    assert (error(levels) > 0.99 * best).all()


def test_importance_is_the_root_of_the_mean_square_of_gradients():
    gradients = RNG.normal(size=(3, *W.shape))
    v = np.zeros_like(W)
    for g in gradients:
        v = 0.99 * v + 0.01 * g**2
    np.testing.assert_allclose(after(*gradients).buffers()["squares"], v, rtol=1e-12)


@pytest.mark.parametrize("d", [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
def test_weights_without_gradients_do_not_count(d):
    (level,) = weighted_level(np.array([[3.0, 2.0, 1.0]]), np.array([d], float))
    assert level == (d @ np.array([3, 2, 1]))


def test_large_weights_and_gradients_overflow_nothing():
    gradient = np.where(W > 0, 1e150, 1e-170)
    w_hat = after(gradient).forward(np.ldexp(W, 900))[0]
    close(np.ldexp(w_hat, -900), after(gradient).forward(W)[0], EXACT)
