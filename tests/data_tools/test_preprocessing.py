import numpy as np
import pytest
from PIL import Image

from data_tools import Augment, DataError, normalise, preprocess
from data_tools.preprocessing import IMAGENET_MEAN, IMAGENET_STD


def test_normalise_follows_its_formula():
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    normalised = normalise(x, mean, std)
    expected = ((x / 255 - mean) / std).transpose(0, 3, 1, 2)
    assert normalised.dtype == np.float32
    assert normalised.flags.c_contiguous
    np.testing.assert_allclose(normalised, expected, atol=2e-6)


PIXELS = np.zeros((2, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    "images",
    [PIXELS.transpose(0, 3, 1, 2), PIXELS / 255, PIXELS[0], np.zeros((2, 8, 8, 4), np.uint8)],
    ids=["channels first", "floats", "one", "alpha"],
)
@pytest.mark.parametrize(
    "function",
    [
        lambda images: normalise(images, IMAGENET_MEAN, IMAGENET_STD),
        lambda images: Augment().augment_uint8(images, np.random.default_rng(0)),
        lambda images: Augment().to_batch(
            images, np.zeros(2, int), 2, 0.0, IMAGENET_MEAN, IMAGENET_STD, np.random.default_rng(0)
        ),
    ],
    ids=["normalise", "augment", "batch"],
)
def test_pixels_of_another_type_or_layout_are_refused(images, function):
    """Floats from 0 to 1 became almost black, channels-first images something of another shape."""
    with pytest.raises(DataError, match=r"images are .*, expected uint8 \(N, H, W, 3\)"):
        function(images)


def test_each_channel_has_a_mean():
    for mean, std in [((0.5,), (0.5,)), ((0.5,) * 3, (0.5,) * 4)]:
        with pytest.raises(DataError, match="expected one number for each of R, G, B"):
            normalise(PIXELS, mean, std)


@pytest.mark.parametrize("size", [(256, 256), (300, 500), (501, 300), (64, 200)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_preprocess_gives_224_pixels(size, mode):
    out = preprocess(Image.new(mode, size))
    assert out.shape == (3, 224, 224)
    assert out.dtype == np.float32


def test_the_centre_is_cropped():
    """A picture of short side 256 is not resized: the crop begins at pixel 16."""
    pixels = np.random.default_rng(0).integers(0, 256, (256, 300, 3), dtype=np.uint8)
    out = preprocess(Image.fromarray(pixels))
    crop = pixels[16:240, 38:262] / 255
    np.testing.assert_allclose(
        out.transpose(1, 2, 0), (crop - IMAGENET_MEAN) / IMAGENET_STD, atol=1e-5
    )


@pytest.mark.parametrize(("long", "start"), [(425, 100), (426, 101), (427, 102), (429, 102)])
def test_half_pixels_are_rounded_to_even(long, start):
    pixels = np.zeros((long, 256, 3), np.uint8)
    pixels[start : start + 224] = 255
    for picture in (pixels, pixels.transpose(1, 0, 2)):
        out = preprocess(Image.fromarray(picture))
        assert (out == out[:, :1, :1]).all()  # white everywhere


@pytest.mark.parametrize(
    ("size", "resized", "start"),
    [((300, 500), (256, 426), (16, 101)), ((500, 300), (426, 256), (101, 16)),
     ((100, 101), (256, 258), (16, 17))],
)  # fmt: skip
def test_the_long_side_is_truncated_and_resized_by_bicubic(size, resized, start):
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    left, top = start
    wanted = picture.resize(resized, Image.Resampling.BICUBIC)
    crop = np.asarray(wanted)[top : top + 224, left : left + 224] / 255
    np.testing.assert_allclose(
        preprocess(picture).transpose(1, 2, 0), (crop - IMAGENET_MEAN) / IMAGENET_STD, atol=1e-5
    )
