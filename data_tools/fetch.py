"""Bring a data set into the data folder: downloaded, or taken from a file or folder.

A copy is decoded and checked completely before it gets its place, so a bad one changes nothing.
"""

import os
import shutil
import tempfile
from pathlib import Path

from data_tools import streamed
from data_tools.cifar import COUNTS, VARIANTS, read_cifar
from data_tools.datasets import ABOUT, cache_split, find, load
from data_tools.download import download
from data_tools.files import ARCHIVES, open_files
from data_tools.folders import PREFIX
from data_tools.imageset import DataError, ImageSet
from data_tools.mirrors import ORIGINS
from data_tools.paths import data_root, writable_folder
from data_tools.streamed import StreamedSet


def get(
    name: str, root: str | Path | None = None, source: Path | None = None
) -> list[ImageSet | StreamedSet]:
    """Make a set present and return its splits; one that is here already is only loaded.

    `source` is a folder or archive in any form that the set comes in; without it an archive is
    downloaded.

    Raises
    ------
    DataError
        If the set is unknown, cannot be downloaded, `source` is not a good copy of it, another
        copy is here, or the data folder cannot be written.
    """
    if name == "shapes":
        return [load(name, split, root) for split in ("train", "val", "test")]
    if name.startswith((PREFIX, streamed.PREFIX)):
        raise DataError(f"{name} is read from where it lies: there is nothing to get")
    if name not in VARIANTS:
        raise DataError(f"unknown data set {name!r}; known: {', '.join(ABOUT)}")
    base = data_root(root)
    present = find(name, base)
    if source is not None and (present is None or not _same(source, present)):
        return _take(name, source, base, present)
    if present is None:
        _writable(base)
        download(ORIGINS[name], base)
    return [load(name, split, base) for split in COUNTS]


def _take(
    name: str, source: Path, base: Path, present: Path | None
) -> list[ImageSet | StreamedSet]:
    """Check a copy completely, copy it into the data folder under the set's name, cache it."""
    files = open_files(source)
    if present is not None:
        raise DataError(f"{present} is there already; remove it to take another copy")
    checked = [read_cifar(name, split, files) for split in COUNTS]
    _writable(base)
    suffix = next((s for s in ARCHIVES if source.name.endswith(s)), "")
    target = base / f"{name}{suffix}"
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=base) as partial:
        copy = Path(partial, "copy")
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copyfile(source, copy)
        os.replace(copy, target)
    return [cache_split(images, open_files(target), base) for images in checked]


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def _writable(base: Path) -> None:
    if writable_folder(base) is None:
        raise DataError(f"{base} cannot be written; set TERVIT_DATA or --root to another folder")
