"""RandAugment (Cubuk et al. 2020): a few random operations per image, one magnitude for all.

The magnitude runs from 0 (no change) to 10; each operation maps it to its own range, with a random
sign. DeiT's recipe draws two operations, applies each with probability 1/2, and draws its magnitude
from a Gaussian of mean 9 and standard deviation 0.5. Images narrower than 64 pixels are neither
inverted nor posterized: these two destroy them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from data_tools.affine import Affine, rotation, transform
from data_tools.enhance import brightness, colour, contrast, sharpness

if TYPE_CHECKING:
    from PIL.Image import Image

Operation = Callable[["Image", float], "Image"]  # picture, strength in [-1, 1]
_GREY = 128  # of what comes from outside of a picture
_LARGE = 64  # least width in pixels for all operations


def randaugment(
    picture: "Image",
    operations: int,
    magnitude: float,
    rng: np.random.Generator,
    magnitude_std: float = 0.0,
    prob: float = 1.0,
) -> "Image":
    """Apply random operations to one picture."""
    usable = SMALL if picture.width < _LARGE else OPERATIONS
    chosen = rng.integers(len(usable), size=operations)
    signs = rng.choice((-1.0, 1.0), size=operations)
    strengths = np.clip(magnitude + magnitude_std * rng.standard_normal(operations), 0, 10) / 10
    applied = rng.random(operations) < prob
    for index in np.flatnonzero(applied):
        picture = usable[chosen[index]](picture, signs[index] * strengths[index])
    return picture


def rotate(picture: "Image", strength: float) -> "Image":
    """Rotate by up to 30 degrees."""
    return transform(picture, rotation(30 * strength, *picture.size), _GREY)


def shear_x(picture: "Image", strength: float) -> "Image":
    """Shear horizontally by up to 0.3."""
    slope = 0.3 * strength
    return transform(picture, Affine(1, slope, -slope * picture.height / 2, 0, 1, 0), _GREY)


def shear_y(picture: "Image", strength: float) -> "Image":
    """Shear vertically by up to 0.3."""
    slope = 0.3 * strength
    return transform(picture, Affine(1, 0, 0, slope, 1, -slope * picture.width / 2), _GREY)


def translate_x(picture: "Image", strength: float) -> "Image":
    """Shift horizontally by up to 0.45 of the width."""
    return transform(picture, Affine(1, 0, 0.45 * strength * picture.width, 0, 1, 0), _GREY)


def translate_y(picture: "Image", strength: float) -> "Image":
    """Shift vertically by up to 0.45 of the height."""
    return transform(picture, Affine(1, 0, 0, 0, 1, 0.45 * strength * picture.height), _GREY)


def _enhance(change: Operation) -> Operation:
    """Return the operation with a factor of 0.1 to 1.9."""
    return lambda picture, strength: change(picture, 1 + 0.9 * strength)


def autocontrast(picture: "Image", strength: float) -> "Image":
    """Stretch each channel to the full range; ignores the strength."""
    from PIL import ImageOps

    return ImageOps.autocontrast(picture)


def equalize(picture: "Image", strength: float) -> "Image":
    """Flatten the histogram of each channel; ignores the strength."""
    from PIL import ImageOps

    return ImageOps.equalize(picture)


def solarize(picture: "Image", strength: float) -> "Image":
    """Invert values above a threshold, from 256 (strength 0) to 0 (strength 1)."""
    from PIL import ImageOps

    return ImageOps.solarize(picture, int(256 - 256 * abs(strength)))


def solarize_add(picture: "Image", strength: float) -> "Image":
    """Add up to 110 to values below 128."""
    more = int(110 * abs(strength))
    return picture.point([min(255, v + more) if v < 128 else v for v in range(256)] * 3)


def posterize(picture: "Image", strength: float) -> "Image":
    """Keep the upper four bits of each value (strength 0) to the uppermost one (strength 1)."""
    from PIL import ImageOps

    bits = 4 - int(4 * abs(strength))
    return ImageOps.posterize(picture, max(bits, 1))


def invert(picture: "Image", strength: float) -> "Image":
    """Replace each value v by 255 - v; ignores the strength."""
    from PIL import ImageOps

    return ImageOps.invert(picture)


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
