"""Where the time of the float product goes: the tile alone, then what is added, on one thread.

    taskset -c 0 python benchmarks/float_losses.py
    taskset -c 0 python benchmarks/float_losses.py --shape 1576x384x384 --rounds 101

For a layer of M tokens, I inputs and O outputs, in percent of the peak of fused multiply-adds on
registers, which is measured in the same rounds:

    tile        one tile again and again: rows, panel and sums in the first cache
    block       one block of rows again and again: rows and panels in the second cache
    rows        all blocks of rows, which come from the third cache or from memory
    fetched     the same, while the tiles of a block fetch the rows of the next (lookahead.py)
    dw, x, dy   the copies of the two matrices of dw = dy^T x alone: the share of the time in which
                the peak would have done the whole product

Times are those of the thread on the processor; speeds are of medians, and of the fastest tenth in
brackets. docs/float_product.md says what follows.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numba  # noqa: E402
import numpy as np  # noqa: E402

from tervit_np.bench.limits import OPERATIONS, fused_multiply_adds  # noqa: E402
from tervit_np.compiled.aligned import empty  # noqa: E402
from tervit_np.compiled.float_microkernel import IN_TURN, run_tile  # noqa: E402
from tervit_np.compiled.float_panels import NOTHING, Matrix, at, pack, pack_rows  # noqa: E402
from tervit_np.compiled.float_tile import FLOAT, FULL, MR, NR  # noqa: E402
from tervit_np.compiled.sgemm import (  # noqa: E402
    APART,
    DEPTH,
    LONG_DEPTH,
    ROW_BLOCK,
    multiply_block,
    workspace,
)

PEAK_STEPS = 100_000
jit = numba.njit(error_model="numpy", boundscheck=False)


@jit
def tiles(count: int, depth: int, a: Matrix, panel: Matrix, c: Matrix) -> None:
    """Multiply the same tile again and again."""
    for _ in range(count):
        run_tile(FULL, depth, a, panel, NOTHING, c)


@jit
def blocks(
    count: int, columns: int, depth: int, a: Matrix, a_step: int, ahead: int, panels: int,
    c: Matrix, c_step: int, work: int,
) -> None:  # fmt: skip
    """Multiply blocks of rows `a_step` rows apart; fetch those `ahead` rows further, unless 0."""
    for i in range(count):
        rows = at(a, i * a_step, 0)
        next_rows = at(rows, ahead, 0) if ahead else NOTHING
        multiply_block(IN_TURN, ROW_BLOCK, columns, depth, rows, next_rows, NOTHING, 0, work,
                       panels, NOTHING, at(c, i * c_step, 0), work)  # fmt: skip


@jit
def copy_b(columns: int, inner: int, x: Matrix, out: int) -> None:
    """Copy all of x (K, N) into panels."""
    for k in range(0, inner, DEPTH):
        pack(FULL, columns, min(DEPTH, inner - k), at(x, k, 0), out)


@jit
def copy_a(rows: int, inner: int, a: Matrix, out: int) -> None:
    """Copy all of a (M, K), whose columns are contiguous, in groups of rows."""
    for k in range(0, inner, DEPTH):
        for m in range(0, rows, ROW_BLOCK):
            depth = min(DEPTH, inner - k)
            size = depth * MR * FLOAT + APART
            pack_rows(min(ROW_BLOCK, rows - m), depth, at(a, m, k), out, size)


def matrix(x: Any) -> Matrix:
    """Return an array of two axes as a matrix."""
    return Matrix(x.ctypes.data, *x.strides)


def candidates(x: Any, y: Any, dy: Any, panels: Any) -> dict[str, tuple[Any, float]]:
    """Return what is timed and the operations of each.  (M, I), (M, O), (M, O), space."""
    (m, i), o = x.shape, y.shape[1]
    depth, count, columns, work = min(i, LONG_DEPTH), m // ROW_BLOCK, o // NR * NR, workspace()[0]
    a, c, out = matrix(x), matrix(y), panels.ctypes.data
    all_blocks = 2.0 * count * ROW_BLOCK * columns * depth
    repeats, panel = 4000, Matrix(out, NR * FLOAT, FLOAT)

    def run(a_step: int, ahead: int, c_step: int) -> Callable[[], Any]:
        return lambda: blocks(count, columns, depth, a, a_step, ahead, out, c, c_step, work)

    return {
        "tile": (lambda: tiles(repeats, depth, a, panel, c), 2.0 * repeats * MR * NR * depth),
        "block": (run(0, 0, 0), all_blocks),
        "rows": (run(ROW_BLOCK, 0, ROW_BLOCK), all_blocks),
        "fetched": (run(ROW_BLOCK, ROW_BLOCK, ROW_BLOCK), all_blocks),
        "dw, x": (lambda: copy_b(i, m, matrix(x), out), 2.0 * m * i * o),
        "dw, dy": (lambda: copy_a(o, m, matrix(dy.T), out), 2.0 * m * i * o),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", default="4158x192x192", metavar="MxIxO")
    parser.add_argument("--rounds", type=int, default=41)
    args = parser.parse_args()
    m, i, o = map(int, args.shape.split("x"))
    width = max(i, o) + NR
    arrays = [empty(shape) for shape in ((m, i), (m, o), (m, o), (max(DEPTH, LONG_DEPTH), width))]
    for array in arrays:
        array[...] = 0.5
    calls = candidates(*arrays)
    seconds: dict[str, list[float]] = {name: [] for name in ("peak", *calls)}
    fused_multiply_adds(1, 0.5)  # compiles it
    for _ in range(args.rounds):
        for name, (call, operations) in calls.items():
            call()
            began = time.thread_time()
            fused_multiply_adds(PEAK_STEPS, 0.5)
            middle = time.thread_time()
            call()
            seconds[name].append((time.thread_time() - middle) / operations)
            seconds["peak"].append((middle - began) / (OPERATIONS * PEAK_STEPS))
    print(f"{args.shape}: percent of the peak, median (fastest tenth)")
    for name in calls:
        shares = [
            np.quantile(seconds["peak"], q) / np.quantile(seconds[name], q) for q in (0.5, 0.1)
        ]
        if name.startswith("dw"):
            shares = [1 / share for share in shares]
        print(f"{name:<10}{100 * shares[0]:7.1f} ({100 * shares[1]:.1f})")


if __name__ == "__main__":
    main()
