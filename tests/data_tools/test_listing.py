import os
import time

import numpy as np
import pytest

from data_tools import DataError, NoSuchSplit, listing
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


def test_a_damaged_cache_is_written_anew(path, walks, tmp_path):
    list_pictures(path, "train")
    (cache,) = (tmp_path / "data" / "indexes").iterdir()
    content = cache.read_bytes()
    for damaged in (b"", content[:100], content[:-30], b"x" * len(content)):
        cache.write_bytes(damaged)
        assert len(list_pictures(path, "train")) == 9
    assert len(walks) == 5


def test_without_a_writable_folder_each_call_walks(path, walks, monkeypatch):
    monkeypatch.setattr(listing, "writable_folder", lambda *_: None)
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


def test_relabel_uses_a_longer_list_of_classes(path):
    pictures = list_pictures(path, "val" if (path / "test").exists() else "test")
    longer = pictures.relabel(("x", "cat", "bee", "y", "ant"))
    assert longer.labels.tolist() == [4, 2, 2]
    with pytest.raises(DataError, match="class 'ant' is not one of the 2 expected"):
        pictures.relabel(("bee", "cat"))


def test_wrong_folders_splits_and_classes_are_refused(path, tmp_path):
    with pytest.raises(DataError, match="expected a folder of pictures"):
        list_pictures(tmp_path / "nowhere", "train")
    with pytest.raises(NoSuchSplit, match="no split 'extra'; it has train and test"):
        list_pictures(path, "extra")
    (path / "val" / "dog").mkdir()
    (path / "val" / "dog" / "0.JPEG").touch()
    with pytest.raises(DataError, match="class 'dog' of test does not occur in train"):
        list_pictures(path, "test")
