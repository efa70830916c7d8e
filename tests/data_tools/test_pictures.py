import io
import struct

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from data_tools import DataError
from data_tools.picture_formats import FORMATS, endings, is_picture
from data_tools.pictures import decode, decode_all, open_picture


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


def grey_tiff(pixels, bits, white_is_zero):
    """A TIFF file of one strip, of 12 or 16 bits a pixel."""
    height, width = pixels.shape
    if bits == 12:
        text = "".join(f"{value:012b}" for value in pixels.ravel())
        strip = int(text, 2).to_bytes(len(text) // 8, "big")
    else:
        strip = pixels.astype("<u2").tobytes()
    short, long = (3, 1), (4, 1)
    tags = [(256, *short, width), (257, *short, height), (258, *short, bits), (259, *short, 1),
            (262, *short, int(not white_is_zero)), (273, *long, 8), (277, *short, 1),
            (278, *short, height), (279, *long, len(strip))]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    header = struct.pack("<2sHI", b"II", 42, 8 + len(strip))
    return header + strip + struct.pack("<H", len(tags)) + directory + bytes(4)


@pytest.mark.parametrize(("bits", "white_is_zero"), [(12, False), (16, False), (16, True)])
def test_deep_grey_tiffs_keep_their_brightness(bits, white_is_zero):
    grey = np.asarray(halves("L", (8, 8)))
    stored = 255 - grey if white_is_zero else grey
    content = grey_tiff(stored.astype(np.uint16) << (bits - 8), bits, white_is_zero)
    out = decode(content, "x.tif", 8, exact=True)
    np.testing.assert_array_equal(out, np.repeat(grey[:, :, None], 3, 2))


def test_twelve_bits_in_words_of_sixteen_are_dark_until_multiplied_by_16():
    words = np.full((8, 8), 4095, np.uint16)
    assert decode(grey_tiff(words, 16, False), "x.tif", 8).max() == 15
    assert decode(grey_tiff(words << 4, 16, False), "x.tif", 8).min() == 255


def test_pixels_without_a_value_that_is_white_are_refused():
    signed = TiffImagePlugin.ImageFileDirectory_v2()
    signed[339] = 2  # the format of a sample
    files = [encoded(halves(mode), "TIFF") for mode in ("I", "F")]
    files.append(encoded(halves("I;16"), "TIFF", tiffinfo=signed))
    for content in files:
        with pytest.raises(DataError, match="x: its pixels are signed, of 32 bits or floating-"):
            decode(content, "x", 8)


def test_a_picture_too_large_for_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(DataError, match="x: the picture is too large"):
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


ROTATED = (0x112, 3, 1, struct.pack("<H", 6))


def exif(*tags):
    """Build an EXIF block of tags (number, type, count, value), which need not be legal."""
    offset, data, entries = 8 + 2 + 12 * len(tags) + 4, b"", struct.pack("<H", len(tags))
    for number, kind, count, value in tags:
        if len(value) <= 4:
            entries += struct.pack("<HHI", number, kind, count) + value.ljust(4, b"\0")
        else:
            entries += struct.pack("<HHII", number, kind, count, offset + len(data))
            data += value
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + entries + struct.pack("<I", 0) + data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "odd",
    [
        (282, 10, 1, struct.pack("<ii", -1, 0)),  # a resolution of -1/0
        (282, 2, 3, b"72\0"),
        (34665, 2, 5, b"exif\0"),  # a pointer that is text
        (40965, 2, 4, b"R98\0"),
        (36867, 7, 3, b"\xff\xfe\x00"),
        (700, 99, 8, b"12345678"),  # a type that does not exist
    ],
)
def test_odd_metadata_do_not_hide_the_orientation(kind, odd):
    content = encoded(halves(size=(30, 20)), kind, exif=exif(ROTATED, odd))
    picture, found = open_picture(content, "x")
    assert (picture.size, found) == ((20, 30), "rotated")


@pytest.mark.parametrize("value", [b"\0\0", b"\x09\0", b"\xff\xff", b"6"])
def test_an_orientation_that_does_not_exist_means_upright(value):
    content = encoded(halves(size=(30, 20)), "JPEG", exif=exif((0x112, 3, 1, value)))
    assert open_picture(content, "x")[0].size in ((30, 20), (20, 30))
    damaged = encoded(halves(size=(30, 20)), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert open_picture(damaged, "x")[0].size == (30, 20)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(orientation):
    from PIL import ImageOps

    tags = Image.Exif()
    tags[0x0112] = orientation
    noise = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), exif=tags)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    np.testing.assert_array_equal(np.asarray(open_picture(content, "x")[0]), expected)


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("ICO", "ICNS")])
def test_every_format_that_pillow_can_write_is_read(kind):
    Image.init()
    ending = FORMATS[kind][0]
    if kind not in Image.SAVE or not is_picture(ending):
        pytest.skip("this Pillow cannot write it")
    mode = {"XBM": "1", "MSP": "1", "BLP": "P"}.get(kind, "RGB")
    picture, _ = open_picture(encoded(halves().convert(mode), kind), f"x{ending.upper()}")
    assert (picture.size, picture.mode) == ((40, 20), "RGB")


def test_every_ending_that_pillow_decodes_is_a_picture():
    """What is left out starts programs, opens further files, or has no decoder."""
    Image.init()
    left_out = {ending for ending, kind in Image.EXTENSION.items() if kind in Image.OPEN}
    left_out -= set(endings())
    assert left_out <= {".eps", ".ps", ".wmf", ".emf", ".iim", ".mpg", ".mpeg", ".bufr", ".grib",
                        ".h5", ".hdf", ".im"}  # fmt: skip
    for name in ("a.TIF", "b.Jp2", "c.JFIF", "d.webp", "e.tar.png"):
        assert is_picture(name)
    for name in ("a.txt", "png", "b.heic", "c.eps", "d.jpg.part"):
        assert not is_picture(name)


def test_a_format_without_a_signature_is_tried_for_its_ending_alone():
    content = encoded(halves(), "TGA")
    assert open_picture(content, "x.tga")[0].size == (40, 20)
    with pytest.raises(DataError, match="x.jpg: not a readable picture: unknown format"):
        open_picture(content, "x.jpg")


def test_postscript_is_not_handed_to_another_program(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError(f"started {args}")

    monkeypatch.setattr("subprocess.Popen", refuse)
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    for name in ("x.jpg", "x.eps", "x.png"):
        with pytest.raises(DataError, match="unknown format"):
            open_picture(content, name)


@pytest.mark.parametrize(
    "fault", [ZeroDivisionError("odd"), RecursionError(), MemoryError(), UserWarning("corrupt")]
)
def test_whatever_a_decoder_raises_is_an_error_of_the_data(monkeypatch, fault):
    def load(_):
        raise fault

    content = encoded(halves())
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(DataError, match="x: not a readable picture"):
        open_picture(content, "x")


def test_grey_pixels_of_sixteen_bits_in_a_pgm_file_are_read():
    grey = np.asarray(halves("L", (8, 8)))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    out = decode(encoded(deep, "PPM"), "x.pgm", 8, exact=True)
    np.testing.assert_array_equal(out, np.repeat(grey[:, :, None], 3, 2))


def test_all_unreadable_pictures_are_counted():
    files = [(f"{i}.png", encoded(halves()) if i % 3 else b"\x89PNG") for i in range(9)]
    with pytest.raises(DataError, match=r"f/0.png: not a readable .*\(3 of 9 pictures are wrong"):
        decode_all(files, 9, "f", 8, False)
