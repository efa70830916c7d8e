"""The run folder as the ranks see it that do not write (ranks.py)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tervit_np.train.checkpoint import Saved
from tervit_np.train.folder import RunFolder


class SharedFolder(RunFolder):
    """The folder of a run that another process writes (ranks.py)."""

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Do nothing: the other process has locked it."""
        yield

    def log(self, **record: Any) -> None:
        """Do nothing."""

    def save(self, state: Saved) -> None:
        """Do nothing."""
