"""Versions, processor and BLAS of a run: stored in run.json and printed by `tervit doctor`."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tervit_np import __version__
from tervit_np.backends import backend_name
from tervit_np.blas import core_name
from tervit_np.target import fuses_multiply_adds

SAME_BITS = "the same on every processor"


def environment(dtype: npt.DTypeLike = np.float32) -> dict[str, str]:
    """Describe Python, packages, BLAS kernel and processor as short strings.

    `dtype` is that of the model which runs here.
    """
    return {
        "tervit_np": __version__,
        "python": python_name(),
        "numpy": np.__version__,
        "numba": installed_version("numba"),
        "backend": backend_name(),
        "blas": f"OpenBLAS {core_name()}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": str(usable_cores()),
        "last bits": difference_of_bits(dtype) or SAME_BITS,
    }


def difference_of_bits(dtype: npt.DTypeLike = np.float32) -> str:
    """Say which last bits are others here than elsewhere, and why; empty if none are.

    The answer continues "the last bits ...".
    """
    return difference_of_weights(dtype) or difference_of_predictions()


def difference_of_weights(dtype: npt.DTypeLike = np.float32) -> str:
    """Say why training in a dtype ends in other last bits here; empty where it does not."""
    if np.dtype(dtype) != np.float32:
        return f"depend on BLAS, with which {np.dtype(dtype)} is multiplied"
    if backend_name() != "numba":
        return "depend on BLAS, with which the NumPy backend multiplies"
    if not fuses_multiply_adds():
        return "differ from those of processors with fused multiply-adds, which this one lacks"
    return ""


def difference_of_predictions() -> str:
    """Say why packed models give other last bits here; empty where they do not.

    Without a register tile no block is fused: its steps between the integer products are those of
    training, which sum in another order. Training tests models with the same kernels.
    """
    from tervit_np.kernels import isa

    variant = os.environ.get(isa.VARIABLE, "") if backend_name() == "numba" else "numpy"
    if variant not in isa.WITHOUT_TILE:
        return ""
    differ = "of packed predictions, and so of test losses, differ from those of other kernels"
    return f"{differ}, since {variant} has no register tile"


def python_name() -> str:
    """Return Python's version, and whether its threads run without a global lock."""
    has_lock = getattr(sys, "_is_gil_enabled", lambda: True)()  # Python 3.13 has it, 3.12 not
    return platform.python_version() + ("" if has_lock else " free-threaded")


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
    """Return the processor's name, from /proc/cpuinfo if there is one.

    With the family and model of x86, since some hosts call all generations by one name.
    """
    name = _cpuinfo("model name") or platform.processor() or platform.machine()
    family, model = _cpuinfo("cpu family"), _cpuinfo("model")
    return f"{name}, family {family}, model {model}" if family and model else name


def processor_features() -> set[str]:
    """Return the instruction sets in /proc/cpuinfo; empty if there is no such file."""
    return set((_cpuinfo("flags") or _cpuinfo("Features")).split())


def _cpuinfo(key: str) -> str:
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return ""
    lines = (line.partition(":") for line in file.read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")
