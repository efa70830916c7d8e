import os
import time

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


FILES = ["images.npy", "labels.npy", "meta.json"]
DAMAGE = {
    "empty": lambda content: b"",
    "cut": lambda content: content[:-9],
    "longer": lambda content: content + b"\0",
    "another end": lambda content: content[:-9] + b"\xff" * 9,
    "another header": lambda content: content.replace(b"'descr'", b"'d\n sc'"),
    "another size": lambda content: content.replace(b"(5,", b"(9999999999,"),
    "zeros": lambda content: bytes(len(content)),
    "a zip file": lambda content: b"PK\3\4" + content,
    "another mean": lambda content: content.replace(b"0.5", b"0.6"),
    "another class": lambda content: content.replace(b'"b"', b'"c"'),
    "another split": lambda content: content.replace(b"train", b"tests"),
    "no object": lambda content: b"[1, 2]",
    "deep": lambda content: b"[" * 100_000,
}
DAMAGES = [(file, damage) for file in FILES for damage in (*DAMAGE, "removed", "a folder")]


def damaged(content, damage):
    return DAMAGE[damage](content) if damage in DAMAGE else None


@pytest.mark.parametrize(("file", "damage"), DAMAGES)
def test_a_damaged_cache_is_made_anew_and_named(tmp_path, file, damage, capsys):
    maker = Counting()
    cached(tmp_path, "toy", "f1", maker)
    path = next(tmp_path.glob(f"decoded/*/{file}"))
    before, after = path.read_bytes(), damaged(path.read_bytes(), damage)
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif after is not None:
        path.write_bytes(after)
    images = cached(tmp_path, "toy", "f1", maker)
    assert maker.calls == 1 + (before != after)
    np.testing.assert_array_equal(images.images, make().images)
    assert images.mean == make().mean and images.classes == make().classes
    if before != after and (file != "meta.json" or after is not None):
        assert f"the cache {path.parent} is damaged" in capsys.readouterr().err
    cached(tmp_path, "toy", "f1", maker)
    assert maker.calls == 1 + (before != after)


@pytest.mark.parametrize("file", FILES)
def test_the_checksum_covers_every_byte(tmp_path, file):
    cached(tmp_path, "toy", "f1", make)
    path = next(tmp_path.glob(f"decoded/*/{file}"))
    content = path.read_bytes()
    for offset in range(0, len(content), 3):
        maker = Counting()
        flipped = content[offset] ^ (1 << offset % 8)
        path.write_bytes(content[:offset] + bytes([flipped]) + content[offset + 1 :])
        images = cached(tmp_path, "toy", "f1", maker)
        assert maker.calls == 1 or (images.std, images.classes) == (make().std, ("a", "b")), offset


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="file names need Linux")
def test_contents_are_on_disk_before_the_cache_has_its_name(tmp_path, monkeypatch):
    done, replace = [], os.replace
    name = "/proc/self/fd/{}".format
    monkeypatch.setattr("os.fsync", lambda number: done.append(os.readlink(name(number))))
    monkeypatch.setattr("os.replace", lambda *names: (done.append("renamed"), replace(*names)))
    cached(tmp_path, "toy", "f1", make)
    assert [os.path.basename(path) for path in done[:3]] == FILES
    assert "renamed" in done[3:]


def test_folders_of_killed_processes_are_removed(tmp_path):
    for name, age in ((".partial-old", 10**6), (".partial-new", 10)):
        folder = tmp_path / "decoded" / name
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age,) * 2)
    cached(tmp_path, "toy", "f1", make)
    assert sorted(p.name for p in (tmp_path / "decoded").iterdir()) == [".partial-new", "toy-f1"]


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


def test_the_user_cache_replaces_a_read_only_data_folder(tmp_path):
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
    def full(*_, **__):
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
