"""Choose between an operator's NumPy lines and their compiled twin.

An operator that has a twin asks here, and nowhere else:

    if (compiled_ops := compiled(x)) is not None:
        return compiled_ops.layernorm(...)

Twins exist for float32. A float64 array always runs the NumPy lines, because gradient checks must
check the lines that a student reads. backends.py says how to switch the twins off.
"""

from types import ModuleType

import numpy as np

from tervit_np.arrays import Array
from tervit_np.backends import backend_name

_compiled: ModuleType | None = None


def compiled(x: Array) -> ModuleType | None:
    """Return the module of compiled operators if they apply to `x`, otherwise None."""
    global _compiled
    if x.dtype != np.float32 or x.size == 0 or backend_name() != "numba":
        return None
    if _compiled is None:
        import tervit_np.compiled

        _compiled = tervit_np.compiled
    return _compiled


def integer_engine(x: Array) -> ModuleType | None:
    """Return the package of integer kernels if they apply to `x`, otherwise None."""
    if compiled(x) is None:
        return None
    import tervit_np.kernels

    return tervit_np.kernels
