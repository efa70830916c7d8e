"""A cache of decoded images, memory-mapped, so that only the first load decodes.

    <data folder>/decoded/<name>-<split>-<fingerprint>/images.npy  labels.npy  meta.json

A cache is written into a temporary folder and renamed, so it is complete or absent. When the source
files change, so does their fingerprint, and the older cache is removed. meta.json has a checksum of
every byte; a cache that does not match it is written anew.
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
    """Return the cached set with this name and fingerprint, or make it and cache it.

    Caches of the same name with another fingerprint are out of date and are removed. If no folder
    is writable, the set is made but not cached.
    """
    key = f"{name}-{fingerprint}"
    for base in (root, user_cache()):
        if (stored := _read(base / "decoded" / key)) is not None:
            return stored
    images = make()
    folder = writable_folder(root / "decoded", user_cache() / "decoded")
    if folder is None:
        print(f"note: no folder for the decoded {name} is writable; the next run decodes again",
              file=sys.stderr)  # fmt: skip
        return images
    try:
        _write(images, folder / key)
    except OSError as error:
        print(f"note: could not cache the decoded {name}: {error}", file=sys.stderr)
        return images
    if folder == root / "decoded":  # the user's cache may serve several data folders
        _remove_older(folder, name, key)
    stored = _read(folder / key)
    return images if stored is None else stored


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
        if not folder.exists():  # another process may have written it meanwhile
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _read(folder: Path) -> ImageSet | None:
    """Memory-map a cached set; None if it is absent, damaged or of another format."""
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
    """Return a CRC of shapes, types and every byte: 0.05 s for CIFAR-10, read from disk anyway."""
    shapes = repr((images.shape, str(images.dtype), str(labels.dtype)))
    checksum = zlib.crc32(shapes.encode())
    for array in (labels, images):
        checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return checksum


def _remove_older(folder: Path, name: str, key: str) -> None:
    """Remove the caches of this name except `key`."""
    pattern = re.compile(re.escape(name) + r"-\w+")
    for path in folder.iterdir():
        if path.name != key and pattern.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
