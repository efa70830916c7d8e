"""Processes that end with the one that started them, however that ends."""

import multiprocessing
import os
import signal
import threading


def begin_child() -> None:
    """Prepare a new process: it ends with its parent, and leaves Ctrl-C to it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_with_parent() -> None:
    """End this process when its parent has ended: a killed parent cannot say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
