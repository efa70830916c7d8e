"""Names of ImageNet's classes: WordNet ids, as in folder names, and English words.

Models of ImageNet number its thousand classes in the sorted order of the ids, from 0. Folders are
named in three ways, and `imagenet_labels` knows each: ids, these numbers, or English names.
"""

import re
from functools import cache
from importlib import resources

from data_tools.class_names import first_few, is_number
from data_tools.imageset import DataError
from data_tools.terminal import printable

_ID = re.compile(r"n\d{8}")
_ID_FIRST = re.compile(r"(n\d{8})(?![0-9A-Za-z])")  # also "n01440764-tench"


@cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """Return (WordNet id, word) of ImageNet's thousand classes in official order."""
    text = resources.files("data_tools").joinpath("imagenet_classes.txt").read_text("utf-8")
    return tuple((line[:9], line[10:]) for line in text.splitlines())


def are_wordnet_ids(classes: tuple[str, ...]) -> bool:
    """Return whether all class names are WordNet ids."""
    return all(_ID.fullmatch(name) for name in classes)


def in_words(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return names to print or draw: for WordNet ids of ImageNet's classes their words."""
    if not are_wordnet_ids(classes):
        return tuple(map(printable, classes))
    words = dict(imagenet_classes())
    return tuple(words.get(name, name) for name in classes)


def imagenet_labels(classes: tuple[str, ...], source: str) -> tuple[int, ...]:
    """Return the number of each class among ImageNet's thousand.

    Raises
    ------
    DataError
        If the classes are neither WordNet ids of the thousand, nor exactly the numbers 0 to 999,
        nor English names of the thousand.
    """
    number_of = {id: number for number, (id, _) in enumerate(imagenet_classes())}
    ids = [_ID_FIRST.match(name) for name in classes]
    if all(ids):
        labels = [number_of.get(match[1]) for match in ids if match]
    elif all(map(is_number, classes)) and sorted(map(int, classes)) == [*range(len(number_of))]:
        labels = [int(name) for name in classes]
    else:
        labels = [_numbers_of_words().get(_simplified(name)) for name in classes]
    known = [label for label in labels if label is not None]
    if len(known) == len(classes) == len(set(known)):
        return tuple(known)
    raise DataError(f"{source}: {_why_unknown(classes, labels)}")


@cache
def _numbers_of_words() -> dict[str, int]:
    """Return the number of each English name that only one class has."""
    words = [_simplified(word) for _, word in imagenet_classes()]
    return {word: number for number, word in enumerate(words) if words.count(word) == 1}


def _simplified(name: str) -> str:
    """Return the first of several names, with one space for other signs: "great_white_shark"."""
    return " ".join(re.findall("[a-z0-9]+", name.partition(",")[0].lower()))


def _why_unknown(classes: tuple[str, ...], labels: list[int | None]) -> str:
    if None in labels:
        reason = f"{classes[labels.index(None)]!r} is not one of ImageNet's thousand classes"
    else:
        twice = next(label for label in labels if labels.count(label) > 1)
        same = [name for name, label in zip(classes, labels, strict=True) if label == twice]
        reason = f"{same[0]!r} and {same[1]!r} are one class of ImageNet"
    found = f"{len(classes)}: {first_few(classes)}"
    return (
        f"{reason}; expected WordNet ids (n01440764), all numbers from 0 to 999, or English names "
        f"(great white shark) as names of folders, found {found}"
    )
