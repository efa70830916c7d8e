import os
import time

import numpy as np
import pytest

from data_tools import DataError, NoSuchSplit, listing
from data_tools.listing import list_pictures


@pytest.fixture
def place(tmp_path):
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


def names(found):
    return [found.name(i) for i in range(len(found))]


def test_what_is_listed(place):
    found = list_pictures(place, "train")
    assert found.classes == ("ant", "bee", "cat")
    assert names(found) == [
        *(f"train/ant/{i}.JPEG" for i in range(2)),
        *(f"train/bee/{i}.JPEG" for i in range(3)),
        *(f"train/cat/{i}.JPEG" for i in range(4)),
    ]
    assert found.labels.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2]
    test = list_pictures(place, "test")  # val is the test split where there is no other
    assert (test.classes, test.labels.tolist()) == (found.classes, [0, 1, 1])


def test_the_second_time_comes_from_the_cache(place, walks):
    first = list_pictures(place, "train")
    second = list_pictures(place, "train")
    assert len(walks) == 1
    assert names(second) == names(first)
    assert second.classes == first.classes
    np.testing.assert_array_equal(second.labels, first.labels)


def later(folder):
    """Make sure that the folder's time differs, however coarse the clock of the file system."""
    os.utime(folder, ns=(time.time_ns() + 10**9,) * 2)


def test_a_new_picture_is_seen(place, walks):
    list_pictures(place, "train")
    (place / "train" / "bee" / "new.JPEG").touch()
    later(place / "train" / "bee")
    assert len(list_pictures(place, "train")) == 10
    assert len(walks) == 2


def test_a_new_class_and_a_lost_folder_are_seen(place, walks):
    list_pictures(place, "train")
    (place / "train" / "dog").mkdir()
    (place / "train" / "dog" / "0.JPEG").touch()
    later(place / "train")
    assert list_pictures(place, "train").classes == ("ant", "bee", "cat", "dog")
    for file in (place / "train" / "cat").iterdir():
        file.unlink()
    (place / "train" / "cat").rmdir()
    assert list_pictures(place, "train").classes == ("ant", "bee", "dog")
    assert len(walks) == 3


def test_a_damaged_cache_is_made_again(place, walks, tmp_path):
    list_pictures(place, "train")
    (cache,) = (tmp_path / "data" / "indexes").iterdir()
    content = cache.read_bytes()
    for damaged in (b"", content[:100], content[:-30], b"x" * len(content)):
        cache.write_bytes(damaged)
        assert len(list_pictures(place, "train")) == 9
    assert len(walks) == 5


def test_without_a_writable_folder(place, walks, monkeypatch):
    monkeypatch.setattr(listing, "writable_folder", lambda *_: None)
    for _ in range(2):
        assert len(list_pictures(place, "train")) == 9
    assert len(walks) == 2


def test_some_classes_in_an_order_of_ones_own(place):
    found = list_pictures(place, "train").of_classes(["cat", "ant"])
    assert found.classes == ("cat", "ant")
    assert found.labels.tolist() == [1, 1, 0, 0, 0, 0]
    assert names(found)[2] == "train/cat/0.JPEG"
    with pytest.raises(DataError, match="has no class 'dog'; it has ant, bee, cat"):
        list_pictures(place, "train").of_classes(["dog"])


def test_some_of_each_class(place):
    found = list_pictures(place, "train").at_most(2)
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert names(found)[-1] == "train/cat/1.JPEG"
    assert len(found.of_classes(["bee"]).at_most(1)) == 1


def test_numbers_of_a_longer_list(place):
    found = list_pictures(place, "val" if (place / "test").exists() else "test")
    longer = found.numbered_by(("x", "cat", "bee", "y", "ant"))
    assert longer.labels.tolist() == [4, 2, 2]
    with pytest.raises(DataError, match="class 'ant' is none of 2 others"):
        found.numbered_by(("bee", "cat"))


def test_refusals(place, tmp_path):
    with pytest.raises(DataError, match="expected a folder of pictures"):
        list_pictures(tmp_path / "nowhere", "train")
    with pytest.raises(NoSuchSplit, match="no split 'extra'; it has train and test"):
        list_pictures(place, "extra")
    (place / "val" / "dog").mkdir()
    (place / "val" / "dog" / "0.JPEG").touch()
    with pytest.raises(DataError, match="class 'dog' of test does not occur in train"):
        list_pictures(place, "test")
