"""A cache of decoded images, memory-mapped, so that only the first load decodes.

    <data folder>/decoded/<name>-<split>-<fingerprint>/images.npy  labels.npy  meta.json

A cache is written into a temporary folder, synced and renamed, so it is complete or absent. When
the source files change, so does their fingerprint, and the older cache is removed. meta.json has a
checksum of every byte of all three files; a cache that does not match it is written anew.
"""

import json
import os
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.imageset import Array, ImageSet
from data_tools.paths import (
    partial_path,
    remove_abandoned,
    sync_folder,
    user_cache,
    writable_folder,
)
from data_tools.terminal import note

FORMAT = 3
_FIELDS = ("name", "split", "classes", "mean", "std")
_MAX_META = 1_000_000  # bytes of meta.json
_PIECE = 1 << 20  # bytes that are read at a time


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
        note(f"no folder for the decoded {name} is writable; the next run decodes again")
        return images
    try:
        _write(images, folder / key)
    except OSError as error:
        note(f"could not cache the decoded {name}: {error}")
        return images
    if folder == root / "decoded":  # the user's cache may serve several data folders
        _remove_older(folder, name, key)
    stored = _read(folder / key)
    return images if stored is None else stored


def _write(images: ImageSet, folder: Path) -> None:
    remove_abandoned(folder.parent)
    partial = partial_path(folder.parent)
    partial.mkdir()
    try:
        _save(partial / "images.npy", images.images)
        _save(partial / "labels.npy", images.labels)
        meta = {"format": FORMAT, **{key: getattr(images, key) for key in _FIELDS}}
        text = json.dumps({**meta, "checksum": _checksum(partial, meta)})
        if len(text) > _MAX_META:
            raise OSError("it has too many classes")
        with open(partial / "meta.json", "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(partial)
        if folder.exists() and not _is_good(folder):
            shutil.rmtree(folder)
        if not folder.exists():  # another process may have written it meanwhile
            os.replace(partial, folder)
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_good(folder: Path) -> bool:
    try:
        return _open(folder) is not None
    except Exception:  # as in _read, which has said it
        return False


def _save(path: Path, array: Array) -> None:
    with open(path, "xb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _read(folder: Path) -> ImageSet | None:
    """Memory-map a cached set; None if it is absent or unusable; damage is said."""
    if not (folder / "meta.json").is_file():
        return None
    try:
        return _open(folder)
    except Exception as error:  # json and NumPy raise anything for damaged bytes
        reason = str(error) or type(error).__name__
        note(f"the cache {folder} is damaged ({reason}) and is made anew")
        return None


def _read_meta(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        text = file.read(_MAX_META + 1)
    meta = json.loads(text) if len(text) <= _MAX_META else None
    if not isinstance(meta, dict):
        raise ValueError("its description is not a JSON object, or is too long")
    return meta


def _open(folder: Path) -> ImageSet | None:
    """Map the images and read the labels, after the checksum; None if the format is another one."""
    meta = _read_meta(folder / "meta.json")
    if meta.get("format") != FORMAT:
        return None
    if meta.pop("checksum", None) != _checksum(folder, meta):
        raise ValueError("its checksum is wrong")
    images, labels = (  # a map is never larger than its file
        np.lib.format.open_memmap(folder / f"{name}.npy", mode="r") for name in ("images", "labels")
    )
    if labels.dtype != np.int64:
        raise ValueError(f"its labels are {labels.dtype}")
    return ImageSet(
        str(meta["name"]),
        str(meta["split"]),
        images,
        np.array(labels),
        tuple(map(str, meta["classes"])),
        _three(meta["mean"]),
        _three(meta["std"]),
    )


def _three(numbers: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, numbers)
    return red, green, blue


def _checksum(folder: Path, meta: dict[str, Any]) -> int:
    """Return a CRC of the description and of both files: 0.1 s for CIFAR-10."""
    checksum = zlib.crc32(json.dumps(meta, sort_keys=True).encode())
    for name in ("labels.npy", "images.npy"):
        with open(folder / name, "rb") as file:
            while piece := file.read(_PIECE):
                checksum = zlib.crc32(piece, checksum)
    return checksum


def _remove_older(folder: Path, name: str, key: str) -> None:
    """Remove the caches of this name except `key`."""
    pattern = re.compile(re.escape(name) + r"-\w+")
    for path in folder.iterdir():
        if path.name != key and pattern.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
