"""Set pictures of a folder without a test split aside as one: folder:PATH,test=0.2.

Of every class the fraction is set aside whose names have the lowest hashes. So every command has
the same test pictures, their order says nothing about them, and nearly all stay where they are when
pictures are added to the folder.
"""

import hashlib
from dataclasses import replace

from data_tools.counted import counted
from data_tools.files import Files
from data_tools.imageset import DataError
from data_tools.layout import Layout, find_layout


def read_layout(files: Files, test: float) -> Layout:
    """Find the splits and classes, and set a fraction `test` of each class aside, if it is not 0.

    Raises
    ------
    DataError
        If the layout is not understood, there is a test split already, or a class is too small.
    """
    layout = find_layout(files)
    if test == 0:
        return layout
    if "test" in layout.splits:
        folder = layout.splits["test"].folder or "./"
        raise DataError(f"{layout.path} has a test split, in {folder}; leave test={test:g} out")
    train = layout.split("train")
    chosen = names_for_test(train.class_of, test)
    parts = {
        "train": {file: c for file, c in train.class_of.items() if file not in chosen},
        "test": {file: c for file, c in train.class_of.items() if file in chosen},
    }
    splits = {name: train._replace(class_of=class_of) for name, class_of in parts.items()}
    kind = f"{layout.kind}, {100 * test:g} % of each class set aside as test"
    return replace(layout, kind=kind, splits=splits)


def names_for_test(class_of: dict[str, str], fraction: float) -> set[str]:
    """Choose a fraction of the files of each class, at least one, by the hashes of their names.

    Raises
    ------
    DataError
        If a class would have no file left.
    """
    files_of: dict[str, list[str]] = {}
    for file, name in class_of.items():
        files_of.setdefault(name, []).append(file)
    chosen: set[str] = set()
    for name, files in files_of.items():
        count = max(1, round(fraction * len(files)))
        if count >= len(files):
            raise DataError(
                f"test={fraction:g}: the class {name!r} has {counted(len(files), 'picture')}, and "
                "none would be left to train on"
            )
        chosen.update(sorted(files, key=_rank)[:count])
    return chosen


def _rank(file: str) -> bytes:
    return hashlib.sha256(file.encode("utf-8", "surrogateescape")).digest()
