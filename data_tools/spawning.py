"""How the processes that decode are started, and what is said of one that has died.

They are spawned, because the threads of BLAS do not survive a fork.
"""

import multiprocessing
import signal
import time
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from data_tools.imageset import DataError

_GUARD = (
    'a script that trains must do so under `if __name__ == "__main__":`, because each decoding '
    "process imports it"
)


def require_main_guard() -> None:
    """Raise DataError in a process that still imports the script which started it.

    Python refuses to start processes there.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise DataError(_GUARD)


class Spawning(SpawnContext):
    """Starts processes and remembers them, so that it is known how they ended."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        """Create a process."""
        self.started.append(SpawnProcess(*args, **kwargs))
        return self.started[-1]

    def how_one_died(self) -> str:
        """Say how the first process ended that was not ended by the pool."""
        deadline = time.monotonic() + 5  # the pool, which ends the others, may be asking, too
        while any(p.exitcode is None for p in self.started) and time.monotonic() < deadline:
            time.sleep(0.01)
        codes = [p.exitcode for p in self.started if p.exitcode not in (None, 0, -signal.SIGTERM)]
        if codes and codes[0] == 1:
            return f"a decoding process could not start or failed, see above; {_GUARD}"
        if codes and codes[0] == -getattr(signal, "SIGKILL", 9):
            return (
                "a decoding process was killed, perhaps because memory ran out; try fewer with "
                "--workers"
            )
        status = f" with status {codes[0]}" if codes else ""
        return f"a decoding process died{status}; try another number of them with --workers"
