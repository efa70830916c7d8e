"""The chapters are those of tutorials/, in the wheel too, and a copy runs where it is copied to."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tervit_np import chapters
from tervit_np.chapters import answers_to, copy_chapter, find_chapter

ROOT = Path(__file__).parents[1]
FILES = sorted(ROOT.glob("tutorials/[0-9][0-9]_*.py"))
HATCH = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]
WHEEL = HATCH["build"]["targets"]["wheel"]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The course folder of a wheel."""
    folder = tmp_path / "course"
    folder.mkdir()
    for source, target in WHEEL["force-include"].items():
        if target.startswith("tervit_np/course/"):
            copy = tmp_path / target.removeprefix("tervit_np/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile)(ROOT / source, copy)
    monkeypatch.setattr(chapters, "_INSTALLED", folder)
    return folder


@pytest.fixture
def importable(monkeypatch):
    """tervit_lesson can be imported, as where it is installed."""
    monkeypatch.syspath_prepend(str(ROOT / "tutorials"))


def test_every_chapter_is_listed_once_with_its_time():
    found = chapters.chapters()
    assert [c.file for c in found[:-1]] == FILES
    assert [c.number for c in found] == [*(file.name[:2] for file in FILES), "one"]
    for chapter in found:
        assert re.fullmatch(r"\d+ min", chapter.reading)
        assert re.fullmatch(r"\d+ (s|min)", chapter.running)
        assert chapter.subject[0].islower()


def test_a_wheel_has_what_the_clone_has(installed):
    """A new chapter needs a line in pyproject.toml."""
    in_clone = [(c.number, c.title, c.subject, c.running, c.file.name) for c in _all("_CLONE")]
    in_wheel = [(c.number, c.title, c.subject, c.running, c.file.name) for c in _all("_INSTALLED")]
    assert in_wheel == in_clone
    for chapter in chapters.chapters():
        assert chapter.file.parent == installed / "tutorials"
        assert chapter.file.read_bytes() == (ROOT / "tutorials" / chapter.file.name).read_bytes()
    assert not chapters.is_clone()


def test_a_wheel_has_the_figures_that_move(installed):
    """Their links to chapters lead to files of the wheel."""
    page = chapters.figures_page()
    assert page.is_relative_to(installed)
    for figure in page.parent.glob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"#]+)"', figure.read_text(encoding="utf-8")):
            assert (page.parent / link).is_file(), link


def _all(kept):
    """List the chapters with one of the two folders out of reach."""
    other = {"_CLONE": "_INSTALLED", "_INSTALLED": "_CLONE"}[kept]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapters, other, Path("nowhere"))
        return chapters.chapters()


@pytest.mark.parametrize(
    ("word", "name"),
    [("1", "01_linear.py"), ("01", "01_linear.py"), ("11", "11_activations.py"),
     ("Linear", "01_linear.py"), ("05_attention.py", "05_attention.py"),
     ("one", "tervit_in_one_file.py")],
)  # fmt: skip
def test_chapters_are_found_by_number_and_name(word, name):
    assert find_chapter(word).file.name == name


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("99", "there is no chapter '99'; expected a number from 00 to"),
        ("poetry", "no chapter 'poetry'"),
        ("training", "07 Training"),
        ("a", "several chapters have 'a' in their name: 01 A linear layer, "),
    ],
)
def test_other_words_are_refused_or_unique(word, words):
    try:
        chapter = find_chapter(word)
    except ValueError as error:
        assert words in str(error)
    else:
        assert f"{chapter.number} {chapter.title}" == words


def test_answers_are_those_of_the_chapter():
    text = answers_to(find_chapter("1"))
    assert text.startswith("# Answers: 01 A linear layer\n")
    assert "## " not in text.replace("###", "")
    assert answers_to(find_chapter("one")) is None
    assert all(answers_to(chapter) for chapter in chapters.chapters()[:-1])


def test_a_file_that_exists_is_kept(tmp_path, importable):
    chapter = find_chapter("1")
    script, answers = copy_chapter(chapter, tmp_path)
    assert (script.is_new, answers.is_new) == (True, True)
    assert script.path.read_bytes() == chapter.file.read_bytes()
    script.path.write_text("mine")
    again = copy_chapter(chapter, tmp_path)
    assert [(file.is_new, file.differs) for file in again] == [(False, True), (False, False)]
    assert script.path.read_text() == "mine"


def test_a_copy_that_could_not_run_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(chapters, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"is not installed.*run it there: python .*01_linear.py"):
        copy_chapter(find_chapter("1"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_missing_course_is_said(monkeypatch):
    for name in ("_INSTALLED", "_CLONE"):
        monkeypatch.setattr(chapters, name, Path("nowhere"))
    with pytest.raises(ValueError, match="the chapters are not in .*; install the package anew"):
        chapters.chapters()


def test_a_copied_chapter_runs(tmp_path, importable):
    script, _ = copy_chapter(find_chapter("1"), tmp_path)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tutorials")])
    environment = os.environ | {"PYTHONPATH": path, "TERVIT_TUTORIALS": str(tmp_path / "figures")}
    done = subprocess.run(
        [sys.executable, script.path.name],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "figures").glob("01_*.png"))
