"""Choose between an operator's NumPy lines and their compiled twin.

An operator that has a twin asks here, and nowhere else:

    if (compiled_ops := compiled(x, gamma, beta)) is not None:
        return compiled_ops.layernorm(...)

Twins exist for float32. A float64 array among the operands always means the NumPy lines, because
gradient checks must check the lines that a student reads. backends.py says how to switch the twins
off.
"""

from types import ModuleType

import numpy as np

from tervit_np.arrays import Array
from tervit_np.backends import backend_name

_FLOAT32 = np.dtype(np.float32)  # dtypes compare faster with each other than with types
_compiled: ModuleType | None = None


def compiled(x: Array, *others: Array | None) -> ModuleType | None:
    """Return the module of compiled operators if they apply to all operands, otherwise None.

    They apply to float32 alone, and to an `x` that is not empty.
    """
    global _compiled
    if x.dtype != _FLOAT32 or x.size == 0 or backend_name() != "numba":
        return None
    for other in others:
        if other is not None and other.dtype != _FLOAT32:
            return None
    if _compiled is None:
        from tervit_np.compiled import operators

        _compiled = operators
    return _compiled


def integer_engine(x: Array, *others: Array | None) -> ModuleType | None:
    """Return the package of integer kernels if they apply to all operands, otherwise None."""
    if compiled(x, *others) is None:
        return None
    import tervit_np.kernels

    return tervit_np.kernels
