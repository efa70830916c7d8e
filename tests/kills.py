"""Kill trainings at random moments, damage their files, and resume them to the same bits.

    python -m tests.kills                 500 kills, about a quarter of an hour on one core
    python -m tests.kills --kills 20 --seed 3

A tiny training with three stages, an average of the weights and drop path is first run without a
disturbance. Then it is started again and again. Each process gets SIGKILL, SIGTERM or SIGINT after
a random time, some in their start-up and some while they write: writes to the disk are made slow
for this. After some kills a file that is read again is cut, or one of its bits flipped. Then the
training is resumed, until it ends. Each must end in the same weights as the undisturbed one, and
leave no partial file behind.

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

from tests.small_training import BETWEEN_WRITES, partial_files, weights

ROOT = Path(__file__).parents[1]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
DAMAGED = ("checkpoint.npz", "run.json", "metrics.jsonl")
DAMAGE_PROB = 0.3
START_UP, START_UP_PROB = "in start-up", 0.1


class Lost(Exception):
    """A training that could not be resumed, or ended in other weights."""


class Durations(NamedTuple):
    """Seconds that an undisturbed process took."""

    start_up: float
    training: float


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start or resume the training."""
    environment = os.environ | {"TERVIT_BACKEND": "numpy", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.small_training", str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, bufsize=0, **pipes)


def wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of the start-up."""
    assert process.stdout is not None
    process.stdout.readline()


def moment(process: subprocess.Popen[bytes], is_ready: bool) -> str:
    """Return what a process is doing: the last line that it has printed."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    said = (process.stdout.read() or b"").decode().splitlines()
    os.set_blocking(process.stdout.fileno(), True)
    return said[-1] if said else BETWEEN_WRITES if is_ready else START_UP


def finish(process: subprocess.Popen[bytes]) -> str:
    """Wait for the end of a process.  -> its errors."""
    _, errors = process.communicate(timeout=120)
    return errors.decode()


def kill_at_random(
    process: subprocess.Popen[bytes], durations: Durations, rng: np.random.Generator
) -> tuple[int, str]:
    """Send a signal after a random time.  -> its number and the moment; 0, "" if it had ended."""
    number = SIGNALS[rng.integers(len(SIGNALS))]
    is_ready = rng.random() > START_UP_PROB
    if is_ready:
        wait_until_ready(process)
    time.sleep(float(rng.uniform(0, durations.training if is_ready else durations.start_up)))
    if process.poll() is not None:
        return 0, ""
    when = moment(process, is_ready)
    process.send_signal(number)
    return number, when


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


def disturbed(
    folder: Path, durations: Durations, rng: np.random.Generator, done: Counter[str]
) -> None:
    """Train with kills at random moments until the training ends; count what was done.

    Raises
    ------
    Lost
        If it cannot be resumed, or leaves something behind.
    """
    while True:
        process = start(folder)
        number, when = kill_at_random(process, durations, rng)
        errors = finish(process)
        status = process.returncode
        if status == 0:
            break
        # In the start-up Python has no handlers yet, or ends with what an import makes of Ctrl-C.
        if number == 0 or (status not in (-number, 130) and when != START_UP):
            raise Lost(f"status {status} after {dict(done)}: {errors[-600:]}")
        done[signal.Signals(number).name] += 1
        done[f"killed {when}"] += 1
        if rng.random() < DAMAGE_PROB and (what := damage(folder, rng)):
            done[what] += 1
    if left := partial_files(folder):
        raise Lost(f"left behind: {', '.join(left)}")


def kill_count(done: Counter[str]) -> int:
    """Return the number of kills."""
    return sum(done[number.name] for number in SIGNALS)


def undisturbed(folder: Path) -> Durations:
    """Train without a disturbance."""
    began = time.monotonic()
    process = start(folder)
    wait_until_ready(process)
    ready = time.monotonic()
    errors = finish(process)
    if process.returncode:
        raise Lost(errors)
    return Durations(ready - began, time.monotonic() - ready)


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
        durations = undisturbed(whole)
        expected = weights(whole)
        while kill_count(done) < kills:
            folder = Path(temporary) / f"run-{done['trainings that ended']}"
            disturbed(folder, durations, rng, done)
            if weights(folder) != expected:
                raise Lost(f"{folder.name} ends in other weights; done so far: {dict(done)}")
            done["trainings that ended"] += 1
            print(f"{kill_count(done)} of {kills} kills", file=sys.stderr, flush=True)
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
