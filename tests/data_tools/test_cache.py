import os

import numpy as np
import pytest

from data_tools import ImageSet
from data_tools.cache import cached


def make(value=7):
    images = np.full((5, 4, 4, 3), value, np.uint8)
    return ImageSet("toy", "train", images, np.arange(5) % 2, ("a", "b"), (0.5,) * 3, (0.2,) * 3)


class Counting:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return make()


def test_the_second_load_maps_the_file(tmp_path):
    maker = Counting()
    first, second = (cached(tmp_path, "toy", "f1", maker) for _ in range(2))
    assert maker.calls == 1
    assert isinstance(second.images, np.memmap)
    np.testing.assert_array_equal(first.images, second.images)
    assert (second.classes, second.mean) == (("a", "b"), (0.5,) * 3)


def test_another_fingerprint_selects_another_cache(tmp_path):
    maker = Counting()
    cached(tmp_path, "toy", "f1", maker)
    cached(tmp_path, "toy", "f2", maker)
    assert maker.calls == 2


@pytest.mark.parametrize("file", ["images.npy", "labels.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_damaged_cache_is_written_anew(tmp_path, file, damage):
    maker = Counting()
    cached(tmp_path, "toy", "f1", maker)
    path = next(tmp_path.glob(f"decoded/*/{file}"))
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if damage == "cut" else content[:-9] + b"\xff" * 9)
    images = cached(tmp_path, "toy", "f1", maker)
    assert maker.calls == 2
    np.testing.assert_array_equal(images.images, make().images)


def test_the_checksum_covers_every_byte(tmp_path):
    cached(tmp_path, "toy", "f1", make)
    path = next(tmp_path.glob("decoded/*/images.npy"))
    content = path.read_bytes()
    start = len(content) - 5 * 4 * 4 * 3
    for offset in range(start, len(content), 7):
        maker = Counting()
        path.write_bytes(content[:offset] + b"\xff" + content[offset + 1 :])
        cached(tmp_path, "toy", "f1", maker)
        assert maker.calls == 1, offset


def test_a_new_fingerprint_replaces_the_old_cache_of_that_name_alone(tmp_path):
    for name, fingerprint in (("toy", "f1"), ("toy-train", "f1"), ("toys", "f1"), ("toy", "f2")):
        cached(tmp_path, name, fingerprint, make)
    remaining = sorted(p.name for p in (tmp_path / "decoded").iterdir())
    assert remaining == ["toy-f2", "toy-train-f1", "toys-f1"]


def test_a_cache_that_another_process_wrote_meanwhile_stays(tmp_path):
    def slow():
        cached(tmp_path, "toy", "f1", lambda: make(1))
        return make(2)

    assert cached(tmp_path, "toy", "f1", slow).images.max() == 1
    assert [p.name for p in (tmp_path / "decoded").iterdir()] == ["toy-f1"]


def test_the_user_cache_replaces_a_read_only_data_folder(tmp_path, monkeypatch):
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    maker = Counting()
    for _ in range(2):
        cached(blocked, "toy", "f1", maker)
    assert maker.calls == 1
    assert [p.parent.parent.name for p in tmp_path.rglob("toy-f1")] == ["tervit_np"]


def test_a_failing_maker_leaves_nothing(tmp_path):
    def fail():
        raise ValueError("bad data")

    with pytest.raises(ValueError, match="bad data"):
        cached(tmp_path, "toy", "f1", fail)
    assert not list(tmp_path.glob("decoded/*"))


def test_a_full_disk_prevents_only_the_cache(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "save", full)
    images = cached(tmp_path, "toy", "f1", Counting())
    np.testing.assert_array_equal(images.images, make().images)
    assert "could not cache the decoded toy: No space left" in capsys.readouterr().err
    assert not list(tmp_path.glob("decoded/*"))


def test_a_failed_rename_leaves_no_cache(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError("interrupted")

    monkeypatch.setattr(os, "replace", fails)
    cached(tmp_path, "toy", "f1", make)
    assert not list(tmp_path.glob("decoded/*"))


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be blocked by a file there")
def test_without_a_writable_folder_the_set_is_still_made(tmp_path, monkeypatch, capsys):
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    images = cached(blocked, "toy", "f1", Counting())
    np.testing.assert_array_equal(images.images, make().images)
    assert "no folder" in capsys.readouterr().err
