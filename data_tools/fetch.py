"""Fetch a data set into the data folder: download it, or import a file or folder.

A copy is decoded and checked completely before it is moved to its final name, so that a bad copy
changes nothing. A set is fetched by one process at a time.
"""

import os
import shutil
import tempfile
from pathlib import Path

from data_tools import streamed
from data_tools.cifar import CIFAR, COUNTS, read_cifar
from data_tools.datasets import ABOUT, cache_split, load, locate
from data_tools.download import download
from data_tools.files import ARCHIVES, Files, open_files
from data_tools.folders import PREFIX
from data_tools.imageset import DataError, ImageSet
from data_tools.lock import locked
from data_tools.mirrors import MIRRORS
from data_tools.paths import (
    PARTIAL,
    data_root,
    remove_abandoned,
    removed_if_empty,
    writable_folder,
)
from data_tools.spelling import did_you_mean
from data_tools.streamed import StreamedSet


def fetch_dataset(
    name: str, root: str | Path | None = None, source: Path | None = None
) -> list[ImageSet | StreamedSet]:
    """Return the splits of a data set, after downloading or importing it unless it is present.

    `source` is a folder or archive in any form that the set comes in; without it an archive is
    downloaded.

    Raises
    ------
    DataError
        If the set is unknown or cannot be downloaded, if `source` is not a good copy of it or
        another copy is present, or if the data folder is not writable.
    ValueError
        If another process is fetching the set.
    """
    if name == "shapes":
        if source is not None:
            raise DataError(f"shapes is drawn by code, so that {source} would not be read")
        return [load(name, split, root) for split in ("train", "val", "test")]
    if name.startswith((PREFIX, *streamed.PREFIXES)):
        raise DataError(f"{name} needs no download: it is read from its folder")
    if name not in CIFAR:
        near = did_you_mean(name, ABOUT) or f"; expected {', '.join(ABOUT)}"
        raise DataError(f"unknown data set {name!r}{near}")
    base = data_root(root)
    present = locate(name, base)
    if source is not None and (present is None or not _is_same_file(source, present)):
        with removed_if_empty(base):
            return _import_copy(name, source, base, present)
    if present is None:
        with removed_if_empty(base):
            _download(name, base)
    return [load(name, split, base) for split in COUNTS]


def _download(name: str, base: Path) -> None:
    _require_writable(base)
    with locked(base, name):
        if locate(name, base) is None:  # else another process has fetched it just now
            download(MIRRORS[name], base)


def _import_copy(
    name: str, source: Path, base: Path, present: Path | None
) -> list[ImageSet | StreamedSet]:
    """Check a copy completely, copy it into the data folder under the set's name, cache it."""
    files = open_files(source)
    if present is not None:
        raise DataError(f"{present} exists already; remove it to import another copy")
    if base.resolve().is_relative_to(source.resolve()):
        raise DataError(
            f"{source} contains the data folder {base}, so a copy would contain itself; move the "
            f"files of the set into {base / name}"
        )
    splits = [read_cifar(name, split, files) for split in COUNTS]
    _require_writable(base)
    suffix = next((s for s in ARCHIVES if source.name.lower().endswith(s)), "")
    target = base / f"{name}{suffix}"
    remove_abandoned(base)
    with locked(base, name), tempfile.TemporaryDirectory(prefix=PARTIAL, dir=base) as partial:
        copy = Path(partial, "copy")
        _copy(files, copy)
        os.replace(copy, target)
    return [cache_split(images, open_files(target), base) for images in splits]


def _copy(files: Files, target: Path) -> None:
    """Copy an archive, or the files that a folder lists, without what links lead back to."""
    if files.path.is_file():
        shutil.copyfile(files.path, target)
        return
    for name in files.names():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.path / name, target / name)


def _is_same_file(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def _require_writable(base: Path) -> None:
    if writable_folder(base) is None:
        raise DataError(f"{base} is not writable; set TERVIT_DATA or --root to another folder")
