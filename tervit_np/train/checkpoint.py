"""The checkpoints of a run: the last two are kept, and a damaged one gives way to the one before.

    checkpoint.npz      written after each epoch and stage, and after Ctrl-C
    checkpoint-1.npz    the one before it

A run continues to the same bits from either; from the older one it repeats some steps. An .npz file
holds a checksum (CRC-32) of each array, so a bit that has changed on the disk is found.

Each checkpoint also holds the run's configuration, from which run.json can be written again.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

from data_tools.terminal import note
from tervit_np.arrays import Array
from tervit_np.checkpoints import npz
from tervit_np.json_files import AnyOf, mismatch

_POSITION = {
    "stage": int,
    "step": int,
    "results": [list],
    "start": [float],
    "seconds": float,
    "cpu_seconds": AnyOf(float, None),
    "metrics_bytes": int,
    "run": dict,
}


class Saved(NamedTuple):
    """The contents of a checkpoint."""

    arrays: dict[str, Array]
    position: dict[str, Any]  # stage and step to continue with, results so far, counters


class Checkpoints:
    """The checkpoint files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.newest, self.older = folder / "checkpoint.npz", folder / "checkpoint-1.npz"
        self._newest_is_damaged = False

    @property
    def exist(self) -> bool:
        """Whether there is a checkpoint."""
        return self.newest.is_file() or self.older.is_file()

    def save(self, state: Saved) -> None:
        """Write a checkpoint; the newest one becomes the older one, and stays if this one fails.

        A damaged one is overwritten instead, so that a whole one is left at every moment.
        """
        if self.newest.is_file() and not self._newest_is_damaged:
            os.replace(self.newest, self.older)
        npz.write_npz(self.newest, state.arrays, {"format": npz.FORMAT, **state.position})
        self._newest_is_damaged = False

    def load(self) -> Saved:
        """Read the newest checkpoint that is whole; a note says which one is damaged.

        Raises
        ------
        ValueError
            If there is no checkpoint, or none that is whole.
        """
        problems = []
        for file in (self.newest, self.older):
            if not file.is_file():
                continue
            try:
                saved = _read(file)
            except ValueError as error:
                problems.append(str(error))
                continue
            if problems:
                self._newest_is_damaged = True
                note(f"{problems[0]}; the run continues from {file.name}, to the same result")
            return saved
        raise ValueError(problems[0] if problems else f"{self.newest} is missing")

    def remove(self) -> None:
        """Delete all checkpoints."""
        for file in (self.newest, self.older):
            file.unlink(missing_ok=True)


def _read(file: Path) -> Saved:
    """Read one checkpoint; ValueError if it is damaged."""
    saved = Saved(*npz.read_npz(file))
    saved.position.setdefault("cpu_seconds", None)  # earlier versions did not measure it
    problem = mismatch(saved.position, _POSITION)
    if problem or any(len(result) != 5 for result in saved.position["results"]):
        raise ValueError(f"{file} is damaged: {problem or 'a result is incomplete'}")
    return saved
