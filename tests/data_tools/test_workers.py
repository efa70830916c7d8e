import os
import signal

import numpy as np
import pytest
from PIL import Image

import data_tools
from data_tools import Augment, DataError
from data_tools.workers import Prefetcher

AUGMENT = Augment(randaugment_ops=2, randaugment_magnitude=9)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Forty pictures of noise in two classes, two of them unreadable."""
    root = tmp_path_factory.mktemp("net")
    rng = np.random.default_rng(0)
    for i in range(40):
        file = root / "train" / f"c{i % 2}" / f"{i:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(file)
    (root / "train" / "c0" / "06.png").write_bytes(b"")
    (root / "train" / "c1" / "07.png").write_bytes(b"no picture")
    return root


@pytest.fixture
def images(pictures):
    return data_tools.load(f"imagenet:{pictures},size=16", "train")


@pytest.fixture
def feed(images):
    made = []

    def make(workers=1, batch=10):
        made.append(Prefetcher(images, AUGMENT, batch, workers))
        return made[-1]

    yield make
    for each in made:
        each.close()


def served(feed, chosen, key=(0, 0), seeds=(0, 0, 0)):
    assert feed.ask(key, chosen, seeds)
    return feed.take(key, feed.images.labels[chosen])


def test_one_and_three_processes_give_the_same_bits(feed, images):
    chosen = np.random.default_rng(1).permutation(40)[:30]
    one, labels = served(feed(1, 30), chosen)
    three, again = served(feed(3, 30), chosen)
    np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(labels, again)
    assert one.shape == (30, 16, 16, 3)
    assert len({picture.tobytes() for picture in one}) > 26  # really different pictures


def test_what_a_picture_becomes_depends_on_seed_and_epoch(feed):
    chosen, one = np.arange(10, 20), feed()
    first = served(one, chosen, (0, 0), (0, 0, 0))[0]
    assert (served(one, chosen, (0, 9), (0, 0, 1))[0] != first).any()
    assert (served(one, chosen, (1, 0), (0, 1, 0))[0] != first).any()
    np.testing.assert_array_equal(served(one, chosen, (5, 5), (0, 0, 0))[0], first)


def test_unreadable_pictures_are_replaced_label_and_all(feed, images):
    at = [i for i in range(40) if images.listing.name(i).endswith(("06.png", "07.png"))]
    good = next(i for i in range(40) if i not in at and images.labels[i] == 0)
    pixels, labels = served(feed(), np.array([at[1], good, at[0]]))
    np.testing.assert_array_equal(pixels[0], pixels[1])
    np.testing.assert_array_equal(pixels[2], pixels[1])
    assert labels.tolist() == [0, 0, 0]
    assert len(images.unreadable) == 2
    with pytest.raises(DataError, match="no picture of a batch could be read: .*07.png|06.png"):
        served(feed(), np.array(at))


def test_no_more_than_the_slots_are_prepared(feed):
    one, chosen = feed(), np.arange(8)
    asked = [one.ask((0, step), chosen, (0, 0, 0)) for step in range(6)]
    assert asked == [True] * 4 + [False] * 2
    assert one.ask((0, 2), chosen, (0, 0, 0))  # is already
    one.take((0, 2), np.zeros(8))  # skips 0 and 1
    assert [one.ask((0, step), chosen, (0, 0, 0)) for step in (4, 5, 6, 7)] == [True] * 3 + [False]


def test_a_jump_forgets_what_was_prepared(feed):
    one, chosen = feed(), np.arange(8)
    for step in range(4):
        one.ask((0, step), chosen, (0, 0, 0))
    one.restart((0, 2))
    assert len(one._asked) == 4
    one.restart((1, 0))
    assert len(one._asked) == 0
    assert served(one, chosen, (1, 0))[0].shape == (8, 16, 16, 3)


def test_a_process_that_died_is_told(feed):
    one, chosen = feed(), np.arange(8)
    served(one, chosen)
    for pid in list(one._pool._processes):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(DataError, match="a decoding process died.*--workers"):
        for step in range(1, 4):
            served(one, chosen, (0, step))


def test_nothing_is_left_behind(images):
    from multiprocessing.shared_memory import SharedMemory

    one = Prefetcher(images, AUGMENT, 4, 2)
    name, processes = one._memory.name, list(one._pool._processes.values())
    served(one, np.arange(10, 14))
    processes = list(one._pool._processes.values())
    one.close()
    assert not any(process.is_alive() for process in processes)
    with pytest.raises(FileNotFoundError):
        SharedMemory(name)
