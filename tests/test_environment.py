import os

from tervit_np.environment import environment, installed_version, usable_cores


def test_every_value_is_a_short_string():
    described = environment()
    assert described["numpy"] == installed_version("numpy")
    assert all(isinstance(value, str) and value for value in described.values())


def test_absent_packages_are_reported():
    assert installed_version("no-such-package-anywhere") == "absent"


def test_usable_cores_follow_the_affinity():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
