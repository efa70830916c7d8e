"""From three loops to the float product: the same sums, each step faster, on one thread.

    taskset -c 0 python benchmarks/float_ladder.py
    taskset -c 0 python benchmarks/float_ladder.py --shape 4158x192x576 --rounds 15

Every step adds the same numbers in the same order by fused multiply-adds, so all results are equal
to the last bit; the program checks it. docs/float_product.md explains the steps. The peak is that
of fused multiply-adds on registers alone, measured in the same rounds.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numba  # noqa: E402
import numpy as np  # noqa: E402

from tervit_np.arrays import Array  # noqa: E402
from tervit_np.bench.limits import OPERATIONS, fused_multiply_adds  # noqa: E402
from tervit_np.compiled.aligned import empty  # noqa: E402
from tervit_np.compiled.arithmetic import address_of, fma  # noqa: E402
from tervit_np.compiled.float_microkernel import run_tile  # noqa: E402
from tervit_np.compiled.float_panels import NOTHING, Matrix, at, matrix_of, pack  # noqa: E402
from tervit_np.compiled.float_tile import FLOAT, FULL, MR, NR  # noqa: E402
from tervit_np.compiled.matmul import matmul  # noqa: E402
from tervit_np.environment import environment  # noqa: E402

PEAK_STEPS = 500_000
jit = numba.njit(error_model="numpy", boundscheck=False)


@jit
def loops(a: Array, b: Array, c: Array) -> None:
    """One number of C after the other: each sum waits for the last, and B is read by columns."""
    for m in range(c.shape[0]):
        for n in range(c.shape[1]):
            total = np.float32(0)
            for k in range(a.shape[1]):
                total = fma(a[m, k], b[k, n], total)
            c[m, n] = total


@jit
def rows(a: Array, b: Array, c: Array) -> None:
    """A row of C at a time: the compiler puts neighbouring columns into a register."""
    c[:] = 0
    for m in range(c.shape[0]):
        for k in range(a.shape[1]):
            factor = a[m, k]
            for n in range(c.shape[1]):
                c[m, n] = fma(factor, b[k, n], c[m, n])


@jit
def tiles(a: Array, b: Array, c: Array) -> None:
    """MR x NR sums stay in registers through all of K.  M and N are multiples of MR and NR."""
    left, right, target = matrix_of(a), matrix_of(b), matrix_of(c)
    for m in range(0, c.shape[0], MR):
        for n in range(0, c.shape[1], NR):
            run_tile(FULL, a.shape[1], at(left, m, 0), at(right, 0, n), NOTHING, at(target, m, n))


@jit
def panels(a: Array, b: Array, c: Array, packed: Array) -> None:
    """The same tiles from panels: NR columns of B that a tile reads lie one after the other."""
    (rows, columns), depth = c.shape, a.shape[1]
    left, target = matrix_of(a), matrix_of(c)
    pack(FULL, columns, depth, matrix_of(b), address_of(packed))
    for n in range(0, columns, NR):
        panel = Matrix(address_of(packed) + n * depth * FLOAT, NR * FLOAT, FLOAT)
        for m in range(0, rows, MR):
            run_tile(FULL, depth, at(left, m, 0), panel, NOTHING, at(target, m, n))


def steps(a: Array, b: Array, c: Array) -> dict[str, Callable[[], Any]]:
    """Return the ladder, slowest first, and NumPy."""
    packed = empty((b.size,))
    return {
        "three loops": lambda: loops(a, b, c),
        "rows": lambda: rows(a, b, c),
        "tiles": lambda: tiles(a, b, c),
        "panels": lambda: panels(a, b, c, packed),
        "blocks": lambda: matmul(a, b, out=c),
        "NumPy": lambda: np.matmul(a, b, out=c),
    }


def measure(
    calls: dict[str, Callable[[], Any]], operations: float, rounds: int
) -> dict[str, float]:
    """Time all in turn.  -> GFLOP/s of medians, and of the peak."""
    seconds: dict[str, list[float]] = {name: [] for name in ("peak", *calls)}
    fused_multiply_adds(1, 0.5)  # compiles it
    for number in range(rounds):
        began = time.thread_time()
        fused_multiply_adds(PEAK_STEPS, 0.5)
        share = operations / (OPERATIONS * PEAK_STEPS)
        seconds["peak"].append((time.thread_time() - began) * share)
        for name, call in calls.items():
            if name == "three loops" and number >= 3:
                continue  # seconds each
            began = time.thread_time()
            call()
            seconds[name].append(time.thread_time() - began)
    return {name: operations / float(np.median(times)) / 1e9 for name, times in seconds.items()}


def main() -> None:
    """Check the bits, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", default="1536x1536x1536", metavar="MxKxN")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    m, k, n = map(int, args.shape.split("x"))
    if m % MR or n % NR:
        parser.error(f"M has to be a multiple of {MR}, N of {NR}: {args.shape}")
    rng = np.random.default_rng(0)
    a, b, c = (empty(shape) for shape in ((m, k), (k, n), (m, n)))
    for x in (a, b):
        x[...] = rng.standard_normal(x.shape)
    calls, results = steps(a, b, c), {}
    for name, call in calls.items():
        call()
        results[name] = c.copy()
    differ = [x for x in calls if x != "NumPy" and (results[x] != results["blocks"]).any()]
    speeds = measure(calls, 2.0 * m * k * n, args.rounds)
    print("  ".join(f"{key} {environment()[key]}" for key in ("processor", "blas", "numba")))
    print(f"{args.shape}: " + (f"OTHER BITS: {', '.join(differ)}" if differ else "equal bits"))
    for name, speed in speeds.items():
        print(f"{name:<12}{speed:8.1f} GFLOP/s{100 * speed / speeds['peak']:6.0f} %")
    if args.out:
        record = {"environment": environment(), "shape": args.shape, "speeds": speeds}
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
