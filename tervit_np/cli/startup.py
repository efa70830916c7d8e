"""What must be settled before NumPy is imported: BLAS threads and the BLAS kernel.

Training splits a batch over Python threads and wants one BLAS thread in each; two BLAS threads on
one core halve its speed. OPENBLAS_CORETYPE, where some machine sets it to a processor without
AVX-512 although this one has it, costs a third of NumPy's speed, so the command line drops it for
its own process. `tervit doctor` reports both.
"""

import os
import sys
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
AVX512_CORES = ("skylakex", "cooperlake", "sapphirerapids")


def prepare() -> None:
    """Set the environment of this process; variables that a person set for threads stay."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    if slow_core_type() is not None:
        os.environ["TERVIT_DROPPED_CORETYPE"] = os.environ.pop("OPENBLAS_CORETYPE")


def show_waiting() -> None:
    """Let a person at a terminal read why a command seems to stand still."""
    if sys.stderr.isatty():
        import logging

        logging.basicConfig(format="%(message)s")
        logging.getLogger("tervit_np").setLevel(logging.INFO)


def slow_core_type() -> str | None:
    """Return OPENBLAS_CORETYPE if it holds this processor below what it can do."""
    core = os.environ.get("OPENBLAS_CORETYPE")
    if core is None or core.lower() in AVX512_CORES:
        return None
    fast = CPUINFO.exists() and " avx512vl" in CPUINFO.read_text()
    return core if fast else None
