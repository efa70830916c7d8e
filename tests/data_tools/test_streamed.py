import io

import numpy as np
import pytest
from PIL import Image

import data_tools
from data_tools import DataError, StreamedSet
from data_tools.streamed import official_numbers


def encoded(picture, kind="JPEG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def turned():
    """An EXIF orientation: to be turned a quarter clockwise.  -> bytes"""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.full((40, 60), 30, np.uint8)
    pixels[:, 30:] = 220
    return encoded(Image.fromarray(pixels).convert("RGB"), exif=exif)


@pytest.fixture
def place(tmp_path):
    """Two classes of pictures good and bad."""
    grey = Image.new("L", (70, 50), 90)
    good = encoded(grey.convert("RGB"))
    files = {
        "n01440764/a.JPEG": good,
        "n01440764/b.JPEG": encoded(grey),
        "n01440764/c.JPEG": encoded(grey.convert("CMYK")),
        "n01440764/d.JPEG": turned(),
        "n02102040/e.JPEG": b"",
        "n02102040/f.JPEG": good[: len(good) // 2],
        "n02102040/g.JPEG": b"<html>not found</html>",
        "n02102040/h.JPEG": encoded(grey.convert("RGBA"), "PNG"),  # by another name, as ImageNet's
    }
    for split in ("train", "val"):
        for name, content in files.items():
            file = tmp_path / "net" / split / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return tmp_path / "net"


def test_good_and_bad_pictures_are_counted(place):
    found = data_tools.load(f"imagenet:{place},size=32", "test")
    assert isinstance(found, StreamedSet)
    assert (len(found), found.classes) == (8, ("n01440764", "n02102040"))
    pixels, readable = found.pixels(np.arange(8))
    assert readable.tolist() == [True] * 4 + [False] * 3 + [True]
    assert pixels.shape == (8, 32, 32, 3)
    assert not pixels[4:7].any()
    for i in (0, 1, 2, 7):
        assert abs(int(pixels[i].mean()) - 90) < 6, found.listing.name(i)
    assert pixels[3, :8].mean() < 60 < 190 < pixels[3, -8:].mean()  # turned upright
    assert len(found.unreadable) == 3
    assert "e.JPEG: not a readable picture, the file is empty" in found.unreadable[0]
    account = found.account()
    assert "3 left out, the first:" in account
    for kind in ("grey", "CMYK", "rotated"):
        assert kind in account, account


def test_options(place, tmp_path):
    name = f"imagenet:{place},size=48,classes=n02102040+n01440764,per_class=3"
    found = data_tools.load(name, "train")
    assert (found.size, found.classes) == (48, ("n02102040", "n01440764"))
    assert np.bincount(found.labels).tolist() == [3, 3]
    assert data_tools.load(f"imagenet:{place},classes=1", "train").classes == ("n01440764",)
    listed = tmp_path / "classes.txt"
    listed.write_text("n02102040\n")
    assert data_tools.load(f"imagenet:{place},classes={listed}", "train").classes == ("n02102040",)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("sise=3", "unknown option 'sise'; known: size, classes, per_class"),
        ("size=0", "'0' is no positive whole number"),
        ("size=large", "'large' is no positive whole number"),
        ("per_class=-1", "'-1' is no positive"),
        ("classes=dog", "has no class 'dog'"),
    ],
)
def test_wrong_options(place, options, words):
    with pytest.raises(DataError, match=words):
        data_tools.load(f"imagenet:{place},{options}", "train")


def test_holding_out(place):
    train = data_tools.load(f"imagenet:{place}", "train")
    rest, held = train.hold_out(3, 0)
    names = [part.listing.name(i) for part in (rest, held) for i in range(len(part))]
    assert sorted(names) == sorted(train.listing.name(i) for i in range(8))
    assert (len(rest), len(held), held.split) == (5, 3, "val")
    again = train.hold_out(3, 0)[1]
    assert [again.listing.name(i) for i in range(3)] == [held.listing.name(i) for i in range(3)]
    with pytest.raises(DataError, match="cannot hold 8 of 8 pictures out"):
        train.hold_out(8, 0)


def test_some_classes_numbered_as_in_the_thousand(place):
    found = official_numbers(data_tools.load(f"imagenet:{place}", "test"))
    assert set(found.labels.tolist()) == {0, 217}
    assert len(found.classes) == 1000
