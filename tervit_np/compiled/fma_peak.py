"""What a processor could do at most: fused multiply-adds on registers alone."""

from typing import Any

import numpy as np

from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.float_tile import (
    FLOAT,
    FULL,
    MR,
    NR,
    load_tile,
    multiply_add,
    store_tile,
)  # fmt: skip
from tervit_np.compiled.jit import kernel


def fused_products_only(operations: float) -> float:
    """Run at least so many multiplications and additions; return how many they were."""
    steps = max(round(operations / (2 * MR * NR)), 1)
    numbers = zeros((MR * NR,), np.float32)
    _loop(steps, numbers.ctypes.data)
    return 2.0 * MR * NR * steps


@kernel(boundscheck=False)
def _loop(steps: int, numbers: int) -> None:
    """Take steps of a tile whose numbers never change, so that nothing is loaded."""
    tile: Any = load_tile(FULL, numbers, NR * FLOAT)
    for _ in range(steps):
        tile = multiply_add(tile, numbers, 0, numbers)
    store_tile(tile, numbers, NR * FLOAT)
