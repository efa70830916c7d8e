"""Brightness, contrast, colour and sharpness, to the same bits on every machine.

    out = start + factor (pixel - start)        float32, cut to a byte

    brightness   start = 0
    contrast     start = the mean grey of the picture
    colour       start = the grey of the pixel
    sharpness    start = the pixel of the smoothed picture

    grey         (19595 R + 38470 G + 7471 B) / 65536, rounded
    smoothed     (the sum of 3 x 3 pixels + 4 times the pixel) / 13, rounded; a pixel at the edge
                 stays as it is

Pillow's ImageEnhance computes the same numbers. But its package for Arm fuses the product and the
sum, and where `out` is near a whole number, the byte is then another one. NumPy rounds after each
operation.
"""

import numpy as np

from data_tools.imageset import Array

_BYTES = np.arange(256, dtype=np.uint8)


def brightness(pixels: Array, factor: float) -> Array:
    """Scale all values; a factor of 0 gives black, of 1 the picture, and more a brighter one."""
    return blend(np.zeros_like(_BYTES), _BYTES, factor).take(pixels)


def contrast(pixels: Array, factor: float) -> Array:
    """Scale distances from the mean grey."""
    grey = grey_of(pixels)
    mean = int(grey.sum(dtype=np.int64) / grey.size + 0.5)
    return blend(np.full_like(_BYTES, mean), _BYTES, factor).take(pixels)


def colour(pixels: Array, factor: float) -> Array:
    """Scale distances from the grey of the same brightness."""
    return blend(grey_of(pixels)[..., None], pixels, factor)


def sharpness(pixels: Array, factor: float) -> Array:
    """Scale distances from the smoothed picture."""
    return blend(smoothed(pixels), pixels, factor)


def grey_of(pixels: Array) -> Array:
    """Return the brightness of each pixel, as ITU-R BT.601 weighs red, green and blue.

    uint8 (H, W, 3) -> uint8 (H, W)
    """
    red, green, blue = np.moveaxis(pixels.astype(np.uint32), 2, 0)
    grey: Array = (19595 * red + 38470 * green + 7471 * blue + 2**15 >> 16).astype(np.uint8)
    return grey


def smoothed(pixels: Array) -> Array:
    """Average each pixel with its eight neighbours.  uint8 (H, W, 3) -> uint8 (H, W, 3)."""
    out = pixels.copy()
    rows = pixels.astype(np.uint16)
    rows = rows[:-2] + rows[1:-1] + rows[2:]
    total = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    inner = out[1:-1, 1:-1]
    total += inner.astype(np.uint16) * 4
    inner[...] = (2 * total + 13) // 26
    return out


def blend(start: Array, end: Array, factor: float) -> Array:
    """Return start + factor (end - start), cut to bytes.  uint8 (...) -> uint8 (...)."""
    step = np.subtract(end, start, dtype=np.float32)
    step *= np.float32(factor)
    step += start
    result: Array = np.clip(step, 0, 255, out=step).astype(np.uint8)
    return result
