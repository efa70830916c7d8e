"""Data sets by name: which are here, where they are, and how to load them."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from data_tools import shapes, streamed
from data_tools.cache import cached
from data_tools.cifar import COUNTS, read_cifar
from data_tools.files import ARCHIVES, Files, Folder, cache_name, open_files
from data_tools.folders import PREFIX, parse_name, read_folder
from data_tools.holdout import read_layout
from data_tools.imageset import DataError, ImageSet
from data_tools.left_out import note_on, print_note
from data_tools.mirrors import MIRRORS
from data_tools.paths import data_root
from data_tools.spelling import did_you_mean
from data_tools.streamed import StreamedSet


class DatasetInfo(NamedTuple):
    """A data set with a name of its own."""

    name: str
    about: str
    path: Path | None  # folder or archive; None if absent

    @property
    def present(self) -> bool:
        """Whether it can be loaded now."""
        return self.name == "shapes" or self.path is not None


ABOUT = {
    "shapes": "ten shapes drawn by code, 32 px: 16,000 train, 1,000 val, 2,000 test",
    "cifar10": "ten classes of objects, 32 px: 50,000 train, 10,000 test",
    "cifar100": "a hundred classes of objects, 32 px: 50,000 train, 10,000 test",
}
_FILE_NAMES = {  # of the official archives and of the folders in them
    "cifar10": ("cifar10", "cifar-10-batches-bin", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "cifar100": ("cifar100", "cifar-100-binary", "cifar-100-python", "cifar-100-python.tar.gz"),
}


def list_datasets(root: str | Path | None = None) -> list[DatasetInfo]:
    """List the data sets that have names, and where they are."""
    return [
        DatasetInfo(name, about, locate(name, data_root(root))) for name, about in ABOUT.items()
    ]


def load(name: str, split: str, root: str | Path | None = None) -> ImageSet | StreamedSet:
    """Load one split of a data set.

    "shapes", "cifar10", "cifar100" and "folder:PATH[@SIZE][,test=X]" are loaded into memory: the
    first load decodes and caches, later ones map the cache. "imagenet:PATH[,OPTION=VALUE...]" and
    "shards:PATH[,...]" stay on disk.

    Raises
    ------
    NoSuchSplit
        If the set has no such split.
    DataError
        If the set is unknown, absent, damaged or mislabelled.
    """
    if not isinstance(name, str):
        raise DataError(f"data set is {name!r}; expected a name, such as shapes")
    base = data_root(root)
    if name == "shapes":
        if split not in shapes.COUNTS:
            return shapes.make(split)  # raises NoSuchSplit
        version = f"v{shapes.VERSION}"
        return cached(base, f"shapes-{split}", version, lambda: shapes.make(split))
    if name.startswith(streamed.PREFIXES):
        return streamed.read_streamed(name, split, base)
    if name.startswith(PREFIX):
        return _load_folder(name, split, base)
    if name not in ABOUT:
        near = did_you_mean(name, ABOUT) or (
            f"; expected {', '.join(ABOUT)}, or folder:PATH or imagenet:PATH for class folders, or "
            "shards:PATH for tar shards"
        )
        raise DataError(f"unknown data set {name!r}{near}")
    return _load_cifar(name, split, base)


def _load_cifar(name: str, split: str, base: Path) -> ImageSet:
    path = locate(name, base)
    if path is None:
        raise DataError(
            f"{name} is not in {base}: `tervit data get {name}` downloads it, "
            f"`tervit data get {name} --from FILE` imports a copy"
        )
    files = open_files(path)
    if split not in COUNTS:
        return read_cifar(name, split, files)  # raises NoSuchSplit
    return cached(
        base, f"{name}-{split}", files.fingerprint(), lambda: read_cifar(name, split, files)
    )


def _load_folder(name: str, split: str, base: Path) -> ImageSet:
    path, size, test = parse_name(name)
    files = open_files(path)
    if isinstance(files, Folder):  # to list an archive takes as long as to decode it
        print_note(path, note_on(files, read_layout(files, test), split))
    aside = f"-test{test!r}" if test else ""
    key = f"folder-{cache_name(path)}{aside}-{size}px-{split}"
    images = cached(base, key, files.fingerprint(), lambda: read_folder(name, split, files))
    return replace(images, name=name)  # the cache has the name of who made it: ./x, /home/me/x


def cache_split(images: ImageSet, files: Files, base: Path) -> ImageSet:
    """Cache a split under the fingerprint of `files`, which have the same contents."""
    return cached(base, f"{images.name}-{images.split}", files.fingerprint(), lambda: images)


def locate(name: str, base: Path) -> Path | None:
    """Return the folder or archive of a data set in the folder `base`, None if it is absent."""
    if name not in MIRRORS:
        return None
    archives = [f"{name}{suffix}" for suffix in ARCHIVES] + [m.file for m in MIRRORS[name]]
    paths = [base / file for file in (*_FILE_NAMES[name], *archives)]
    return next((path for path in paths if path.exists()), None)
