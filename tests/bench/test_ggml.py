import numpy as np
import pytest

from tervit_np.bench import baselines, ggml
from tests.checks import relative_error


def test_the_product_is_that_of_the_layer():
    """8-bit blocks change the outputs by some percent; 300 inputs are padded to 512."""
    problem = baselines.random_problem(5, 300, 64)
    call = ggml.prepare_product(problem.x, problem.weight)
    if call is None:
        pytest.skip("calls ggml through llama-cpp-python, which is not installed")
    assert relative_error(call(), problem.x @ problem.weight.T) < 0.05
    np.testing.assert_array_equal(call(), call())


def test_without_llama_cpp_there_is_no_product(monkeypatch):
    monkeypatch.setattr(ggml, "find_spec", lambda name: None)
    problem = baselines.random_problem(1, 64, 64)
    assert ggml.prepare_product(problem.x, problem.weight) is None
    assert baselines._ggml(problem) == {}
