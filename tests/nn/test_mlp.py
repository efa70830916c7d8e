import numpy as np
import pytest

from tervit_np.nn import MLP
from tervit_np.ops import gelu
from tests.checks import ROUNDOFF64, as_operator, check, check_accumulation, close, fill


@pytest.mark.parametrize("form", ["erf", "tanh"])
def test_the_mlp_passes_all_checks(form):
    rng = np.random.default_rng(0)
    check(as_operator(fill(MLP(4, 10, form, "float64"), rng), rng.normal(size=(2, 3, 4))))


def test_gradients_accumulate():
    rng = np.random.default_rng(1)
    check_accumulation(fill(MLP(4, 6, "erf", "float64"), rng), rng.normal(size=(2, 3, 4)), rng)


@pytest.mark.parametrize("form", ["erf", "tanh"])
def test_the_mlp_is_two_matrices_with_a_gelu_between(form):
    rng = np.random.default_rng(2)
    mlp, x = fill(MLP(3, 5, form, "float64"), rng), rng.normal(size=(1, 2, 3))
    hidden = gelu(x @ mlp.fc1.weight.data.T + mlp.fc1.bias.data, form)[0]
    close(mlp.forward(x)[0], hidden @ mlp.fc2.weight.data.T + mlp.fc2.bias.data, ROUNDOFF64)
