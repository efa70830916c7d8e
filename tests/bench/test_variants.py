import pytest

from tervit_np.bench import time_variants
from tervit_np.bench.variants import intensities
from tervit_np.kernels import runnable

pytest.importorskip("numba")
HERE = runnable()


def test_each_variant_is_timed(monkeypatch):
    """Inner loops are compiled anew, seconds each; test_assembly.py reads them."""
    from tervit_np.bench import variants as module

    loops = {name: [f"add {name}"] if name != "numpy" else [] for name in HERE}
    monkeypatch.setattr(module, "inner_loop", loops.__getitem__)
    variants = time_variants(12, 64, 64, rounds=3)
    assert [variant.name for variant in variants if variant.name != "peak"] == list(HERE)
    assert all(variant.speed > 0 for variant in variants)
    assert all(
        variant.fraction_of_peak is None or variant.fraction_of_peak > 0 for variant in variants
    )
    assert all(
        bool(variant.loop) == (variant.name not in ("numpy", "peak")) for variant in variants
    )


def test_intensity_is_that_of_the_tile():
    """Six tokens use a byte of four weights at once: 2 x 4 x 6 operations."""
    weights, everything = intensities("vnni512")
    assert weights == 48
    assert everything == 2 * 4 * 64 * 6 / (64 + 4 * 6)
    assert intensities("amx") == (64, 32)
    assert intensities("vector") == (2, 1)
    assert intensities("numpy") == (None, None)
