"""Decode picture files into uint8 arrays, on several threads: Pillow releases the GIL to decode."""

import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from data_tools.imageset import Array, DataError
from data_tools.progress import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".ppm")
_SLICE = 64  # pictures that one thread decodes at a time
_KINDS = {"L": "grey"}  # a readable name for a Pillow mode that has none
_ORIENTATION = 0x0112  # EXIF tag; 1 means upright


def is_picture(name: str) -> bool:
    """Return whether the suffix of a file name is that of a picture."""
    return name.lower().endswith(SUFFIXES)


def decode(content: bytes, source: str, size: int, exact: bool = False) -> Array:
    """Decode one picture.  -> uint8 (size, size, 3).

    Grey, palette and CMYK become RGB, 16 bits become 8, transparency is dropped, and the camera's
    orientation is applied. The short side is resized to `size` and the centre cropped; with
    `exact`, the picture must have that size already.

    Raises
    ------
    DataError
        If the file is not a picture or damaged, or if `exact` and it has another size.
    """
    from PIL import Image, ImageOps

    picture, _ = open_picture(content, source)
    if picture.size != (size, size):
        if exact:
            actual = f"{picture.width} x {picture.height}"
            raise DataError(f"{source}: the picture is {actual}, expected {size} x {size}")
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def open_picture(content: bytes, source: str) -> tuple["Image", str]:
    """Open a picture and convert it to upright RGB.

    Returns the picture and what the file contained: "RGB", "grey", "CMYK", "rotated", ...

    Raises
    ------
    DataError
        If the file is not a picture, or damaged.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not content:
        raise DataError(f"{source}: not a readable picture: the file is empty")
    try:
        with Image.open(io.BytesIO(content)) as file:
            upright = file.getexif().get(_ORIENTATION, 1) == 1
            kind = _KINDS.get(file.mode, file.mode) if upright else "rotated"
            picture = file if upright else ImageOps.exif_transpose(file)
            return _rgb(picture, source), kind
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{source}: not a readable picture: unknown format") from None
    except Image.DecompressionBombError:
        raise DataError(f"{source}: the picture is too large for the memory") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{source}: not a readable picture, perhaps incomplete ({error})") from None


def _rgb(picture: "Image", source: str) -> "Image":
    """Convert to RGB; keep the upper 8 of 16 bits, which Pillow would clip."""
    from PIL import Image

    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):  # the file does not say which value is white
        raise DataError(f"{source}: its pixels have 32 bits; save it with 8 or 16")
    return picture.convert("RGB")


def decode_all(
    files: Iterable[tuple[str, bytes]], total: int, folder: str, size: int, exact: bool
) -> tuple[Array, list[str]]:
    """Decode all files in order and show progress.  -> uint8 (total, size, size, 3), names."""
    images = np.empty((total, size, size, 3), np.uint8)
    names: list[str] = []
    progress = Progress(total)

    def decode_slice(items: list[tuple[int, tuple[str, bytes]]]) -> list[str]:
        for index, (name, content) in items:
            images[index] = decode(content, f"{folder}/{name}", size, exact)
        return [name for _, (name, _) in items]

    numbered = enumerate(files)
    threads = min(os.cpu_count() or 1, 8)
    with ThreadPoolExecutor(threads) as pool:
        while slices := list(_slices(numbered, 2 * threads)):
            for done in pool.map(decode_slice, slices):
                names += done
            if progress.due():
                progress.show(
                    f"decoding {len(names)} of {total} pictures, {progress.time_left(len(names))}"
                )
    progress.end()
    return images, names


def _slices(
    files: Iterable[tuple[int, tuple[str, bytes]]], count: int
) -> Iterable[list[tuple[int, tuple[str, bytes]]]]:
    """Yield the next `count` slices at most, so that few files are in memory at a time."""
    for _ in range(count):
        if part := list(islice(files, _SLICE)):
            yield part
