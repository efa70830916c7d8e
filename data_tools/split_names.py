"""Folder names that mean a split: "train", "Valid", "ILSVRC2012_img_val", "test_set", ..."""

import re

SPLITS = ("train", "val", "test")
_SYNONYMS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "validate", "dev", "eval", "evaluation"),
    "test": ("test", "testing", "tst"),
}
_SPLIT_OF = {word: split for split, words in _SYNONYMS.items() for word in words}
_WORDS = "|".join(sorted(_SPLIT_OF, key=len, reverse=True))
_FILLERS = "(?:ilsvrc|imagenet|images?|imgs?|pictures|photos|data|dataset|set|split|folder)*"
_SPLIT = re.compile(f"{_FILLERS}({_WORDS}){_FILLERS}")
_CONTAINERS = ("images", "image", "imgs", "img", "jpegimages", "data", "dataset")


def split_of(folder: str) -> str | None:
    """Return the split that a folder's name means, in any letter case; None for other names.

    Digits and signs do not count, and words as "set", "data" or "images" may surround the split's.
    """
    match = _SPLIT.fullmatch(re.sub("[^a-z]", "", folder.lower()))
    return _SPLIT_OF[match[1]] if match else None


def prefixed_split_of(folder: str) -> tuple[str, str] | None:
    """Return the split at the end of a longer name, and the rest: "asl_alphabet_train"."""
    match = re.fullmatch(f"(.+)[^a-z]({_WORDS})", folder.lower())
    return (_SPLIT_OF[match[2]], match[1]) if match else None


def mentioned_splits(name: str) -> set[str]:
    """Return the splits whose words occur anywhere in a name: "val_part1_000" mentions val."""
    words = re.split("[^a-z]+", name.lower())
    return {_SPLIT_OF[word] for word in words if word in _SPLIT_OF}


def is_container(folder: str) -> bool:
    """Return whether a folder's name says that it contains pictures, and not of which class."""
    return folder.lower() in _CONTAINERS
