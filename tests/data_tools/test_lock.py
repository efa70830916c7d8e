"""A folder is used by one process, or one thread, at a time."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from data_tools.lock import FILE, locked

HOLD = """
import sys, time
from pathlib import Path
from data_tools.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_and_told_which_is_the_first(tmp_path, holder):
    with (
        pytest.raises(ValueError, match=f"is in use by process {holder.pid}; wait"),
        locked(tmp_path),
    ):
        pass
    assert (tmp_path / FILE).exists()
    holder.communicate("")
    assert not (tmp_path / FILE).exists()
    with locked(tmp_path):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / FILE).exists()
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / FILE).read_text()
    assert not (tmp_path / FILE).exists()


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path, holder):
    got = []

    def wait():
        with locked(tmp_path, wait=True):
            got.append((tmp_path / FILE).read_text())

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive() and got == []
    holder.communicate("")
    thread.join()
    assert got == [f"process {os.getpid()}\n"]


def test_windows_leaves_a_lock_file_that_a_waiting_process_has_opened(tmp_path, monkeypatch):
    def refuse(path, missing_ok=False):
        raise PermissionError(13, "the file is used by another process", str(path))

    with monkeypatch.context() as patch, locked(tmp_path):
        patch.setattr(sys, "platform", "win32")
        patch.setattr(Path, "unlink", refuse)
    assert (tmp_path / FILE).exists()
    with locked(tmp_path):
        pass
    assert not (tmp_path / FILE).exists()


def test_a_lock_file_that_cannot_be_removed_is_released_all_the_same(tmp_path, monkeypatch):
    """As in a folder that was made read-only meanwhile; the error of the block comes through."""

    def refuse(path, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(path))

    with pytest.raises(RuntimeError, match="of the block"):  # noqa: SIM117
        with monkeypatch.context() as patch, locked(tmp_path):
            patch.setattr(Path, "unlink", refuse)
            raise RuntimeError("of the block")
    with locked(tmp_path):
        pass
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("left", ["", "process 1\n", "\x1b[31m\0", "process {own}\n"])
def test_a_lock_file_that_nobody_holds_is_no_lock(tmp_path, left):
    (tmp_path / FILE).write_text(left.format(own=os.getpid()))
    with locked(tmp_path):
        pass


def test_another_thread_is_refused_and_the_same_may_lock_again(tmp_path):
    errors = []

    def other():
        try:
            with locked(tmp_path):
                pass
        except ValueError as error:
            errors.append(str(error))

    with locked(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with locked(tmp_path / "."):
            pass
        assert (tmp_path / FILE).exists()
    assert len(errors) == 1
    assert "in use" in errors[0]


def test_names_in_a_folder_are_locked_apart(tmp_path, holder):
    with locked(tmp_path, "one"), locked(tmp_path, "two"):
        assert {p.name for p in tmp_path.iterdir()} == {FILE, f"one{FILE}", f"two{FILE}"}
    assert [p.name for p in tmp_path.iterdir()] == [FILE]


def test_a_folder_under_another_name_is_the_same_folder(tmp_path, holder):
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    with pytest.raises(ValueError, match="in use"), locked(link):
        pass


def test_a_link_in_place_of_the_lock_file_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("text")
    (tmp_path / FILE).symlink_to(victim)
    with pytest.raises(OSError, match="^nothing can be written to .*copy it"), locked(tmp_path):
        pass
    assert victim.read_text() == "text"
