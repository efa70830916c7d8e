import os
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


def test_the_package_of_compiled_code_imports_none_of_its_modules():
    """Two threads may import the package and a module of it at once (compiled/operators.py)."""
    script = "import sys, tervit_np.compiled; print([n for n in sys.modules if 'compiled.' in n])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


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


@pytest.mark.parametrize("value", ["1", "2"])
def test_without_compilation_the_backend_is_numpy_and_says_so(value):
    pytest.importorskip("numba")
    use = "import tervit_np as tv, numpy as np; m = tv.create_model('deit_shapes'); "
    use += "print(tv.quantize(m, 'ternary').predict(np.ones((1, 3, 32, 32), np.float32)).shape)"
    environment = os.environ | {"NUMBA_DISABLE_JIT": value}
    environment.pop("TERVIT_BACKEND", None)
    done = subprocess.run(
        [sys.executable, "-c", use], capture_output=True, text=True, check=False, env=environment
    )
    assert done.stdout.strip() == "(1, 10)", done.stderr
    assert done.stderr.startswith("note: NUMBA_DISABLE_JIT is set")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("value", ["", "0", "yes"])
def test_values_that_numba_ignores_change_nothing(monkeypatch, value):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", value)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    assert not backends.jit_is_off()


def test_numba_without_compilation_is_refused(monkeypatch):
    monkeypatch.setattr(backends, "jit_is_off", lambda: True)
    with pytest.raises(ValueError, match="NUMBA_DISABLE_JIT is set"), tv.backend("numba"):
        pass
