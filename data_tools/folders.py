"""Any folder of pictures, resized to one square size: "folder:PATH", or "folder:PATH@64" for 64 px.

    train/<class>/...  val/<class>/...  test/<class>/...   up to three splits; where there is no
                                                           test, val is the test split
    <class>/...                                            a single split, called train
    val/images/... with val/val_annotations.txt            Tiny-ImageNet's form of a split

Classes are the sorted names of the class folders, which for ImageNet's WordNet ids is the official
order. An archive will do in place of a folder. A split is decoded in memory, 3 bytes a pixel.
"""

from pathlib import Path

import numpy as np

from data_tools.files import Files
from data_tools.imageset import DataError, ImageSet, NoSuchSplit
from data_tools.pictures import decode_all, is_picture
from data_tools.preprocess import IMAGENET_MEAN, IMAGENET_STD

PREFIX = "folder:"
SPLITS = ("train", "val", "test")
_ANNOTATIONS = "val/val_annotations.txt"  # lines of: file, class, bounding box; tabs between


def parse_name(name: str) -> tuple[Path, int]:
    """Take "folder:PATH@SIZE" apart.  -> path, size; DataError if the size is no number."""
    place, at, size = name.removeprefix(PREFIX).rpartition("@")
    if not at:
        return Path(size).expanduser(), 32
    if not size.isdigit() or not 4 <= int(size) <= 1024:
        raise DataError(f"{name}: the size {size!r} after @ is no number from 4 to 1024")
    return Path(place).expanduser(), int(size)


def read_folder(name: str, split: str, files: Files) -> ImageSet:
    """Read one split of the pictures in `files`, at the size that `name` asks for.

    Raises
    ------
    NoSuchSplit
        If there is no such split.
    DataError
        If there are no class folders, the split has a class of its own, or a picture is damaged.
    """
    splits = find_splits(files)
    if split not in splits:
        raise NoSuchSplit(
            f"{files.place} has no split {split!r}; it has {' and '.join(splits)}; expected "
            f"pictures in {files.place}/{split}/<class>/"
        )
    teaching = "train" if "train" in splits else split
    classes = tuple(sorted(set(splits[teaching].values())))
    mine = splits[split]
    unknown = sorted(set(mine.values()) - set(classes))
    if unknown:
        raise DataError(
            f"{files.place}: class {unknown[0]!r} of {split} does not occur in train; its classes "
            f"are {', '.join(classes[:3])}{', ...' * (len(classes) > 3)}"
        )
    _, size = parse_name(name)
    read = files.read(mine.__contains__)
    images, order = decode_all(read, len(mine), str(files.place), size, False)
    number = {c: i for i, c in enumerate(classes)}
    labels = np.array([number[mine[file]] for file in order], np.int64)
    return ImageSet(name, split, images, labels, classes, IMAGENET_MEAN, IMAGENET_STD)


def find_splits(files: Files) -> dict[str, dict[str, str]]:
    """Find the pictures of each split.  -> split -> file -> class.

    Raises
    ------
    DataError
        If no picture lies in a class folder.
    """
    names = files.names()
    top = _common_folder(names)
    found: dict[str, dict[str, str]] = {split: {} for split in SPLITS}
    single: dict[str, str] = {}
    for file in filter(is_picture, names):
        first, *rest = file.removeprefix(top).split("/")
        if first in SPLITS and len(rest) >= 2:
            found[first][file] = rest[0]
        elif first not in SPLITS and rest:
            single[file] = first
    if top + _ANNOTATIONS in names:
        found["val"] = _annotated(files, top)
        found["test"] = {}  # Tiny-ImageNet's test pictures have no labels
    if not found["test"]:
        found["test"], found["val"] = found["val"], {}
    splits = {split: members for split, members in found.items() if members}
    splits = splits or ({"train": single} if single else {})
    if not splits:
        raise DataError(
            f"{files.place}: expected pictures in train/<class>/ and in test/<class>/ or "
            "val/<class>/, or in <class>/"
        )
    return splits


def _common_folder(names: list[str]) -> str:
    """Return the folder, with its slash, in which an archive holds the splits; "" if none."""
    top = names[0].partition("/")[0] + "/" if names else ""
    inside = top.rstrip("/") not in SPLITS and all(name.startswith(top) for name in names)
    nested = any(name.removeprefix(top).split("/")[0] in SPLITS for name in names)
    return top if inside and nested else ""


def _annotated(files: Files, top: str) -> dict[str, str]:
    """Read Tiny-ImageNet's list of validation pictures.  -> file -> class."""
    (_, content), *_ = files.read((top + _ANNOTATIONS).__eq__)
    rows = [line.split("\t") for line in content.decode("utf-8", "replace").splitlines() if line]
    listed = {f"{top}val/images/{row[0]}": row[1] for row in rows if len(row) > 1}
    missing = sorted(listed.keys() - set(files.names()))
    if missing or not listed:
        what = f"{missing[0]} is missing" if missing else f"{_ANNOTATIONS} lists no picture"
        raise DataError(f"{files.place}: {what}; unpack the set again")
    return listed
