"""The user's cache folder, also for users without a home folder."""

import os
import stat
import sys
from pathlib import Path

import pytest

from data_tools import paths
from data_tools.paths import data_root, expand_user, user_cache

pytestmark = pytest.mark.skipif(os.name == "nt", reason="users of Windows have a home folder")


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """A user without HOME and without an entry, as in containers; -> its folder for all users."""

    def absent(*args):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", absent)
    monkeypatch.setattr(Path, "expanduser", absent)
    for name in ("XDG_CACHE_HOME", "TERVIT_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    paths._private_folder.cache_clear()
    yield tmp_path
    paths._private_folder.cache_clear()


def test_without_a_home_folder_the_cache_is_private_and_temporary(homeless):
    folder = user_cache()
    assert folder == data_root() == homeless / f"tervit_np-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("taken", ["writable by all", "a link", "a file", "readable by a group"])
def test_a_folder_that_others_can_write_is_not_used(homeless, taken):
    path = homeless / f"tervit_np-{os.getuid()}"
    if taken == "a link":
        (homeless / "trap").mkdir()
        path.symlink_to(homeless / "trap")
    elif taken == "a file":
        path.write_text("")
    else:
        path.mkdir()
        path.chmod(0o777 if taken == "writable by all" else 0o750)
    folder = user_cache()
    assert folder != path
    assert folder == user_cache()  # the same for the whole process
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_named_folder_needs_no_home(homeless, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert user_cache() == Path("/somewhere/tervit_np")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has another variable")
@pytest.mark.parametrize("folder", ["", "~/.cache", "cache"])
def test_a_cache_folder_that_is_not_absolute_is_ignored(monkeypatch, tmp_path, folder):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", folder)
    assert user_cache() == tmp_path / ".cache" / "tervit_np"


@pytest.mark.parametrize("path", ["~/data", "~nobody-of-this-name/x"])
def test_a_home_folder_that_does_not_exist_is_refused(homeless, path):
    with pytest.raises(ValueError, match="no such home folder"):
        expand_user(path)
