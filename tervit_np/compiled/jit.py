"""The compiler's settings, in one place.

Numba's cache notices an edit in a function's own file only; a function that calls one from another
file would keep running stale machine code. So the cache lives in a folder named after a hash of all
kernel sources, chosen before the first function is compiled: one edit anywhere, one new folder.
Where no folder is writable the kernels are compiled anew in each process.
"""

import hashlib
import logging
from pathlib import Path
from typing import Any

import numba
from numba.core import event

from data_tools.paths import user_cache, writable_folder

SOURCES = ("compiled", "kernels")  # folders of compiled code


def source_hash() -> str:
    """Hash the text of every file that holds compiled code."""
    digest = hashlib.sha256(numba.__version__.encode())
    package = Path(__file__).parents[1]
    for file in sorted(file for folder in SOURCES for file in (package / folder).glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


CACHE = writable_folder(user_cache() / "kernels" / source_hash())
if CACHE is not None:
    numba.config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]

_logger = logging.getLogger(__name__)


class _Once(event.Listener):
    """Say why the first call takes so long; nothing is compiled where the cache has it all."""

    said = False

    def on_start(self, event: Any) -> None:
        """A function that is not in the cache is about to be compiled, if it is one of ours."""
        ours = event.data["dispatcher"].py_func.__module__.startswith("tervit_np.")
        if ours and not self.said:
            self.said = True
            when = "once; later runs find them" if CACHE else "in each run, as no cache is writable"
            _logger.info("compiling kernels for this processor (%s): up to half a minute", when)

    def on_end(self, event: Any) -> None:
        """Say nothing."""


event.register("numba:compile", _Once())

# Sums may be reordered (vector lanes need that) and a product fused with a sum; NaN and infinity
# keep their meaning.
REORDER = {"reassoc", "contract", "nsz"}


def kernel(**options: Any) -> Any:
    """Compile a function on first use, without Python's lock, cached on disk where possible."""
    return numba.njit(nogil=True, cache=CACHE is not None, error_model="numpy", **options)
