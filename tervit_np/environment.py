"""Versions, processor and BLAS of a run: stored in run.json and printed by `tervit doctor`."""

import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np

from tervit_np import __version__
from tervit_np.backends import backend_name
from tervit_np.blas import core_name
from tervit_np.target import fuses_multiply_adds

SAME_BITS = "the same on every processor"


def environment() -> dict[str, str]:
    """Describe Python, packages, BLAS kernel and processor as short strings."""
    return {
        "tervit_np": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": installed_version("numba"),
        "backend": backend_name(),
        "blas": f"OpenBLAS {core_name()}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": str(usable_cores()),
        "last bits": difference_of_bits() or SAME_BITS,
    }


def difference_of_bits() -> str:
    """Say why training ends in other last bits here than elsewhere; empty where it does not."""
    if backend_name() != "numba":
        return "depend on BLAS, with which the NumPy backend multiplies"
    if not fuses_multiply_adds():
        return "differ from those of processors with fused multiply-adds, which this one lacks"
    return ""


def installed_version(package: str) -> str:
    """Return a package's version, or "absent"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def usable_cores() -> int:
    """Count the processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def processor_name() -> str:
    """Return the processor's name, from /proc/cpuinfo if there is one."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def processor_features() -> set[str]:
    """Return the instruction sets in /proc/cpuinfo; empty if there is no such file."""
    return set((_cpuinfo("flags") or _cpuinfo("Features")).split())


def _cpuinfo(key: str) -> str:
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return ""
    lines = (line.partition(":") for line in file.read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")
