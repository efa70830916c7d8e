import os
import platform
import sys

import numpy as np
import pytest

import tervit_np as tv
from tervit_np import environment as module
from tervit_np.environment import (
    difference_of_bits,
    difference_of_weights,
    environment,
    installed_version,
    processor_name,
    python_name,
    usable_cores,
)


def test_every_value_is_a_short_string():
    described = environment()
    assert described["numpy"] == installed_version("numpy")
    assert all(isinstance(value, str) and value for value in described.values())


def test_absent_packages_are_reported():
    assert installed_version("no-such-package-anywhere") == "absent"


@pytest.mark.parametrize(("has_lock", "said"), [(True, ""), (False, " free-threaded")])
def test_a_python_without_a_global_lock_is_named(monkeypatch, has_lock, said):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: has_lock, raising=False)
    assert python_name() == environment()["python"] == platform.python_version() + said


def test_the_generation_of_a_processor_is_named(monkeypatch):
    known = {"model name": "AMD EPYC", "cpu family": "26", "model": "2"}
    monkeypatch.setattr(module, "_cpuinfo", lambda key: known.get(key, ""))
    assert processor_name() == "AMD EPYC, family 26, model 2"
    del known["cpu family"]  # as on Arm
    assert processor_name() == "AMD EPYC"


def test_usable_cores_follow_the_affinity():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_the_numpy_backend_depends_on_blas():
    with tv.backend("numpy"):
        assert "BLAS" in difference_of_bits()


def test_float64_depends_on_blas(monkeypatch):
    monkeypatch.setattr(module, "backend_name", lambda: "numba")
    assert "BLAS" in difference_of_bits(np.float64)
    assert environment("float64")["last bits"] == difference_of_bits(np.float64)


@pytest.mark.parametrize("variant", ["numpy", "loop", "vector"])
def test_a_kernel_without_a_register_tile_is_named(monkeypatch, variant):
    pytest.importorskip("numba")
    monkeypatch.setattr(module, "fuses_multiply_adds", lambda: True)
    monkeypatch.setenv("TERVIT_KERNEL", variant)
    with tv.backend("numba"):
        assert f"since {variant} has no register tile" in difference_of_bits()
        assert difference_of_weights() == ""


def test_a_processor_without_fused_multiply_adds_is_named(monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.delenv("TERVIT_KERNEL", raising=False)
    with tv.backend("numba"):
        monkeypatch.setattr(module, "fuses_multiply_adds", lambda: True)
        assert difference_of_bits() == ""
        monkeypatch.setattr(module, "fuses_multiply_adds", lambda: False)
        assert "which this one lacks" in difference_of_bits()
