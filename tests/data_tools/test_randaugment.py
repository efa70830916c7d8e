"""Operations of RandAugment: the values of Pillow, with roundings that no compiler merges."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from data_tools.affine import Affine, transformed
from data_tools.enhance import blend
from data_tools.randaugment import SMALL

GREY = (128, 128, 128)


def rotated(picture, strength):
    return picture.rotate(30 * strength, Image.Resampling.BILINEAR, fillcolor=GREY)


def mapped(matrix):
    """Return the affine operation of Pillow; the matrix depends on strength, width and height."""

    def operation(picture, strength):
        values = matrix(strength, *picture.size)
        kind, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
        return picture.transform(picture.size, kind, values, bilinear, fillcolor=GREY)

    return operation


def enhanced(kind):
    return lambda picture, strength: kind(picture).enhance(1 + 0.9 * strength)


PILLOW = [
    rotated,
    mapped(lambda s, w, h: (1, 0.3 * s, -0.3 * s * h / 2, 0, 1, 0)),
    mapped(lambda s, w, h: (1, 0, 0, 0.3 * s, 1, -0.3 * s * w / 2)),
    mapped(lambda s, w, h: (1, 0, 0.45 * s * w, 0, 1, 0)),
    mapped(lambda s, w, h: (1, 0, 0, 0, 1, 0.45 * s * h)),
    *map(enhanced, (ImageEnhance.Brightness, ImageEnhance.Color, ImageEnhance.Contrast,
                    ImageEnhance.Sharpness)),
]  # fmt: skip


@pytest.mark.parametrize("strength", [-0.9, 0.0, 0.37, 0.4, 1.0])
@pytest.mark.parametrize("index", range(len(PILLOW)))
def test_operations_give_the_values_of_pillow(index, strength):
    """Within one level, since Pillow's compiler may round once where we round twice."""
    noise = np.random.default_rng(index).integers(0, 256, (31, 46, 3), np.uint8)
    picture = Image.fromarray(noise)
    found, expected = (
        np.asarray(operation(picture, strength)).astype(int)
        for operation in (SMALL[index], PILLOW[index])
    )
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.01


def test_products_and_sums_are_rounded_apart():
    """5 + 0.6 (0 - 5) is 2; rounded once it is a little less, since float32 has no 0.6."""
    values = np.arange(256, dtype=np.uint8)
    start, end = values[:, None], values[None]
    assert blend(start[5:6], end[:, :1], 0.6) == 2
    once = start + float(np.float32(0.6)) * (end.astype(float) - start)  # exact in float64
    fused = once.astype(np.float32).astype(np.uint8)
    assert (blend(start, end, 0.6) != fused).sum() == 361  # as docs/bits.md says
    pixels = np.zeros((1, 8, 3), np.uint8)
    pixels[:, 5], pixels[:, 6] = 72, 147  # 72 + 0.76 (147 - 72) = 129; 128 if rounded once
    assert (transformed(pixels, Affine(1, 0, 5.76, 0, 1, 0), 128)[0, 0] == 129).all()
