import os

import pytest

from tervit_np.exercises import changes
from tervit_np.exercises.changes import changes_of


@pytest.fixture
def meanwhile(monkeypatch):
    """Run one step in each pause, as an editor would; fail when no step remains."""
    steps = []

    def pause(seconds):
        assert steps, "no step remains"
        steps.pop(0)()

    monkeypatch.setattr(changes.time, "sleep", pause)
    return steps


def test_it_yields_at_once_and_after_every_save(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    saves = changes_of(file)
    next(saves)
    meanwhile += [lambda: None, lambda: file.write_text("two!")]
    next(saves)
    assert not meanwhile


def test_a_save_of_the_same_length_is_noticed_by_its_time(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    saves = changes_of(file)
    next(saves)
    meanwhile.append(lambda: os.utime(file, ns=(1, 1)))
    next(saves)


def test_a_save_during_a_check_is_noticed_after_it(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    saves = changes_of(file)
    next(saves)
    file.write_text("longer")
    next(saves)


def test_a_file_that_is_replaced_counts_as_one_change(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    saves = changes_of(file)
    next(saves)
    file.rename(tmp_path / "answer.py~")
    meanwhile += [lambda: None, lambda: file.write_text("new one")]
    next(saves)
    assert not meanwhile


def test_a_file_that_stays_missing_is_reported(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    saves = changes_of(file)
    next(saves)
    file.unlink()
    meanwhile += [lambda: None] * 9
    next(saves)
    assert not meanwhile
    file.write_text("one")
    next(saves)
