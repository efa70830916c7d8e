import numpy as np
import pytest

from data_tools import DataError, ImageSet


def make(images, labels):
    return ImageSet("toy", "train", images, labels, ("a", "b"), (0.5,) * 3, (0.2,) * 3)


@pytest.fixture
def toy():
    images = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    return make(images, np.arange(20) % 2)


def test_taking_keeps_images_and_labels_together(toy):
    some = toy.take(np.array([5, 2, 2]))
    assert some.labels.tolist() == [1, 0, 0]
    assert some.images[:, 0, 0, 0].tolist() == [5, 2, 2]


def test_holding_out_divides_the_set(toy):
    rest, held = toy.hold_out(6, seed=1)
    assert (len(rest), len(held), rest.split, held.split) == (14, 6, "train", "val")
    both = [*rest.images[:, 0, 0, 0], *held.images[:, 0, 0, 0]]
    assert sorted(both) == list(range(20))
    assert (held.images[:, 0, 0, 0] % 2 == held.labels).all()
    assert (
        held.images[:, 0, 0, 0].tolist() != toy.hold_out(6, seed=2)[1].images[:, 0, 0, 0].tolist()
    )
    np.testing.assert_array_equal(held.images, toy.hold_out(6, seed=1)[1].images)


@pytest.mark.parametrize("count", [0, 20, -1])
def test_holding_out_too_much_or_nothing(toy, count):
    with pytest.raises(DataError, match="between 1 and 19"):
        toy.hold_out(count, 0)


@pytest.mark.parametrize(
    ("shape", "kind", "labels"),
    [((2, 4, 4), np.uint8, 2), ((2, 3, 4, 4), np.uint8, 2), ((2, 4, 4, 3), np.float32, 2),
     ((2, 4, 4, 3), np.uint8, 3)],
)  # fmt: skip
def test_what_is_no_image_set(shape, kind, labels):
    with pytest.raises(DataError, match=r"toy: images are .*; expected uint8 \(N, H, W, 3\)"):
        make(np.zeros(shape, kind), np.zeros(labels, np.int64))
