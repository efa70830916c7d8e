"""Decoded images on disk, memory-mapped, so that only the first load decodes.

    <data folder>/decoded/<name>-<split>-<fingerprint>/images.npy  labels.npy  meta.json

A cache appears whole or not at all: it is written into a folder beside its place and renamed. The
fingerprint changes with the sources, and the cache of older sources is then removed. meta.json
holds a checksum of every byte; what does not fit it is made again.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_tools.imageset import Array, ImageSet
from data_tools.paths import user_cache, writable_folder

FORMAT = 2
_PARTIAL = ".partial-"


def cached(root: Path, name: str, fingerprint: str, make: Callable[[], ImageSet]) -> ImageSet:
    """Return the set of that fingerprint from the cache, or make it and cache it.

    `name` is the first part of the folder's name; a cache of that name with another fingerprint is
    out of date. Where nothing can be written the set is only made.
    """
    key = f"{name}-{fingerprint}"
    for base in (root, user_cache()):
        folder = base / "decoded" / key
        if (found := _read(folder)) is not None:
            return found
    made = make()
    place = writable_folder(root / "decoded", user_cache() / "decoded")
    if place is None:
        print(f"note: no folder for the decoded {name} is writable, so the next run decodes again",
              file=sys.stderr)  # fmt: skip
        return made
    try:
        _write(made, place / key)
    except OSError as error:
        print(f"note: the decoded {name} were not cached: {error}", file=sys.stderr)
        return made
    if place == root / "decoded":  # the user's cache may hold copies of other data folders
        _remove_older(place, name, key)
    found = _read(place / key)
    return made if found is None else found


def _write(images: ImageSet, folder: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder.parent))
    try:
        np.save(partial / "images.npy", images.images)
        np.save(partial / "labels.npy", images.labels)
        fields = ("name", "split", "classes", "mean", "std")
        meta = {key: getattr(images, key) for key in fields}
        checksum = _checksum(images.images, images.labels)
        text = json.dumps({"format": FORMAT, **meta, "checksum": checksum})
        (partial / "meta.json").write_text(text, encoding="utf-8")
        if folder.exists() and _read(folder) is None:
            shutil.rmtree(folder)
        if not folder.exists():  # it does if another process was faster
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _read(folder: Path) -> ImageSet | None:
    """Map a cached set; None where it is absent, damaged or of another format."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False)
        if meta["format"] != FORMAT or meta["checksum"] != _checksum(images, labels):
            return None
        return ImageSet(
            meta["name"],
            meta["split"],
            images,
            labels,
            tuple(meta["classes"]),
            tuple(meta["mean"]),
            tuple(meta["std"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checksum(images: Array, labels: Array) -> int:
    """Sum up shapes, types and every byte: 0.05 s for CIFAR-10, which has to be read anyway."""
    shapes = repr((images.shape, str(images.dtype), str(labels.dtype)))
    checksum = zlib.crc32(shapes.encode())
    for array in (labels, images):
        checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return checksum


def _remove_older(place: Path, name: str, key: str) -> None:
    """Remove caches that were made of earlier states of the same sources."""
    fingerprint = re.compile(re.escape(name) + r"-\w+")
    for folder in place.iterdir():
        if folder.name != key and fingerprint.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
