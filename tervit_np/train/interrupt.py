"""Stop on Ctrl-C after the current step, so that the run can be resumed to the same bits."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Training was stopped and saved; the message says how to continue."""


class StopRequest:
    """Records the first Ctrl-C or SIGTERM; the second one stops the process at once, as usual.

    with StopRequest() as stop:
        while not stop.requested: ...
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous_handlers: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous_handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers.clear()
