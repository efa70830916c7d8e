import numpy as np

from tervit_np.nn import LayerNorm
from tests.checks import ROUNDOFF64, as_operator, check, check_accumulation, close, fill


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
