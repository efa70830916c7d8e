import os
import subprocess
import sys

import pytest

import tervit_np as tv
from tervit_np.kernels import VARIANTS, isa, selected_variant, supported

pytest.importorskip("numba")
ALL = frozenset({"avx2", "avx512f", "avx512vl", "avx512bw", "avx512vnni"})


@pytest.mark.parametrize(
    ("lacking", "best"),
    [
        (set(), "vnni512"),
        ({"avx512bw"}, "vnni256"),
        ({"avx512vl"}, "vnni512"),
        ({"avx512vnni"}, "avx2"),
        ({"avx512vnni", "avx2"}, "generic"),
        (ALL, "generic"),
    ],
)
def test_the_fastest_supported_variant_is_selected(monkeypatch, lacking, best):
    monkeypatch.setattr(isa, "features", lambda: ALL - lacking)
    monkeypatch.delenv("TERVIT_KERNEL", raising=False)
    assert selected_variant() == best
    assert supported(ALL - lacking)[-1] == best


@pytest.mark.parametrize(
    ("features", "best"),
    [({"neon"}, "neon"), ({"neon", "dotprod"}, "sdot"), ({"neon", "i8mm"}, "neon"),
     ({"neon", "dotprod", "i8mm"}, "usdot")],
)  # fmt: skip
def test_the_fastest_variant_on_arm_depends_on_its_features(features, best):
    assert supported(frozenset(features))[-1] == best


def test_avx_vnni_is_enough_for_256_bits():
    """Some CPUs without AVX-512 have the dot product instruction."""
    assert supported(frozenset({"avx2", "avxvnni"}))[-1] == "vnni256"


def test_tervit_kernel_selects_a_variant(monkeypatch):
    for variant in supported(isa.features()):
        monkeypatch.setenv("TERVIT_KERNEL", variant)
        assert selected_variant() == variant


@pytest.mark.parametrize(
    ("wanted", "message"),
    [("sse", "expected one of numpy, loop, vector, generic"),
     ("vnni512", "needs avx512vnni and avx512bw, which this processor lacks"),
     ("vnni256", "needs avx512vnni and avx512vl, or avxvnni, which this processor lacks"),
     ("usdot", "needs dotprod and i8mm, which this processor lacks; it runs numpy, loop")],
)  # fmt: skip
def test_unsupported_variants_are_refused(monkeypatch, wanted, message):
    monkeypatch.setattr(isa, "features", lambda: frozenset({"avx2"}))
    monkeypatch.setenv("TERVIT_KERNEL", wanted)
    with pytest.raises(ValueError, match=message):
        selected_variant()


def test_numpy_is_selected_without_numba(monkeypatch):
    monkeypatch.delenv("TERVIT_KERNEL", raising=False)
    with tv.backend("numpy"):
        assert selected_variant() == "numpy"
        monkeypatch.setenv("TERVIT_KERNEL", "avx2")
        with pytest.raises(ValueError, match="needs Numba"):
            selected_variant()


ABSENT = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else find(name, *rest)
sys.modules["numba"] = None
import numpy as np, tervit_np as tv
x = np.arange(6, dtype=np.float32).reshape(2, 3)
print(tv.kernels.ternary_linear(x, tv.kernels.pack(np.ones((1, 3), np.int8), 1.0)).tolist())
"""


def test_ternary_linear_runs_where_numba_is_not_installed():
    environment = {k: v for k, v in os.environ.items() if k != "TERVIT_KERNEL"}
    done = subprocess.run(
        [sys.executable, "-c", ABSENT], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    (one,), (two,) = eval(done.stdout)
    assert abs(one - 3) < 0.05
    assert abs(two - 12) < 0.1


def test_variants_are_listed_from_slow_to_fast():
    x86, arm = ("avx2", "vnni256", "vnni512", "amx"), ("neon", "sdot", "usdot")
    assert VARIANTS == ("numpy", "loop", "vector", "generic", *x86, *arm)
