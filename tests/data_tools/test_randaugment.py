"""Operations of RandAugment: the values of Pillow, with roundings that no compiler merges."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from data_tools.affine import Affine, transform
from data_tools.enhance import blend, grey_of, smoothed
from data_tools.randaugment import OPERATIONS

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
    found = OPERATIONS[index](noise, strength).astype(int)
    expected = np.asarray(PILLOW[index](Image.fromarray(noise), strength)).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.01


def added(picture, strength):
    more = int(110 * abs(strength))
    return picture.point([min(255, v + more) if v < 128 else v for v in range(256)] * 3)


EXACT = [
    lambda picture, strength: ImageOps.autocontrast(picture),
    lambda picture, strength: ImageOps.equalize(picture),
    lambda picture, strength: ImageOps.solarize(picture, int(256 - 256 * abs(strength))),
    added,
    lambda picture, strength: ImageOps.posterize(picture, max(4 - int(4 * abs(strength)), 1)),
    lambda picture, strength: ImageOps.invert(picture),
]


def pictures():
    rng = np.random.default_rng(5)
    for shape in ((31, 46, 3), (1, 1, 3), (2, 5, 3), (1, 70, 3), (40, 33, 3)):
        for low, high in ((0, 256), (100, 140), (0, 1), (255, 256), (7, 9)):
            yield rng.integers(low, high, shape, np.uint8)


@pytest.mark.parametrize("strength", [-0.9, 0.0, 0.37, 0.5, 1.0])
@pytest.mark.parametrize("index", range(len(EXACT)))
def test_operations_on_integers_give_the_bytes_of_pillow(index, strength):
    for pixels in pictures():
        found = OPERATIONS[len(PILLOW) + index](pixels, strength)
        assert found.dtype == np.uint8
        expected = EXACT[index](Image.fromarray(pixels), strength)
        np.testing.assert_array_equal(found, np.asarray(expected))


def test_greys_and_smoothed_pictures_are_those_of_pillow():
    for pixels in pictures():
        picture = Image.fromarray(pixels)
        np.testing.assert_array_equal(grey_of(pixels), np.asarray(picture.convert("L")))
        expected = np.asarray(picture.filter(ImageFilter.SMOOTH))
        np.testing.assert_array_equal(smoothed(pixels), expected)


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
    assert (transform(pixels, Affine(1, 0, 5.76, 0, 1, 0), 128)[0, 0] == 129).all()
