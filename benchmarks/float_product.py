"""The float product compared with NumPy's and PyTorch's, forward and backward, on one thread.

    taskset -c 0 python benchmarks/float_product.py
    taskset -c 0 python benchmarks/float_product.py --rounds 101 --out product.json
    taskset -c 0 python benchmarks/float_product.py --shapes 4158x192x576 1020x96x384

A layer of M tokens, I inputs and O outputs has three products: forward x W^T, dx = dy W,
dw = dy^T x. All candidates take turns in one process. Times are those of the thread on the
processor, so that other programs count less; speeds are of medians, and of the fastest tenth in
brackets. The peak is that of fused multiply-adds on registers alone, measured in the same rounds.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Callable  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from tervit_np.bench.limits import OPERATIONS, fused_multiply_adds  # noqa: E402
from tervit_np.compiled.aligned import empty  # noqa: E402
from tervit_np.compiled.matmul import matmul  # noqa: E402
from tervit_np.environment import environment  # noqa: E402

SHAPES = (
    "4158x192x576", "4158x192x192", "4158x192x768", "4158x768x192",  # p4 d192, 64 images
    "1020x96x384", "1020x384x128", "1572x384x1536",
    "1576x192x576", "1576x192x768", "1576x768x192",  # DeiT-Tiny 224, 8 images
    "1576x384x1152", "1576x384x384", "1576x1536x384",  # DeiT-Small 224
)  # fmt: skip
PEAK_STEPS = 500_000
OURS, NUMPY, TORCH, PEAK = "ours", "NumPy", "PyTorch", "peak"


def candidates(kind: str, x: Any, w: Any, dy: Any) -> dict[str, Callable[[], Any]]:
    """Return the same product of each candidate."""
    a, b = {"forward": (x, w.T), "dx": (dy, w), "dw": (dy.T, x)}[kind]
    out = empty((a.shape[0], b.shape[1]))
    calls = {OURS: lambda: matmul(a, b, out=out), NUMPY: lambda: np.matmul(a, b, out=out)}
    if find_spec("torch"):
        import torch

        left, right = torch.from_numpy(a), torch.from_numpy(b)
        target = torch.empty(out.shape)
        calls[TORCH] = lambda: torch.matmul(left, right, out=target)
    return calls


def speeds(calls: dict[str, Callable[[], Any]], operations: float, rounds: int) -> dict[str, Any]:
    """Time all in turn.  -> {name: (median, fastest tenth)} in GFLOP/s."""
    found = defaultdict(list)
    for call in calls.values():
        call()
    fused_multiply_adds(1, 0.5)  # compiles it
    for _ in range(rounds):
        began = time.thread_time()
        fused_multiply_adds(PEAK_STEPS, 0.5)
        found[PEAK].append((time.thread_time() - began) / (OPERATIONS * PEAK_STEPS))
        for name, call in calls.items():
            call()  # fetches what the candidate before has driven out of the caches
            began = time.thread_time()
            call()
            found[name].append((time.thread_time() - began) / operations)
    return {name: tuple(1e-9 / np.quantile(t, (0.5, 0.1))) for name, t in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="MxIxO")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    rng, rows = np.random.default_rng(0), []
    names = [OURS, NUMPY, *([TORCH] if find_spec("torch") else [])]
    print("  ".join(f"{k} {environment()[k]}" for k in ("numpy", "numba", "blas", "processor")))
    print("GFLOP/s: median (fastest tenth)")
    print(f"{'M x I x O':<16}{'product':<9}{PEAK:>12}" + "".join(f"{n:>14}" for n in names)
          + f"{'of peak':>9}{'to NumPy':>10}{'to PyTorch':>12}")  # fmt: skip
    for label in args.shapes:
        m, i, o = map(int, label.split("x"))
        x, w, dy = (empty(shape) for shape in ((m, i), (o, i), (m, o)))
        for array in (x, w, dy):
            array[...] = rng.standard_normal(array.shape)
        for kind in ("forward", "dx", "dw"):
            found = speeds(candidates(kind, x, w, dy), 2.0 * m * i * o, args.rounds)
            ours, peak = found[OURS], found[PEAK]
            ratios = [ours[0] / found[n][0] if n in found else np.nan for n in (NUMPY, TORCH)]
            print(f"{label:<16}{kind:<9}{peak[0]:6.0f} ({peak[1]:3.0f})"
                  + "".join(f"{found[n][0]:8.0f} ({found[n][1]:3.0f})" for n in names)
                  + f"{100 * ours[1] / peak[1]:7.0f} %{ratios[0]:10.2f}{ratios[1]:12.2f}",
                  flush=True)  # fmt: skip
            rows.append({"shape": label, "product": kind, "speeds": found})
    if args.out:
        args.out.write_text(json.dumps({"environment": environment(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
