"""Hand out compiled code: the NumPy lines you read, or their compiled twin.

Every operator with a twin asks here, in its first line, and nowhere else:

    if (fast := compiled(x)) is not None:
        return fast.layernorm(...)

Twins exist for float32. A float64 array always runs the NumPy lines, because gradient checks must
check what a student reads. backends.py says how to switch the twins off.
"""

from types import ModuleType

import numpy as np

from tervit_np.arrays import Array
from tervit_np.backends import backend_name

_compiled: ModuleType | None = None


def compiled(x: Array) -> ModuleType | None:
    """Return the compiled operators where they apply to `x`, None where NumPy is to run."""
    global _compiled
    if x.dtype != np.float32 or x.size == 0 or backend_name() != "numba":
        return None
    if _compiled is None:
        import tervit_np.compiled

        _compiled = tervit_np.compiled
    return _compiled


def integer_engine(x: Array) -> ModuleType | None:
    """Return the kernels of integer products where they apply to `x`, otherwise None."""
    if compiled(x) is None:
        return None
    import tervit_np.kernels

    return tervit_np.kernels
