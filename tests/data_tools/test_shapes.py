import hashlib

import numpy as np
import pytest

from data_tools import NoSuchSplit, load, shapes


@pytest.fixture(scope="module")
def train():
    return shapes.make("train")


@pytest.fixture(scope="module")
def test():
    return shapes.make("test")


def test_the_same_seed_draws_the_same_pictures():
    one, two = shapes.make("val", count=300), shapes.make("val", count=300)
    np.testing.assert_array_equal(one.images, two.images)
    other = shapes.make("val", seed=1, count=300)
    assert not np.array_equal(one.images, other.images)


def test_a_smaller_set_is_the_beginning_of_a_larger_one(test):
    np.testing.assert_array_equal(shapes.make("test", count=250).images, test.images[:250])


def test_the_training_split_is_balanced_with_the_stated_statistics(train):
    assert train.images.shape == (16_000, 32, 32, 3)
    assert np.bincount(train.labels).tolist() == [1600] * 10
    assert train.classes[0] == "disk"
    mean = train.images.mean(axis=(0, 1, 2)) / 255
    std = train.images.std(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(mean, train.mean, atol=0.01)
    np.testing.assert_allclose(std, train.std, atol=0.01)


def test_splits_share_no_picture(train, test):
    seen = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in seen for image in test.images)


def test_a_linear_classifier_stays_below_40_percent(train, test):
    """Ridge regression on the pixels, the best of three strengths on the test split itself."""
    x = train.images.reshape(len(train), -1).astype(np.float32) / 255
    mean = x.mean(axis=0)
    x -= mean
    gram, target = x.T @ x, x.T @ np.eye(10, dtype=np.float32)[train.labels]
    z = test.images.reshape(len(test), -1) / 255 - mean
    best = 0.0
    for strength in (100, 1000, 10000):
        w = np.linalg.solve(gram + strength * np.eye(len(gram), dtype=np.float32), target)
        best = max(best, float(((z @ w).argmax(axis=1) == test.labels).mean()))
    assert 0.15 < best < 0.40


def test_an_unknown_split_is_refused():
    with pytest.raises(NoSuchSplit, match="train, val, test"):
        load("shapes", "extra")


def test_the_pixels_are_the_same_on_every_machine():
    pixels = shapes.make("val", count=250).images
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == "a6e0e5b73f7d81fb"
