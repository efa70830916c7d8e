import io

import numpy as np
import pytest
from PIL import Image

from data_tools import DataError
from data_tools.pictures import decode, decode_all


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(mode="RGB", size=(40, 20)):
    """The left half dark, the right half bright."""
    pixels = np.full((size[1], size[0]), 30, np.uint8)
    pixels[:, size[0] // 2 :] = 220
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "PNG"), ("L", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("CMYK", "JPEG"), ("L", "JPEG"),
     ("1", "PNG"), ("LA", "PNG")],
)  # fmt: skip
def test_every_mode_becomes_rgb(mode, kind):
    content = encoded(halves(mode, (8, 8)), kind)
    out = decode(content, "x", 8, exact=True)
    assert (out.shape, out.dtype) == ((8, 8, 3), np.uint8)
    assert out[:, :3].mean() < 60
    assert out[:, 5:].mean() > 190


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_not_clipped_to_white(kind):
    grey = np.asarray(halves("L", (8, 8)))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    out = decode(encoded(deep, kind), "x", 8, exact=True)
    np.testing.assert_array_equal(out, np.repeat(grey[:, :, None], 3, 2))


def test_pixels_of_32_bits_are_refused():
    for mode in ("I", "F"):
        with pytest.raises(DataError, match="x: its pixels have 32 bits; save it with 8 or 16"):
            decode(encoded(halves(mode), "TIFF"), "x", 8)


def test_a_picture_too_large_for_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(DataError, match="x: the picture is too large for the memory"):
        decode(encoded(Image.new("L", (20, 20))), "x", 8)


def test_the_camera_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    out = decode(encoded(halves(size=(16, 16)), "JPEG", exif=exif), "x", 16)
    assert out[:6].mean() < 60
    assert out[10:].mean() > 190


def test_the_centre_is_cropped():
    pixels = np.zeros((10, 40, 3), np.uint8)
    pixels[:, 15:25] = 255
    assert decode(encoded(Image.fromarray(pixels)), "x", 10).min() == 255


def test_decode_all_keeps_order_and_names():
    files = [(f"{i:03}.png", encoded(Image.new("RGB", (4, 4), (i, 0, 0)))) for i in range(200)]
    images, names = decode_all(iter(files), 200, "folder", 4, True)
    assert names == [name for name, _ in files]
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.arange(200))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_incomplete_files_are_refused_by_name(kind):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    for fraction in (0, 0.02, 0.5, 0.9):
        cut = content[: int(fraction * len(content))]
        with pytest.raises(DataError, match="folder/x.file: not a readable picture"):
            decode_all([("x.file", cut)], 1, "folder", 32, True)


def test_exact_refuses_another_size():
    with pytest.raises(DataError, match="x: the picture is 4 x 6, expected 5 x 5"):
        decode(encoded(Image.new("L", (4, 6))), "x", 5, exact=True)
