import subprocess
import sys

import numpy as np
import pytest

import tervit_np as tv
from tervit_np import backends, dispatch


def test_the_context_restores_the_backend():
    before = backends.backend_name()
    with tv.backend("numpy"):
        assert backends.backend_name() == "numpy"
        assert dispatch.compiled(np.ones(3, np.float32)) is None
    assert backends.backend_name() == before


def test_the_context_restores_after_an_error():
    before = backends.backend_name()
    with pytest.raises(RuntimeError), tv.backend("numpy"):
        raise RuntimeError
    assert backends.backend_name() == before


def test_unknown_backends_are_refused():
    with (
        pytest.raises(ValueError, match="'cuda'; expected one of numba, numpy"),
        tv.backend("cuda"),
    ):
        pass


def test_float64_always_runs_the_numpy_lines():
    pytest.importorskip("numba")
    with tv.backend("numba"):
        assert dispatch.compiled(np.ones(3)) is None
        assert dispatch.compiled(np.ones(3, np.float32)) is not None
        assert dispatch.compiled(np.ones((0, 3), np.float32)) is None


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # importing it now fails
import numpy as np, tervit_np as tv
from tervit_np.losses import cross_entropy
model = tv.quantize(tv.create_model("deit_shapes"), "ternary")
logits, cache = model.forward(np.zeros((2, 3, 32, 32), np.float32))
model.backward(cross_entropy(logits, np.array([0, 1]))[1], cache)
tv.AdamW(model.named_params(), 1e-3).step()
print(np.isfinite(model.state_dict()["head.weight"]).all())
"""


def test_everything_runs_without_numba(monkeypatch):
    monkeypatch.setenv("TERVIT_BACKEND", "numpy")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "True", done.stderr
