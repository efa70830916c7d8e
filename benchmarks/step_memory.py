"""The memory of a training step, compared with PyTorch's: each in a process of its own.

python benchmarks/step_memory.py --shapes "DeiT-Small 224"
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from numpy_step import SHAPES, NumPyStep, batch_of  # noqa: E402

import tervit_np as tv  # noqa: E402
from tervit_np.environment import environment  # noqa: E402
from tervit_np.train.memory import keep_freed_memory  # noqa: E402

KINDS = ("float", "ternary", "ternary recomputed")
TORCH = ("torch", "sdpa", "torch ternary")


def memory(shapes: list[str]) -> list[dict[str, Any]]:
    """Measure the peak of resident memory of each step, in its own process."""
    rows = []
    for label in shapes:
        row: dict[str, Any] = {"shape": label}
        for kind in (*KINDS, *(TORCH if find_spec("torch") else ())):
            command = [sys.executable, __file__, "--alone", kind, label]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row[kind] = float(done.stdout)
        rows.append(row)
        print(f"{label:<24}" + "   ".join(f"{k} {row[k]:7.1f} MB" for k in row if k != "shape"),
              flush=True)  # fmt: skip
    return rows


def growth(kind: str, label: str) -> float:
    """Return by how many MB the peak of five steps exceeds the memory before the first.

    Steps of a much smaller model load libraries and compiled code before.
    """
    name, config, batch = SHAPES[label]

    def make(name: str, config: dict[str, Any], batch: int) -> Callable[[], Any]:
        plan, _, recomputed = kind.partition(" ")
        if plan in ("float", "ternary"):
            return NumPyStep(name, config, batch, plan, recompute=bool(recomputed))
        from torch_step import TorchStep

        full = tv.create_model(name, **config).config
        return TorchStep(full, *batch_of(full, batch), kind)

    stem = {"stem": config["stem"]} if "stem" in config else {}
    for _ in range(2):
        make("deit_cifar", {"dim": 24, "depth": 1, **stem}, 4)()
    step = make(name, config, batch)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _status("VmRSS")
    for _ in range(5):
        step()
    return (_status("VmHWM") - before) / 1e3


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def main() -> None:
    """Measure the shapes; print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--alone", nargs=2, metavar=("KIND", "SHAPE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    keep_freed_memory()
    if args.alone:
        print(growth(*args.alone))
        return
    rows = memory(args.shapes)
    if args.out:
        record = {"environment": environment(), "rows": rows}
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
