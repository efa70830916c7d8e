"""Names of classes: from the names of folders, in their order, and in a sentence."""

import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from data_tools.imageset import DataError


def class_order(names: Iterable[str], path: Path) -> tuple[str, ...]:
    """Return the classes in the order of their labels: sorted, whole numbers by their value.

    Raises
    ------
    DataError
        If two names are the same number.
    """
    names = sorted(names)
    if not all(is_number(name) for name in names):
        return tuple(names)
    numbers = {int(name): name for name in names}
    for name in names:
        if numbers[int(name)] != name:
            raise DataError(f"{path}: the classes {name} and {numbers[int(name)]} are one number")
    return tuple(numbers[number] for number in sorted(numbers))


def is_number(name: str) -> bool:
    """Return whether a name is a whole number of at most nine digits."""
    return name.isascii() and name.isdigit() and len(name) < 10


def first_few(names: Sequence[str], most: int = 3) -> str:
    """Return the first names for a sentence: "ant, bee, cat, ..."."""
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)


def clean_names(class_of: dict[str, str], path: Path) -> dict[str, str]:
    """Make names of folders text that can be written anywhere.  -> {file: class}.

    Python keeps bytes that it cannot decode as surrogates: those that are UTF-8 become text, so
    that a class has the same name where the locale is ASCII, and the others become escapes.
    Accents have one spelling: macOS writes letter and accent apart.

    Raises
    ------
    DataError
        If two folders get one name.
    """
    clean = {name: _clean(name) for name in set(class_of.values())}
    first = {new: old for old, new in clean.items()}
    for old, new in clean.items():
        if first[new] != old:
            raise DataError(f"{path}: two folders are named {new}, in two spellings; expected one")
    return {file: clean[name] for file, name in class_of.items()}


def _clean(name: str) -> str:
    with suppress(UnicodeEncodeError):  # a lone surrogate of Windows
        name = name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode())
