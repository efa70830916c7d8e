import pytest

from tervit_np import blas


def test_one_thread_inside_and_as_before_outside():
    before = blas.num_threads()
    if before is None:
        pytest.skip("this NumPy carries no OpenBLAS that can be asked")
    with blas.one_thread():
        assert blas.num_threads() == 1
    assert blas.num_threads() == before


def test_the_core_has_a_name():
    assert blas.core_name()
