import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import data_tools
from data_tools import Augment, DataError
from data_tools.workers import Prefetcher, replace_unreadable

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
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
def make_prefetcher(images):
    prefetchers = []

    def make(workers=1, batch=10):
        prefetchers.append(Prefetcher(images, AUGMENT, batch, workers))
        return prefetchers[-1]

    yield make
    for prefetcher in prefetchers:
        prefetcher.close()


def fetch(prefetcher, indices, key=(0, 0), seeds=(0, 0, 0)):
    assert prefetcher.request(key, indices, seeds)
    labels = prefetcher.images.labels[indices]
    return replace_unreadable(*prefetcher.get(key), labels, prefetcher.images)


def test_one_and_three_workers_give_the_same_bits(make_prefetcher):
    indices = np.random.default_rng(1).permutation(40)[:30]
    one, labels = fetch(make_prefetcher(1, 30), indices)
    three, again = fetch(make_prefetcher(3, 30), indices)
    np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(labels, again)
    assert one.shape == (30, 16, 16, 3)
    assert len({picture.tobytes() for picture in one}) > 26  # really different pictures


def test_an_augmented_picture_depends_on_seed_stage_and_epoch(make_prefetcher):
    indices, prefetcher = np.arange(10, 20), make_prefetcher()
    first = fetch(prefetcher, indices, (0, 0), (0, 0, 0))[0]
    assert (fetch(prefetcher, indices, (0, 9), (0, 0, 1))[0] != first).any()
    assert (fetch(prefetcher, indices, (1, 0), (0, 1, 0))[0] != first).any()
    np.testing.assert_array_equal(fetch(prefetcher, indices, (5, 5), (0, 0, 0))[0], first)


def test_unreadable_pictures_are_replaced_with_their_labels(make_prefetcher, images, capsys):
    bad = [i for i in range(40) if images.listing.name(i).endswith(("06.png", "07.png"))]
    good = next(i for i in range(40) if i not in bad and images.labels[i] == 0)
    pixels, labels = fetch(make_prefetcher(), np.array([bad[1], good, bad[0]]))
    np.testing.assert_array_equal(pixels[0], pixels[1])
    np.testing.assert_array_equal(pixels[2], pixels[1])
    assert labels.tolist() == [0, 0, 0]
    assert len(images.unreadable) == 2
    said = capsys.readouterr().err
    assert said.count("note: ") == said.count("not a readable picture") == 1, said
    assert "in training, another of its batch replaces each such picture" in said
    with pytest.raises(DataError, match=r"no picture of a batch could be read: .*0[67]\.png"):
        fetch(make_prefetcher(), np.array(bad))


def test_a_part_of_a_batch_has_the_pictures_of_the_batch(make_prefetcher):
    """As where another process prepares the other part."""
    prefetcher, indices = make_prefetcher(), np.arange(10, 20)
    whole = fetch(prefetcher, indices)[0]
    assert prefetcher.request((0, 1), indices[6:], (0, 0, 0), 6)
    np.testing.assert_array_equal(prefetcher.get((0, 1))[0], whole[6:])


def test_requests_are_limited_by_the_slots(make_prefetcher):
    prefetcher, indices = make_prefetcher(), np.arange(8)
    accepted = [prefetcher.request((0, step), indices, (0, 0, 0)) for step in range(6)]
    assert accepted == [True] * 4 + [False] * 2
    assert prefetcher.request((0, 2), indices, (0, 0, 0))  # has begun
    prefetcher.get((0, 2))  # skips 0 and 1, so that three slots are free
    accepted = [prefetcher.request((0, step), indices, (0, 0, 0)) for step in (4, 5, 6, 7)]
    assert accepted == [True] * 3 + [False]


def test_seek_cancels_requests_unless_its_own_is_pending(make_prefetcher):
    prefetcher, indices = make_prefetcher(), np.arange(8)
    for step in range(4):
        prefetcher.request((0, step), indices, (0, 0, 0))
    prefetcher.seek((0, 2))
    assert len(prefetcher._requests) == 4
    prefetcher.seek((1, 0))
    assert len(prefetcher._requests) == 0
    assert fetch(prefetcher, indices, (1, 0))[0].shape == (8, 16, 16, 3)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SIGKILL", "was killed, perhaps because memory ran out; try fewer with --workers"),
        ("SIGSEGV", "died with status -11; try another number of them"),
        ("SIGABRT", "died with status -6; try another number of them"),
    ],
)
def test_a_dead_worker_is_reported_with_its_cause(make_prefetcher, name, words):
    prefetcher, indices = make_prefetcher(2), np.arange(8)
    fetch(prefetcher, indices)
    os.kill(next(iter(prefetcher._pool._processes)), getattr(signal, name))
    with pytest.raises(DataError, match=f"a decoding process {words}"):
        for step in range(1, 4):
            fetch(prefetcher, indices, (0, step))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_worker_that_died_between_two_batches_is_reported_too(make_prefetcher):
    """Then the pool refuses tasks before there is a result to wait for."""
    prefetcher, indices = make_prefetcher(2), np.arange(8)
    fetch(prefetcher, indices)
    os.kill(next(iter(prefetcher._pool._processes)), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not prefetcher._pool._broken:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(DataError, match="a decoding process was killed, perhaps because memory"):
        prefetcher.request((0, 1), indices, (0, 0, 0))


SCRIPT = """
import os, sys, time
import numpy as np
import data_tools
from data_tools.workers import Prefetcher

def main():
    images = data_tools.load(f"imagenet:{sys.argv[1]},size=16", "train")
    prefetcher = Prefetcher(images, data_tools.Augment(), 4, 2)
    try:
        prefetcher.request((0, 0), np.arange(4), (0, 0, 0))
        prefetcher.get((0, 0))
        print(prefetcher._memory.name, *prefetcher._pool._processes, flush=True)
        time.sleep(60)
    finally:
        prefetcher.close()
"""
GUARD = '\nif __name__ == "__main__":\n    main()\n'


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("killed_by", ["SIGKILL", "SIGHUP"])
def test_workers_end_with_a_killed_process(pictures, tmp_path, killed_by):
    """And the shared memory is freed."""
    (tmp_path / "script.py").write_text(SCRIPT + GUARD)
    run = [sys.executable, str(tmp_path / "script.py"), str(pictures)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        name, *workers = process.stdout.readline().split()
        assert len(workers) >= 1 and os.path.exists(f"/dev/shm/{name}")
        process.send_signal(getattr(signal, killed_by))
    deadline = time.monotonic() + 30
    while any(map(alive, workers)) or os.path.exists(f"/dev/shm/{name}"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("code", ["main()", "raise OSError('no such library')"])
def test_a_script_without_a_guard_is_told_so(pictures, tmp_path, code):
    """So is one that fails when another process imports it."""
    guarded = GUARD if "raise" in code else ""
    fails = f'\nif __name__ != "__main__":\n    {code}\n' if guarded else f"\n{code}\n"
    (tmp_path / "script.py").write_text(SCRIPT.replace("sleep(60)", "sleep(0)") + fails + guarded)
    run = [sys.executable, str(tmp_path / "script.py"), str(pictures)]
    done = subprocess.run(run, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    last = done.stderr.strip().splitlines()[-1]
    assert 'under `if __name__ == "__main__":`, because each decoding process imports it' in last


def test_close_ends_workers_and_frees_memory(images):
    from multiprocessing.shared_memory import SharedMemory

    prefetcher = Prefetcher(images, AUGMENT, 4, 2)
    name = prefetcher._memory.name
    fetch(prefetcher, np.arange(10, 14))
    processes = list(prefetcher._pool._processes.values())
    prefetcher.close()
    assert not any(process.is_alive() for process in processes)
    with pytest.raises(FileNotFoundError):
        SharedMemory(name)
