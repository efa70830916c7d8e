"""Names of classes, from the names of folders."""

import unicodedata
from collections.abc import Iterable
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


def clean_names(class_of: dict[str, str], path: Path) -> dict[str, str]:
    """Make names of folders text that can be written anywhere.  -> {file: class}.

    Bytes that are not UTF-8, which Python keeps as surrogates, become escapes, and accents have
    one spelling: macOS writes letter and accent apart.

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
    return unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode())
