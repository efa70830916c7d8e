"""What is understood of folders as people have them; what has two readings is refused."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_tools import DataError, NoSuchSplit
from data_tools.layout import find_layout
from data_tools.left_out import left_out

PETS = ("cat", "dog")


def in_classes(*folders, classes=PETS):
    """Return names of two pictures for each class in each folder."""
    return [f"{folder}{name}/*.jpg" for folder in folders for name in classes]


def counts(layout):
    return {name: len(split.class_of) for name, split in layout.splits.items()}


def check(layout, splits, classes=PETS):
    """Check the number of pictures of each split, and that each has the class of its folder."""
    assert counts(layout) == splits
    assert layout.classes == tuple(classes)
    for split in layout.splits.values():
        assert all(f"/{name}/" in f"/{file}" for file, name in split.class_of.items())


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Valid", "Test"),
        ("TRAIN", "VALIDATION", "TEST"),
        ("training", "validation", "testing"),
        ("Training_Set", "dev", "test_set"),
        ("train2017", "val2017", "test2017"),
        ("data/train", "data/valid", "data/test"),
        ("a/b/Train", "a/b/Val", "a/b/Test"),
        ("train/train", "val/val", "test/test"),
        ("seg_train/seg_train", "seg_val/seg_val", "seg_test/seg_test"),
        ("train/images", "valid/images", "test/images"),
        ("alphabet_train", "alphabet_valid", "alphabet_test"),
    ],
)
@pytest.mark.parametrize("others", [(), ("README.md", "LICENSE", "docs/notes.txt")])
def test_splits_have_many_names_and_places(files_of, train, val, test, others):
    files = files_of(*in_classes(f"{train}/", f"{val}/", f"{test}/"), *others)
    check(find_layout(files), {"train": 4, "val": 4, "test": 4})
    files = files_of(*in_classes(f"{train}/", f"{val}/"), *others)
    check(find_layout(files), {"train": 4, "test": 4})


@pytest.mark.parametrize("others", ["docs/figure.png", "logo.png", "a/b/c.png"])
def test_pictures_next_to_certain_splits_are_left_out(files_of, others):
    for above in ("", "pets/"):
        files = files_of(*in_classes(f"{above}train/", f"{above}test/"), others)
        check(find_layout(files), {"train": 4, "test": 4})


@pytest.mark.parametrize("name", ["train", "Test", "validation", "val", "TRAINING", "dev"])
@pytest.mark.parametrize("above", ["", "photos/"])
def test_a_class_may_be_called_like_a_split(files_of, name, above):
    classes = sorted(("bus", "car", name))
    check(find_layout(files_of(*in_classes(above, classes=classes))), {"train": 6}, classes)
    files = files_of(*in_classes(f"{above}train/", f"{above}test/", classes=classes))
    check(find_layout(files), {"train": 6, "test": 6}, classes)


@pytest.mark.parametrize("inner", ["", "images/"])
def test_class_folders_alone_are_the_training_split(files_of, inner):
    for above in ("", "flower_photos/", "a/b/"):
        files = files_of(*[f"{above}{name}/{inner}*.jpg" for name in PETS], "LICENSE.txt")
        layout = find_layout(files)
        check(layout, {"train": 4})
        with pytest.raises(
            NoSuchSplit, match="no split 'test'; it has train.*; expected .*/test/<"
        ):
            layout.split("test")


def test_splits_may_be_within_the_classes(files_of):
    for above in ("", "pets/"):
        names = [f"{above}{name}/{split}/*.jpg" for name in PETS for split in ("Train", "valid")]
        check(find_layout(files_of(*names)), {"train": 4, "test": 4})


def test_a_class_may_have_folders_of_its_own(files_of):
    files = files_of(*in_classes("train/cat/", classes=("tabby", "tiger")), "train/dog/*.jpg")
    assert find_layout(files).classes == PETS


def test_classes_without_a_training_split_are_those_of_all_splits(files_of):
    """So that a class has one label in both."""
    files = files_of(*in_classes("val/"), "test/dog/*.jpg")
    layout = find_layout(files)
    check(layout, {"val": 4, "test": 2})


def test_numbered_classes_are_sorted_by_number(files_of):
    numbers = [str(number) for number in range(12)]
    assert list(find_layout(files_of(*in_classes("val/", classes=numbers))).classes) == numbers


def test_unlabelled_pictures_are_no_split(files_of):
    """Kaggle's competitions and Tiny-ImageNet have a test split without labels."""
    layout = find_layout(files_of(*in_classes("train/", "val/"), "test/*.jpg", "test/images/*.jpg"))
    check(layout, {"train": 4, "test": 4})
    layout = find_layout(files_of(*in_classes("train/"), "test1/*.jpg", "sample.csv"))
    with pytest.raises(NoSuchSplit, match="pictures in test1/ have no class folders and no labels"):
        layout.split("test")


def test_a_class_that_train_lacks_is_refused(files_of):
    layout = find_layout(files_of(*in_classes("train/"), "test/Cat/*.jpg"))
    with pytest.raises(DataError, match="class 'Cat' of test does not occur in train; .* cat, dog"):
        layout.split("test")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["train/*/a.jpg", "Train/*/b.jpg"], "Train/ and train/ both look like the train split"),
        (["train/*/a.jpg", "val/*/b.jpg", "valid/*/c.jpg"], "both look like the val split"),
        (["a/train/*/x.jpg", "b/train/*/x.jpg"], "2 folders have splits: a/, b/; name one"),
        (["x/train/*/1.jpg", "x/test/*/1.jpg", "train/*/1.jpg"], "pictures in x/ too"),
        (["train/*/a.jpg", "bus/*.jpg", "car/*.jpg"], "train/ looks like the train split, but"),
        (["pets/train/*/a.jpg", "docs/a.jpg"], "pictures in docs/ too"),
        (["train/*.jpg"], "the pictures in train/ have no labels; expected pictures in train/<c"),
        (["train/*.jpg", "test1/*.jpg"], "in test1/ and train/ have no labels|train/ and test1/"),
        (["train/train/*.jpg", "test/test/*.jpg"], "have no labels"),
        (["train/images/*.jpg", "train/labels/1.txt"], "have no labels"),
        (["train/*.jpg", "test/*.jpg", "cover/*.jpg"], "look like splits"),
        (["images/*.jpg", "masks/*.jpg"], "the pictures in images/ are in no class folders"),
        (["train/images/*.jpg", "train/masks/*.jpg", "test/cat/*.jpg"], "train/images/ are in no"),
        (["color/a/*.jpg", "color/b/*.jpg", "grey/a/*.jpg", "grey/b/*.jpg"], "is color/ one"),
        (["data/cat/*.jpg", "data/dog/*.jpg", "docs/*.jpg"], "is data/ one class, or are"),
        (["bottle/train/good/*.jpg", "bottle/test/*/x.jpg", "nut/train/good/*.jpg"], "name one of"),
        (["*.jpg"], "2 pictures in no class folder; expected pictures in train/<class>/"),
        (["images/*.jpg", "train.csv"], "the pictures in images/ are in no class folders"),
        (["train/cat/x.heic", "notes.txt"], "no pictures, but 1 .txt file, 1 .heic file; expe"),
        (["train/n01.tar", "train/n02.tar"], "no pictures, but 2 .tar files"),
        ([], "no pictures"),
        (["/".join("a" * 99) + "/x.png"], "more than 64 folders"),
    ],
)  # fmt: skip
def test_what_has_two_readings_is_refused(files_of, names, words):
    with pytest.raises(DataError, match=words) as caught:
        find_layout(files_of(*names))
    assert len(str(caught.value)) < 400
    assert re.match("set: |a/a/", str(caught.value))


PARTS = st.sampled_from(
    ["train", "Test", "valid", "cat", "dog", "images", "docs", "seg_train", "7"]
)
ENDINGS = st.sampled_from(["1.jpg", "2.PNG", "x.txt", "y.heic", "README", "val.txt"])
NAMES = st.builds(
    lambda parts, file: "/".join([*parts, file]), st.lists(PARTS, max_size=4), ENDINGS
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(NAMES, max_size=12))
def test_every_picture_gets_the_class_of_a_folder_or_is_said_to_be_left_out(files_of, names):
    files = files_of(*names)
    try:
        layout = find_layout(files)
    except DataError as error:
        assert str(error).startswith("set")
        return
    labelled = [file for split in layout.splits.values() for file in split.class_of]
    assert len(labelled) == len(set(labelled))
    for split in layout.splits.values():
        assert all(name in file.split("/")[:-1] for file, name in split.class_of.items())
    others = sum(kind.number for kind in left_out(files, layout))
    assert len(labelled) + others == len(names)
