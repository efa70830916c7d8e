"""A training step on one thread compared with several.

    python benchmarks/step_threads.py --threads 2 --out docs/step_threads_zen5.json

The last column is what the machine allows: as many processes, each with a step of its own on one
thread, take so many steps in the time of one that is alone.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import fmean, median  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from numpy_step import SHAPES, NumPyStep, interleave  # noqa: E402

from tervit_np.environment import environment  # noqa: E402
from tervit_np.train.memory import keep_freed_memory  # noqa: E402


def on_threads(shapes: list[str], threads: int, rounds: int) -> list[dict[str, Any]]:
    """Compare one thread with several, in turn for about half a second each.

    As in a training, steps follow one another: after a step on one thread the other cores sleep and
    are slow to wake.
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
    command = [sys.executable, __file__, "--alone", label]
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


def main() -> None:
    """Measure the shapes; print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--alone", choices=SHAPES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    keep_freed_memory()
    if args.alone:
        print(seconds_of(args.alone))
        return
    machine = environment()
    print("  ".join(f"{key} {machine[key]}" for key in ("numpy", "numba", "blas", "processor")))
    rows = on_threads(args.shapes, args.threads, args.rounds)
    if args.out:
        args.out.write_text(json.dumps({"environment": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
