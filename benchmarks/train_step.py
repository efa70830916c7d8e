"""A training step compared with PyTorch's, float and ternary.

    taskset -c 0 python benchmarks/train_step.py
    taskset -c 0 python benchmarks/train_step.py --precision  backward products in bfloat16
    taskset -c 0 python benchmarks/train_step.py --shapes "DeiT-Small 224" --rounds 5

A step is forward, cross-entropy with smoothing, backward, clipping and AdamW. Ratios are of
medians over rounds; in each round all candidates run in turn, in one process, on one thread. Times
are those of the process on the processor, so that other programs count less.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from numpy_step import SHAPES, NumPyStep, batch_of, interleave  # noqa: E402

from tervit_np.environment import environment  # noqa: E402
from tervit_np.train.memory import keep_freed_memory  # noqa: E402

TORCH = ("torch", "sdpa", "torch ternary")


def against_torch(shapes: list[str], rounds: int) -> list[dict[str, Any]]:
    """Compare with PyTorch, with both kinds of its attention, in float and ternary."""
    has_torch = find_spec("torch") is not None
    if not has_torch:
        print("PyTorch is not installed: its columns are nan")
    print(f"{'ms a step, one thread':<24}{'ours':>8}{'ternary':>9}{'torch':>8}{'sdpa':>8}"
          f"{'ternary':>9}{'torch/ours':>12}{'both ternary':>14}")  # fmt: skip
    rows = []
    for label in shapes:
        name, config, batch = SHAPES[label]
        steps: dict[str, Any] = {
            plan: NumPyStep(name, config, batch, plan) for plan in ("float", "ternary")
        }
        if has_torch:
            from torch_step import TorchStep

            full = steps["float"].model.config
            for kind in TORCH:
                steps[kind] = TorchStep(full, *batch_of(full, batch), kind)
        seconds = interleave(steps, rounds)
        fastest_torch = min(seconds.get("torch", np.nan), seconds.get("sdpa", np.nan))
        row = {"shape": label, "batch": batch, "seconds": seconds,
               "torch/ours": fastest_torch / seconds["float"],
               "both ternary": seconds.get("torch ternary", np.nan)
               / seconds["ternary"]}  # fmt: skip
        rows.append(row)
        cells = [1e3 * seconds.get(k, np.nan) for k in ("float", "ternary", *TORCH)]
        print(f"{label:<24}{cells[0]:8.1f}{cells[1]:9.1f}{cells[2]:8.1f}{cells[3]:8.1f}"
              f"{cells[4]:9.1f}{row['torch/ours']:12.2f}{row['both ternary']:14.2f}",
              flush=True)  # fmt: skip
    return rows


def by_precision(shapes: list[str], rounds: int) -> list[dict[str, Any]]:
    """Compare the precisions of backward products with each other and with PyTorch's float32."""
    from tervit_np.compiled.bf16_matmul import bf16_instructions
    from tervit_np.ops.mixed_precision import PRECISIONS

    print(f"bfloat16: {bf16_instructions()}")
    print("ms a step, one thread")
    rows = []
    for label in shapes:
        name, config, batch = SHAPES[label]
        steps: dict[str, Any] = {
            f"{plan} {precision}": NumPyStep(name, config, batch, plan, precision=precision)
            for plan in ("float", "ternary")
            for precision in PRECISIONS
        }
        if find_spec("torch") is not None:
            from torch_step import TorchStep

            full = steps["float float32"].model.config
            steps |= {kind: TorchStep(full, *batch_of(full, batch), kind) for kind in TORCH[:2]}
        seconds = interleave(steps, rounds)
        fastest = min(seconds.get(kind, np.nan) for kind in TORCH[:2])
        rows.append({"shape": label, "batch": batch, "seconds": seconds,
                     "torch/ours": {kind: fastest / t for kind, t in seconds.items()}})  # fmt: skip
        for kind, t in seconds.items():
            print(f"{label:<24}{kind:<18}{1e3 * t:8.1f}   torch float32 / this {fastest / t:5.2f}",
                  flush=True)  # fmt: skip
    return rows


def main() -> None:
    """Run the measurement that the options select."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--precision", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    keep_freed_memory()
    machine = environment()
    print("  ".join(f"{key} {machine[key]}" for key in ("numpy", "numba", "blas", "processor")))
    measure = by_precision if args.precision else against_torch
    rows = measure(args.shapes, args.rounds)
    if args.out:
        args.out.write_text(json.dumps({"environment": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
