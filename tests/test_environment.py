import os

from tervit_np.environment import environment, installed_version, usable_cores


def test_everything_is_a_word():
    described = environment()
    assert described["numpy"] == installed_version("numpy")
    assert all(isinstance(value, str) and value for value in described.values())


def test_absent_packages():
    assert installed_version("no-such-package-anywhere") == "absent"


def test_cores_that_may_be_used():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
