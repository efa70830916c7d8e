"""Brightness, contrast, colour and sharpness, to the same bits on every machine.

    out = start + factor (pixel - start)        float32, cut to a byte

    brightness   start = 0
    contrast     start = the mean grey of the picture
    colour       start = the grey of the pixel
    sharpness    start = the pixel of the smoothed picture

Pillow's ImageEnhance computes the same numbers. But its package for Arm fuses the product and the
sum, and where `out` is near a whole number, the byte is then another one. NumPy rounds after each
operation. What is still Pillow's is exact: greys are integers, and a smoothed pixel is a sum of
bytes divided by 13, never so near to a half that its rounding would count.
"""

from typing import TYPE_CHECKING

import numpy as np

from data_tools.imageset import Array

if TYPE_CHECKING:
    from PIL.Image import Image

_BYTES = np.arange(256, dtype=np.uint8)


def brightness(picture: "Image", factor: float) -> "Image":
    """Scale all values; a factor of 0 gives black, of 1 the picture, and more a brighter one."""
    return picture.point(blend(np.zeros_like(_BYTES), _BYTES, factor).tolist() * 3)


def contrast(picture: "Image", factor: float) -> "Image":
    """Scale distances from the mean grey."""
    grey = np.asarray(picture.convert("L"))
    mean = int(grey.sum(dtype=np.int64) / grey.size + 0.5)
    return picture.point(blend(np.full_like(_BYTES, mean), _BYTES, factor).tolist() * 3)


def colour(picture: "Image", factor: float) -> "Image":
    """Scale distances from the grey of the same brightness."""
    return _away_from(picture.convert("L").convert("RGB"), picture, factor)


def sharpness(picture: "Image", factor: float) -> "Image":
    """Scale distances from the smoothed picture."""
    from PIL import ImageFilter

    return _away_from(picture.filter(ImageFilter.SMOOTH), picture, factor)


def _away_from(start: "Image", picture: "Image", factor: float) -> "Image":
    from PIL import Image

    return Image.fromarray(blend(np.asarray(start), np.asarray(picture), factor))


def blend(start: Array, end: Array, factor: float) -> Array:
    """Return start + factor (end - start), cut to bytes.  uint8 (...) -> uint8 (...)."""
    step = np.subtract(end, start, dtype=np.float32)
    step *= np.float32(factor)
    step += start
    result: Array = np.clip(step, 0, 255, out=step).astype(np.uint8)
    return result
