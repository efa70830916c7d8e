"""Weights that share a scale, as the rows of a matrix.

An output channel is the slice at one index of axis 0: a row of a linear layer's (out, in), a
filter of a convolution's (out, in, k, k).
"""

import numpy as np

from tervit_np.arrays import Array

GRANULARITIES = ("channel", "tensor")


def as_rows(w: Array, granularity: str) -> Array:
    """View weights as a matrix with one row per scale.  (out, ...) -> (out, n) or (1, out n).

    Raises
    ------
    ValueError
        If `w` is empty, holds no real numbers, or is a scalar, which has no channels.
    """
    if w.dtype.kind not in "fiu":
        raise ValueError(f"quantize: weights are {w.dtype}, expected real numbers")
    if w.size == 0:
        raise ValueError(f"quantize: weights are {w.shape}, expected at least one")
    if granularity == "tensor":
        return np.ascontiguousarray(w).reshape(1, -1)
    if w.ndim == 0:
        raise ValueError('quantize: a scalar has no channels; choose "tensor"')
    return np.ascontiguousarray(w).reshape(w.shape[0], -1)


def broadcast_scale(scale: Array, ndim: int) -> Array:
    """Reshape a scale so that it multiplies along axis 0.  (out,) -> (out, 1, ...); () as it is."""
    return scale.reshape(-1, *[1] * (ndim - 1)) if scale.ndim == 1 else scale
