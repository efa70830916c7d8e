"""A training step compared with PyTorch's: time, memory, and where the time goes.

    taskset -c 0 python benchmarks/train_step.py              one thread, in turn with PyTorch
    python benchmarks/train_step.py --threads 2               the step on one and on two threads
    taskset -c 0 python benchmarks/train_step.py --precision  backward products in bfloat16
    python benchmarks/train_step.py --memory                  peak of resident memory, each alone
    python benchmarks/train_step.py --shapes "DeiT-Small 224" --rounds 5
    python benchmarks/train_step.py --profile                 fraction of time of each kind of work

A step is forward, cross-entropy with smoothing, backward, clipping and AdamW. Ratios are of
medians over rounds; in each round all candidates run in turn, in one process. On one thread, times
are those of the process on the processor, so that other programs count less.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import cProfile  # noqa: E402
import json  # noqa: E402
import pstats  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import fmean, median  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from numpy_step import SHAPES, NumPyStep, batch_of  # noqa: E402

import tervit_np as tv  # noqa: E402
from tervit_np.environment import environment  # noqa: E402
from tervit_np.train.memory import keep_freed_memory  # noqa: E402

TORCH = ("torch", "sdpa", "torch ternary")


def interleave(
    steps: dict[str, Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Time all steps in turn.  -> median seconds of each."""
    times: dict[str, list[float]] = defaultdict(list)
    for step in steps.values():
        for _ in range(3):
            step()
    for _ in range(rounds):
        for name, step in steps.items():
            start = clock()
            step()
            times[name].append(clock() - start)
    return {name: median(values) for name, values in times.items()}


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
    from tervit_np.compiled.amx import AMX
    from tervit_np.compiled.bf16_matmul import bf16_tile
    from tervit_np.ops.mixed_precision import PRECISIONS

    unit = "the processor's" if bf16_tile() is AMX else "none, float32 multiplies"
    print(f"matrix unit: {unit}\nms a step, one thread")
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


def on_threads(shapes: list[str], threads: int, rounds: int) -> list[dict[str, Any]]:
    """Compare one thread with several, in turn for about half a second each.

    As in a training, steps follow one another: after a step on one thread the other cores sleep and
    are slow to wake. The last column is what the machine allows: as many processes, each with a
    step of its own on one thread, take so many steps in the time of one that is alone.
    """
    rows = []
    for label in shapes:
        name, config, batch = SHAPES[label]
        steps = {n: NumPyStep(name, config, batch, "float", n) for n in (1, threads)}
        steps[1]()
        start = time.perf_counter()
        steps[1]()
        count = max(1, round(0.5 / (time.perf_counter() - start)))
        blocks = {str(n): partial(repeat, step, count) for n, step in steps.items()}
        times = interleave(blocks, rounds, time.perf_counter)
        seconds = {n: t / count for n, t in times.items()}
        ratio = seconds["1"] / seconds[str(threads)]
        limit = threads * in_processes(label, 1) / in_processes(label, threads)
        print(f"{label:<24}1 thread {1e3 * seconds['1']:7.1f} ms   {threads} threads "
              f"{1e3 * seconds[str(threads)]:7.1f} ms   ratio {ratio:.2f}   "
              f"{threads} processes {limit:.2f}", flush=True)  # fmt: skip
        rows.append({"shape": label, "seconds": seconds, "ratio": ratio, "processes": limit})
    return rows


def in_processes(label: str, count: int) -> float:
    """Measure the seconds of a step in each of several processes at once.  -> their mean."""
    command = [sys.executable, __file__, "--one", "seconds", label]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return fmean(float(process.communicate()[0]) for process in running)


def seconds_of(label: str) -> float:
    """Measure a float step on one thread, for five seconds."""
    name, config, batch = SHAPES[label]
    step, times = NumPyStep(name, config, batch, "float"), [time.perf_counter()]
    while times[-1] - times[0] < 5:
        step()
        times.append(time.perf_counter())
    return median(np.diff(times).tolist())


def repeat(step: Callable[[], Any], count: int) -> None:
    """Take a step several times."""
    for _ in range(count):
        step()


def memory(shapes: list[str]) -> list[dict[str, Any]]:
    """Measure the peak of resident memory of each step, in its own process."""
    rows = []
    for label in shapes:
        row: dict[str, Any] = {"shape": label}
        for kind in (
            "float",
            "ternary",
            "ternary recomputed",
            *(TORCH if find_spec("torch") else ()),
        ):
            command = [sys.executable, __file__, "--one", kind, label]
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
    "quant": "quantizers",
    "fakequant": "quantizers",
    "ternarize": "quantizers",
    "adamw": "AdamW",
    "clip": "clipping",
    "gradient_sum": "sum of the parts' gradients",
    "param": "gradients set to zero",
}
FOLDERS = ("ops", "compiled", "nn", "train", "tervit_np")  # where those files are


def profile(shapes: list[str], rounds: int) -> None:
    """Print the fraction of time of each kind of work, by the operator's file."""
    for plan in ("float", "ternary"):
        for label in shapes:
            name, config, batch = SHAPES[label]
            step = NumPyStep(name, config, batch, plan)
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
    if path.parent.name == "quant":
        return KINDS["quant"]
    return KINDS.get(path.stem) if path.parent.name in FOLDERS else None


def main() -> None:
    """Run the measurement that the options select."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--precision", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "SHAPE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    keep_freed_memory()
    if args.one:
        kind, label = args.one
        print(seconds_of(label) if kind == "seconds" else growth(kind, label))
        return
    machine = environment()
    print("  ".join(f"{key} {machine[key]}" for key in ("numpy", "numba", "blas", "processor")))
    if args.profile:
        profile(args.shapes, args.rounds)
        return
    if args.precision:
        rows = by_precision(args.shapes, args.rounds)
    elif args.memory:
        rows = memory(args.shapes)
    elif args.threads:
        rows = on_threads(args.shapes, args.threads, args.rounds)
    else:
        rows = against_torch(args.shapes, args.rounds)
    if args.out:
        args.out.write_text(json.dumps({"environment": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
