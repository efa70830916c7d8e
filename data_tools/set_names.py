"""Names of data sets with options: folder:PATH,test=0.2 and imagenet:PATH,size=224,classes=10."""

import re

from data_tools.imageset import DataError
from data_tools.paths import expand_user


def split_options(name: str, prefix: str, known: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Split the options off a name, from its end, since a path may have commas.

    "imagenet:a,b,size=64" -> "a,b", {"size": "64"}

    Raises
    ------
    DataError
        If an option is unknown.
    """
    path, options = name.removeprefix(prefix), dict[str, str]()
    while not expand_user(path).exists():
        rest, comma, last = path.rpartition(",")
        option, equals, value = last.partition("=")
        if not comma or not equals or re.search(r"@\d+$", last):  # a size ends a path
            break
        if option not in known:
            raise DataError(f"{name}: unknown option {option!r}; expected {', '.join(known)}")
        path, options = rest, {option: value, **options}
    return path, options


def fraction(name: str, text: str) -> float:
    """Read a fraction of the pictures, at least 0 and below 1.

    Raises
    ------
    DataError
        If it is something else.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise DataError(f"{name}: test={text}; expected a fraction below 1, such as 0.2")
    return value
