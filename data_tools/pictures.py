"""Picture files into arrays of bytes, on several threads: Pillow leaves Python's lock to decode."""

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
_SLICE = 64  # pictures that one thread takes at a time
_KINDS = {"L": "grey"}  # what Pillow's names of modes mean, where they do not say it
_ORIENTATION = 0x0112  # EXIF tag; 1 means upright


def is_picture(name: str) -> bool:
    """Tell by its ending whether a file is a picture."""
    return name.lower().endswith(SUFFIXES)


def decode(content: bytes, source: str, size: int, exact: bool = False) -> Array:
    """Decode one picture.  -> uint8 (size, size, 3).

    Grey, palette and CMYK become RGB, 16 bits become 8, transparency is dropped, and the camera's
    orientation is applied. The short side is resized to `size` and the middle cut out, or, where
    `exact`, another size is refused.

    Raises
    ------
    DataError
        If the file is no picture, damaged, or of another size than an exact one.
    """
    from PIL import Image, ImageOps

    picture, _ = opened(content, source)
    if picture.size != (size, size):
        if exact:
            found = f"{picture.width} x {picture.height}"
            raise DataError(f"{source}: the picture is {found}, expected {size} x {size}")
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def opened(content: bytes, source: str) -> tuple["Image", str]:
    """Open a picture as RGB, upright.  -> picture, what it was: RGB, grey, CMYK, rotated, ...

    Raises
    ------
    DataError
        If the file is no picture, or damaged.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not content:
        raise DataError(f"{source}: not a readable picture, the file is empty")
    try:
        with Image.open(io.BytesIO(content)) as file:
            upright = file.getexif().get(_ORIENTATION, 1) == 1
            kind = _KINDS.get(file.mode, file.mode) if upright else "rotated"
            picture = file if upright else ImageOps.exif_transpose(file)
            return _rgb(picture, source), kind
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{source}: not a readable picture, of no known form") from None
    except Image.DecompressionBombError:
        raise DataError(f"{source}: too large a picture; it would fill the memory") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{source}: not a readable picture, perhaps cut off ({error})") from None


def _rgb(picture: "Image", source: str) -> "Image":
    """Convert to RGB; of 16 bits, which Pillow would clip, the upper 8 are taken."""
    from PIL import Image

    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):  # what is white is nowhere said
        raise DataError(f"{source}: pixels of 32 bits; save the picture with 8 or 16")
    return picture.convert("RGB")


def decode_all(
    files: Iterable[tuple[str, bytes]], total: int, place: str, size: int, exact: bool
) -> tuple[Array, list[str]]:
    """Decode files in their order, showing progress.  -> uint8 (total, size, size, 3), names."""
    images = np.empty((total, size, size, 3), np.uint8)
    names: list[str] = []
    progress = Progress(total)

    def some(items: list[tuple[int, tuple[str, bytes]]]) -> list[str]:
        for index, (name, content) in items:
            images[index] = decode(content, f"{place}/{name}", size, exact)
        return [name for _, (name, _) in items]

    numbered = enumerate(files)
    threads = min(os.cpu_count() or 1, 8)
    with ThreadPoolExecutor(threads) as pool:
        while slices := list(_slices(numbered, 2 * threads)):
            for done in pool.map(some, slices):
                names += done
            if progress.due():
                progress.show(
                    f"decoding {len(names)} of {total} pictures, {progress.left(len(names))}"
                )
    progress.end()
    return images, names


def _slices(
    files: Iterable[tuple[int, tuple[str, bytes]]], most: int
) -> Iterable[list[tuple[int, tuple[str, bytes]]]]:
    """Take the next few slices of the files, so that few contents are in memory at a time."""
    for _ in range(most):
        if part := list(islice(files, _SLICE)):
            yield part
