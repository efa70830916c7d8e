"""Kill trainings at random moments, damage their files, and resume them to the same bits.

    python -m tests.kills                 500 kills, about a quarter of an hour on one core
    python -m tests.kills --kills 20 --seed 3

A tiny training with three stages, an average of the weights and drop path is first run without a
disturbance. Then it is started again and again. Each process gets SIGKILL, SIGTERM or SIGINT after
a random time, some while they write: writes to the disk are made slow for this. After some kills a
file that is read again is cut, or one of its bits flipped. Then the training is resumed, until it
ends. Each must end in the same weights as the undisturbed one, and leave no partial file behind.

The exit status is 1 if a training was lost, and the table says how often what was done.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.small_training import partial_files, weights

ROOT = Path(__file__).parents[1]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
DAMAGED = ("checkpoint.npz", "run.json", "metrics.jsonl")
DAMAGE_PROB = 0.3


class Lost(Exception):
    """A training that could not be resumed, or ended in other weights."""


class Ended(NamedTuple):
    """How one process of a training ended."""

    status: int
    error: str


def start(folder: Path) -> subprocess.Popen[str]:
    """Start or resume the training, and wait until it begins."""
    environment = os.environ | {"TERVIT_BACKEND": "numpy", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.small_training", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def finish(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end of a process."""
    _, error = process.communicate(timeout=120)
    return Ended(process.returncode, error)


def damage(folder: Path, rng: np.random.Generator) -> str:
    """Cut a file of the run or flip a bit of it.  -> what was done."""
    file = folder / str(rng.choice(DAMAGED))
    if not file.exists() or not (content := bytearray(file.read_bytes())):
        return ""
    at = int(rng.integers(len(content)))
    if rng.random() < 0.5:
        file.write_bytes(content[:at])
        return f"{file.name} cut"
    content[at] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)
    return f"a bit of {file.name} flipped"


def disturbed(folder: Path, seconds: float, rng: np.random.Generator, done: Counter[str]) -> None:
    """Train with kills at random moments until the training ends; count what was done.

    Raises
    ------
    Lost
        If it cannot be resumed, or leaves something behind.
    """
    while True:
        process = start(folder)
        number = SIGNALS[rng.integers(len(SIGNALS))]
        time.sleep(float(rng.uniform(0, seconds)))
        killed = process.poll() is None
        if killed:
            process.send_signal(number)
        status, error = finish(process)
        if status == 0:
            break
        if not killed or status not in (-number, 130):
            raise Lost(f"status {status} after {dict(done)}: {error[-600:]}")
        done[signal.Signals(number).name] += 1
        if rng.random() < DAMAGE_PROB and (what := damage(folder, rng)):
            done[what] += 1
    if left := partial_files(folder):
        raise Lost(f"left behind: {', '.join(left)}")


def run_all(kills: int, seed: int) -> Counter[str]:
    """Disturb trainings until there were `kills` kills.  -> how often what was done.

    Raises
    ------
    Lost
        If a training is lost, or ends in other weights than the undisturbed one.
    """
    rng, done = np.random.default_rng(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "whole"
        process = start(whole)
        began = time.monotonic()
        ended = finish(process)
        seconds = time.monotonic() - began
        if ended.status:
            raise Lost(ended.error)
        expected = weights(whole)
        while sum(done[name.name] for name in SIGNALS) < kills:
            folder = Path(temporary) / f"run-{done['trainings that ended']}"
            disturbed(folder, seconds, rng, done)
            if weights(folder) != expected:
                raise Lost(f"{folder.name} ends in other weights; done so far: {dict(done)}")
            done["trainings that ended"] += 1
    return done


def main() -> int:
    """Run, print the table.  -> exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        done = run_all(args.kills, args.seed)
    except Lost as error:
        print(f"lost: {error}")
        return 1
    for what, count in sorted(done.items()):
        print(f"{what:<36}{count:>6}")
    print("all ended in the weights of the undisturbed training; nothing was left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())
