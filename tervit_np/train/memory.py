"""Keep freed memory in the process instead of returning it to the system after each step.

Every training step allocates and frees arrays of the same sizes. By default the C library maps
large blocks anew each time, and the system zeroes every page at the first write, which takes longer
than some operators. With the settings below the library reuses the same pages. All threads share
one pool, since otherwise each thread's pool would grow to the same size.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGE = 2**30


def keep_freed_memory() -> bool:
    """Ask glibc's allocator to keep freed memory; False where there is another allocator."""
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    settings = ((_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE), (_ARENA_MAX, 1))
    return all([mallopt(*setting) == 1 for setting in settings])
