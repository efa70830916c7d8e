"""The chapters of the course: found in the installed package or in the clone, listed and copied.

A wheel has the files of tutorials/ in tervit_np/course/ (pyproject.toml). What chapters import,
tervit_lesson, is installed too, so a copied chapter runs in any folder.
"""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tervit_np.files import write_text

_PACKAGE = Path(__file__).parent
_INSTALLED, _CLONE = _PACKAGE / "course", _PACKAGE.parent / "tutorials"
_TIMES = "tutorials.json"  # seconds of each chapter on two cores
# | [01 A linear layer](01_linear.py) | 20 min | 2 s | write a layer and its gradient ... |
_ROW = re.compile(r"^\| \[(\d\d) ([^]]+)\]\((\w+\.py)\) \| ([^|]+) \| [^|]+ \| ([^|]+) \|$", re.M)
_ONE_FILE = "tervit_in_one_file.py"


class Chapter(NamedTuple):
    """One chapter."""

    number: str  # "01"; "one" for all of TerViT in one file
    title: str
    subject: str  # what the reader will do
    reading: str  # "20 min"
    seconds: float | None  # to run, measured on two cores
    file: Path


class Copied(NamedTuple):
    """A file in the reader's folder."""

    path: Path
    is_new: bool
    differs: bool = False  # an older file, which is kept, has other contents


def course_folder() -> Path:
    """Return the folder of the chapters.

    Raises
    ------
    ValueError
        If this installation has none.
    """
    for folder in (_INSTALLED, _CLONE):
        if (folder / "README.md").is_file() and (folder / "answers.md").is_file():
            return folder
    raise ValueError(f"the chapters are not in {_PACKAGE}; install the package anew")


def is_clone() -> bool:
    """Tell whether the chapters are those of a clone, where they run as they are."""
    return course_folder() == _CLONE


def chapters() -> list[Chapter]:
    """List the chapters in the order of the course, by the table of tutorials/README.md."""
    folder = course_folder()
    times = _times(folder)
    found = [
        Chapter(number, title, subject.strip(), reading.strip(), times.get(Path(file).stem),
                folder / file)
        for number, title, file, reading, subject in _ROW.findall(
            (folder / "README.md").read_text(encoding="utf-8")
        )
    ]  # fmt: skip
    subject = "read the whole of TerViT, forward and backward, in NumPy alone"
    one_file = Chapter("one", "TerViT in one file", subject, "15 min", None, folder / _ONE_FILE)
    return [*found, one_file]


def _times(folder: Path) -> dict[str, float]:
    """Return the seconds of each chapter; none if they are not stored."""
    file = folder / _TIMES if folder == _INSTALLED else folder.parent / "docs" / _TIMES
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))["chapters"]
        return {name: float(chapter["seconds"]) for name, chapter in stored.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def find_chapter(word: str) -> Chapter:
    """Find a chapter by its number, 1 or 01, or by a part of its file's name, "linear".

    Raises
    ------
    ValueError
        If there is none, or several have this in their name.
    """
    every = chapters()
    number = word.zfill(2) if word.isdecimal() else word
    if exact := [c for c in every if number in (c.number, c.file.stem, c.file.name)]:
        return exact[0]
    found = [c for c in every if word.lower() in c.file.stem]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{c.number} {c.title}" for c in found)
        raise ValueError(f"several chapters have {word!r} in their name: {names}")
    numbers = [c.number for c in every if c.number.isdecimal()]
    raise ValueError(
        f"there is no chapter {word!r}; expected a number from {numbers[0]} to {numbers[-1]}, or "
        "'one' for TerViT in one file"
    )


def answers_to(chapter: Chapter) -> str | None:
    """Return the answers to the tasks of a chapter, None if it has none."""
    text = (course_folder() / "answers.md").read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        if section.startswith(f"{chapter.number} "):
            return f"# Answers: {section.strip()}\n"
    return None


def copy_chapter(chapter: Chapter, folder: Path) -> list[Copied]:
    """Copy a chapter and its answers into a folder; files that exist are kept.

    Raises
    ------
    ValueError
        If a copy could not run there, because tervit_lesson is not installed.
    OSError
        If a file cannot be written.
    """
    if find_spec("tervit_lesson") is None:
        raise ValueError(
            f"tervit_np runs from a clone and is not installed, so a copy of the chapter would not "
            f"run; run it there: python {chapter.file}"
        )
    texts = {chapter.file.name: chapter.file.read_text(encoding="utf-8")}
    if (answers := answers_to(chapter)) is not None:
        texts[f"{chapter.number}_answers.md"] = answers
    return [_copy(text, folder / name) for name, text in texts.items()]


def _copy(text: str, target: Path) -> Copied:
    if target.exists():
        old = target.read_text(encoding="utf-8", errors="replace")
        return Copied(target, False, old != text)
    write_text(target, text)
    return Copied(target, True)
