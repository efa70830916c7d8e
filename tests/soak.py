"""Train, interrupt and resume for a long time, and see that memory does not grow.

    python -m tests.soak                 half an hour on one core
    python -m tests.soak --minutes 5     too short for a verdict on memory that grows slowly

A round is a training of three stages in 20 short epochs. Pictures on disk are decoded by two
processes, two threads compute, each epoch ends with a checkpoint, and the second stage is
interrupted by Ctrl-C and resumed. Rounds follow each other in one process. After each epoch it is
measured, in this process and in the decoding ones,

    memory      bytes of pages that are in no file, in RAM or in swap
    open files, threads, processes

A round has the largest memory of its epochs, and the files, threads and processes that are left
after it. The first fifth of the rounds is warm-up. The exit status is 1 if after that the memory
of this process or of the decoding ones grows by more than 1 %, or anything is left open. Linux.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import data_tools
import tervit_np as tv
from data_tools import Augment
from tervit_np.train import Data, Interrupted, Recipe, Stage, run

STAGES = (
    Stage("float", "float", 7),
    Stage("8-bit", "int8", 6, optimizer="keep"),
    Stage("ternary", "ternary", 7, teacher="float", ramp=0.5),
)
EPOCHS = int(sum(stage.epochs for stage in STAGES))
INTERRUPTED_AFTER = 10  # epochs
COUNTS = {"train": 16, "val": 4, "test": 4}  # pictures of a class
BATCH_SIZE, CLASSES, SIDE = 16, 3, 16
GROWTH = 0.01  # of memory that is allowed after the warm-up
_PAGES = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")


class Usage(NamedTuple):
    """What a process and its children hold."""

    memory: int  # bytes
    children_memory: int  # bytes
    files: int
    threads: int
    children: int


class Round(NamedTuple):
    """Peak of the memory in a round, and what is left after it."""

    seconds: float
    memory: int
    children_memory: int
    files: int
    threads: int
    children: int


def usage() -> Usage:
    """Measure this process and its children."""
    own = Path("/proc/self")
    children = [
        pid
        for task in own.glob("task/*/children")
        for pid in task.read_text().split()
        if Path("/proc", pid).exists()
    ]
    return Usage(
        _memory(own),
        sum(_memory(Path("/proc", pid)) for pid in children),
        len(os.listdir("/proc/self/fd")),
        len(os.listdir("/proc/self/task")),
        len(children),
    )


def _memory(process: Path) -> int:
    """Return the bytes of the pages of a process that no file holds; 0 if it has ended."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(_PAGES))


def draw_pictures(folder: Path) -> Data:
    """Write class folders of JPEG files, noise around the colour of the class."""
    rng = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for label in range(CLASSES):
            (folder / split / f"class{label}").mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 160, (2 * SIDE, 2 * SIDE, 3), np.uint8)
                pixels[..., label] += 80
                file = folder / split / f"class{label}" / f"{number}.jpg"
                Image.fromarray(pixels).save(file)
    name = f"imagenet:{folder},size={SIDE}"
    train, val, test = (data_tools.load(name, split, folder) for split in COUNTS)
    return Data(train, val, test)


def train_a_round(data: Data, folder: Path) -> Round:
    """Train, stop after some epochs, resume to the end."""
    began, peak = time.monotonic(), Usage(0, 0, 0, 0, 0)
    steps = len(data.train) // BATCH_SIZE

    def on_step(done: int) -> None:
        nonlocal peak
        if done % steps == 0:
            peak = Usage(*map(max, peak, usage()))
        if done == INTERRUPTED_AFTER * steps and not (folder / "interrupted").exists():
            (folder / "interrupted").touch()
            os.kill(os.getpid(), signal.SIGINT)

    def train(resume: bool) -> None:
        config = tv.DeiTConfig(SIDE, 4, CLASSES, 32, 2, 2, drop_path=0.1, pool="mean")
        model = tv.DeiT(config, np.random.default_rng(0))
        recipe = Recipe(batch_size=BATCH_SIZE, ema=0.9, augment=Augment(2, True, mixup=0.2))
        options = {"recipe": recipe, "threads": 2, "workers": 2, "quiet": True, "on_step": on_step}
        run(model, STAGES, data, folder, resume, **options)

    try:
        train(resume=False)
    except Interrupted:
        if not (folder / "interrupted").exists():  # somebody else wants to stop
            raise
        train(resume=True)
    left = usage()
    return Round(time.monotonic() - began, peak.memory, peak.children_memory, *left[2:])


def problems(rounds: Sequence[Round]) -> list[str]:
    """Say what grew after the first fifth of the rounds."""
    if len(rounds) < 5:
        return [f"{len(rounds)} rounds are too few to judge; expected at least 5"]
    fifth = len(rounds) // 5
    early, late = rounds[fifth : 2 * fifth], rounds[-fifth:]
    found = []
    for field, words in (("memory", "memory"), ("children_memory", "memory of the decoders")):
        before, after = (_mean(field, part) for part in (early, late))
        if after > (1 + GROWTH) * before:
            found.append(f"{words} grew by {100 * (after / before - 1):.1f} %")
    for field in ("files", "threads", "children"):
        before, after = (max(getattr(each, field) for each in part) for part in (early, late))
        if after > before:
            found.append(f"{field}: {after} are left at the end, {before} after the warm-up")
    return found


def _mean(field: str, rounds: Sequence[Round]) -> float:
    return float(np.mean([getattr(each, field) for each in rounds]))


def table(rounds: Sequence[Round]) -> str:
    """Return ten rows, each the mean of a tenth of the rounds, and the largest counts."""
    lines = [
        "| minutes | epochs | memory, MB | of decoders, MB | files | threads | processes |",
        "|---|---|---|---|---|---|---|",
    ]
    minutes = np.cumsum([each.seconds for each in rounds]) / 60
    bounds = np.linspace(0, len(rounds), min(10, len(rounds)) + 1).round().astype(int)
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        part = rounds[start:stop]
        memory = (_mean(field, part) / 1e6 for field in ("memory", "children_memory"))
        counts = (max(getattr(each, f) for each in part) for f in ("files", "threads", "children"))
        cells = [f"{minutes[stop - 1]:.1f}", f"{EPOCHS * stop:,}"]
        cells += [*(f"{x:.2f}" for x in memory), *(str(count) for count in counts)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Train for so long, print the table and the verdict.  -> exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    args = parser.parse_args()
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as temporary:
        data = draw_pictures(Path(temporary) / "pictures")
        end = time.monotonic() + 60 * args.minutes
        while time.monotonic() < end:
            with tempfile.TemporaryDirectory(dir=temporary) as folder:
                rounds.append(train_a_round(data, Path(folder)))
            done = rounds[-1]
            print(f"round {len(rounds)}: {done.memory / 1e6:.2f} MB", file=sys.stderr, flush=True)
    print(table(rounds))
    found = problems(rounds)
    print("\n".join(found) or "memory is flat to 1 %, and nothing is left open")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
