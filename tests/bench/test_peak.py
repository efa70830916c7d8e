import numpy as np
import pytest

from tervit_np.bench.peak import PEAK, fraction_of_peak, peak_candidate, scale_peak
from tervit_np.bench.timing import Times
from tervit_np.kernels import isa, runnable

pytest.importorskip("numba")


def times(seconds):
    return Times(seconds, 0.9 * seconds, 1.2 * seconds)


def test_the_time_of_few_operations_is_scaled_down():
    scaled = scale_peak({PEAK: times(1.0), "ternary": times(3.0)}, 1e6)
    assert tuple(scaled[PEAK]) == pytest.approx((0.01, 0.009, 0.012))
    assert scaled["ternary"] == times(3.0)
    assert scale_peak({PEAK: times(1.0)}, 1e9)[PEAK] == times(1.0)
    assert fraction_of_peak(scaled, "ternary") == pytest.approx(0.01 / 3)
    assert fraction_of_peak({"ternary": times(3.0)}, "ternary") is None


def test_the_dot_products_are_as_many_as_asked_for(monkeypatch):
    from tervit_np.kernels import peak
    from tervit_np.kernels.tiles import TILES

    variant = runnable()[-1]
    if variant not in isa.DOT_VARIANTS:
        assert peak_candidate(1e9) == {}
        return
    steps = []
    for name in ("dot_products_only", "tile_dot_products_only"):
        monkeypatch.setattr(peak, name, lambda tile, count, *words: steps.append(count))
    for work in (3e8, 6e8):
        peak_candidate(work)[PEAK]()
        done = peak.operations(TILES[variant], steps[-1])
        assert done == pytest.approx(work, rel=1e-3)


def test_without_a_dot_product_there_is_no_peak(monkeypatch):
    monkeypatch.setattr(isa, "features", lambda: frozenset({"sse2"}))
    assert peak_candidate(1e9) == {}


def test_no_dot_product_is_left_out():
    """Sums of slots and rows differ with AVX2; a compiler that knew them equal would add once."""
    from tervit_np.kernels import peak
    from tervit_np.kernels.tiles import TILES

    tile = TILES[runnable()[-1]]
    if runnable()[-1] != "avx2":
        pytest.skip("only AVX2 computes a dot product in several instructions")
    sums = peak.dot_products_only(tile, 1000, 0x01020102, 0x05060708)[: tile.mr, ::16][:, :4]
    assert len(np.unique(sums)) == tile.mr * 4


def test_the_peak_of_a_matrix_unit_is_counted():
    """Four products of 16 x 16 x 64 bytes, one multiplication and one addition each."""
    from tervit_np.kernels import peak
    from tervit_np.kernels.tiles import TILES

    sums = peak.tile_dot_products_only(TILES["amx_emulated"], 3)
    assert peak.operations(TILES["amx_emulated"], 3) == 2 * 3 * 4 * 16 * 16 * 64
    assert (sums[0] == 3 * 16).all()  # words of 1: one byte in four is 1
