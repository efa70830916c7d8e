import os

import pytest

from tervit_np.exercises import changes
from tervit_np.exercises.changes import saves


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something in each pause, as an editor would; stop the test when there is nothing left."""
    todo = []

    def pause(seconds):
        assert todo, "nothing more is going to happen"
        todo.pop(0)()

    monkeypatch.setattr(changes.time, "sleep", pause)
    return todo


def test_at_once_and_after_every_save(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    seen = saves(file)
    next(seen)
    meanwhile += [lambda: None, lambda: file.write_text("two!")]
    next(seen)
    assert not meanwhile


def test_a_save_of_the_same_length_is_noticed_by_its_time(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    seen = saves(file)
    next(seen)
    meanwhile.append(lambda: os.utime(file, ns=(1, 1)))
    next(seen)


def test_a_save_during_a_check_is_noticed_after_it(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    seen = saves(file)
    next(seen)
    file.write_text("longer")
    next(seen)


def test_a_file_that_is_gone_is_waited_for(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    seen = saves(file)
    next(seen)
    file.rename(tmp_path / "answer.py~")
    meanwhile += [lambda: None, lambda: file.write_text("new one")]
    next(seen)
    assert not meanwhile


def test_a_file_that_stays_away_is_reported(tmp_path, meanwhile):
    file = tmp_path / "answer.py"
    file.write_text("one")
    seen = saves(file)
    next(seen)
    file.unlink()
    meanwhile += [lambda: None] * 9
    next(seen)
    assert not meanwhile
    file.write_text("one")
    next(seen)
