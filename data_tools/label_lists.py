"""Lists that label the pictures of a split without class folders, as ImageNet's validation split.

    val_annotations.txt in val/                  file, class, box                (Tiny-ImageNet)
    LOC_val_solution.csv                         name, "class box class box ..." (Kaggle)
    val.txt in val/, next to it or in meta/      file, class or its number       (Caffe, OpenMMLab)
    imagenet_2012_validation_synset_labels.txt   a class for each picture in the order of the names
    ILSVRC2012_validation_ground_truth.txt       a number for each picture, see devkit.py

The same with train or test in place of val. A number counts the sorted classes from 0 if all of
these numbers occur; other numbers have several readings and are refused.
"""

import csv
from pathlib import PurePosixPath
from typing import NamedTuple

from data_tools.class_names import class_order, is_number
from data_tools.counted import counted
from data_tools.devkit import devkit_classes
from data_tools.files import Files
from data_tools.imageset import DataError
from data_tools.picture_formats import is_picture
from data_tools.tree import Tree
from data_tools.wordnet import imagenet_classes

_SYNSET_LABELS = "imagenet_2012_validation_synset_labels.txt"
_SPARE_LINES, _LINE_BYTES = 10_000, 2_000  # beyond two a picture; on average
_GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"


class Listed(NamedTuple):
    """The labels of a split, and the files that they are from."""

    class_of: dict[str, str]  # picture: class; empty if there is no list
    sources: tuple[str, ...]


def listed_classes(files: Files, folder: Tree, split: str, classes: set[str]) -> Listed:
    """Label the pictures of a folder by a list.

    `classes` are those of the class folders of other splits; empty if there are none.

    Raises
    ------
    DataError
        If the list and the pictures differ, or it has numbers or names that fit no class.
    """
    if (file := _find(files, folder, split)) is None:
        return Listed({}, ())
    pictures = sorted(folder.all_pictures())
    source, base = f"{files.path}/{file}", PurePosixPath(file).name
    ((_, content),) = files.read(file.__eq__)
    lines = _lines(content, len(pictures), source)
    if base == _GROUND_TRUTH:
        listed = _in_order(lines, pictures, source)
        ids, kit = devkit_classes(files)
        return Listed(_by_number(listed, dict(enumerate(ids, 1)), source), (file, kit))
    if base == _SYNSET_LABELS:
        listed = _in_order(lines, pictures, source)
    else:
        listed = _join(_rows(base, lines, source), pictures, source)
    if all(map(is_number, listed.values())) and not classes >= set(listed.values()):
        order = _numbered_classes(listed, classes, files, source)
        listed = _by_number(listed, dict(enumerate(order)), source)
    return Listed(listed, (file,))


def _lines(content: bytes, pictures: int, source: str) -> list[str]:
    """Split a list into lines; a hostile one may have far more of them than memory can hold."""
    count = content.count(b"\n")
    if count > 2 * pictures + _SPARE_LINES or len(content) > _LINE_BYTES * (count + 1):
        raise DataError(
            f"{source}: {counted(len(content), 'byte')} in {counted(count, 'line')} are no list of "
            f"{counted(pictures, 'picture')}"
        )
    return content.decode("utf-8-sig", "replace").split("\n")


def _in_order(lines: list[str], pictures: list[str], source: str) -> dict[str, str]:
    """Give the first picture the first line's label, and so on."""
    labels = [line.strip() for line in lines if line.strip()]
    if len(labels) != len(pictures):
        raise DataError(
            f"{source}: {counted(len(labels), 'label')} for {counted(len(pictures), 'picture')}"
        )
    return dict(zip(pictures, labels, strict=True))


def _find(files: Files, folder: Tree, split: str) -> str | None:
    """Return the list for a split, of the first kind that is there.

    Raises
    ------
    DataError
        If there are two of one kind.
    """
    inside, parent = folder.path, folder.path[:-1].rpartition("/")[0]
    parent += "/" * bool(parent)
    kinds = [
        (inside, f"{split}_annotations.txt"),
        (None, f"LOC_{split}_solution.csv"),
        (inside, f"{split}.txt"),
        (parent, f"{split}.txt"),
        (f"{parent}meta/", f"{split}.txt"),
    ]
    kinds += [(None, _SYNSET_LABELS), (None, _GROUND_TRUTH)] * (split == "val")
    texts = [name for name in files.names() if name.endswith((".txt", ".csv"))]
    for place, base in kinds:
        found = [name for name in texts if name == f"{place or _folder(name)}{base}"]
        if len(found) > 1:
            raise DataError(f"{files.path}: two lists of labels, {found[0]} and {found[1]}")
        if found:
            return found[0]
    return None


def _folder(name: str) -> str:
    folder, slash, _ = name.rpartition("/")
    return folder + slash


def _rows(base: str, lines: list[str], source: str) -> list[tuple[str, str]]:
    """Return file name and class of each line; DataError if it is no table."""
    if base.endswith(".csv"):
        try:
            rows = [row for row in csv.reader(lines) if row and row[0] != "ImageId"]
        except csv.Error as error:
            raise DataError(f"{source}: not a table of comma-separated values ({error})") from None
    else:
        rows = [line.split("\t" if "\t" in line else None) for line in lines if line.strip()]
    return [(row[0].strip(), row[1].split()[0]) for row in rows if len(row) > 1 and row[1].strip()]


def _join(rows: list[tuple[str, str]], pictures: list[str], source: str) -> dict[str, str]:
    """Find the picture of each row.  -> {file: class}.

    Raises
    ------
    DataError
        If a row or a picture is alone, a picture has two classes, or two pictures have one name.
    """
    has_endings = all(is_picture(name) for name, _ in rows)
    file_of: dict[str, str] = {}
    for file in pictures:
        path = PurePosixPath(file)
        name = path.name if has_endings else path.stem
        if name in file_of:
            raise DataError(f"{source}: which of {file_of[name]} and {file} is {name}?")
        file_of[name] = file
    listed: dict[str, str] = {}
    missing = []
    for name, label in rows:
        path = PurePosixPath(name)
        file = file_of.get(path.name if has_endings or not is_picture(name) else path.stem, "")
        if not file:
            missing.append(name)
        elif listed.setdefault(file, label) != label:
            raise DataError(f"{source}: {name} has two classes, {listed[file]} and {label}")
    return _complete(listed, missing, pictures, source)


def _complete(
    listed: dict[str, str], missing: list[str], pictures: list[str], source: str
) -> dict[str, str]:
    """Refuse a list that has other pictures than the folder."""
    alone = [file for file in pictures if file not in listed]
    if not listed and not missing:
        raise DataError(f"{source} lists no picture; unpack the set again")
    if missing:
        raise DataError(f"{source}: {_first_of(missing)} is missing; unpack the set again")
    if alone:
        raise DataError(f"{source}: {_first_of(alone)} is not in this list")
    return listed


def _first_of(names: list[str]) -> str:
    return names[0] + f" (the first of {len(names)})" * (len(names) > 1)


def _numbered_classes(
    listed: dict[str, str], classes: set[str], files: Files, source: str
) -> tuple[str, ...]:
    """Return the classes that numbers from 0 count: those of folders, or ImageNet's thousand.

    Raises
    ------
    DataError
        If not all of these numbers occur, or if they only count the pictures.
    """
    ids = tuple(id for id, _ in imagenet_classes())
    order = class_order(classes, files.path) if classes else ids
    numbers = [int(label) for label in listed.values()]
    if set(numbers) != set(range(len(order))) or numbers == list(range(len(numbers))):
        raise DataError(
            f"{source}: labels are numbers from {min(numbers)} to {max(numbers)}, and how they "
            f"count the {len(order)} classes is not certain; expected names of classes, or all "
            f"numbers from 0 to {len(order) - 1}"
        )
    return order


def _by_number(listed: dict[str, str], order: dict[int, str], source: str) -> dict[str, str]:
    """Replace numbers by the classes that have them."""
    for file, label in listed.items():
        if not is_number(label) or int(label) not in order:
            raise DataError(
                f"{source}: {file} has the label {label!r}, expected a number from {min(order)} to "
                f"{max(order)}"
            )
    return {file: order[int(label)] for file, label in listed.items()}
