import numpy as np
import pytest

from tervit_np.bench import baselines, ggml
from tests.rounding import decibels


def test_the_product_is_that_of_the_layer():
    """8-bit blocks leave 30 decibels; 300 inputs are padded to 512."""
    problem = baselines.random_problem(5, 300, 64)
    call = ggml.prepare_product(problem.x, problem.weight)
    if call is None:
        pytest.skip("calls ggml through llama-cpp-python, which is not installed")
    assert decibels(call(), problem.x @ problem.weight.T).min() > 30
    np.testing.assert_array_equal(call(), call())


def test_without_llama_cpp_there_is_no_product(monkeypatch):
    monkeypatch.setattr(ggml, "find_spec", lambda name: None)
    problem = baselines.random_problem(1, 64, 64)
    assert ggml.prepare_product(problem.x, problem.weight) is None
    assert baselines._ggml(problem) == {}
