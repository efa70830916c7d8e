"""RandAugment (Cubuk et al. 2020), a subset: some operations an image, one magnitude for all.

Left out are posterize, invert and the operations that small images do not survive. The magnitude
runs from 0 (nothing) to 10; each operation maps it to its own range, sign drawn at random.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from data_tools.imageset import Array

if TYPE_CHECKING:
    from PIL.Image import Image

Operation = Callable[["Image", float], "Image"]  # picture, strength in [-1, 1]


def randaugment(image: Array, operations: int, magnitude: int, rng: np.random.Generator) -> Array:
    """Apply random operations to one image of bytes.  (S, S, 3) -> (S, S, 3)."""
    from PIL import Image

    picture = Image.fromarray(image)
    chosen = rng.integers(len(OPERATIONS), size=operations)
    signs = rng.choice((-1.0, 1.0), size=operations)
    for index, sign in zip(chosen, signs, strict=True):
        picture = OPERATIONS[index](picture, sign * magnitude / 10)
    return np.asarray(picture)


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
    """Shift sideways by up to 0.3 of the width."""
    return _affine(picture, (1, 0, 0.3 * strength * picture.width, 0, 1, 0))


def translate_y(picture: "Image", strength: float) -> "Image":
    """Shift up or down by up to 0.3 of the height."""
    return _affine(picture, (1, 0, 0, 0, 1, 0.3 * strength * picture.height))


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
    """Invert what is brighter than a threshold that falls from 256 to 128."""
    from PIL import ImageOps

    return ImageOps.solarize(picture, int(256 - 128 * abs(strength)))


OPERATIONS: tuple[Operation, ...] = (
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
)
