"""RandAugment (Cubuk et al. 2020): a few random operations per image, one magnitude for all.

The magnitude runs from 0 (no change) to 10; each operation maps it to its own range, with a random
sign. DeiT's recipe draws two operations, applies each with probability 1/2, and draws its magnitude
from a Gaussian of mean 9 and standard deviation 0.5. Images narrower than 64 pixels are neither
inverted nor posterized: these two destroy them.
"""

from collections.abc import Callable

import numpy as np

from data_tools.affine import Affine, rotation, transform
from data_tools.enhance import brightness, colour, contrast, sharpness
from data_tools.imageset import Array

Operation = Callable[[Array, float], Array]  # uint8 (H, W, 3), strength in [-1, 1]
_BYTES = np.arange(256)
_GREY = 128  # of what comes from outside of a picture
_LARGE = 64  # least width in pixels for all operations


def randaugment(
    pixels: Array,
    operations: int,
    magnitude: float,
    rng: np.random.Generator,
    magnitude_std: float = 0.0,
    prob: float = 1.0,
) -> Array:
    """Apply random operations to one picture.  uint8 (H, W, 3) -> (H, W, 3)."""
    usable = SMALL if pixels.shape[1] < _LARGE else OPERATIONS
    chosen = rng.integers(len(usable), size=operations)
    signs = rng.choice((-1.0, 1.0), size=operations)
    strengths = np.clip(magnitude + magnitude_std * rng.standard_normal(operations), 0, 10) / 10
    applied = rng.random(operations) < prob
    for index in np.flatnonzero(applied):
        pixels = usable[chosen[index]](pixels, signs[index] * strengths[index])
    return pixels


def rotate(pixels: Array, strength: float) -> Array:
    """Rotate by up to 30 degrees."""
    height, width, _ = pixels.shape
    return transform(pixels, rotation(30 * strength, width, height), _GREY)


def shear_x(pixels: Array, strength: float) -> Array:
    """Shear horizontally by up to 0.3."""
    slope = 0.3 * strength
    return transform(pixels, Affine(1, slope, -slope * pixels.shape[0] / 2, 0, 1, 0), _GREY)


def shear_y(pixels: Array, strength: float) -> Array:
    """Shear vertically by up to 0.3."""
    slope = 0.3 * strength
    return transform(pixels, Affine(1, 0, 0, slope, 1, -slope * pixels.shape[1] / 2), _GREY)


def translate_x(pixels: Array, strength: float) -> Array:
    """Shift horizontally by up to 0.45 of the width."""
    return transform(pixels, Affine(1, 0, 0.45 * strength * pixels.shape[1], 0, 1, 0), _GREY)


def translate_y(pixels: Array, strength: float) -> Array:
    """Shift vertically by up to 0.45 of the height."""
    return transform(pixels, Affine(1, 0, 0, 0, 1, 0.45 * strength * pixels.shape[0]), _GREY)


def _enhance(change: Operation) -> Operation:
    """Return the operation with a factor of 0.1 to 1.9."""
    return lambda pixels, strength: change(pixels, 1 + 0.9 * strength)


def autocontrast(pixels: Array, strength: float) -> Array:
    """Stretch each channel to the full range; ignores the strength."""
    return _looked_up(pixels, _stretched)


def equalize(pixels: Array, strength: float) -> Array:
    """Flatten the histogram of each channel; ignores the strength."""
    return _looked_up(pixels, _flattened)


def solarize(pixels: Array, strength: float) -> Array:
    """Invert values above a threshold, from 256 (strength 0) to 0 (strength 1)."""
    table = np.where(_BYTES < int(256 - 256 * abs(strength)), _BYTES, 255 - _BYTES)
    return table.astype(np.uint8).take(pixels)


def solarize_add(pixels: Array, strength: float) -> Array:
    """Add up to 110 to values below 128."""
    more = np.minimum(_BYTES + int(110 * abs(strength)), 255)
    return np.where(_BYTES < 128, more, _BYTES).astype(np.uint8).take(pixels)


def posterize(pixels: Array, strength: float) -> Array:
    """Keep the upper four bits of each value (strength 0) to the uppermost one (strength 1)."""
    bits = max(4 - int(4 * abs(strength)), 1)
    return pixels & np.uint8(256 - 2 ** (8 - bits))


def invert(pixels: Array, strength: float) -> Array:
    """Replace each value v by 255 - v; ignores the strength."""
    return 255 - pixels


def _looked_up(pixels: Array, table_of: Callable[[Array], Array]) -> Array:
    """Replace the values of each channel by those of a table that is made from it.

    uint8 (H, W, 3) -> uint8 (H, W, 3)
    """
    channels = np.ascontiguousarray(pixels.reshape(-1, 3).T)
    replaced = [table_of(channel).astype(np.uint8).take(channel) for channel in channels]
    return np.stack(replaced, axis=1).reshape(pixels.shape)


def _stretched(channel: Array) -> Array:
    """Map the least value to 0 and the largest to 255.  uint8 (N,) -> (256,)."""
    low, high = float(channel.min()), float(channel.max())
    if low == high:
        return _BYTES
    scale = 255 / (high - low)
    table: Array = np.clip(_BYTES * scale - low * scale, 0, 255)
    return table


def _flattened(channel: Array) -> Array:
    """Map each value to the part of values below it.  uint8 (N,) -> (256,)."""
    counts = np.bincount(channel, minlength=256)
    step = (channel.size - counts[channel.max()]) // 255
    if step == 0:
        return _BYTES
    below = np.cumsum(counts) - counts
    table: Array = np.minimum((step // 2 + below) // step, 255)
    return table


SMALL: tuple[Operation, ...] = (
    rotate,
    shear_x,
    shear_y,
    translate_x,
    translate_y,
    _enhance(brightness),
    _enhance(colour),
    _enhance(contrast),
    _enhance(sharpness),
    autocontrast,
    equalize,
    solarize,
    solarize_add,
)
OPERATIONS = (*SMALL, posterize, invert)
