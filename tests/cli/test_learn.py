import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder outside the clone, where tervit_lesson is importable."""
    monkeypatch.syspath_prepend(str(ROOT / "tutorials"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_chapters_are_listed(tervit):
    code, text, _ = tervit("learn")
    assert code == 0
    heads = [line for line in text.splitlines() if line[:2].isdigit()]
    assert len(heads) == len(list(ROOT.glob("tutorials/[0-9][0-9]_*.py")))
    assert heads[1].startswith("01    A linear layer  (read 20 min, run ")
    assert max(map(len, text.splitlines())) <= 100


def test_a_chapter_is_copied_and_its_command_said(tervit, elsewhere):
    code, text, _ = tervit("learn", 1)
    assert code == 0
    assert {file.name for file in elsewhere.iterdir()} == {"01_linear.py", "01_answers.md"}
    assert "new file:  01_linear.py\nnew file:  01_answers.md" in text
    assert text.splitlines()[-1].startswith("run it:    python 01_linear.py     # ")
    (elsewhere / "01_linear.py").write_text("mine")
    text = tervit("learn", "linear")[1]
    assert "kept:      01_linear.py, which you have changed" in text
    assert "unchanged: 01_answers.md" in text
    assert (elsewhere / "01_linear.py").read_text() == "mine"


def test_another_folder_is_made(tervit, elsewhere):
    (elsewhere / "file").write_text("")
    code, _, error = tervit("learn", 1, "--dir", "file")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "the folder file could not be made" in error
    text = tervit("learn", 1, "--dir", "my course")[1]
    (command,) = [line for line in text.splitlines() if line.startswith("run it:")]
    words = shlex.split(command.replace("\\", "/"), comments=True)
    assert words[2:] == ["python", "my course/01_linear.py"]
    text = tervit("learn", 1, "--dir", "course")[1]
    assert "python course/01_linear.py" in text.replace("\\", "/")


def test_in_the_clone_a_chapter_is_not_copied(tervit, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = tervit("learn", 1)[1].replace("\\", "/")
    assert "run it:    python tutorials/01_linear.py" in text
    assert not (ROOT / "01_linear.py").exists()


def test_in_the_clone_a_chapter_is_copied_into_a_folder_that_is_named(
    tervit, monkeypatch, tmp_path
):
    monkeypatch.syspath_prepend(str(ROOT / "tutorials"))
    monkeypatch.chdir(ROOT)
    code, text, _ = tervit("learn", 1, "--dir", tmp_path)
    assert code == 0
    assert {file.name for file in tmp_path.iterdir()} == {"01_linear.py", "01_answers.md"}
    assert f"new file:  {tmp_path / '01_linear.py'}" in text


def test_figures_open_in_the_browser(tervit, monkeypatch):
    opened = []
    monkeypatch.setattr("tervit_np.cli.learn.open_page", opened.append)
    text = tervit("learn", "figures")[1]
    page = ROOT / "docs" / "book" / "figures" / "index.html"
    assert text == f"figures: {page}\n" and opened == [page]


def test_an_unknown_chapter_is_refused(tervit):
    code, _, error = tervit("learn", "99")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "there is no chapter '99'; expected a number from 00 to" in error
