"""How kernels are compiled and cached.

Numba's cache on disk notices only edits in the file of the function itself: a function that calls
one from another, edited file would keep its old machine code. So the cache is in a folder named
after a hash of all files with kernels, set before the first of them is compiled. If no folder is
writable, each process compiles its kernels anew.
"""

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numba
from numba.core import event
from numba.core.dispatcher import Dispatcher

from data_tools.paths import user_cache, writable_folder
from tervit_np.compiled.cache import CheckedCache

Function = TypeVar("Function", bound=Callable[..., object])

SOURCES = ("compiled/*.py", "kernels/*.py", "target.py")  # what compiled code depends on


def source_hash() -> str:
    """Hash the text of every file on which compiled code depends."""
    digest = hashlib.sha256(numba.__version__.encode())
    package = Path(__file__).parents[1]
    for file in sorted(file for pattern in SOURCES for file in package.glob(pattern)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


CACHE = writable_folder(user_cache() / "kernels" / source_hash())
if CACHE is not None:
    with suppress(OSError):  # of another owner
        CACHE.chmod(0o700)  # who can write there can run code here
    numba.config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]

_logger = logging.getLogger(__name__)


class _CompilationNotice(event.Listener):
    """Log, once, why the first call takes so long, unless all kernels are in the cache."""

    logged = False

    def on_start(self, event: event.Event) -> None:
        """Log the notice if the function that Numba compiles is part of this package."""
        module = event.data["dispatcher"].py_func.__module__ or ""  # None in code without a name
        if module.startswith("tervit_np.") and not self.logged:
            self.logged = True
            when = "once; later runs find them" if CACHE else "in each run, as no cache is writable"
            _logger.info("compiling kernels for this processor (%s): up to half a minute", when)

    def on_end(self, event: event.Event) -> None:
        """Do nothing."""


event.register("numba:compile", _CompilationNotice())


def kernel(
    *,
    boundscheck: bool | None = None,
    forceinline: bool = False,
) -> "Callable[[Function], Dispatcher[Function]]":
    """Compile a function on its first call: no GIL, errors as in NumPy, cached on disk.

    There is no option for fast mathematics: with its flags a function gives other bits where it is
    inlined than where it is linked, and on each processor its own. arithmetic.py and row_sums.py
    have what kernels use instead.

    Types of parameters are for the reader; Numba compiles for the types of the arguments.
    """

    def decorate(function: Function) -> "Dispatcher[Function]":
        dispatcher = numba.njit(
            nogil=True, error_model="numpy", boundscheck=boundscheck, forceinline=forceinline
        )(function)
        if CACHE is not None:
            dispatcher._cache = CheckedCache(function)  # type: ignore[attr-defined]
        return dispatcher

    return decorate
