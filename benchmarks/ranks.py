"""Training on two ranks compared with one, at the CIFAR-10 preset: images a second.

    python benchmarks/ranks.py                          one rank and two, in turn
    python benchmarks/ranks.py --ranks 1 2 4 --rounds 9 --out F
    python benchmarks/ranks.py --processor-time --ranks 1    on a machine that does other work, too

Needs mpi4py (pip install 'tervit-np[mpi]') and as many idle cores as ranks: each rank is one thread
on a core of its own. A round starts the program with each number of ranks. After steps that are not
timed come `--steps` of the ternary stage, on random pictures. The figures are medians over rounds,
and the ratio is that of the medians. Where a step spends its time, on rank 0:

    draw       choose and augment the batch, which each rank does for itself
    compute    forward and backward of the rank's parts
    exchange   send gradients, add them, wait for the other ranks
    update     clip and take the optimizer's step, which each rank does for itself
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down

import argparse  # noqa: E402
import json  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

import tervit_np as tv  # noqa: E402
from data_tools import ImageSet  # noqa: E402
from tervit_np.blas import one_thread  # noqa: E402
from tervit_np.environment import environment  # noqa: E402
from tervit_np.train import PRESETS  # noqa: E402
from tervit_np.train.batches import Batches  # noqa: E402
from tervit_np.train.gradient_sum import GradientSum, MpiSum  # noqa: E402
from tervit_np.train.memory import keep_freed_memory  # noqa: E402
from tervit_np.train.ranks import current_ranks  # noqa: E402
from tervit_np.train.trainer import StageTrainer  # noqa: E402

PRESET = PRESETS["cifar10"]
WARM_UP = 10  # steps
PARTS = ("draw", "compute", "exchange", "update")


def random_pictures(count: int, size: int) -> ImageSet:
    """Return pictures of noise, in ten classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3), np.uint8)
    classes = tuple(f"class {label}" for label in range(10))
    return ImageSet(
        "noise", "train", images, rng.integers(0, 10, count), classes, *[(0.5,) * 3] * 2
    )


def measure(steps: int, clock: Callable[[], float]) -> dict[str, float]:
    """Train on the ranks of this program.  -> seconds of a step and of its parts."""
    ranks = current_ranks()
    if hasattr(os, "sched_setaffinity") and ranks.size > 1:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[ranks.rank % len(cores)]})
    stage = PRESET.stages[-1]
    model = tv.create_model(PRESET.model, num_classes=10, **PRESET.config)
    tv.quantize(model, stage.quantizers)
    total = WARM_UP + steps
    batch, size = PRESET.recipe.batch_size, model.config.image_size
    batches = Batches(random_pictures(total * batch, size), PRESET.recipe, seed=0, ranks=ranks)
    trainer = StageTrainer(model, stage, PRESET.recipe, total, 1, None, ranks)
    seconds: Counter[str] = Counter()

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            began = clock()
            result = function(*args)
            seconds[part] += clock() - began
            return result

        return call

    for kind in (GradientSum, MpiSum):
        kind.add, kind.finish = timed("exchange", kind.add), timed("exchange", kind.finish)
    trainer.parallel.gradients = timed("gradients", trainer.parallel.gradients)
    draw, step = timed("draw", batches.draw), timed("step", trainer.step)
    keep_freed_memory()
    with one_thread():
        for number in range(total):
            if number == WARM_UP:
                seconds.clear()
                ranks.any(False)  # all begin at once
                began = clock()
            images, targets, rng = draw(0, number)
            step(number, images, targets, rng)
    whole = clock() - began
    trainer.parallel.close()
    parts = {
        "draw": seconds["draw"],
        "compute": seconds["gradients"] - seconds["exchange"],
        "exchange": seconds["exchange"],
        "update": seconds["step"] - seconds["gradients"],
        "step": whole,
    }
    return {name: value / steps for name, value in parts.items()}


def run_on(count: int, args: argparse.Namespace) -> dict[str, float]:
    """Measure in new processes."""
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if count > 1 and mpiexec is None:
        raise SystemExit("mpiexec was not found: pip install 'tervit-np[mpi]'")
    launch = [str(mpiexec), "-n", str(count)] if count > 1 else []
    command = [*launch, sys.executable, __file__, "--one", "--steps", str(args.steps)]
    command += ["--processor-time"] if args.processor_time else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compare(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure all numbers of ranks in turn, and print a table."""
    samples: dict[int, list[dict[str, float]]] = {count: [] for count in args.ranks}
    for number in range(args.rounds):
        for count, measured in samples.items():
            measured.append(run_on(count, args))
            rate = PRESET.recipe.batch_size / measured[-1]["step"]
            print(f"round {number + 1}: {count} ranks, {rate:.0f} images/s", file=sys.stderr)
    rows: list[dict[str, Any]] = []
    print(
        "ranks  images/s  (quartiles)     ratio   ms a step: " + "".join(f"{p:>10}" for p in PARTS)
    )
    for count, measured in samples.items():
        seconds = {name: float(np.median([m[name] for m in measured])) for name in measured[0]}
        steps = [m["step"] for m in measured]
        slow, rate, fast = PRESET.recipe.batch_size / np.quantile(steps, [0.75, 0.5, 0.25])
        row = {"ranks": count, "images/s": [slow, rate, fast], "seconds": seconds}
        row["ratio"] = rate / (rows[0]["images/s"][1] if rows else rate)
        rows.append(row)
        times = "".join(f"{1e3 * seconds[part]:10.2f}" for part in PARTS)
        quartiles = f"({slow:.0f} to {fast:.0f})"
        print(f"{count:>5}{rate:>10.0f}  {quartiles:<16}{row['ratio']:>5.2f}{'':13}{times}")
    return rows


def main() -> None:
    """Compare, or measure in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--processor-time", action="store_true", help="instead of time")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    clock = time.process_time if args.processor_time else time.perf_counter
    if args.one:
        result = measure(args.steps, clock)
        if current_ranks().rank == 0:
            print(json.dumps(result))
        return
    machine = environment()
    print("  ".join(f"{key} {machine[key]}" for key in ("processor", "cores", "numpy", "numba")))
    rows = compare(args)
    if args.out:
        args.out.write_text(json.dumps({"environment": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
