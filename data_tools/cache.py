"""Decoded images on disk, memory-mapped, so that only the first load decodes.

    <data folder>/decoded/<name>-<split>-<fingerprint>/images.npy  labels.npy  meta.json

A cache appears whole or not at all: it is written into a folder beside its place and renamed. The
fingerprint changes with the sources; meta.json holds a checksum, and what does not fit it is made
again.
"""

import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_tools.imageset import Array, ImageSet
from data_tools.root import user_cache, writable_folder

FORMAT = 1


def cached(root: Path, name: str, fingerprint: str, make: Callable[[], ImageSet]) -> ImageSet:
    """Return the set of that fingerprint from the cache, or make it and cache it.

    `name` is part of the folder's name. Where nothing can be written the set is only made.
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
    return _read(place / key) or made


def _write(images: ImageSet, folder: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    try:
        np.save(partial / "images.npy", images.images)
        np.save(partial / "labels.npy", images.labels)
        fields = ("name", "split", "classes", "mean", "std")
        meta = {key: getattr(images, key) for key in fields}
        checksum = _checksum(images.images, images.labels)
        text = json.dumps({"format": FORMAT, **meta, "checksum": checksum})
        (partial / "meta.json").write_text(text, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # what is there did not pass _read
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
    """Sum up the labels and a thousandth of the images: rows far apart find a cut or mixed file."""
    rows = np.linspace(0, max(len(images) - 1, 0), min(len(images), 64)).astype(int)
    start = zlib.crc32(repr((images.shape, str(images.dtype), str(labels.dtype))).encode())
    sample = np.ascontiguousarray(images[rows])
    return zlib.crc32(sample.tobytes(), zlib.crc32(labels.tobytes(), start))
