"""Any folder of pictures: <place>/<split>/<class>/*.jpg, resized to one square size.

"folder:PATH" makes them 32 pixels wide, "folder:PATH@64" 64. Classes are the sorted names of the
folders below `train`. Where there is no `test`, `val` is the test split, as with ImageNet.
"""

from pathlib import Path

import numpy as np

from data_tools.files import open_files
from data_tools.imageset import DataError, ImageSet, NoSuchSplit
from data_tools.pictures import decode_all, is_picture
from data_tools.preprocess import IMAGENET_MEAN, IMAGENET_STD

PREFIX = "folder:"
SPLITS = ("train", "val", "test")


def parse_name(name: str) -> tuple[Path, int]:
    """Take "folder:PATH@SIZE" apart.  -> path, size; DataError if the size is no number."""
    place, at, size = name.removeprefix(PREFIX).rpartition("@")
    if not at:
        return Path(size).expanduser(), 32
    if not size.isdigit() or not 4 <= int(size) <= 1024:
        raise DataError(f"{name}: the size {size!r} after @ is no number from 4 to 1024")
    return Path(place).expanduser(), int(size)


def read_folder(name: str, split: str) -> ImageSet:
    """Read one split of the pictures that `name` (folder:PATH or folder:PATH@SIZE) points to.

    Raises
    ------
    NoSuchSplit
        If there is no such split.
    DataError
        If the folder is absent, has no classes, or a picture cannot be read.
    """
    place, size = parse_name(name)
    files = open_files(place)
    found: dict[str, dict[str, str]] = {s: {} for s in SPLITS}  # split -> file -> class
    for file in files.names():
        parts = file.split("/")
        if is_picture(file) and len(parts) >= 3 and parts[0] in found:
            found[parts[0]][file] = parts[1]
    if not found["test"]:
        found["test"], found["val"] = found["val"], {}
    if not found["train"] or not found["test"]:
        raise DataError(
            f"{place}: expected pictures in train/<class>/ and in test/<class>/ or val/<class>/"
        )
    if split not in found or not found[split]:
        raise NoSuchSplit(f"{place} has no split {split!r}")
    classes = tuple(sorted(set(found["train"].values())))
    mine = found[split]
    unknown = sorted(set(mine.values()) - set(classes))
    if unknown:
        raise DataError(f"{place}: class {unknown[0]!r} of {split} does not occur in train")
    images, read = decode_all(files.read(mine.__contains__), len(mine), str(place), size, False)
    labels = np.array([classes.index(mine[file]) for file in read], np.int64)
    return ImageSet(name, split, images, labels, classes, IMAGENET_MEAN, IMAGENET_STD)
