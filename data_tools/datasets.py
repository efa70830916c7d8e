"""Data sets by name: where they lie, whether they are here, and how to load them."""

from pathlib import Path
from typing import NamedTuple

from data_tools import shapes, streamed
from data_tools.cache import cached
from data_tools.cifar import COUNTS, read_cifar
from data_tools.files import ARCHIVES, Files, open_files, short_hash
from data_tools.folders import PREFIX, parse_name, read_folder
from data_tools.imageset import DataError, ImageSet
from data_tools.mirrors import ORIGINS
from data_tools.paths import data_root
from data_tools.streamed import StreamedSet


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
# Names that the sets have when unpacked, and as downloaded.
_PLACES = {
    "cifar10": ("cifar10", "cifar-10-batches-bin", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "cifar100": ("cifar100", "cifar-100-binary", "cifar-100-python", "cifar-100-python.tar.gz"),
}


def known_sets(root: str | Path | None = None) -> list[Known]:
    """List the sets that have names, and where they are."""
    return [Known(name, about, find(name, data_root(root))) for name, about in ABOUT.items()]


def load(name: str, split: str, root: str | Path | None = None) -> ImageSet | StreamedSet:
    """Load one split of a data set.

    "shapes", "cifar10", "cifar100" and "folder:PATH[@SIZE]" are held in memory: the first load
    decodes and caches, later ones map the cache. "imagenet:PATH[,OPTION=VALUE...]" stays on disk.

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
    if name.startswith(streamed.PREFIX):
        return streamed.read_streamed(name, split, base)
    if name.startswith(PREFIX):
        return _load_folder(name, split, base)
    if name not in ABOUT:
        raise DataError(
            f"unknown data set {name!r}; known: {', '.join(ABOUT)}, folder:PATH and imagenet:PATH "
            "(class folders)"
        )
    place = find(name, base)
    if place is None:
        raise DataError(
            f"{name} is not in {base}: `tervit data get {name}` downloads it, "
            f"`tervit data get {name} --from FILE` takes a copy you have"
        )
    files = open_files(place)
    if split not in COUNTS:
        return read_cifar(name, split, files)  # says which splits there are
    return cached(
        base, f"{name}-{split}", files.fingerprint(), lambda: read_cifar(name, split, files)
    )


def _load_folder(name: str, split: str, base: Path) -> ImageSet:
    place, size = parse_name(name)
    files = open_files(place)
    whole = place.resolve()
    key = f"folder-{whole.name}-{short_hash(str(whole))}-{size}px-{split}"
    return cached(base, key, files.fingerprint(), lambda: read_folder(name, split, files))


def cache_split(images: ImageSet, files: Files, base: Path) -> ImageSet:
    """Cache a split that was read from files with the same contents as `files`."""
    return cached(base, f"{images.name}-{images.split}", files.fingerprint(), lambda: images)


def find(name: str, base: Path) -> Path | None:
    """Return the folder or archive of a set, None where there is none."""
    if name not in ORIGINS:
        return None
    archives = [f"{name}{suffix}" for suffix in ARCHIVES] + [o.file for o in ORIGINS[name]]
    places = [base / place for place in (*_PLACES[name], *archives)]
    return next((place for place in places if place.exists()), None)
