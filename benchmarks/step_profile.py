"""Where the time of a training step goes: the fraction of each kind of work.

    python benchmarks/step_profile.py --shapes "DeiT-Tiny 224"
    python benchmarks/step_profile.py --shapes "CIFAR-10 preset" --optimizer muon

Fractions are of the CPU time of one thread.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import cProfile  # noqa: E402
import pstats  # noqa: E402
import time  # noqa: E402
from collections import defaultdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from numpy_step import OPTIMIZERS, SHAPES, NumPyStep  # noqa: E402

from tervit_np.train.memory import keep_freed_memory  # noqa: E402

KINDS = {
    "linear": "matrix products and bias",
    "matmul": "matrix products and bias",
    "attention": "attention",
    "softmax": "attention",
    "layernorm": "LayerNorm",
    "gelu": "GELU",
    "conv": "im2col",
    "block": "residual sums",
    "drop_path": "residual sums",
    "fakequant": "quantizers",
    "ternarize": "quantizers",
    "adamw": "AdamW and clipping",
    "optimizer": "AdamW and clipping",
    "muon": "Muon",
    "orthogonal": "Muon",
    "clip": "AdamW and clipping",
    "gradient_sum": "sum of the parts' gradients",
    "param": "gradients set to zero",
}
FOLDERS = ("ops", "compiled", "nn", "train", "tervit_np")  # where those files are
WHOLE_FOLDERS = {"quant": "quantizers", "kernels": "integer products"}


def profile(shapes: list[str], rounds: int, optimizer: str) -> None:
    """Print the fraction of time of each kind of work, by the operator's file."""
    for plan in ("float", "ternary"):
        for label in shapes:
            name, config, batch = SHAPES[label]
            step = NumPyStep(name, config, batch, plan, optimizer=optimizer)
            for _ in range(3):
                step()
            profiler = cProfile.Profile(time.thread_time)
            profiler.enable()
            for _ in range(rounds):
                step()
            profiler.disable()
            stats: Any = pstats.Stats(profiler)
            seconds: dict[str, float] = defaultdict(float)
            for (file, _, _), (_, _, own_time, _, callers) in stats.stats.items():
                kind = _kind(file)
                if kind is not None or not callers:
                    seconds[kind or "other"] += own_time
                    continue
                for (caller, _, _), (_, _, own_time, _) in callers.items():
                    seconds[_kind(caller) or "other"] += own_time
            total = sum(seconds.values())
            parts = sorted(seconds.items(), key=lambda item: -item[1])
            text = "  ".join(f"{k} {100 * v / total:.0f} %" for k, v in parts if v > 0.01 * total)
            print(f"{label}, {plan}: {text}")


def _kind(file: str) -> str | None:
    path = Path(file)
    if "tervit_np" not in path.parts:
        return None
    if path.parent.name in WHOLE_FOLDERS:
        return WHOLE_FOLDERS[path.parent.name]
    return KINDS.get(path.stem) if path.parent.name in FOLDERS else None


def main() -> None:
    """Profile the shapes, in float and ternary."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw")
    args = parser.parse_args()
    keep_freed_memory()
    profile(args.shapes, args.rounds, args.optimizer)


if __name__ == "__main__":
    main()
