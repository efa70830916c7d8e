import pytest

from tervit_np.bench import climb
from tervit_np.bench.ladder import intensities
from tervit_np.kernels import available, processor

pytest.importorskip("numba")
HERE = available(processor.features())


def test_each_rung_is_timed(monkeypatch):
    """Inner loops are compiled anew, seconds each; test_assembly.py reads them."""
    from tervit_np.bench import ladder

    loops = {name: [f"add {name}"] if name != "numpy" else [] for name in HERE}
    monkeypatch.setattr(ladder, "inner_loop", loops.__getitem__)
    rungs = climb(12, 64, 64, rounds=3)
    assert [rung.name for rung in rungs if rung.name != "peak"] == list(HERE)
    assert all(rung.speed > 0 for rung in rungs)
    assert all(rung.share is None or 0 < rung.share for rung in rungs)
    assert all(bool(rung.loop) == (rung.name not in ("numpy", "peak")) for rung in rungs)


def test_intensity_is_that_of_the_tile():
    """Six tokens use a byte of four weights at once: 2 x 4 x 6 operations."""
    weights, everything = intensities("vnni512")
    assert weights == 48
    assert everything == 2 * 4 * 64 * 6 / (64 + 4 * 6)
    assert intensities("vector") == (2, 1)
    assert intensities("numpy") == (None, None)
