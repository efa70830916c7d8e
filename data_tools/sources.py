"""Data sets by name: where they lie, whether they are here, and how to load them."""

from pathlib import Path
from typing import NamedTuple

from data_tools import shapes
from data_tools.cache import cached
from data_tools.cifar import COUNTS, read_cifar
from data_tools.files import ARCHIVES, Files, open_files
from data_tools.folders import PREFIX, parse_name, read_folder
from data_tools.imageset import DataError, ImageSet
from data_tools.root import data_root


class Known(NamedTuple):
    """A data set that has a name here."""

    name: str
    about: str
    place: Path | None  # where it was found; None where it is absent

    @property
    def present(self) -> bool:
        """Whether it can be loaded now."""
        return self.name == "shapes" or self.place is not None


ABOUT = {
    "shapes": "ten shapes drawn by code, 32 px: 16,000 train, 1,000 val, 2,000 test",
    "cifar10": "ten kinds of things, 32 px: 50,000 train, 10,000 test",
    "cifar100": "a hundred kinds of things, 32 px: 50,000 train, 10,000 test",
}
_FOLDERS = {
    "cifar10": ("cifar10", "cifar-10-batches-bin", "cifar-10-batches-py"),
    "cifar100": ("cifar100", "cifar-100-binary", "cifar-100-python"),
}


def known_sets(root: str | Path | None = None) -> list[Known]:
    """List the sets that have names, and where they are."""
    return [Known(name, about, _find(name, data_root(root))) for name, about in ABOUT.items()]


def load(name: str, split: str, root: str | Path | None = None) -> ImageSet:
    """Load one split of a data set: "shapes", "cifar10", "cifar100" or "folder:PATH[@SIZE]".

    The first load decodes and caches, later ones map the cache.

    Raises
    ------
    NoSuchSplit
        If the set has no such split.
    DataError
        If the set is unknown, absent, damaged or mislabelled.
    """
    base = data_root(root)
    if name == "shapes":
        if split not in shapes.COUNTS:
            return shapes.make(split)  # says which splits there are
        made = f"v{shapes.VERSION}"
        return cached(base, f"shapes-{split}", made, lambda: shapes.make(split))
    if name.startswith(PREFIX):
        place, size = parse_name(name)
        print_of = open_files(place).fingerprint()
        key = f"folder-{place.name}-{size}px-{split}"
        return cached(base, key, print_of, lambda: read_folder(name, split))
    if name not in ABOUT:
        raise DataError(
            f"unknown data set {name!r}; known: {', '.join(ABOUT)}, folder:PATH (class folders)"
        )
    return load_files(name, split, base)


def load_files(name: str, split: str, base: Path) -> ImageSet:
    """Load a split of a set that lies in files below the data folder."""
    place = _find(name, base)
    if place is None:
        raise DataError(
            f"{name} is not in {base}: `tervit data get {name}` downloads it, "
            f"`tervit data get {name} --from FILE` takes a copy you have"
        )
    files: Files = open_files(place)
    if split not in COUNTS:
        return read_cifar(name, split, files)  # says which splits there are
    return cached(
        base, f"{name}-{split}", files.fingerprint(), lambda: read_cifar(name, split, files)
    )


def _find(name: str, base: Path) -> Path | None:
    """Return the folder or archive of a set, None where there is none."""
    folders = [base / folder for folder in _FOLDERS.get(name, ())]
    archives = [base / f"{name}{suffix}" for suffix in ARCHIVES if name in _FOLDERS]
    return next((place for place in folders + archives if place.exists()), None)
