from dataclasses import replace

import numpy as np
import pytest

from data_tools import DataError, ImageSet


def make(images, labels):
    return ImageSet("toy", "train", images, labels, ("a", "b"), (0.5,) * 3, (0.2,) * 3)


@pytest.fixture
def toy():
    images = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    return make(images, np.arange(20) % 2)


def test_take_selects_images_with_their_labels(toy):
    taken = toy.take(np.array([5, 2, 2]))
    assert taken.labels.tolist() == [1, 0, 0]
    assert taken.images[:, 0, 0, 0].tolist() == [5, 2, 2]


def test_hold_out_divides_the_set(toy):
    remaining, held_out = toy.hold_out(6, seed=1)
    assert (len(remaining), len(held_out), remaining.split, held_out.split) == (
        14,
        6,
        "train",
        "val",
    )
    both = [*remaining.images[:, 0, 0, 0], *held_out.images[:, 0, 0, 0]]
    assert sorted(both) == list(range(20))
    assert (held_out.images[:, 0, 0, 0] % 2 == held_out.labels).all()
    assert (
        held_out.images[:, 0, 0, 0].tolist()
        != toy.hold_out(6, seed=2)[1].images[:, 0, 0, 0].tolist()
    )
    np.testing.assert_array_equal(held_out.images, toy.hold_out(6, seed=1)[1].images)


@pytest.mark.parametrize("count", [0, 20, -1])
def test_hold_out_refuses_all_or_nothing(toy, count):
    with pytest.raises(DataError, match="between 1 and 19"):
        toy.hold_out(count, 0)


@pytest.mark.parametrize(
    ("shape", "kind", "labels"),
    [((2, 4, 4), np.uint8, 2), ((2, 3, 4, 4), np.uint8, 2), ((2, 4, 4, 3), np.float32, 2),
     ((2, 4, 4, 3), np.uint8, 3)],
)  # fmt: skip
def test_wrong_shapes_and_types_are_refused(shape, kind, labels):
    with pytest.raises(DataError, match=r"toy: images are .* expected (uint8 )?\(N, H, W, 3\)"):
        make(np.zeros(shape, kind), np.zeros(labels, np.int64))


def test_lists_are_refused_by_name(toy):
    with pytest.raises(DataError, match="toy: images are a list, expected an array"):
        make(toy.images.tolist(), toy.labels)
    with pytest.raises(DataError, match="toy: labels are a list, expected an array"):
        make(toy.images, list(toy.labels))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint64])
def test_labels_become_int64(toy, kind):
    """A confusion is counted at label x classes + answer, beyond the end of a byte."""
    labels = make(toy.images, toy.labels.astype(kind)).labels
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, toy.labels)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mean": (0.5,)}, r"mean is \(0.5,\), std .*; expected one number for each of R, G, B"),
        ({"std": (0.5,) * 4}, "expected one number for each of R, G, B"),
        ({"mean": 0.5, "std": 0.5}, "mean is 0.5, std 0.5; expected one number for each"),
        ({"labels": np.array([0, -1])}, "labels from -1 to 0, expected 0 to 1"),
        ({"labels": np.array([0, 2])}, "labels from 0 to 2, expected 0 to 1"),
        ({"labels": np.array([0, 10**12])}, "expected 0 to 1"),
        ({"labels": np.array([0.0, 1.0])}, "labels are float64, expected whole numbers"),
        ({"classes": ("a", "a")}, "the class 'a' occurs twice"),
        ({"std": (0.2, 0.0, 0.2)}, "standard deviations above 0"),
        ({"mean": (0.2, float("nan"), 0.2)}, "expected finite numbers"),
    ],
)
def test_labels_classes_and_statistics_are_checked(changes, words):
    values = {
        "images": np.zeros((2, 4, 4, 3), np.uint8),
        "labels": np.zeros(2, np.int64),
        "classes": ("a", "b"),
        "mean": (0.5,) * 3,
        "std": (0.2,) * 3,
    }
    with pytest.raises(DataError, match=words):
        ImageSet("toy", "train", **(values | changes))


def test_statistics_become_plain_numbers(toy):
    mean = np.array([0.25, 0.5, 0.75], np.float32)
    assert repr(replace(toy, mean=mean).mean) == "(0.25, 0.5, 0.75)"
