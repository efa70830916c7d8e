"""The time that the dot products of bytes alone take, on registers: the peak.

All other work (loads, quantization, attention) comes on top of it. The fraction of the peak is this
time divided by the measured time. A ratio to a baseline, divided by the fraction of the peak, is
the highest ratio that any program with this instruction can reach.
"""

from collections.abc import Callable

from tervit_np.arrays import Array
from tervit_np.bench.timing import Times
from tervit_np.kernels import isa, runnable

PEAK = "dot products alone"  # its name among times
_LEAST = 1e8  # operations; with fewer, the overhead of the call would count


def peak_candidate(operations: float) -> dict[str, Callable[[], Array]]:
    """Return a call that does at least so many operations; empty without a dot instruction."""
    variant = runnable()[-1]
    if variant not in isa.DOT_VARIANTS:
        return {}
    from tervit_np.compiled.amx import MatrixTile
    from tervit_np.kernels import peak
    from tervit_np.kernels.tiles import TILES

    tile = TILES[variant]
    steps = round(max(operations, _LEAST) / peak.operations(tile, 1))
    if isinstance(tile, MatrixTile):
        return {PEAK: lambda: peak.tile_dot_products_only(tile, steps)}
    return {PEAK: lambda: peak.dot_products_only(tile, steps, 0x01020102, 0x05060708)}


def scale_peak(times: dict[str, Times], operations: float) -> dict[str, Times]:
    """Scale the time of the peak to the number of operations given to `peak_candidate`."""
    factor = min(operations / _LEAST, 1.0)
    return {
        name: Times(*(factor * seconds for seconds in value)) if name == PEAK else value
        for name, value in times.items()
    }


def fraction_of_peak(times: dict[str, Times], name: str) -> float | None:
    """Return the fraction of a time that the dot products take; None if they were not timed.

    >>> fraction_of_peak({"ternary": Times(4.0, 4.0, 4.0), PEAK: Times(3.0, 3.0, 3.0)}, "ternary")
    0.75
    """
    return times[PEAK].median / times[name].median if PEAK in times else None
