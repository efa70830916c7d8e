"""Data sets "folder:PATH[@SIZE][,test=X]": any pictures in class folders, by default 32 px.

PATH is a folder or an archive; layout.py lists the layouts. Classes are the sorted names of the
class folders, whole numbers by their value; for ImageNet's WordNet ids this is the official order.
A split is decoded into memory, 3 bytes per pixel. With test=X a folder without a test split gets
one, this fraction of each class (holdout.py).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_tools.class_names import is_number
from data_tools.files import Files
from data_tools.holdout import read_layout
from data_tools.imageset import DataError, ImageSet
from data_tools.left_out import note_on, print_note
from data_tools.paths import expand_user
from data_tools.pictures import decode_all
from data_tools.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from data_tools.set_names import fraction, split_options

PREFIX = "folder:"


class FolderName(NamedTuple):
    """What the name of such a set says."""

    path: Path
    size: int = 32  # pixels
    test: float = 0.0  # fraction of each class that is set aside as test split


def parse_name(name: str) -> FolderName:
    """Read "folder:PATH@SIZE,test=X".

    Raises
    ------
    DataError
        If the size is not a number from 4 to 1024, or an option is unknown or no fraction.
    """
    text, options = split_options(name, PREFIX, ("test",))
    test = fraction(name, options.get("test", "0"))
    whole = expand_user(text)
    path, at, size = text.rpartition("@")
    if not at or whole.exists():  # a path may have an @
        return FolderName(whole, test=test)
    if not is_number(size) or not 4 <= int(size) <= 1024:
        raise DataError(f"{name}: the size after @ is {size!r}; expected a number from 4 to 1024")
    return FolderName(expand_user(path), int(size), test)


def with_size(name: str, size: int) -> str:
    """Return the name of the same set with pictures of another size."""
    text, options = split_options(name, PREFIX, ("test",))
    path = text if expand_user(text).exists() else text.rpartition("@")[0] or text
    return f"{PREFIX}{path}@{size}" + "".join(f",{key}={value}" for key, value in options.items())


def read_folder(name: str, split: str, files: Files) -> ImageSet:
    """Read one split of the pictures in `files`, at the size that `name` asks for.

    A note on standard error says what is left out.

    Raises
    ------
    NoSuchSplit
        If there is no such split.
    DataError
        If the layout is unknown, the split has a class that train lacks, or a picture is damaged.
    """
    _, size, test = parse_name(name)
    layout = read_layout(files, test)
    print_note(files.path, note_on(files, layout, split))
    class_of, classes = layout.split(split).class_of, layout.classes
    contents = files.read(class_of.__contains__)
    images, order = decode_all(contents, len(class_of), str(files.path), size, False)
    index = {name: i for i, name in enumerate(classes)}
    labels = np.array([index[class_of[file]] for file in order], np.int64)
    return ImageSet(name, split, images, labels, classes, IMAGENET_MEAN, IMAGENET_STD)
