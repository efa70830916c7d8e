"""Names of ImageNet's classes: WordNet ids in folders, words for people."""

import re
from functools import cache
from importlib import resources

_ID = re.compile(r"n\d{8}")


@cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """Return (WordNet id, word) of ImageNet's thousand classes in official order."""
    text = resources.files("data_tools").joinpath("imagenet_classes.txt").read_text("utf-8")
    return tuple((line[:9], line[10:]) for line in text.splitlines())


def are_wordnet(classes: tuple[str, ...]) -> bool:
    """Tell whether all names of classes are WordNet ids."""
    return all(_ID.fullmatch(name) for name in classes)


def in_words(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Replace the ids of ImageNet's classes by words; other names stay as they are."""
    if not are_wordnet(classes):
        return classes
    words = dict(imagenet_classes())
    return tuple(words.get(name, name) for name in classes)
