"""The BLAS library inside NumPy: which kernel it runs, and on how many threads.

NumPy's wheels contain OpenBLAS with its control functions, found through the extension module that
links to it. If that fails (another BLAS, Windows), the core is "unknown", and only the
environment variables OPENBLAS_NUM_THREADS and OMP_NUM_THREADS can set the number of threads.
"""

import ctypes
import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from tervit_np.setting import Setting

_SPELLINGS = ("scipy_openblas_{}64_", "openblas_{}64_", "scipy_openblas_{}", "openblas_{}")


@functools.cache
def _function(name: str) -> Any:
    """Return OpenBLAS's function `name`, or None."""
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    for spelling in _SPELLINGS:
        if (function := getattr(library, spelling.format(name), None)) is not None:
            return function
    return None


def core_name() -> str:
    """Return the processor family whose kernels OpenBLAS runs, such as "SkylakeX"."""
    if (function := _function("get_corename")) is None:
        return "unknown"
    function.restype = ctypes.c_char_p
    return str(function().decode())


def num_threads() -> int | None:
    """Return the number of BLAS threads, None if it is unknown."""
    function = _function("get_num_threads")
    return None if function is None else int(function())


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run the enclosed lines with `count` BLAS threads, if the number can be set.

    Of blocks that overlap in several threads, the latest one that is still open decides.
    """
    with _setting.use(count):
        yield


def _set_num_threads(count: int | None) -> None:
    setter = _function("set_num_threads")
    if setter is not None and count is not None:
        setter(count)


_setting: Setting[int | None] = Setting(num_threads, _set_num_threads)


def one_thread() -> AbstractContextManager[None]:
    """Run the enclosed lines with one BLAS thread."""
    return threads(1)
