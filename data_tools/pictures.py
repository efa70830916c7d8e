"""Picture files into arrays of bytes, on several threads: Pillow leaves Python's lock to decode."""

import io
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from data_tools.imageset import Array, DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".ppm")
_BATCH = 512


def is_picture(name: str) -> bool:
    """Tell by its ending whether a file is a picture."""
    return name.lower().endswith(SUFFIXES)


def decode(content: bytes, source: str, size: int, exact: bool = False) -> Array:
    """Decode one picture.  -> uint8 (size, size, 3).

    Grey, palette and CMYK become RGB and the camera's orientation is applied. The short side is
    resized to `size` and the middle cut out, or, where `exact`, another size is refused.

    Raises
    ------
    DataError
        If the file is no picture, damaged, or of another size than an exact one.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{source}: not a readable picture, perhaps cut off ({error})") from None
    if picture.size != (size, size):
        if exact:
            found = f"{picture.width} x {picture.height}"
            raise DataError(f"{source}: the picture is {found}, expected {size} x {size}")
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def decode_all(
    files: Iterable[tuple[str, bytes]], total: int, place: str, size: int, exact: bool
) -> tuple[Array, list[str]]:
    """Decode files in their order, showing progress.  -> uint8 (total, size, size, 3), names."""
    images = np.empty((total, size, size, 3), np.uint8)
    names: list[str] = []
    progress = _Progress(total)

    def one(item: tuple[int, tuple[str, bytes]]) -> str:
        index, (name, content) = item
        images[index] = decode(content, f"{place}/{name}", size, exact)
        return name

    numbered = enumerate(files)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        while batch := list(islice(numbered, _BATCH)):
            names += pool.map(one, batch)
            progress.show(len(names))
    progress.end()
    return images, names


class _Progress:
    """Pictures decoded so far, once a second; silent where decoding is quick."""

    def __init__(self, total: int) -> None:
        self.total, self.started = total, time.monotonic()
        self.shown = self.started
        self.any = False

    def show(self, done: int) -> None:
        now = time.monotonic()
        if now - self.shown < 1:
            return
        self.shown, self.any = now, True
        left = (now - self.started) / done * (self.total - done)
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        end = "" if sys.stderr.isatty() else "\n"
        sys.stderr.write(f"{start}decoding {done} of {self.total} pictures, {left:.0f} s left{end}")
        sys.stderr.flush()

    def end(self) -> None:
        if self.any and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
