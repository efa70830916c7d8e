import math

import numpy as np
import pytest

from data_tools import Augment, DataError, normalise
from data_tools.augment import crop_and_flip, cutout_, invert, soft_targets
from data_tools.mixing import cutmix, mixup
from data_tools.randaugment import OPERATIONS, randaugment
from data_tools.sampling import step_rng

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def images(count=16, side=12, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def apply(augment, seed=0, smoothing=0.1):
    x = images()
    x.flags.writeable = False
    labels = np.arange(16) % 5
    rng = step_rng(seed, 0, 0, 0)
    return augment.to_batch(augment.augment_uint8(x, rng), labels, 5, smoothing, MEAN, STD, rng)


EVERYTHING = Augment(2, True, randaugment_ops=2, cutout=4, mixup=0.4, cutmix=1.0)


def test_augment_without_options_only_normalises():
    pixels, targets = apply(Augment(0, False))
    np.testing.assert_array_equal(pixels, normalise(images(), MEAN, STD))
    assert pixels.dtype == targets.dtype == np.float32
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("augment", [Augment(), EVERYTHING])
def test_the_generator_determines_every_augmentation(augment):
    one, two, other = apply(augment, 1), apply(augment, 1), apply(augment, 2)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])
    np.testing.assert_allclose(one[1].sum(axis=1), 1, rtol=1e-5)


def test_crops_are_windows_of_the_reflected_image():
    x = images(count=200, side=6)
    out = crop_and_flip(x, 2, False, np.random.default_rng(0))
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    windows = set()
    for i in range(200):
        at = [(y, z) for y in range(5) for z in range(5)
              if np.array_equal(out[i], padded[i, y : y + 6, z : z + 6])]  # fmt: skip
        assert at
        windows |= set(at)
    assert len(windows) == 25


@pytest.mark.parametrize("padding", [1, 4, 9])
def test_crops_of_oblong_images_are_windows_too(padding):
    """Also if the padding is larger than the image and is reflected repeatedly."""
    x = np.random.default_rng(0).integers(0, 256, (30, 5, 8, 3), dtype=np.uint8)
    out = crop_and_flip(x, padding, True, np.random.default_rng(1))
    border = (padding, padding)
    padded = np.pad(x, ((0, 0), border, border, (0, 0)), mode="reflect")
    for image, source in zip(out, padded, strict=True):
        windows = [source[y : y + 5, z : z + 8] for y in range(2 * padding + 1)
                   for z in range(2 * padding + 1)]  # fmt: skip
        assert any(np.array_equal(image, w) or np.array_equal(image, w[:, ::-1]) for w in windows)


def test_half_of_the_images_are_mirrored():
    x = images(count=400, side=4)
    out = crop_and_flip(x, 0, True, np.random.default_rng(0))
    same = (out == x).all(axis=(1, 2, 3))
    mirrored = (out == x[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same | mirrored).all()
    assert 160 < mirrored.sum() < 240


def test_inversion_swaps_bright_and_dark():
    x = images(400, 4)
    np.testing.assert_array_equal(invert(x).astype(int), 255 - x.astype(int))
    np.testing.assert_array_equal(invert(invert(x)), x)
    assert invert(x).dtype == np.uint8


@pytest.mark.parametrize(("prob", "least", "most"), [(0.0, 0, 0), (0.3, 90, 150), (1.0, 400, 400)])
def test_images_are_inverted_with_the_probability(prob, least, most):
    x, labels, rng = images(400, 4), np.zeros(400, int), np.random.default_rng(0)
    augment = Augment(0, False, invert=prob)
    pixels, _ = augment.to_batch(x.copy(), labels, 5, 0.1, MEAN, STD, rng)
    plain, swapped = (normalise(images, MEAN, STD) for images in (x, 255 - x))
    inverted = (pixels == swapped).all(axis=(1, 2, 3))
    assert (inverted | (pixels == plain).all(axis=(1, 2, 3))).all()
    assert least <= inverted.sum() <= most


@pytest.mark.parametrize("options", [{"invert": 1.0}, {"cutout": 3}])
def test_a_batch_leaves_the_images_as_they_are(options):
    """They were changed in place: a user's data set lost its pixels, epoch by epoch."""
    x = images()
    before = x.copy()
    x.flags.writeable = False  # as those of a mapped file
    rng = np.random.default_rng(0)
    Augment(**options).to_batch(x, np.zeros(len(x), int), 2, 0.0, MEAN, STD, rng)
    np.testing.assert_array_equal(x, before)


def test_cutout_fills_one_square():
    x = np.zeros((50, 12, 12, 3), np.uint8)
    cutout_(x, 4, (1.0, 1.0, 1.0), np.random.default_rng(0))
    areas = (x[..., 0] == 255).sum(axis=(1, 2))
    assert areas.max() == 16
    assert areas.min() >= 4


def test_mixup_blends_images_and_labels_alike():
    x, y = np.zeros((4, 3, 2, 2), np.float32), np.eye(4, dtype=np.float32)
    x[0] = 1
    mixup(x, y, 0.4, np.random.default_rng(0))
    lam = x[0, 0, 0, 0]
    np.testing.assert_allclose(y[0], [lam, 0, 0, 1 - lam], atol=1e-6)
    np.testing.assert_allclose(x[3], 1 - lam, atol=1e-6)


def test_cutmix_weights_labels_by_the_true_area():
    for seed in range(30):
        x, y = np.zeros((2, 3, 8, 8), np.float32), np.eye(2, dtype=np.float32)
        x[1] = 1
        cutmix(x, y, 1.0, np.random.default_rng(seed))
        np.testing.assert_allclose(y[0, 1], x[0, 0].mean(), atol=1e-6)
        np.testing.assert_allclose(y[1, 0], 1 - x[1, 0].mean(), atol=1e-6)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_randaugment_operations_keep_size_and_change_something(operation, sign):
    rng = np.random.default_rng(0)
    smooth = (rng.random((4, 4, 3)) * 180 + 30).astype(np.uint8).repeat(6, 0).repeat(6, 1)
    out = operation(smooth, sign * 0.7)
    assert out.shape == smooth.shape
    assert not np.array_equal(out, smooth)


def test_magnitude_zero_changes_nothing():
    for operation in OPERATIONS[:9]:
        x = images(1)[0]
        np.testing.assert_array_equal(operation(x, 0.0), x)


@pytest.mark.parametrize("side", [12, 64])
def test_randaugment_draws_operations_and_passes_the_magnitude(monkeypatch, side):
    """Small images get neither of the last two operations."""
    calls = []

    def record(index):
        return lambda pixels, strength: calls.append((index, strength)) or pixels

    recorded = [record(i) for i in range(len(OPERATIONS))]
    monkeypatch.setattr("data_tools.randaugment.OPERATIONS", recorded)
    monkeypatch.setattr("data_tools.randaugment.SMALL", recorded[:-2])
    pixels = np.zeros((side, side, 3), np.uint8)
    for seed in range(60):
        assert randaugment(pixels, 3, 7, np.random.default_rng(seed)) is pixels
    assert len(calls) == 180
    assert {index for index, _ in calls} == set(range(len(OPERATIONS) - 2 * (side < 64)))
    assert {strength for _, strength in calls} == {-0.7, 0.7}


def test_randaugment_varies_magnitudes_and_skips_operations(monkeypatch):
    calls = []
    recorded = [lambda pixels, strength: calls.append(abs(strength)) or pixels]
    monkeypatch.setattr("data_tools.randaugment.OPERATIONS", recorded)
    pixels = np.zeros((64, 64, 3), np.uint8)
    for seed in range(1000):
        randaugment(pixels, 2, 9, np.random.default_rng(seed), magnitude_std=0.5, prob=0.5)
    assert 900 < len(calls) < 1100
    assert np.mean(calls) == pytest.approx(0.9, abs=0.01)
    assert np.std(calls) == pytest.approx(0.05, rel=0.15)
    assert max(calls) <= 1


def test_soft_targets_are_smoothed_one_hot_rows():
    targets = soft_targets(np.array([2, 0]), 4, 0.2)
    np.testing.assert_allclose(
        targets, [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]], rtol=1e-6
    )


@pytest.mark.parametrize(
    "wrong",
    [{"mixup": -1}, {"cutmix": math.nan}, {"crop_padding": -2}, {"randaugment_magnitude": 11},
     {"invert": 1.5}],
)  # fmt: skip
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(DataError):
        Augment(**wrong)


@pytest.mark.parametrize("labels", [[0, -1], [5, 0], [0.0, 1.0]])
def test_labels_outside_the_classes_are_refused(labels):
    with pytest.raises(DataError, match="augment: labels"):
        soft_targets(np.array(labels), 5, 0.1)


def test_mix_prob_is_the_share_of_batches_that_are_mixed():
    augment = Augment(0, False, cutmix=1.0, mix_prob=0.25)
    plain = Augment(0, False)
    mixed = [not np.array_equal(apply(augment, i)[1], apply(plain, i)[1]) for i in range(200)]
    assert 30 < sum(mixed) < 70


def test_alternate_flip_needs_flip():
    with pytest.raises(DataError, match="alternate_flip is a way to flip, but flip is off"):
        Augment(flip=False, alternate_flip=True)
