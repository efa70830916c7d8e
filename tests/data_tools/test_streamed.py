import io
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import data_tools
from data_tools import DataError, StreamedSet


def encoded(picture, kind="JPEG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def rotated():
    """A picture whose EXIF orientation says: rotate a quarter clockwise.  -> bytes"""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.full((40, 60), 30, np.uint8)
    pixels[:, 30:] = 220
    return encoded(Image.fromarray(pixels).convert("RGB"), exif=exif)


@pytest.fixture
def folder(tmp_path):
    """Two classes of readable and unreadable pictures."""
    grey = Image.new("L", (70, 50), 90)
    good = encoded(grey.convert("RGB"))
    files = {
        "n01440764/a.JPEG": good,
        "n01440764/b.JPEG": encoded(grey),
        "n01440764/c.JPEG": encoded(grey.convert("CMYK")),
        "n01440764/d.JPEG": rotated(),
        "n02102040/e.JPEG": b"",
        "n02102040/f.JPEG": good[: len(good) // 2],
        "n02102040/g.JPEG": b"<html>not found</html>",
        "n02102040/h.JPEG": encoded(
            grey.convert("RGBA"), "PNG"
        ),  # a PNG named JPEG, as ImageNet has
    }
    for split in ("train", "val"):
        for name, content in files.items():
            file = tmp_path / "net" / split / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return tmp_path / "net"


def test_readable_and_unreadable_pictures_are_counted(folder):
    images = data_tools.load(f"imagenet:{folder},size=32", "test")
    assert isinstance(images, StreamedSet)
    assert (len(images), images.classes) == (8, ("n01440764", "n02102040"))
    pixels, readable = images.pixels(np.arange(8))
    assert readable.tolist() == [True] * 4 + [False] * 3 + [True]
    assert pixels.shape == (8, 32, 32, 3)
    assert not pixels[4:7].any()
    for i in (0, 1, 2, 7):
        assert abs(int(pixels[i].mean()) - 90) < 6, images.listing.name(i)
    assert pixels[3, :8].mean() < 60 < 190 < pixels[3, -8:].mean()  # rotated upright
    assert len(images.unreadable) == 3
    assert "e.JPEG: not a readable picture: the file is empty" in next(iter(images.unreadable))
    images.pixels(np.arange(8))  # as in each epoch of a training
    summary = images.summary()
    assert "3 unreadable, the first:" in summary
    for kind in ("grey", "CMYK", "rotated"):
        assert kind in summary, summary


class Exchanging(Counter):
    """A counter whose readers wait for each other before they write."""

    def __init__(self):
        super().__init__()
        self.readers = threading.Barrier(2)

    def __getitem__(self, kind):
        found = super().__getitem__(kind)
        with suppress(threading.BrokenBarrierError):
            self.readers.wait(0.5)
        return found


def test_pictures_are_counted_in_several_threads(folder):
    images = data_tools.load(f"imagenet:{folder},size=32", "test")
    images = replace(images, kinds=Exchanging())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(images.pixels, [np.array([7]), np.array([7])]))
    assert images.kinds.total() == 2


def test_held_out_pictures_are_counted_by_themselves(folder):
    images = data_tools.load(f"imagenet:{folder},size=32", "test")
    rest, held_out = images.hold_out(4, 0)
    rest.pixels(np.arange(4))
    held_out.pixels(np.arange(4))
    assert len(rest.unreadable) + len(held_out.unreadable) == 3 and not images.unreadable
    assert rest.kinds.total() + held_out.kinds.total() == 5


def test_other_pictures_and_classes_of_a_set_are_counted_by_themselves(folder):
    images = data_tools.load(f"imagenet:{folder},size=32", "test")
    for other in (images.take(np.arange(8)), images.relabel([1, 0], ("a", "b"))):
        assert other.summary() == "none read; none unreadable"
        other.pixels(np.arange(8))
        assert len(other.unreadable) == 3 and other.kinds.total() == 5
    assert not images.unreadable and not images.kinds


def test_options_select_size_classes_and_number(folder, tmp_path):
    name = f"imagenet:{folder},size=48,classes=n02102040+n01440764,per_class=3"
    images = data_tools.load(name, "train")
    assert (images.size, images.classes) == (48, ("n02102040", "n01440764"))
    assert np.bincount(images.labels).tolist() == [3, 3]
    assert data_tools.load(f"imagenet:{folder},classes=1", "train").classes == ("n01440764",)
    listed = tmp_path / "classes.txt"
    listed.write_text("n02102040\n")
    assert data_tools.load(f"imagenet:{folder},classes={listed}", "train").classes == ("n02102040",)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("sise=3", "unknown option 'sise'; expected size, classes, per_class"),
        ("size=0", "'0' is not a positive whole number"),
        ("size=large", "'large' is not a positive whole number"),
        ("per_class=-1", "'-1' is not a positive"),
        ("classes=dog", "has no class 'dog'"),
        ("classes=3", "classes=3; expected a number from 1 to 2, or"),
        ("classes=0", "classes=0; expected a number from 1 to 2, or"),
        ("classes=n01440764+n01440764", "'n01440764' is named twice"),
        ("size=²", "'²' is not a positive"),
    ],
)
def test_wrong_options_are_refused(folder, options, words):
    with pytest.raises(DataError, match=words):
        data_tools.load(f"imagenet:{folder},{options}", "train")


def test_hold_out_divides_the_set(folder):
    train = data_tools.load(f"imagenet:{folder}", "train")
    remaining, held_out = train.hold_out(3, 0)
    names = [part.listing.name(i) for part in (remaining, held_out) for i in range(len(part))]
    assert sorted(names) == sorted(train.listing.name(i) for i in range(8))
    assert (len(remaining), len(held_out), held_out.split) == (5, 3, "val")
    again = train.hold_out(3, 0)[1]
    assert [again.listing.name(i) for i in range(3)] == [held_out.listing.name(i) for i in range(3)]
    with pytest.raises(DataError, match="cannot hold out 8 of 8 train images"):
        train.hold_out(8, 0)


def test_relabel_numbers_the_classes_anew(folder):
    images = data_tools.load(f"imagenet:{folder}", "test")
    other = images.relabel([7, 2], tuple("abcdefgh"))
    assert set(other.labels.tolist()) == {7, 2}
    assert len(other.classes) == 8


def test_a_path_may_have_commas_and_an_at_sign(folder, png):
    odd = folder.parent / "a,b=c@home"
    folder.rename(odd)
    assert len(data_tools.load(f"imagenet:{odd}", "train")) == 8
    for name in ("e", "f", "g"):
        (odd / "train" / "n02102040" / f"{name}.JPEG").write_bytes(png())
    assert len(data_tools.load(f"folder:{odd}", "train")) == 8
    assert data_tools.load(f"folder:{odd}@8", "train").size == 8


def test_a_list_of_classes_may_have_names_with_spaces(tmp_path, png):
    for name in ("great white shark", "tench", "crane"):
        (tmp_path / "net" / name).mkdir(parents=True)
        (tmp_path / "net" / name / "x.png").write_bytes(png())
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbftench\r\n\r\ngreat white shark\r\n")
    images = data_tools.load(f"imagenet:{tmp_path}/net,classes={tmp_path}/list", "train")
    assert images.classes == ("tench", "great white shark")
    (tmp_path / "list").write_text("tench fish\ncrane bird\n")
    images = data_tools.load(f"imagenet:{tmp_path}/net,classes={tmp_path}/list", "train")
    assert images.classes == ("tench", "crane")
