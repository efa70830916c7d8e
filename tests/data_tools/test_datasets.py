import shutil

import numpy as np
import pytest
from PIL import Image

import data_tools
from data_tools import DataError, NoSuchSplit, fetch_dataset, list_datasets, load


def test_unknown_names_are_refused():
    with pytest.raises(DataError, match="unknown data set 'mnist'; expected shapes, cifar10"):
        load("mnist", "train")
    with pytest.raises(DataError, match="unknown data set 'mnist'"):
        fetch_dataset("mnist")


def test_the_error_for_an_absent_set_says_how_to_get_it():
    with pytest.raises(DataError, match="tervit data get cifar10 --from FILE"):
        load("cifar10", "train")


def test_list_datasets_finds_a_new_set(tiny, tmp_path):
    assert [k.present for k in list_datasets()] == [True, False, False]
    tiny.binary(tmp_path / "data" / "cifar10")
    assert [k.present for k in list_datasets()] == [True, True, False]


@pytest.mark.parametrize("packed", [False, True])
def test_fetch_imports_a_copy(tiny, tmp_path, tar_of, packed):
    source = tiny.pictures(tmp_path / "mine")
    if packed:
        source = tar_of(source, tmp_path / "mine.tar")
    train, test = fetch_dataset("cifar10", source=source)
    assert (len(train), len(test)) == (50, 20)
    shutil.rmtree(source) if source.is_dir() else source.unlink()
    assert len(load("cifar10", "train")) == 50


def test_a_bad_copy_changes_nothing(tiny, tmp_path):
    source = tiny.binary(tmp_path / "mine")
    (source / "test_batch.bin").write_bytes(b"short")
    with pytest.raises(DataError, match="test_batch.bin"):
        fetch_dataset("cifar10", source=source)
    assert not (tmp_path / "data").exists()


def test_another_copy_does_not_overwrite_the_first(tiny, tmp_path):
    source = tiny.binary(tmp_path / "mine")
    fetch_dataset("cifar10", source=source)
    with pytest.raises(DataError, match="exists already"):
        fetch_dataset("cifar10", source=source)


def test_shapes_are_cached_once():
    first = load("shapes", "val")
    assert isinstance(load("shapes", "val").images, np.memmap)
    np.testing.assert_array_equal(first.images, load("shapes", "val").images)


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path):
        for split, count in (("train", 4), ("val", 2)):
            for i, name in enumerate(("ant", "bee")):
                folder = tmp_path / "mine" / split / name
                folder.mkdir(parents=True)
                for k in range(count):
                    Image.new("L", (40 + 9 * k, 30), 60 * i + 10 * k).save(folder / f"{k}.jpg")
        return tmp_path / "mine"

    def test_pictures_are_resized_and_labelled(self, folder):
        images = load(f"folder:{folder}@24", "train")
        assert images.images.shape == (8, 24, 24, 3)
        assert images.classes == ("ant", "bee")
        assert images.labels.tolist() == [0] * 4 + [1] * 4
        assert images.images[4:].mean() > images.images[:4].mean() + 40

    def test_val_serves_as_the_missing_test_split(self, folder):
        assert len(load(f"folder:{folder}", "test")) == 4
        with pytest.raises(NoSuchSplit):
            load(f"folder:{folder}", "val")

    def test_three_splits_are_loaded_separately(self, folder):
        shutil.copytree(folder / "val", folder / "test")
        assert [len(load(f"folder:{folder}", s)) for s in ("train", "val", "test")] == [8, 4, 4]

    def test_a_new_file_is_noticed(self, folder):
        assert len(load(f"folder:{folder}", "train")) == 8
        shutil.copy(folder / "train/ant/0.jpg", folder / "train/ant/new.jpg")
        assert len(load(f"folder:{folder}", "train")) == 9

    def test_an_unreadable_picture_is_named(self, folder):
        (folder / "train/ant/2.jpg").write_bytes(b"")
        with pytest.raises(DataError, match=r"train/ant/2\.jpg: not a readable picture"):
            load(f"folder:{folder}", "train")

    def test_errors_name_what_is_missing(self, folder, tmp_path):
        with pytest.raises(DataError, match="no such file or folder"):
            load(f"folder:{tmp_path}/nowhere", "train")
        with pytest.raises(DataError, match="the size after @ is 'big'"):
            load(f"folder:{folder}@big", "train")
        (tmp_path / "mine" / "val" / "wasp").mkdir(parents=True)
        shutil.copy(folder / "train/ant/0.jpg", folder / "val/wasp/0.jpg")
        with pytest.raises(DataError, match="class 'wasp' of test does not occur in train"):
            load(f"folder:{folder}", "test")
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match="expected pictures in train/<class>/"):
            load(f"folder:{tmp_path}/empty", "train")


def test_hold_out_splits_without_overlap():
    images = data_tools.load("shapes", "val")
    remaining, held_out = images.hold_out(100, seed=3)
    assert (len(remaining), len(held_out), held_out.split) == (900, 100, "val")
    assert not {x.tobytes() for x in remaining.images} & {x.tobytes() for x in held_out.images}
    again = images.hold_out(100, seed=3)[1]
    np.testing.assert_array_equal(held_out.images, again.images)
    with pytest.raises(DataError, match="cannot hold out 1,000 of 1,000"):
        images.hold_out(1000, 0)
