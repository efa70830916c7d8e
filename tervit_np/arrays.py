"""The array type of every signature, and the letters of its shapes.

B batch, T tokens, D dim, H heads, K head dim, C classes, P patch; `...` is any number of
leading axes.
"""

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


def read_only(x: Array) -> Array:
    """Copy an array so that writing into the copy raises an error.  (...) -> (...)."""
    x = np.array(x)  # also turns a scalar into an array
    x.flags.writeable = False
    return x


def rows(x: Array) -> Array:  # (..., N) -> (M, N)
    """View `x` as a matrix of its last axis, copying only what is not contiguous."""
    x = np.ascontiguousarray(x)  # also turns a scalar into an array of one axis
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def require_shape(name: str, x: Array, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless an array has a shape: compiled loops would read past its end."""
    if x.shape != shape:
        raise ValueError(f"{name} is {x.shape}, expected {shape}")
