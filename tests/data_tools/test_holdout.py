"""Pictures set aside for test or validation: of every class its share, in every command alike."""

import numpy as np
import pytest
from PIL import Image

from data_tools import DataError, ImageSet, NoSuchSplit, load
from data_tools.holdout import names_for_test
from data_tools.imageset import split_by_class
from data_tools.overview import overview

COUNTS = {"ant": 10, "bee": 5, "cat": 2}


def paint(file, level):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (12, 12), level).save(file)


@pytest.fixture
def photos(tmp_path):
    """Class folders without splits; the level of a picture is its own."""
    levels = iter(range(5, 250, 5))
    for name, count in COUNTS.items():
        for i in range(count):
            paint(tmp_path / "photos" / name / f"{i}.png", next(levels))
    return tmp_path / "photos"


def levels(images):
    return images.pixels(np.arange(len(images)))[0][:, 0, 0, 0].tolist()


@pytest.mark.parametrize("kind", ["folder:{}", "folder:{}@16", "imagenet:{},size=16"])
def test_a_fraction_of_each_class_is_the_test_split(photos, tmp_path, kind):
    name = f"{kind.format(photos)},test=0.2"
    train, test = (load(name, split, tmp_path / "data") for split in ("train", "test"))
    assert train.classes == test.classes == tuple(COUNTS)
    assert np.bincount(test.labels).tolist() == [2, 1, 1]
    assert np.bincount(train.labels).tolist() == [8, 4, 1]
    assert sorted([*levels(train), *levels(test)]) == list(range(5, 90, 5))
    again = load(name, "test", tmp_path / "data")
    assert levels(again) == levels(test)
    assert (train.name, test.split) == (name, "test")


def test_folders_in_memory_and_on_disk_set_the_same_pictures_aside(photos, tmp_path):
    one, two = (
        load(f"{kind}:{photos},test=0.4", "test", tmp_path) for kind in ("folder", "imagenet")
    )
    assert sorted(levels(one)) == sorted(levels(two))


@pytest.mark.parametrize("kind", ["folder", "imagenet"])
def test_fractions_that_differ_in_the_seventh_digit_share_no_cache(tmp_path, kind):
    for i in range(4):
        paint(tmp_path / "photos" / "ant" / f"{i}.png", i)
    sizes = {0.3749999: 1, 0.3750001: 2}  # of the test split: 1.4999996 and 1.5000004 pictures
    for fraction, size in sizes.items():
        test = load(f"{kind}:{tmp_path}/photos,test={fraction}", "test", tmp_path / "data")
        assert len(test) == size


def test_archives_too(photos, tmp_path, tar_of):
    archive = tar_of(photos, tmp_path / "photos.tar")
    test = load(f"folder:{archive},test=0.2", "test", tmp_path)
    assert np.bincount(test.labels).tolist() == [2, 1, 1]


def test_pictures_that_are_added_move_hardly_any():
    """Of 100 files 20 are chosen; with 10 more, 22: those 20 but for what the new ones displace."""
    old = {f"c/{i}.png": "c" for i in range(100)}
    new = old | {f"c/new{i}.png": "c" for i in range(10)}
    before, after = names_for_test(old, 0.2), names_for_test(new, 0.2)
    assert (len(before), len(after)) == (20, 22)
    assert len(before & after) >= 18
    assert sum(name in old and name not in before for name in after) <= 3


def test_the_choice_does_not_follow_the_order_of_names():
    files = {f"{i:03}.png": "c" for i in range(200)}
    chosen = sorted(int(name[:3]) for name in names_for_test(files, 0.5))
    assert chosen != list(range(100))
    assert 70 < np.mean(chosen) < 130
    assert len(set(np.diff(chosen))) > 2


def test_without_a_test_split_the_error_says_how_to_get_one(photos, tmp_path):
    words = r"no split 'test'; it has train; expected pictures in .*/test/<class>/, or ,test=0.2"
    for kind in ("folder", "imagenet"):
        with pytest.raises(NoSuchSplit, match=words):
            load(f"{kind}:{photos}", "test", tmp_path)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("test=2", "test=2; expected a fraction below 1, such as 0.2"),
        ("test=-0.1", "expected a fraction below 1"),
        ("test=few", "expected a fraction below 1"),
        ("test=nan", "expected a fraction below 1"),
        ("test=0.9", "the class 'ant' has 10 pictures|the class 'cat' has 2 pictures"),
        ("holdout=0.2", "unknown option 'holdout'; expected .*test"),
    ],
)
def test_wrong_options_are_refused(photos, tmp_path, option, words):
    for kind in ("folder", "imagenet"):
        with pytest.raises(DataError, match=words):
            load(f"{kind}:{photos},{option}", "train", tmp_path)


def test_a_test_split_that_is_there_is_not_replaced(tmp_path):
    for split in ("train", "val"):
        for name in COUNTS:
            paint(tmp_path / "split" / split / name / "x.png", 7)
            paint(tmp_path / "split" / split / name / "y.png", 9)
    with pytest.raises(DataError, match=r"has a test split, in val/; leave test=0.2 out"):
        load(f"folder:{tmp_path}/split,test=0.2", "train", tmp_path)


def test_a_path_may_have_commas_and_signs(tmp_path):
    folder = tmp_path / "a,b=c@d"
    for name in ("x", "y"):
        for i in range(5):
            paint(folder / name / f"{i}.png", 20 * i)
    for kind in ("folder", "imagenet"):
        assert len(load(f"{kind}:{folder},test=0.2", "test", tmp_path / "data")) == 2
        assert len(load(f"{kind}:{folder}", "train", tmp_path / "data")) == 10
    assert load(f"folder:{folder}@8,test=0.2", "test", tmp_path / "data").size == 8


def test_the_overview_says_what_is_set_aside(photos):
    for kind in ("folder", "imagenet"):
        seen = overview(f"{kind}:{photos},test=0.2")
        assert seen.splits == ("train", "test")
        assert "class folders alone, 20 % of each class set aside as test" in seen.lines[0]
        assert any("test: 3 classes with 1" in line for line in seen.lines)


def many(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.random.default_rng(1).permutation(labels)
    images = np.zeros((len(labels), 4, 4, 3), np.uint8)
    classes = tuple("abcdef"[: len(sizes)])
    return ImageSet("toy", "train", images, labels, classes, (0.5,) * 3, (0.2,) * 3)


@pytest.mark.parametrize(
    ("sizes", "count", "shares"),
    [
        ((30, 10), 8, (6, 2)),
        ((10, 10, 10), 10, (4, 3, 3)),
        ((50, 30, 20), 7, (4, 2, 1)),  # 3.5, 2.1, 1.4: the largest remainder is that of the first
        ((97, 2, 1), 10, (10, 0, 0)),
        ((5, 5), 1, (1, 0)),
    ],
)
def test_each_class_gives_its_share(sizes, count, shares):
    images = many(sizes)
    remaining, drawn = split_by_class(images, count, 5)
    assert np.bincount(images.labels[drawn], minlength=len(sizes)).tolist() == list(shares)
    assert sorted([*remaining, *drawn]) == list(range(len(images)))
    assert (np.diff(drawn) > 0).all()


def test_within_a_class_every_image_may_be_drawn():
    images = many((40, 20))
    drawn = [split_by_class(images, 6, seed)[1] for seed in range(60)]
    assert len({tuple(indices) for indices in drawn}) == 60
    assert set(np.concatenate(drawn)) == set(range(60))
    np.testing.assert_array_equal(split_by_class(images, 6, 3)[1], drawn[3])


def test_a_class_never_loses_all_its_images():
    with pytest.raises(DataError, match="to hold out 10 images leaves none of the class 'b'"):
        split_by_class(many((10, 1)), 10, 0)


def test_held_out_images_say_how_they_were_drawn():
    images = many((10, 10))
    remaining, held_out = images.hold_out(4, 7)
    assert (remaining.held_out, held_out.held_out) == ("", "by class, seed 7")
