"""Decode picture files into uint8 arrays, on several threads: Pillow releases the GIL to decode.

Two kinds of Pillow's warnings are silenced in this process. One is of more than 89 million pixels,
which `fit_in_memory` decodes at a fraction of their size or refuses; the others are of damage that
leaves the pixels as they are, such as in EXIF.
"""

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from data_tools.counted import counted
from data_tools.imageset import Array, DataError
from data_tools.picture_formats import formats_for
from data_tools.picture_memory import JPEG, TooLargeError, fit_in_memory, metadata_bytes
from data_tools.progress import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

# For the process, and once: `catch_warnings` would change the filters of other threads.
warnings.filterwarnings("ignore", "Image size", RuntimeWarning, r"PIL\.Image$")
warnings.filterwarnings("ignore", "", UserWarning, r"PIL\.\w+Plugin$")

_SLICE, _SLICE_BYTES = 64, 1_000_000  # pictures that one thread decodes at a time, and their size
_KINDS = {"L": "grey"}  # a readable name for a Pillow mode that has none
_BITS, _PHOTOMETRIC = 258, 262  # tags of TIFF
_ORIENTATION = 0x0112  # EXIF tag; 1 means upright
_UPRIGHT = {  # orientation: name of the Transpose that turns the picture upright
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


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
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise DataError(f"{source}: not a readable picture: the file is empty")
    try:
        metadata = metadata_bytes(content)
        with Image.open(io.BytesIO(content), formats=formats_for(source)) as file:
            turn = _turn(file) if file.format in JPEG else None
            fit_in_memory(file, content, metadata, turn is not None)
            file.load()
            if turn is None and (turn := _turn(file)):  # a PNG may say it after its pixels
                fit_in_memory(file, content, metadata, True)
            kind = _KINDS.get(file.mode, file.mode)
            picture = _rgb(file, source)
        if turn is None:
            return picture, kind
        return picture.transpose(Image.Transpose[turn]), "rotated"
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{source}: not a readable picture: unknown format") from None
    except (TooLargeError, Image.DecompressionBombError) as error:
        raise DataError(f"{source}: the picture is too large: {error}") from None
    except Exception as error:  # the decoders raise anything when a file is damaged
        raise DataError(f"{source}: not a readable picture, perhaps incomplete ({error})") from None


def _turn(picture: "Image") -> str | None:
    """Return what turns a picture upright; damage to the other metadata does not matter."""
    try:
        return _UPRIGHT.get(int(picture.getexif().get(_ORIENTATION, 1)))
    except Exception:  # metadata are read by code that raises anything; the pixels are good
        return None


def _rgb(picture: "Image", source: str) -> "Image":
    """Convert to RGB; keep the upper 8 of 12 or 16 bits, which Pillow would clip."""
    from PIL import Image

    picture.info.pop("transparency", None)
    if picture.mode.startswith("I;16") or (picture.mode, picture.format) == ("I", "PPM"):
        tags = getattr(picture, "tag_v2", {})  # of TIFF
        grey = np.asarray(picture) >> (tags.get(_BITS, (16,))[0] - 8)
        if tags.get(_PHOTOMETRIC) == 0:  # zero is white
            grey = 255 - grey
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):  # the file does not say which value is white
        raise DataError(
            f"{source}: its pixels are signed, of 32 bits or floating-point; save it with 8 or 16 "
            "bits, unsigned"
        )
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def decode_all(
    files: Iterable[tuple[str, bytes]], total: int, folder: str, size: int, exact: bool
) -> tuple[Array, list[str]]:
    """Decode all files in order and show progress.  -> uint8 (total, size, size, 3), names.

    Raises
    ------
    DataError
        If pictures cannot be read: how many, and the first.
    """
    images = np.empty((total, size, size, 3), np.uint8)
    names: list[str] = []
    faults: dict[int, DataError] = {}
    progress = Progress(total)

    def decode_slice(items: list[tuple[int, tuple[str, bytes]]]) -> list[str]:
        for index, (name, content) in items:
            try:
                images[index] = decode(content, f"{folder}/{name}", size, exact)
            except DataError as error:
                faults[index] = error
        return [name for _, (name, _) in items]

    numbered = enumerate(files)
    threads = min(os.cpu_count() or 1, 8)
    with ThreadPoolExecutor(threads) as pool:
        while slices := list(_slices(numbered, 2 * threads)):
            for done in pool.map(decode_slice, slices):
                names += done
            if progress.due(len(names)):
                left = progress.time_left(len(names))
                progress.show(f"decoding {len(names):,} of {counted(total, 'picture')}, {left}")
    progress.end()
    if faults:
        first = faults[min(faults)]
        others = f" ({len(faults)} of {total} pictures are wrong)" * (len(faults) > 1)
        raise DataError(f"{first}; remove or replace it{others}")
    return images, names


def _slices(
    files: Iterator[tuple[int, tuple[str, bytes]]], count: int
) -> Iterable[list[tuple[int, tuple[str, bytes]]]]:
    """Yield the next `count` slices at most, so that few files are in memory at a time."""
    for _ in range(count):
        part, size = [], 0
        for numbered in islice(files, _SLICE):
            part.append(numbered)
            size += len(numbered[1][1])
            if size > _SLICE_BYTES:
                break
        if part:
            yield part
