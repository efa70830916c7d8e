"""RandAugment (Cubuk et al. 2020): some operations an image, one magnitude for all.

The magnitude runs from 0 (nothing) to 10; each operation maps it to its own range, sign drawn at
random. DeiT's recipe draws two operations, applies each with probability 1/2, and draws each one's
magnitude around 9 with a spread of 0.5. Small images do not survive inversion and posterizing: they
get the operations before these two.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

Operation = Callable[["Image", float], "Image"]  # picture, strength in [-1, 1]
_LARGE = 64  # pixels of width from which on all operations are drawn


def randaugment(
    picture: "Image",
    operations: int,
    magnitude: float,
    rng: np.random.Generator,
    spread: float = 0.0,
    chance: float = 1.0,
) -> "Image":
    """Apply random operations to one picture."""
    usable = SMALL if picture.width < _LARGE else OPERATIONS
    chosen = rng.integers(len(usable), size=operations)
    signs = rng.choice((-1.0, 1.0), size=operations)
    strengths = np.clip(magnitude + spread * rng.standard_normal(operations), 0, 10) / 10
    applied = rng.random(operations) < chance
    for index in np.flatnonzero(applied):
        picture = usable[chosen[index]](picture, signs[index] * strengths[index])
    return picture


def _affine(picture: "Image", matrix: tuple[float, ...]) -> "Image":
    from PIL import Image

    grey = (128, 128, 128)
    return picture.transform(
        picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=grey
    )


def rotate(picture: "Image", strength: float) -> "Image":
    """Turn by up to 30 degrees."""
    from PIL import Image

    return picture.rotate(30 * strength, Image.Resampling.BILINEAR, fillcolor=(128, 128, 128))


def shear_x(picture: "Image", strength: float) -> "Image":
    """Slant sideways by up to 0.3."""
    slope = 0.3 * strength
    return _affine(picture, (1, slope, -slope * picture.height / 2, 0, 1, 0))


def shear_y(picture: "Image", strength: float) -> "Image":
    """Slant upwards by up to 0.3."""
    slope = 0.3 * strength
    return _affine(picture, (1, 0, 0, slope, 1, -slope * picture.width / 2))


def translate_x(picture: "Image", strength: float) -> "Image":
    """Shift sideways by up to 0.45 of the width."""
    return _affine(picture, (1, 0, 0.45 * strength * picture.width, 0, 1, 0))


def translate_y(picture: "Image", strength: float) -> "Image":
    """Shift up or down by up to 0.45 of the height."""
    return _affine(picture, (1, 0, 0, 0, 1, 0.45 * strength * picture.height))


def _enhance(kind: str) -> Operation:
    def operation(picture: "Image", strength: float) -> "Image":
        from PIL import ImageEnhance

        result: Image = getattr(ImageEnhance, kind)(picture).enhance(1 + 0.9 * strength)
        return result

    return operation


def autocontrast(picture: "Image", strength: float) -> "Image":
    """Stretch each channel to the full range; the strength plays no part."""
    from PIL import ImageOps

    return ImageOps.autocontrast(picture)


def equalize(picture: "Image", strength: float) -> "Image":
    """Flatten the histogram of each channel; the strength plays no part."""
    from PIL import ImageOps

    return ImageOps.equalize(picture)


def solarize(picture: "Image", strength: float) -> "Image":
    """Invert what is brighter than a threshold that falls from 256 to 0."""
    from PIL import ImageOps

    return ImageOps.solarize(picture, int(256 - 256 * abs(strength)))


def solarize_add(picture: "Image", strength: float) -> "Image":
    """Brighten what is darker than 128 by up to 110."""
    more = int(110 * abs(strength))
    return picture.point([min(255, v + more) if v < 128 else v for v in range(256)] * 3)


def posterize(picture: "Image", strength: float) -> "Image":
    """Keep four bits of a colour, down to one."""
    from PIL import ImageOps

    bits = 4 - int(4 * abs(strength))
    return ImageOps.posterize(picture, max(bits, 1))


def invert(picture: "Image", strength: float) -> "Image":
    """Turn every colour into its opposite; the strength plays no part."""
    from PIL import ImageOps

    return ImageOps.invert(picture)


SMALL: tuple[Operation, ...] = (
    rotate,
    shear_x,
    shear_y,
    translate_x,
    translate_y,
    _enhance("Brightness"),
    _enhance("Color"),
    _enhance("Contrast"),
    _enhance("Sharpness"),
    autocontrast,
    equalize,
    solarize,
    solarize_add,
)
OPERATIONS = (*SMALL, posterize, invert)
