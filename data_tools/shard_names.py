"""Which tar archives of a folder belong to which split, by their names.

train-000000.tar  train-000001.tar  val-000000.tar      a word for the split before the number
train-00000-of-00002.tar                                which may be followed by that of all shards
imagenet-train-000000.tar                               also at the end of a longer name
train/000000.tar                                        or as the name of the folder
flowers-000.tar                                         no such word at all: everything is train

A word for val or test elsewhere in a name, as in val_part1_000.tar, is refused: read as train, its
pictures would be trained on and tested.
"""

import re
from pathlib import Path
from typing import NamedTuple

from data_tools.files import ARCHIVES
from data_tools.imageset import DataError
from data_tools.split_names import mentioned_splits, prefixed_split_of, split_of

_NUMBERED = re.compile(r"(.*?)[-_.]?(\d+)(?:[-_.]of[-_.]\d+)?")


class Shards(NamedTuple):
    """The archives of one folder."""

    splits: dict[str, list[str]]  # names relative to the folder, in the order of their numbers
    before_gap: str  # the last name before the first gap of a series; "" if there is none
    val_is_test: bool  # the validation split serves as test, as there is no other


def find_shards(path: Path) -> Shards:
    """Find the shards in a folder and in the folders in it.

    Raises
    ------
    DataError
        If there are none, they are compressed, or only some have the name of a split where it is
        looked for.
    """
    if not path.is_dir():
        raise DataError(f"{path}: expected a folder of tar shards, such as train-000000.tar")
    names = sorted(file.relative_to(path).as_posix() for file in _files(path))
    packed = [name for name in names if not name.lower().endswith(".tar")]
    if packed:
        raise DataError(f"{path}: {packed[0]} is compressed; unpack it to .tar")
    if not names:
        raise DataError(f"{path}: no tar shards, such as train-000000.tar")
    found: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        split, number = _split_and_number(Path(name))
        found.setdefault(split, []).append((number, name))
    if unclear := _unclear(found):
        raise DataError(
            f"{path}: to which split does {unclear} belong? Begin the names of all shards with "
            "train-, val- or test-"
        )
    before_gap = next(filter(None, (_before_gap(shards) for shards in found.values())), "")
    splits = {split or "train": [name for _, name in sorted(s)] for split, s in found.items()}
    if val_is_test := "test" not in splits and "val" in splits:
        splits["test"] = splits.pop("val")
    return Shards(splits, before_gap, val_is_test)


def _files(path: Path) -> list[Path]:
    """Return the archives in the folder, and in the folders in it, that are not hidden."""
    folders = [path, *(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))]
    files = [file for folder in folders for file in folder.iterdir() if file.is_file()]
    visible = [file for file in files if not file.name.startswith(".")]
    return [file for file in visible if file.name.lower().endswith(ARCHIVES)]


def _split_and_number(name: Path) -> tuple[str, int]:
    """Return the split that a shard's name says, "" for none, and its number, -1 for none."""
    match = _NUMBERED.fullmatch(name.stem)
    prefix, number = (match[1], int(match[2])) if match else (name.stem, -1)
    words = [prefix, name.parent.name]
    for word in words:
        if split := split_of(word):
            return split, number
        if found := prefixed_split_of(word):
            return found[0], number
    return "", number


def _unclear(found: dict[str, list[tuple[int, str]]]) -> str:
    """Return a name that says no split, but others do, or it mentions one elsewhere; "" if none."""
    names = [name for _, name in found.get("", [])]
    if names and len(found) > 1:
        return names[0]
    return next((name for name in names if mentioned_splits(name) - {"train"}), "")


def _before_gap(shards: list[tuple[int, str]]) -> str:
    """Return the name of the shard before a gap of the numbers, "" if there is no gap."""
    ordered = sorted(shards)
    for (number, name), (following, _) in zip(ordered[:-1], ordered[1:], strict=True):
        if following > number + 1 and number >= 0:
            return name
    return ""
