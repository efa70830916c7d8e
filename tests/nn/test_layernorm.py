import numpy as np

from tervit_np.nn import LayerNorm
from tervit_np.quant import TernaryGamma
from tervit_np.verify.frozen import FrozenResidual
from tests.checks import (
    ROUNDOFF64,
    as_operator,
    check,
    check_accumulation,
    check_gradients,
    close,
    fill,
)


def test_layernorm_passes_all_checks():
    rng = np.random.default_rng(0)
    check(as_operator(fill(LayerNorm(6, 1e-6, "float64"), rng), rng.normal(size=(2, 3, 6))))


def test_gradients_accumulate():
    rng = np.random.default_rng(1)
    check_accumulation(fill(LayerNorm(6, 1e-6, "float64"), rng), rng.normal(size=(3, 6)), rng)


def test_a_new_layer_is_the_identity_on_normalised_rows():
    x = np.random.default_rng(2).normal(size=(4, 8))
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    close(LayerNorm(8, 1e-12, "float64").forward(x)[0], x, 1e-11)


def test_the_layer_uses_its_eps():
    x = np.array([[1.0, -1.0]])  # variance 1
    close(LayerNorm(2, 3.0, "float64").forward(x)[0], x / 2, ROUNDOFF64)


def test_a_ternary_gamma_is_checked_with_its_residual_held_fixed():
    rng = np.random.default_rng(3)
    norm = fill(LayerNorm(6, 1e-6, "float64"), rng)
    norm.gamma_quant = FrozenResidual(TernaryGamma())
    check_gradients(as_operator(norm, rng.normal(size=(2, 3, 6))), rng)


def test_a_ternary_gamma_as_computed_by_hand():
    """gamma is 3 and 1: mean 2, Delta 1.4, so that the second is off and beta alone remains."""
    norm = LayerNorm(2, 0.0, "float64")
    norm.weight.data[...], norm.bias.data[...] = [3, 1], [0.5, 0.25]
    norm.gamma_quant = TernaryGamma()
    y, cache = norm.forward(np.array([[7.0, 5.0]]))  # normalised 1, -1
    close(y, np.array([[3.5, 0.25]]), ROUNDOFF64)
    norm.backward(np.array([[2.0, 5.0]]), cache)
    close(norm.weight.grad, np.array([2.0, -5.0]), ROUNDOFF64)  # also where it is off
