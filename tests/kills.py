"""Kill trainings at random moments, damage their files, and resume them to the same bits.

    python -m tests.kills                 500 kills, some minutes on one core
    python -m tests.kills --kills 20 --seed 3

A tiny training with three stages, an average of the weights and drop path is first run without a
disturbance. Then it is started again and again. Each process gets SIGKILL, SIGTERM or SIGINT after
a random time, some in their start-up and some while they write: writes to the disk are made slow
for this. After some kills a file that is read again is cut, or one of its bits flipped. Then the
training is resumed, until it ends. Each must end in the same weights as the undisturbed one, and
leave no partial file behind.

A process that is to be killed in its start-up is a new one. The others are forks of this one, which
has imported everything, since they would spend most of their time on that. Not for Windows.

The exit status is 1 if a training was lost, and the table says how often what was done.
"""

import argparse
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests import small_training
from tests.small_training import BETWEEN_WRITES, partial_files, weights

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
DAMAGED = ("checkpoint.npz", "run.json", "metrics.jsonl")
DAMAGE_PROB = 0.3
START_UP, START_UP_PROB = "in start-up", 0.1
TIMEOUT = 120.0  # seconds


class Lost(Exception):
    """A training that could not be resumed, or ended in other weights."""


class Child(NamedTuple):
    """A process that trains."""

    pid: int
    output: int  # what it prints, its errors too: the end of a pipe

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, ended) is not None

    def says_more(self, seconds: float) -> bool:
        """Wait so long for what it prints, or for its end."""
        return bool(select.select([self.output], [], [], seconds)[0])

    def said(self, seconds: float = 0) -> str:
        """Return what it has printed, waiting so long for more; "" at its end."""
        return os.read(self.output, 2**20).decode() if self.says_more(seconds) else ""

    def finish(self) -> tuple[int, str]:
        """Wait for its end.  -> status, negative after a signal, and what it still said."""
        rest = "".join(iter(lambda: self.said(TIMEOUT), ""))
        if not self.says_more(0):
            os.kill(self.pid, signal.SIGKILL)
            rest += f"\nit said nothing for {TIMEOUT:g} seconds"
        os.close(self.output)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), rest


class Durations(NamedTuple):
    """Seconds that an undisturbed process took."""

    start_up: float
    training: float


def start(folder: Path, is_new: bool) -> Child:
    """Start or resume the training, in a new process or in a fork of this one."""
    output, into = os.pipe()
    if pid := os.fork():
        os.close(into)
        return Child(pid, output)
    status = 1
    try:
        os.dup2(into, 1)
        os.dup2(into, 2)
        if is_new:
            os.execv(sys.executable, [sys.executable, "-m", "tests.small_training", str(folder)])
        status = small_training.main(folder)
    except BaseException as error:  # nothing may go on in the copy of this program
        traceback.print_exc()
        status = 130 if isinstance(error, KeyboardInterrupt) else 1
    finally:
        os._exit(status)


def moment(said: str) -> str:
    """Return what a process does, by what it has said last."""
    known = [x for x in said.splitlines() if x == BETWEEN_WRITES or x.startswith("writing ")]
    return known[-1] if known else START_UP


def kill_at_random(
    child: Child, is_new: bool, durations: Durations, rng: np.random.Generator
) -> tuple[int, str]:
    """Send a signal after a random time.  -> its number and the moment; 0, "" if it had ended."""
    number = SIGNALS[rng.integers(len(SIGNALS))]
    said = "" if is_new else child.said(TIMEOUT)  # that training begins
    time.sleep(float(rng.uniform(0, durations.start_up if is_new else durations.training)))
    if child.has_ended():
        return 0, ""
    said += child.said()
    os.kill(child.pid, number)
    return number, moment(said)


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
        is_new = bool(rng.random() < START_UP_PROB)
        child = start(folder, is_new)
        number, when = kill_at_random(child, is_new, durations, rng)
        status, errors = child.finish()
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
    child = start(folder, is_new=True)
    child.said(TIMEOUT)
    ready = time.monotonic()
    status, errors = child.finish()
    if status:
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
