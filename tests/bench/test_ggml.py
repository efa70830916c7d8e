import numpy as np
import pytest

from tervit_np.bench import baselines, ggml
from tests.checks import relative_error


def test_the_product():
    """8 bits in blocks leave some percent; 300 inputs are padded to 512."""
    drawn = baselines.layer(5, 300, 64)
    call = ggml.product(drawn.x, drawn.weight)
    if call is None:
        pytest.skip("calls ggml through llama-cpp-python, which is not installed")
    assert relative_error(call(), drawn.x @ drawn.weight.T) < 0.05
    np.testing.assert_array_equal(call(), call())


def test_without_it(monkeypatch):
    monkeypatch.setattr(ggml, "find_spec", lambda name: None)
    drawn = baselines.layer(1, 64, 64)
    assert ggml.product(drawn.x, drawn.weight) is None
    assert baselines._ggml(drawn) == {}
