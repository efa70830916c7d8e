"""Let the disk fail at each of its operations, and damage each file that a resumed run reads.

    python -m tests.faults                  all of it, in some minutes
    python -m tests.faults --every 20       each twentieth operation

The small training is first run without a disturbance, and what it does in its folder is counted:
files opened for writing, moved, cut and synchronised. Then it is run once for each of these
operations, which fails, alone or with all that follow, because the disk is full or read-only, a
quota is used up, or the device is broken. It must end with an OSError, and continue to the same
weights when the disk is well.

Then it is stopped at random steps, and a file is cut, or one of its bits flipped. It must continue
to the same weights. Where a finished model is damaged, from which a later stage learns, it must say
so, and continue when the file is restored. The exit status is 1 if anything is lost.
"""

import argparse
import errno
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.small_training import STAGES, partial_files, train, weights

ERRORS = (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES, errno.EDQUOT)
RECOVERED = ("checkpoint.npz", "checkpoint-1.npz", "run.json", "metrics.jsonl")
LAST_STEP = 44
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Lost(Exception):
    """A training that could not be resumed, or ended in other weights."""


class Disk:
    """Counts what is done to a folder; operation `first`, and later ones if it lasts, fails."""

    def __init__(self) -> None:
        self.folder, self.count, self.failed = Path(), 0, False
        self.first, self.error, self.lasts = sys.maxsize, 0, False
        self._is_on = False
        sys.addaudithook(self._audit)

    @contextmanager
    def failing(
        self, folder: Path, first: int = sys.maxsize, error: int = 0, lasts: bool = False
    ) -> Iterator[None]:
        """Watch a folder, and fail there, while the block runs."""
        self.folder, self.count, self.failed = folder, 0, False
        self.first, self.error, self.lasts = first, error, lasts
        fsync = os.fsync

        def watched(file: int) -> None:
            self._operate(str(folder))
            fsync(file)

        os.fsync, self._is_on = watched, True
        try:
            yield
        finally:
            os.fsync, self._is_on = fsync, False

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Called by Python before each operation; what it raises, the operation raises."""
        if not self._is_on:
            return
        if (event == "open" and args[2] & _WRITING) or event in ("os.rename", "os.truncate"):
            self._operate(args[0])

    def _operate(self, path: Any) -> None:
        if not isinstance(path, str | os.PathLike) or str(self.folder) not in str(path):
            return
        self.count += 1
        if self.count == self.first or (self.lasts and self.count > self.first):
            self.failed = True
            raise OSError(self.error, os.strerror(self.error), str(path))


def disk_fails(disk: Disk, folder: Path, first: int, done: Counter[str]) -> None:
    """Train while one operation fails, then without faults; Lost if it does not end well."""
    error, lasts = ERRORS[first % len(ERRORS)], first % 2 == 0
    what = f"operation {first} fails with {errno.errorcode[error]}"
    try:
        with disk.failing(folder, first, error, lasts):
            train(folder)
    except OSError as raised:
        if raised.errno != error:
            raise Lost(f"{what}: {raised!r} hides the reason") from None
    else:
        if disk.failed:
            done["failures that training survived"] += 1
    done[f"{errno.errorcode[error]}, {'lasting' if lasts else 'once'}"] += 1
    _continue(folder, what)


def _continue(folder: Path, what: str) -> None:
    try:
        train(folder)
    except (ValueError, OSError) as error:
        raise Lost(f"after {what}: {error}") from error
    if left := partial_files(folder):
        raise Lost(f"after {what}: {', '.join(left)} is left behind")


class _PowerCutError(Exception):
    pass


def cut_off(folder: Path, step: int) -> None:
    """Train up to a step, after which nothing is saved."""

    def on_step(finished: int) -> None:
        if finished == step:
            raise _PowerCutError

    try:
        train(folder, on_step)
    except _PowerCutError:
        pass


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file, or flip a bit of it."""
    at = int(rng.integers(len(content)))
    if rng.random() < 0.5:
        return content[:at]
    flipped = bytearray(content)
    flipped[at] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def file_is_damaged(folder: Path, rng: np.random.Generator, done: Counter[str]) -> None:
    """Stop a training, damage a file, continue; Lost if that ends in other weights unnoticed."""
    step = int(rng.integers(1, LAST_STEP))
    cut_off(folder, step)
    models = [f"{s.name}.npz" for s in STAGES if (folder / f"{s.name}.npz").exists()]
    names = [*(n for n in RECOVERED if (folder / n).stat().st_size > 0), *models]
    file = folder / str(rng.choice(names))
    content = file.read_bytes()
    file.write_bytes(damaged(content, rng))
    what = f"step {step} and damage to {file.name}"
    done[f"{file.name} damaged"] += 1
    if file.name in models:
        try:
            train(folder)
        except ValueError as error:
            if file.name not in str(error):
                raise Lost(f"{what}: the error does not name the file: {error}") from None
        file.write_bytes(content)
    _continue(folder, what)


def run_all(every: int, damages: int, seed: int = 0) -> Counter[str]:
    """Fail at each `every`-th operation, damage so many files.  -> how often what was done.

    Raises
    ------
    Lost
        If a training is lost, or ends in other weights than the undisturbed one.
    """
    rng, done, disk = np.random.default_rng(seed), Counter[str](), Disk()
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "whole"
        with disk.failing(whole):
            train(whole)
        expected, operations = weights(whole), disk.count
        for first in range(1 + seed % every, operations + 1, every):
            folder = Path(temporary) / f"disk-{first}"
            disk_fails(disk, folder, first, done)
            _compare(folder, expected)
        for number in range(damages):
            folder = Path(temporary) / f"damage-{number}"
            file_is_damaged(folder, rng, done)
            _compare(folder, expected)
    return done


def _compare(folder: Path, expected: str) -> None:
    if weights(folder) != expected:
        raise Lost(f"{folder.name} ends in other weights")


def main() -> int:
    """Run, print the table.  -> exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="of the operations (default: 1)")
    parser.add_argument("--damages", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        done = run_all(args.every, args.damages, args.seed)
    except Lost as error:
        print(f"lost: {error}")
        return 1
    for what, count in sorted(done.items()):
        print(f"{what:<36}{count:>6}")
    print("all ended in the weights of the undisturbed training; nothing was left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())
