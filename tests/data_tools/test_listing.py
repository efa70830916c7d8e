import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from data_tools import DataError, NoSuchSplit, index_file, listing
from data_tools.listing import list_pictures


@pytest.fixture
def path(tmp_path):
    """A train split of three classes and a val split of two of them; empty files."""
    for split, counts in (("train", {"cat": 4, "ant": 2, "bee": 3}), ("val", {"ant": 1, "bee": 2})):
        for name, count in counts.items():
            folder = tmp_path / "set" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{i}.JPEG").touch()
    return tmp_path / "set"


@pytest.fixture
def walks(monkeypatch):
    """Count how often a folder is walked."""
    seen = []
    walk = listing._walk
    monkeypatch.setattr(listing, "_walk", lambda *args: seen.append(args) or walk(*args))
    return seen


def names(pictures):
    return [pictures.name(i) for i in range(len(pictures))]


def test_pictures_are_listed_with_their_labels(path):
    pictures = list_pictures(path, "train")
    assert pictures.classes == ("ant", "bee", "cat")
    assert names(pictures) == [
        *(f"train/ant/{i}.JPEG" for i in range(2)),
        *(f"train/bee/{i}.JPEG" for i in range(3)),
        *(f"train/cat/{i}.JPEG" for i in range(4)),
    ]
    assert pictures.labels.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2]
    test = list_pictures(path, "test")  # val serves as the missing test split
    assert (test.classes, test.labels.tolist()) == (pictures.classes, [0, 1, 1])


def test_the_second_listing_comes_from_the_cache(path, walks):
    first = list_pictures(path, "train")
    second = list_pictures(path, "train")
    assert len(walks) == 1
    assert names(second) == names(first)
    assert second.classes == first.classes
    np.testing.assert_array_equal(second.labels, first.labels)


def later(folder):
    """Move the folder's time ahead: the clock of a file system may be coarse."""
    os.utime(folder, ns=(time.time_ns() + 10**9,) * 2)


def test_a_new_picture_invalidates_the_cache(path, walks):
    list_pictures(path, "train")
    (path / "train" / "bee" / "new.JPEG").touch()
    later(path / "train" / "bee")
    assert len(list_pictures(path, "train")) == 10
    assert len(walks) == 2


def test_a_new_class_and_a_lost_folder_invalidate_the_cache(path, walks):
    list_pictures(path, "train")
    (path / "train" / "dog").mkdir()
    (path / "train" / "dog" / "0.JPEG").touch()
    later(path / "train")
    assert list_pictures(path, "train").classes == ("ant", "bee", "cat", "dog")
    for file in (path / "train" / "cat").iterdir():
        file.unlink()
    (path / "train" / "cat").rmdir()
    assert list_pictures(path, "train").classes == ("ant", "bee", "dog")
    assert len(walks) == 3


def test_a_folder_that_became_a_file_is_no_damage_of_the_cache(path, walks, capsys):
    list_pictures(path, "train")
    shutil.rmtree(path / "train" / "cat")
    (path / "train" / "cat").touch()
    assert list_pictures(path, "train").classes == ("ant", "bee")
    assert "damaged" not in capsys.readouterr().err


@pytest.fixture
def cache(path, tmp_path):
    list_pictures(path, "train")
    (file,) = (tmp_path / "data" / "indexes").iterdir()
    return file


def test_a_damaged_cache_is_made_anew_and_named(path, walks, cache, capsys):
    content = cache.read_bytes()
    damages = [
        *(b"", content[:100], content[:-30], b"x" * len(content), bytes(len(content))),
        *(content + b"\0", content.replace(b"ant", b"bat"), content.replace(b"/0", b"/1")),
        *(b"[" * 10**5, b"[1]\n", b"{}\n", b"PK\3\4" + content),
    ]
    for count, damaged in enumerate(damages, 1):
        cache.write_bytes(damaged)
        assert len(list_pictures(path, "train")) == 9
        assert len(walks) == 1 + count
        if damaged != b"{}\n":  # of another format
            assert f"the cache {cache} is damaged" in capsys.readouterr().err
    assert cache.read_bytes() == content


def test_the_checksum_covers_every_byte(path, walks, cache):
    content = cache.read_bytes()
    for offset in range(len(content)):
        flipped = content[offset] ^ (1 << offset % 8)
        cache.write_bytes(content[:offset] + bytes([flipped]) + content[offset + 1 :])
        pictures = list_pictures(path, "train")
        assert names(pictures)[-1] == "train/cat/3.JPEG" and pictures.labels.tolist()[-1] == 2


def forged(content, change):
    """A cache that somebody has changed, with the right checksum."""
    line, _, body = content.partition(b"\n")
    header = json.loads(line)
    del header["checksum"]
    body = change(header, body) or body
    checksum = index_file.checksum(header, body)
    return json.dumps({**header, "checksum": checksum}).encode() + b"\n" + body


@pytest.mark.parametrize(
    "change",
    [
        lambda header, body: body.replace(b"train/ant/0.JPEG", b"/../../../../etc"),
        lambda header, body: body.replace(b"train/ant/0.JPEG", b"train/../../0.JP"),
        lambda header, body: body.replace(b"train/ant/0.JPEG", b"/etc/passwd.JPEG"),
        lambda header, body: body.replace(b"train/bee/1.JPEG", b"train/bee/\0.JPEG"),
        lambda header, body: body[:-8] + (9).to_bytes(8, "little"),
        lambda header, body: body[:-8] + b"\xff" * 8,
        lambda header, body: header.update(lengths=[144, 10, 10**12]),
        lambda header, body: header.update(lengths=[144, 10]),
        lambda header, body: header.update(lengths=[144, 9, 10]),
        lambda header, body: header.update(lengths=[144, -1, 9]),
        lambda header, body: header.update(classes=["ant"]),
        lambda header, body: header.update(classes=7),
        lambda header, body: header.update(times=[1]),
    ],
)
def test_a_forged_cache_is_refused(path, walks, cache, change, capsys):
    content = cache.read_bytes()
    assert forged(content, lambda header, body: None) == content
    cache.write_bytes(forged(content, change))
    assert len(list_pictures(path, "train")) == 9
    assert "is damaged" in capsys.readouterr().err
    assert len(walks) == 2


def test_odd_names_are_cached(path, walks):
    """A line feed in a folder's name, and a name that is not UTF-8, as in old archives."""
    odd = path / "train" / "two\nlines"
    odd.mkdir()
    (odd / "x.png").touch()
    with open(os.path.join(os.fsencode(path), b"train", b"bee", b"caf\xe9.png"), "wb"):
        pass
    later(path / "train")
    first, second = (list_pictures(path, "train") for _ in range(2))
    assert len(walks) == 1
    assert names(first) == names(second)
    assert {"train/two\nlines/x.png", "train/bee/caf\udce9.png"} <= set(names(second))
    assert second.classes == ("ant", "bee", "cat", "two\nlines")


def test_without_a_writable_folder_each_call_walks(path, walks, monkeypatch):
    monkeypatch.setattr(index_file, "writable_folder", lambda *_: None)
    for _ in range(2):
        assert len(list_pictures(path, "train")) == 9
    assert len(walks) == 2


def test_select_classes_labels_in_the_order_of_the_names(path):
    pictures = list_pictures(path, "train").select_classes(["cat", "ant"])
    assert pictures.classes == ("cat", "ant")
    assert pictures.labels.tolist() == [1, 1, 0, 0, 0, 0]
    assert names(pictures)[2] == "train/cat/0.JPEG"
    with pytest.raises(DataError, match="has no class 'dog'; it has ant, bee, cat"):
        list_pictures(path, "train").select_classes(["dog"])


def test_first_per_class_limits_every_class(path):
    pictures = list_pictures(path, "train").first_per_class(2)
    assert pictures.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert names(pictures)[-1] == "train/cat/1.JPEG"
    assert len(pictures.select_classes(["bee"]).first_per_class(1)) == 1


def test_relabel_numbers_the_classes_anew(path):
    pictures = list_pictures(path, "test").relabel([4, 2, 1], ("x", "cat", "bee", "y", "ant"))
    assert pictures.labels.tolist() == [4, 2, 2]


def test_wrong_folders_splits_and_classes_are_refused(path, tmp_path):
    with pytest.raises(DataError, match="expected a folder of pictures"):
        list_pictures(tmp_path / "nowhere", "train")
    with pytest.raises(NoSuchSplit, match="no split 'extra'; it has train and test"):
        list_pictures(path, "extra")
    (path / "val" / "dog").mkdir()
    (path / "val" / "dog" / "0.JPEG").touch()
    with pytest.raises(DataError, match="class 'dog' of test does not occur in train"):
        list_pictures(path, "test")


@pytest.mark.skipif(sys.platform != "linux", reason="has names of other encodings")
def test_pictures_are_found_where_the_locale_is_ascii(path, tmp_path):
    """They are read under names of bytes, and the class is the same as in another locale."""
    (path / "train" / "bee").rename(path / "train" / "grün")
    (path / "train" / "grün" / "0.JPEG").write_bytes(b"x")
    program = (
        "import pathlib, sys; from data_tools.listing import list_pictures\n"
        f"found = list_pictures(pathlib.Path({str(path)!r}), 'train')\n"
        "content = [found.source(k).read(found.path) for k in range(len(found))]\n"
        "print(ascii(found.classes), content.count(b'x'), sys.getfilesystemencoding())"
    )
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = {"env": os.environ | ascii_only, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", program], check=False, **run)
    assert done.stdout == "('ant', 'cat', 'gr\\xfcn') 1 ascii\n", done.stderr
