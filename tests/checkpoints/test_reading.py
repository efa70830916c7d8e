"""Official forms of the same weights, and a thousand damaged files."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import tervit_np as tv

STORED = Path(__file__).parent / "formats"
FORMS = ("small.pth", "small_older.pth", "small.safetensors")
EACH = 400  # mutations of each form
SPARE = 100_000  # bytes of Python objects in addition to twice the file


@pytest.mark.parametrize("form", FORMS)
def test_all_formats_give_the_same_arrays(form):
    """A Swin with its index tables and a mask; see make_golden.py."""
    arrays = tv.load_checkpoint(STORED / form)
    expected = tv.load_checkpoint(STORED / FORMS[0])
    assert list(arrays) == list(expected)
    assert not any("index" in name or "mask" in name for name in arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])
        assert array.dtype == np.float32


def mutations(content, rng):
    """Yield damaged copies: bits flipped, bytes changed, cut, lengthened, lengths changed."""
    for i in range(EACH):
        bad = bytearray(content)
        kind, limit = i % 5, min(len(bad), 4000) if i % 2 else len(bad)  # headers come first
        if kind == 0:
            bad = bad[: rng.integers(len(bad))]
        elif kind == 1:
            bad[rng.integers(limit)] ^= 1 << rng.integers(8)
        elif kind == 2:
            for start in rng.integers(limit, size=4):
                bad[start] = rng.integers(256)
        elif kind == 3:  # what may be a length becomes huge, negative or off by one
            start = rng.integers(limit - 8)
            value = [2**62, 2**64 - 1, int.from_bytes(bad[start : start + 8], "little") ^ 1][i % 3]
            bad[start : start + 8] = value.to_bytes(8, "little")
        else:
            start = rng.integers(len(bad))
            bad[start:start] = rng.bytes(rng.integers(1, 64))
        yield bytes(bad)


def read(path):
    """Read a file that may be damaged.  -> arrays or None, seconds, bytes beyond twice the file."""
    tracemalloc.start()
    began = time.perf_counter()
    try:
        arrays = tv.load_checkpoint(path)
    except ValueError as error:
        assert str(error)
        arrays = None
    seconds = time.perf_counter() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return arrays, seconds, peak - 2 * path.stat().st_size


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_are_refused_or_harmless(tmp_path, form):
    """Nothing but ValueError; finite arrays of the true shapes else; little memory and time."""
    good = (STORED / form).read_bytes()
    shapes = {name: a.shape for name, a in tv.load_checkpoint(STORED / form).items()}
    path, rng = tmp_path / form, np.random.default_rng(0)
    loaded, slowest = 0, 0.0
    for bad in mutations(good, rng):
        path.write_bytes(bad)
        arrays, seconds, extra = read(path)
        # Once in a while Python's table of interned strings grows, by 2 MB; then read it again.
        assert extra < SPARE or read(path)[2] < SPARE
        slowest = max(slowest, seconds)
        if arrays is None:
            continue
        loaded += 1
        assert sum(a.nbytes for a in arrays.values()) <= 2 * len(bad)
        assert all(np.isfinite(a).all() for a in arrays.values())
        if sorted(arrays) == sorted(shapes):
            assert all(sorted(arrays[n].shape) == sorted(shapes[n]) for n in shapes)
    assert slowest < 2
    assert loaded < EACH * (0.25 if form == "small.pth" else 0.6)


def test_an_absent_file_is_refused():
    with pytest.raises(ValueError, match=r"nowhere\.pth: no such file"):
        tv.load_checkpoint("nowhere.pth")


def test_half_precision_that_overflows_is_refused(tmp_path):
    tv.save_safetensors({"w": np.array([1e300])}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="w holds NaN or values that no finite float32"):
        tv.load_checkpoint(tmp_path / "x.safetensors")
