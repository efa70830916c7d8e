"""The selected backend: NumPy alone, or NumPy with code that Numba compiles.

`TERVIT_BACKEND=numpy` or `with tv.backend("numpy"):` runs everything without Numba, which is also
the default if Numba is not installed. dispatch.py chooses between NumPy lines and compiled code.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager

BACKENDS = ("numba", "numpy")
VARIABLE = "TERVIT_BACKEND"
_selected: str | None = None  # set on first use


def backend_name() -> str:
    """Return the selected backend, "numba" or "numpy".

    Raises
    ------
    ValueError
        If the environment variable TERVIT_BACKEND is anything else, or "numba" without Numba.
    """
    global _selected
    if _selected is None:
        installed = importlib.util.find_spec("numba") is not None
        requested = os.environ.get(VARIABLE) or ("numba" if installed else "numpy")
        _selected = _checked(requested, VARIABLE)
    return _selected


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Run the enclosed lines on one backend, in all threads: `with tv.backend("numpy"): ...`."""
    global _selected
    previous = backend_name()
    _selected = _checked(name)
    try:
        yield
    finally:
        _selected = previous


def _checked(name: str, option: str = "backend") -> str:
    if name not in BACKENDS:
        raise ValueError(f"{option} is {name!r}; expected one of {', '.join(BACKENDS)}")
    if name == "numba" and importlib.util.find_spec("numba") is None:
        raise ValueError("backend 'numba' needs Numba, which is not installed: pip install numba")
    return name
