"""Names of ImageNet's classes: WordNet ids, as in folder names, and English words."""

import re
from functools import cache
from importlib import resources

from data_tools.terminal import printable

_ID = re.compile(r"n\d{8}")


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
