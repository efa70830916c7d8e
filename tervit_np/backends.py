"""Which backend is in force: NumPy alone, or NumPy with code that Numba compiles.

`TERVIT_BACKEND=numpy` or `with tv.backend("numpy"):` runs everything without Numba; where Numba is
not installed, so does everything else. dispatch.py hands out the compiled code.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager

BACKENDS = ("numba", "numpy")
VARIABLE = "TERVIT_BACKEND"
_selected: str | None = None  # decided on first use, so that importing costs nothing


def backend_name() -> str:
    """Return the backend in force, "numba" or "numpy".

    Raises
    ------
    ValueError
        If the environment variable TERVIT_BACKEND holds anything else, or asks for an absent Numba.
    """
    global _selected
    if _selected is None:
        installed = importlib.util.find_spec("numba") is not None
        wanted = os.environ.get(VARIABLE) or ("numba" if installed else "numpy")
        _selected = _checked(wanted, VARIABLE)
    return _selected


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Run the enclosed lines on one backend, in all threads: `with tv.backend("numpy"): ...`."""
    global _selected
    before = backend_name()
    _selected = _checked(name)
    try:
        yield
    finally:
        _selected = before


def _checked(name: str, what: str = "backend") -> str:
    if name not in BACKENDS:
        raise ValueError(f"{what} is {name!r}; expected one of {', '.join(BACKENDS)}")
    if name == "numba" and importlib.util.find_spec("numba") is None:
        raise ValueError("backend 'numba' needs Numba, which is not installed: pip install numba")
    return name
