"""The chapters of the course: found in the installed package or in the clone, listed and copied.

A wheel has the chapters and the figures that move in tervit_np/course/, under their paths in the
clone, so that links between them work (pyproject.toml). What chapters import, tervit_lesson, is
installed too, so a copied chapter runs in any folder.
"""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from data_tools.terminal import shell_word
from tervit_np.files import write_text

_PACKAGE = Path(__file__).parent
_INSTALLED, _CLONE = _PACKAGE / "course", _PACKAGE.parent
_CHAPTERS, _FIGURES = "tutorials", "docs/book/figures/index.html"
# | [01 A linear layer](01_linear.py) | 20 min | 2 s | write a layer and its gradient ... |
_ROW = re.compile(
    r"^\| \[(?P<number>\d\d) (?P<title>[^]]+)\]\((?P<file>\w+\.py)\)"
    r" \| (?P<reading>[^|]+) \| (?P<running>[^|*]+?)(?: \*)? \| (?P<subject>[^|]+) \|$",
    re.MULTILINE,
)
_ONE_FILE = "tervit_in_one_file.py"


class Chapter(NamedTuple):
    """One chapter."""

    number: str  # "01"; "one" for all of TerViT in one file
    title: str
    subject: str  # what the reader will do
    reading: str  # "20 min"
    running: str  # "2 s", roughly, on two idle cores
    file: Path


class Copied(NamedTuple):
    """A file in the reader's folder."""

    path: Path
    is_new: bool
    differs: bool = False  # an older file, which is kept, has other contents


def course_folder() -> Path:
    """Return the folder that has tutorials/ and docs/: the clone, or a part of the package.

    Raises
    ------
    ValueError
        If this installation has none.
    """
    for folder in (_INSTALLED, _CLONE):
        texts = [folder / _CHAPTERS / name for name in ("README.md", "answers.md")]
        if all(text.is_file() for text in texts):
            return folder
    raise ValueError(f"the chapters are not in {_PACKAGE}; install the package anew")


def is_clone() -> bool:
    """Tell whether the chapters are those of a clone, where they run as they are."""
    return course_folder() == _CLONE


def chapters() -> list[Chapter]:
    """List the chapters in the order of the course, by the table of tutorials/README.md."""
    folder = course_folder() / _CHAPTERS
    found = []
    for row in _ROW.finditer((folder / "README.md").read_text(encoding="utf-8")):
        fields = {name: text.strip() for name, text in row.groupdict().items()}
        file = folder / fields.pop("file")
        found.append(Chapter(**fields, file=file))
    subject = "read the whole of TerViT, forward and backward, in NumPy alone"
    title, file = "TerViT in one file", folder / _ONE_FILE
    return [*found, Chapter("one", title, subject, "15 min", "2 min", file)]


def figures_page() -> Path:
    """Return the page that lists the figures that move.

    Raises
    ------
    ValueError
        If this installation has none.
    """
    page = course_folder() / _FIGURES
    if not page.is_file():
        raise ValueError(f"the figures are not in {page.parent}; install the package anew")
    return page


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
    text = (course_folder() / _CHAPTERS / "answers.md").read_text(encoding="utf-8")
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
            f"run; run it there: python {shell_word(chapter.file)}"
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
