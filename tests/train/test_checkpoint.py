"""A damaged checkpoint gives way to the one before it."""

import numpy as np
import pytest

from tervit_np.train.checkpoint import Checkpoints, Saved


def saved(step):
    position = {"stage": 0, "step": step, "results": [], "start": [0.0, 0.0]}
    return Saved(
        {"w": np.full(100, float(step))}, position | {"seconds": 1.0, "metrics_bytes": 0, "run": {}}
    )


@pytest.fixture
def two(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        checkpoints.save(saved(step))
    return checkpoints


def flip(file, at):
    content = bytearray(file.read_bytes())
    content[int(at * len(content))] ^= 16
    file.write_bytes(bytes(content))


def test_the_last_two_are_kept(two, tmp_path, capsys):
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "checkpoint-1.npz",
        "checkpoint.npz",
    ]
    assert two.load().position["step"] == 3
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("at", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_a_flipped_bit_is_never_loaded(two, capsys, at):
    """Where the flipped bit means nothing, as in a time of the archive, the arrays are right."""
    flip(two.newest, at)
    loaded = two.load()
    step = loaded.position["step"]
    np.testing.assert_array_equal(loaded.arrays["w"], np.full(100, float(step)))
    note = capsys.readouterr().err
    assert step == 3 or (step == 2 and "the run continues from checkpoint-1.npz" in note)


def test_a_truncated_one_gives_way(two, capsys):
    two.newest.write_bytes(two.newest.read_bytes()[:-30])
    assert two.load().position["step"] == 2
    assert "checkpoint.npz: not a checkpoint of tervit_np, or truncated" in capsys.readouterr().err


def test_a_damaged_one_never_takes_the_place_of_a_whole_one(two, monkeypatch):
    two.newest.write_bytes(b"")
    two.load()
    with monkeypatch.context() as patch:
        patch.setattr("tervit_np.train.checkpoint.npz.write_npz", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):  # as if killed while it writes
            two.save(saved(4))
    assert Checkpoints(two.newest.parent).load().position["step"] == 2
    two.save(saved(4))
    two.save(saved(5))
    two.newest.unlink()
    assert two.load().position["step"] == 4


def test_a_missing_one_gives_way(two):
    two.newest.unlink()
    assert two.load().position["step"] == 2
    two.save(saved(4))
    assert two.load().position["step"] == 4
    two.newest.unlink()
    assert two.load().position["step"] == 2  # it was not overwritten


def test_without_a_whole_one_the_newest_is_named(two):
    for file in (two.newest, two.older):
        file.write_bytes(b"")
    with pytest.raises(ValueError, match="checkpoint.npz: not a checkpoint"):
        two.load()


def test_a_failed_write_keeps_the_one_before(two, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tervit_np.train.checkpoint.npz.write_npz", full)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            two.save(saved(4))
    assert two.load().position["step"] == 3
