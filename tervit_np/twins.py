"""Which code runs an operator: the NumPy lines you read, or their compiled twin.

Every operator with a twin asks here, in its first line, and nowhere else:

    if (fast := twin(x)) is not None:
        return fast.layernorm(...)

Twins exist for float32. A float64 array always runs the NumPy lines, because gradient checks must
check what a student reads. `TERVIT_BACKEND=numpy` or `with tv.backend("numpy"):` switches the
twins off everywhere; without Numba installed they are off by themselves.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array

BACKENDS = ("numba", "numpy")
VARIABLE = "TERVIT_BACKEND"
_chosen: str | None = None  # decided on first use, so that importing costs nothing
_kernels: ModuleType | None = None


def backend_name() -> str:
    """Return the backend in force, "numba" or "numpy".

    Raises
    ------
    ValueError
        If the environment variable TERVIT_BACKEND holds anything else, or asks for an absent Numba.
    """
    global _chosen
    if _chosen is None:
        installed = importlib.util.find_spec("numba") is not None
        wanted = os.environ.get(VARIABLE) or ("numba" if installed else "numpy")
        _chosen = _checked(wanted, VARIABLE)
    return _chosen


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Run the enclosed lines on one backend, in all threads: `with tv.backend("numpy"): ...`."""
    global _chosen
    before = backend_name()
    _chosen = _checked(name)
    try:
        yield
    finally:
        _chosen = before


def twin(x: Array) -> ModuleType | None:
    """Return the compiled kernels where they apply to `x`, None where NumPy is to run."""
    global _kernels
    if x.dtype != np.float32 or x.size == 0 or backend_name() != "numba":
        return None
    if _kernels is None:
        import tervit_np.kernels

        _kernels = tervit_np.kernels
    return _kernels


def _checked(name: str, what: str = "backend") -> str:
    if name not in BACKENDS:
        raise ValueError(f"{what} is {name!r}; expected one of {', '.join(BACKENDS)}")
    if name == "numba" and importlib.util.find_spec("numba") is None:
        raise ValueError("backend 'numba' needs Numba, which is not installed: pip install numba")
    return name
