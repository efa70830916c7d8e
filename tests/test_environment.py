import os

import pytest

import tervit_np as tv
from tervit_np import environment as module
from tervit_np.environment import difference_of_bits, environment, installed_version, usable_cores


def test_every_value_is_a_short_string():
    described = environment()
    assert described["numpy"] == installed_version("numpy")
    assert all(isinstance(value, str) and value for value in described.values())


def test_absent_packages_are_reported():
    assert installed_version("no-such-package-anywhere") == "absent"


def test_usable_cores_follow_the_affinity():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_the_numpy_backend_depends_on_blas():
    with tv.backend("numpy"):
        assert "BLAS" in difference_of_bits()


def test_a_processor_without_fused_multiply_adds_is_named(monkeypatch):
    pytest.importorskip("numba")
    with tv.backend("numba"):
        monkeypatch.setattr(module, "fuses_multiply_adds", lambda: True)
        assert difference_of_bits() == ""
        monkeypatch.setattr(module, "fuses_multiply_adds", lambda: False)
        assert "which this one lacks" in difference_of_bits()
