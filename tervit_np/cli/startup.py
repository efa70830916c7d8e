"""Prepare the process, before NumPy is imported: open streams, threads and kernel of OpenBLAS.

Training splits a batch over Python threads, each of which needs one BLAS thread; two BLAS threads
on one core halve its speed. OPENBLAS_CORETYPE set to a processor without AVX-512, on one that has
it, costs a third of NumPy's speed; the command line removes it for its own process. `tervit doctor`
reports both.
"""

import os
import sys
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
AVX512_CORES = ("skylakex", "cooperlake", "sapphirerapids")


def prepare() -> None:
    """Prepare the streams and the environment; numbers of threads that are set already stay."""
    open_streams()
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    if slow_core_type() is not None:
        os.environ["TERVIT_DROPPED_CORETYPE"] = os.environ.pop("OPENBLAS_CORETYPE")


def open_streams() -> None:
    """Open the null device for standard streams that are closed (`2>&-`, services).

    Otherwise the next file that is opened, perhaps a checkpoint, would take the stream's number,
    and get the messages that libraries in C write to it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if name == "stdin" else os.O_WRONLY)  # lowest number
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))


def show_log() -> None:
    """Print the package's log on a terminal, so that it says when it waits for a compilation."""
    if sys.stderr.isatty():
        import logging

        logging.basicConfig(format="%(message)s")
        logging.getLogger("tervit_np").setLevel(logging.INFO)


def slow_core_type() -> str | None:
    """Return OPENBLAS_CORETYPE if it keeps NumPy from using AVX-512 of this processor."""
    core = os.environ.get("OPENBLAS_CORETYPE")
    if core is None or core.lower() in AVX512_CORES:
        return None
    fast = CPUINFO.exists() and " avx512vl" in CPUINFO.read_text()
    return core if fast else None
