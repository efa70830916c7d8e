"""Tar shards hold what class folders hold, in any cut, and are refused where they do not."""

import gzip
import io
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

import data_tools
from data_tools import Augment, DataError, NoSuchSplit, shards
from data_tools.overview import overview
from data_tools.shards import list_shards
from data_tools.workers import Prefetcher

COUNTS = {"train": 10, "val": 4}


def png(number):
    pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()


def write(file, members):
    with tarfile.open(file, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def sample(number):
    key = f"pictures/{number:04}"
    rest = (f"{key}.json", b"{}"), (f"{key}.seg.png", b"no picture to train on")
    return [(f"{key}.png", png(number)), *rest, (f"{key}.cls", b"%d\n" % (number % 2))]


@pytest.fixture
def path(tmp_path):
    """Ten training pictures in three shards, four for validation in one."""
    folder = tmp_path / "set"
    folder.mkdir()
    for split, cuts in (("train", [(0, 4), (4, 5), (5, 10)]), ("val", [(10, 14)])):
        for shard, (a, b) in enumerate(cuts):
            members = [member for number in range(a, b) for member in sample(number)]
            write(folder / f"toy-{split}-{shard:06}.tar", members)
    (folder / shards.CLASSES).write_text("cat\ndog\n")
    return folder


@pytest.fixture
def folders(tmp_path):
    """The same pictures in class folders."""
    for number in range(14):
        split = "train" if number < 10 else "val"
        file = tmp_path / "folders" / split / ("cat", "dog")[number % 2] / f"{number:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(number))
    return tmp_path / "folders"


def test_pictures_are_those_of_the_members(path, folders):
    for split in ("train", "test"):
        images = data_tools.load(f"shards:{path},size=16", split)
        same = data_tools.load(f"imagenet:{folders},size=16", split)
        assert images.classes == same.classes == ("cat", "dog")
        order = np.argsort(images.labels, kind="stable")  # folders are sorted by class
        pixels, readable = images.pixels(order)
        np.testing.assert_array_equal(pixels, same.pixels(np.arange(len(same)))[0])
        assert readable.all() and images.labels[order].tolist() == same.labels.tolist()


def test_workers_read_the_same_pictures_from_shards(path):
    images = data_tools.load(f"shards:{path},size=16", "train").take(np.array([7, 0, 4]))
    prefetcher = Prefetcher(images, Augment(min_scale=1.0), 3, 1)
    try:
        prefetcher.request((0, 0), np.arange(3), (0, 0, 0))
        pixels, readable = prefetcher.get((0, 0))
    finally:
        prefetcher.close()
    assert readable.all() and images.kinds == {"RGB": 3}
    assert len({picture.tobytes() for picture in pixels}) == 3


def test_the_index_is_made_once_and_again_after_a_change(path, monkeypatch):
    scans, scan = [], shards._scan
    monkeypatch.setattr(shards, "_scan", lambda *args: scans.append(args) or scan(*args))
    first, second = list_shards(path, "train"), list_shards(path, "train")
    list_shards(path, "test")
    assert len(scans) == 1
    assert [first.source(i) for i in range(10)] == [second.source(i) for i in range(10)]
    write(path / "toy-train-000001.tar", sample(20))
    later = os.stat(path / "toy-train-000001.tar").st_mtime_ns + 10**9
    os.utime(path / "toy-train-000001.tar", ns=(later, later))
    assert list_shards(path, "train").labels[4] == 0 and len(scans) == 2


def test_a_damaged_index_is_made_anew(path, tmp_path, capsys):
    expected = list_shards(path, "train")
    (file,) = (tmp_path / "data" / "indexes").iterdir()
    content = file.read_bytes()
    for position in range(0, len(content), 7):
        file.write_bytes(
            content[:position] + bytes([content[position] ^ 8]) + content[position + 1 :]
        )
        found = list_shards(path, "train")
        assert [found.source(i) for i in range(10)] == [expected.source(i) for i in range(10)]
    assert "is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "value"), [(0, -1), (0, 9), (1, -1), (1, 10**9), (2, -1), (2, 10**6), (3, -1)]
)
def test_an_index_that_leads_elsewhere_is_refused(path, column, value):
    pictures = shards._scan(path, ("toy-train-000000.tar",))
    sizes = np.array([os.stat(path / "toy-train-000000.tar").st_size])
    shards._check(pictures, sizes)
    pictures[column][-1] = value
    with pytest.raises(ValueError, match="out of range|outside"):
        shards._check(pictures, sizes)


def test_classes_without_names_are_numbers_and_options_choose(path):
    (path / shards.CLASSES).unlink()
    assert data_tools.load(f"shards:{path}", "train").classes == ("0", "1")
    chosen = data_tools.load(f"shards:{path},size=16,classes=1,per_class=2", "train")
    assert chosen.labels.tolist() == [0, 0] and chosen.size == 16


def test_of_a_list_of_classes_that_is_too_long_little_is_read(path, monkeypatch):
    monkeypatch.setattr(shards, "_LARGEST_LIST", 8)  # "cat\ndog\n"
    assert data_tools.load(f"shards:{path}", "train").classes == ("cat", "dog")
    monkeypatch.setattr(shards, "_LARGEST_LIST", 7)
    with pytest.raises(DataError, match=r"classes\.txt has more than 7 bytes; expected names"):
        data_tools.load(f"shards:{path}", "train")


def test_the_overview_says_which_shards_a_split_has(path):
    text = "\n".join(overview(f"shards:{path}").lines)
    assert "3 shards, toy-train-000000.tar to toy-train-000002.tar" in text
    assert "10 pictures of 2 classes" in text and "val serves as test" in text


def test_the_overview_shows_a_split_without_pictures(path):
    write(path / "toy-val-000000.tar", [("0.txt", b"no picture")])
    text = "\n".join(overview(f"shards:{path}").lines)
    assert "0 pictures of 2 classes" in text and "test: no pictures" in text


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["a-0.tar", "a-1.tar", "a-10.tar"], {"train": ["a-0.tar", "a-1.tar", "a-10.tar"]}),
        (["train/0.tar", "test/0.tar"], {"test": ["test/0.tar"], "train": ["train/0.tar"]}),
        (["train.tar", "validation.tar"], {"train": ["train.tar"], "test": ["validation.tar"]}),
        (
            ["train-00000-of-00002.tar", "train-00001-of-00002.tar", "val-00000-of-00001.tar"],
            {
                "train": ["train-00000-of-00002.tar", "train-00001-of-00002.tar"],
                "test": ["val-00000-of-00001.tar"],
            },
        ),
        (
            ["train_part_0.tar", "train_part_1.tar"],
            {"train": ["train_part_0.tar", "train_part_1.tar"]},
        ),
    ],
)
def test_names_say_the_split(tmp_path, names, splits):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert shards.find_shards(tmp_path).splits == splits


def test_a_split_that_is_mentioned_elsewhere_is_not_trained_on(tmp_path):
    for name in ("train_part_0.tar", "val_part_0.tar"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="to which split does val_part_0.tar belong"):
        shards.find_shards(tmp_path)


def test_a_missing_shard_is_said(path, capsys):
    (path / "toy-train-000001.tar").unlink()
    assert len(list_shards(path, "train")) == 9
    assert "the shard after toy-train-000000.tar is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("1.png", b"x")], "1.png has no label; expected a member 1.cls"),
        ([("1.png", b"x"), ("1.jpg", b"x"), ("1.cls", b"0")], "are pictures of one sample"),
        ([("1.png", b"x"), ("1.cls", b"cat")], "1.cls contains 'cat'; expected the number"),
        ([("1.txt", b"x"), ("1.cls", b"0")], "no pictures in its shards"),
        ([("1.png", b"x"), ("1.cls", b"7")], "has 2 classes, and there is a label 7"),
        ([("1.tga", b"x"), ("1.cls", b"0")], "1.tga has a format that its bytes do not show"),
    ],
)
def test_wrong_members_are_named(path, members, words):
    for file in path.glob("*.tar"):
        write(file, members)
    with pytest.raises(DataError, match=words):
        list_shards(path, "train")


def test_a_member_that_is_larger_than_any_picture_is_refused(tmp_path):
    picture, label = tarfile.TarInfo("1.png"), tarfile.TarInfo("1.cls")
    picture.size, label.size = 2**31, 1
    with open(tmp_path / "train-0.tar", "wb") as file:
        file.write(picture.tobuf())
        file.seek(picture.size, os.SEEK_CUR)  # a hole
        file.write(label.tobuf() + b"0".ljust(512, b"\0") + bytes(1024))
    with pytest.raises(DataError, match="1.png has 2147483648 bytes; expected a picture of at"):
        list_shards(tmp_path, "train")


def test_wrong_folders_are_refused(path, tmp_path):
    with pytest.raises(NoSuchSplit, match="no split 'val'; its shards are of train and test"):
        list_shards(path, "val")
    with pytest.raises(DataError, match="expected a folder of tar shards"):
        list_shards(path / "nowhere", "train")
    with pytest.raises(DataError, match="no tar shards"):
        (tmp_path / "empty").mkdir()
        list_shards(tmp_path / "empty", "train")
    file = path / "toy-train-000002.tar"
    content = file.read_bytes()
    file.write_bytes(content[:700])
    with pytest.raises(DataError, match="toy-train-000002.tar: not a readable tar archive"):
        list_shards(path, "train")
    file.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match="toy-train-000002.tar is compressed"):
        list_shards(path, "train")
    file.rename(path / "pictures.tar")
    with pytest.raises(DataError, match="to which split does pictures.tar belong"):
        list_shards(path, "train")
    file.with_suffix(".tgz").touch()
    with pytest.raises(DataError, match="is compressed; unpack it to .tar"):
        list_shards(path, "train")


def test_a_shard_that_became_shorter_is_an_unreadable_picture(path):
    images = data_tools.load(f"shards:{path},size=16", "train")
    file = path / "toy-train-000002.tar"
    os.truncate(file, images.listing.source(9).offset + 20)
    readable = images.pixels(np.arange(10))[1]
    assert readable.tolist() == [True] * 9 + [False]
    assert "the file ends within the picture" in next(iter(images.unreadable))
