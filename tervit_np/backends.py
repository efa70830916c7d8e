"""The selected backend: NumPy alone, or NumPy with code that Numba compiles.

`TERVIT_BACKEND=numpy` or `with tv.backend("numpy"):` runs everything without Numba, which is also
the default if Numba is not installed. dispatch.py chooses between NumPy lines and compiled code.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from data_tools.terminal import note
from tervit_np.setting import Setting

BACKENDS = ("numba", "numpy")
VARIABLE = "TERVIT_BACKEND"
_JIT_OFF = "NUMBA_DISABLE_JIT"
_selected: str | None = None  # by a block of `backend`; None outside of all


def backend_name() -> str:
    """Return the selected backend, "numba" or "numpy".

    Raises
    ------
    ValueError
        If the environment variable TERVIT_BACKEND is anything else, or "numba" without Numba.
    """
    return _selected or _default()


@cache
def _default() -> str:
    """Return the backend outside of all blocks, which the first call finds."""
    installed = importlib.util.find_spec("numba") is not None
    default = "numba" if installed and not jit_is_off() else "numpy"
    requested = os.environ.get(VARIABLE)
    name = _checked(requested or default, VARIABLE)
    if not requested and installed and default == "numpy":
        note(f"{_JIT_OFF} is set, so everything runs in NumPy alone, several times slower")
    return name


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Run the enclosed lines on one backend, in all threads: `with tv.backend("numpy"): ...`.

    Of blocks that overlap in several threads, the latest one that is still open decides.

    Raises
    ------
    ValueError
        If the name is unknown, or the backend cannot run here.
    """
    with _setting.use(_checked(name)):
        yield


def _select(name: str | None) -> None:
    global _selected
    _selected = name


_setting = Setting(lambda: _selected, _select)


def _checked(name: str, option: str = "backend") -> str:
    if name not in BACKENDS:
        raise ValueError(f"{option} is {name!r}; expected one of {', '.join(BACKENDS)}")
    if name == "numba" and importlib.util.find_spec("numba") is None:
        raise ValueError("backend 'numba' needs Numba, which is not installed: pip install numba")
    if name == "numba" and jit_is_off():
        raise ValueError(f"{option} is 'numba', but {_JIT_OFF} is set: unset one of them")
    return name


def jit_is_off() -> bool:
    """Tell whether Numba compiles nothing, as debuggers and coverage tools request."""
    if (config := getattr(sys.modules.get("numba"), "config", None)) is not None:
        return bool(config.DISABLE_JIT)
    try:
        return int(os.environ.get(_JIT_OFF) or 0) != 0
    except ValueError:  # Numba ignores it too
        return False
