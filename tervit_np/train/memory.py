"""Keep freed memory instead of returning it to the system between two steps.

A training step allocates and frees the same arrays again and again. The C library maps large blocks
afresh each time, and the system clears every page of them at first touch, which costs more than
many an operator. Told to keep what it has, it hands the same warm pages out again. All threads
share one pool, since each thread's own would have to grow to the same size.
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
