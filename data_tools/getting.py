"""Bring a data set into the data folder: downloaded, or taken from a file or folder.

What comes in is decoded and checked completely before it gets its place, so a bad file changes
nothing.
"""

import os
import shutil
import tempfile
from pathlib import Path

from data_tools.cifar import COUNTS, VARIANTS, read_cifar
from data_tools.download import download
from data_tools.files import ARCHIVES, open_files
from data_tools.imageset import DataError, ImageSet
from data_tools.root import data_root
from data_tools.sources import ABOUT, load

# name -> mirrors and SHA-256 of the official binary archive
ORIGINS = {
    "cifar10": (
        ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    "cifar100": (
        ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",),
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    ),
}


def get(name: str, root: str | Path | None = None, source: Path | None = None) -> list[ImageSet]:
    """Make a set present and return its splits.

    `source` is a folder or archive in any form that the set comes in; without it the official
    archive is downloaded.

    Raises
    ------
    DataError
        If the set is unknown, cannot be downloaded, or `source` is not a good copy of it.
    """
    if name == "shapes":
        return [load(name, split, root) for split in ("train", "val", "test")]
    if name not in VARIANTS:
        raise DataError(f"unknown data set {name!r}; known: {', '.join(ABOUT)}")
    base = data_root(root)
    if source is None:
        urls, sha256 = ORIGINS[name]
        download(urls, base / f"{name}.tar.gz", sha256)
    else:
        _take(name, source, base)
    return [load(name, split, base) for split in COUNTS]


def _take(name: str, source: Path, base: Path) -> None:
    """Check a copy completely, then copy it into the data folder under the set's name."""
    files = open_files(source)
    for split in COUNTS:
        read_cifar(name, split, files)
    base.mkdir(parents=True, exist_ok=True)
    suffix = next((s for s in ARCHIVES if source.name.endswith(s)), "")
    target = base / f"{name}{suffix}"
    if target.exists():
        if target.samefile(source):
            return
        raise DataError(f"{target} is there already; remove it to take another copy")
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=base) as partial:
        copy = Path(partial, "copy")
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copyfile(source, copy)
        os.replace(copy, target)
