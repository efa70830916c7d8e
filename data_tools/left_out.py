"""What of a folder or an archive is not read, so that nobody has another data set than they think.

`tervit data show` lists everything; loading a split prints a note of what may be pictures.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from data_tools.counted import counted
from data_tools.files import Files
from data_tools.layout import Layout
from data_tools.picture_formats import is_picture
from data_tools.terminal import note

_TEXTS = (  # endings of files that are no pictures
    *(".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".md", ".rst", ".html", ".yaml", ".yml"),
    *(".toml", ".ini", ".cfg", ".log", ".py", ".ipynb", ".mat", ".db", ".bib", ".sh"),
)
_NAMES = ("LICENSE", "README", "CHANGELOG", "NOTICE", "CITATION", "SOURCES")


class LeftOut(NamedTuple):
    """Files of one kind that are not read."""

    thing: str  # in the singular, such as "picture"
    where: str  # what follows it, such as " outside the class folders"
    number: int
    example: str
    matters: bool  # whether they may be pictures

    def __str__(self) -> str:
        return f"{counted(self.number, self.thing)}{self.where} ({self.example})"


def left_out(files: Files, layout: Layout, below: str = "") -> list[LeftOut]:
    """Return what is not read below a folder, by kind."""
    kinds: dict[tuple[str, str, bool], list[str]] = {}
    for thing, where, matters, name in _unread(files, layout):
        if name.startswith(below):
            kinds.setdefault((thing, where, matters), []).append(name)
    return [
        LeftOut(thing, where, len(names), names[0], matters)
        for (thing, where, matters), names in kinds.items()
    ]


def _unread(files: Files, layout: Layout) -> Iterator[tuple[str, str, bool, str]]:
    """Yield kind (thing and where), whether it matters, and name of each file that is not read."""
    lists = {name for split in layout.splits.values() for name in split.lists}
    for name in files.names():
        if is_picture(name):
            if not any(name in split.class_of for split in layout.splits.values()):
                yield "picture", _where(name, layout), True, name
        elif name not in lists:
            path = PurePosixPath(name)
            ending = path.suffix.lower()
            is_text = ending in _TEXTS or path.stem.upper() in _NAMES
            kind = (f"{ending} file", "") if ending else ("file", " without an ending")
            yield *kind, not is_text, name
    for name in files.specials():
        yield "link or special file", "", True, name
    for name in files.empty_folders():
        yield "empty folder", "", True, name


def _where(name: str, layout: Layout) -> str:
    for folder in layout.unlabelled.values():
        if name.startswith(folder):
            return f" without labels in {folder}"
    return " outside the class folders"


def note_on(files: Files, layout: Layout, split: str) -> str:
    """Return a sentence on what is left out of a split and may be pictures; "" if nothing is."""
    folder = layout.split(split).folder
    found = [kind for kind in left_out(files, layout, folder) if kind.matters]
    if not found:
        return ""
    return f"{split} split leaves out {', '.join(map(str, found))}"


@cache
def print_note(path: Path, text: str) -> None:
    """Print what `note_on` says of a set at this path on standard error, the first time only."""
    if text:
        note(f"{path}, {text}")
