"""The least time that a number of products can take: dot products of bytes on registers alone.

Whatever else a program does, loads, roundings, attention, comes on top. So the share of the peak
says how much of the time is the instruction's own, and a ratio to a rival divided by the share is
the most that any program made of this instruction can reach against it.
"""

from collections.abc import Callable
from typing import Any

from tervit_np.bench.timing import Times
from tervit_np.kernels import isa, supported

PEAK = "dot products alone"  # its name among times
_LEAST = 1e8  # operations: fewer would time the call


def peak(operations: float) -> dict[str, Callable[[], Any]]:
    """Prepare as many multiplications and additions, or some more; nothing without a DOTS rung."""
    variant = supported(isa.features())[-1]
    if variant not in isa.DOT_VARIANTS:
        return {}
    from tervit_np.kernels import peak as kernel_peak
    from tervit_np.kernels.tiles import TILES

    tile = TILES[variant]
    steps = round(max(operations, _LEAST) / kernel_peak.operations(tile, 1))
    return {PEAK: lambda: kernel_peak.dot_products_only(tile, steps, 0x01020102, 0x05060708)}


def scaled(times: dict[str, Times], operations: float) -> dict[str, Times]:
    """Bring the time of the peak to the number of operations that was asked for."""
    factor = min(operations / _LEAST, 1.0)
    return {
        name: Times(*(factor * seconds for seconds in found)) if name == PEAK else found
        for name, found in times.items()
    }


def share(times: dict[str, Times], ours: str) -> float | None:
    """Return the share of a time that the dot products alone take; None where they were not timed.

    >>> share({"ternary": Times(4.0, 4.0, 4.0), PEAK: Times(3.0, 3.0, 3.0)}, "ternary")
    0.75
    """
    return times[PEAK].median / times[ours].median if PEAK in times else None
