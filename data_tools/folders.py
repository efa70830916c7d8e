"""Data sets "folder:PATH" (32 px) and "folder:PATH@64" (64 px): any pictures in class folders.

    train/<class>/...  val/<class>/...  test/<class>/...   up to three splits; without a test
                                                           split, val serves as test
    <class>/...                                            one split, called train
    val/images/... with val/val_annotations.txt            a split as in Tiny-ImageNet

Classes are the sorted names of the class folders; for ImageNet's WordNet ids this is the official
order. PATH may be an archive. A split is decoded into memory, 3 bytes per pixel.
"""

from pathlib import Path

import numpy as np

from data_tools.files import Files
from data_tools.imageset import DataError, ImageSet, NoSuchSplit
from data_tools.pictures import decode_all, is_picture
from data_tools.preprocess import IMAGENET_MEAN, IMAGENET_STD

PREFIX = "folder:"
SPLITS = ("train", "val", "test")
_ANNOTATIONS = "val/val_annotations.txt"  # tab-separated: file, class, bounding box


def parse_name(name: str) -> tuple[Path, int]:
    """Split "folder:PATH@SIZE".  -> path, size; DataError if the size is not a number."""
    path, at, size = name.removeprefix(PREFIX).rpartition("@")
    if not at:
        return Path(size).expanduser(), 32
    if not size.isdigit() or not 4 <= int(size) <= 1024:
        raise DataError(f"{name}: the size after @ is {size!r}; expected a number from 4 to 1024")
    return Path(path).expanduser(), int(size)


def read_folder(name: str, split: str, files: Files) -> ImageSet:
    """Read one split of the pictures in `files`, at the size that `name` asks for.

    Raises
    ------
    NoSuchSplit
        If there is no such split.
    DataError
        If there are no class folders, the split has a class that train lacks, or a picture is
        damaged.
    """
    splits = find_splits(files)
    if split not in splits:
        raise NoSuchSplit(
            f"{files.path} has no split {split!r}; it has {' and '.join(splits)}; expected "
            f"pictures in {files.path}/{split}/<class>/"
        )
    class_of = splits[split]
    classes = tuple(sorted(set(splits.get("train", class_of).values())))
    unknown = sorted(set(class_of.values()) - set(classes))
    if unknown:
        raise DataError(
            f"{files.path}: class {unknown[0]!r} of {split} does not occur in train; its classes "
            f"are {', '.join(classes[:3])}{', ...' * (len(classes) > 3)}"
        )
    _, size = parse_name(name)
    contents = files.read(class_of.__contains__)
    images, order = decode_all(contents, len(class_of), str(files.path), size, False)
    index = {name: i for i, name in enumerate(classes)}
    labels = np.array([index[class_of[file]] for file in order], np.int64)
    return ImageSet(name, split, images, labels, classes, IMAGENET_MEAN, IMAGENET_STD)


def find_splits(files: Files) -> dict[str, dict[str, str]]:
    """Find the pictures of each split.  -> {split: {file: class}}.

    Raises
    ------
    DataError
        If no picture is in a class folder.
    """
    names = files.names()
    top = _common_folder(names)
    class_of: dict[str, dict[str, str]] = {split: {} for split in SPLITS}
    unsplit: dict[str, str] = {}
    for file in filter(is_picture, names):
        first, *rest = file.removeprefix(top).split("/")
        if first in SPLITS and len(rest) >= 2:
            class_of[first][file] = rest[0]
        elif first not in SPLITS and rest:
            unsplit[file] = first
    if top + _ANNOTATIONS in names:
        class_of["val"] = _read_annotations(files, top)
        class_of["test"] = {}  # Tiny-ImageNet's test pictures have no labels
    if not class_of["test"]:
        class_of["test"], class_of["val"] = class_of["val"], {}
    splits = {split: members for split, members in class_of.items() if members}
    splits = splits or ({"train": unsplit} if unsplit else {})
    if not splits:
        raise DataError(
            f"{files.path}: expected pictures in train/<class>/ and in test/<class>/ or "
            "val/<class>/, or in <class>/"
        )
    return splits


def _common_folder(names: list[str]) -> str:
    """Return "name/" of the top folder of an archive that contains the splits, "" if none does."""
    top = names[0].partition("/")[0] + "/" if names else ""
    is_common = top.rstrip("/") not in SPLITS and all(name.startswith(top) for name in names)
    has_splits = any(name.removeprefix(top).split("/")[0] in SPLITS for name in names)
    return top if is_common and has_splits else ""


def _read_annotations(files: Files, top: str) -> dict[str, str]:
    """Read Tiny-ImageNet's list of validation pictures.  -> {file: class}."""
    (_, content), *_ = files.read((top + _ANNOTATIONS).__eq__)
    rows = [line.split("\t") for line in content.decode("utf-8", "replace").splitlines() if line]
    class_of = {f"{top}val/images/{row[0]}": row[1] for row in rows if len(row) > 1}
    missing = sorted(class_of.keys() - set(files.names()))
    if missing or not class_of:
        fault = f"{missing[0]} is missing" if missing else f"{_ANNOTATIONS} lists no picture"
        raise DataError(f"{files.path}: {fault}; unpack the set again")
    return class_of
