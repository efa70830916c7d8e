"""Data sets "folder:PATH" (32 px) and "folder:PATH@64" (64 px): any pictures in class folders.

PATH is a folder or an archive; layout.py lists the layouts. Classes are the sorted names of the
class folders, whole numbers by their value; for ImageNet's WordNet ids this is the official order.
A split is decoded into memory, 3 bytes per pixel.
"""

from pathlib import Path

import numpy as np

from data_tools.class_names import is_number
from data_tools.files import Files
from data_tools.imageset import DataError, ImageSet
from data_tools.layout import find_layout
from data_tools.left_out import note_on, print_note
from data_tools.paths import expand_user
from data_tools.pictures import decode_all
from data_tools.preprocess import IMAGENET_MEAN, IMAGENET_STD

PREFIX = "folder:"


def parse_name(name: str) -> tuple[Path, int]:
    """Split "folder:PATH@SIZE".  -> path, size.

    Raises
    ------
    DataError
        If the size is not a number from 4 to 1024.
    """
    whole = expand_user(name.removeprefix(PREFIX))
    path, at, size = name.removeprefix(PREFIX).rpartition("@")
    if not at or whole.exists():  # a path may have an @
        return whole, 32
    if not is_number(size) or not 4 <= int(size) <= 1024:
        raise DataError(f"{name}: the size after @ is {size!r}; expected a number from 4 to 1024")
    return expand_user(path), int(size)


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
    layout = find_layout(files)
    print_note(note_on(files, layout, split))
    class_of, classes = layout.split(split).class_of, layout.classes
    _, size = parse_name(name)
    contents = files.read(class_of.__contains__)
    images, order = decode_all(contents, len(class_of), str(files.path), size, False)
    index = {name: i for i, name in enumerate(classes)}
    labels = np.array([index[class_of[file]] for file in order], np.int64)
    return ImageSet(name, split, images, labels, classes, IMAGENET_MEAN, IMAGENET_STD)
