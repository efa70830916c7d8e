import pytest

from tervit_np import blas


def test_one_thread_applies_inside_the_block_only():
    before = blas.num_threads()
    if before is None:
        pytest.skip("this NumPy carries no OpenBLAS that can be asked")
    with blas.one_thread():
        assert blas.num_threads() == 1
    assert blas.num_threads() == before


def test_the_core_has_a_name():
    assert blas.core_name()
