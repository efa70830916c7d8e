"""Groups of weights that share a scale: the rows of a matrix, whatever the tensor's shape.

An output channel is everything at one index of axis 0: a row of a linear layer's (out, in), a
filter of a convolution's (out, in, k, k).
"""

import numpy as np

from tervit_np.arrays import Array

GRANULARITIES = ("channel", "tensor")


def as_rows(w: Array, granularity: str) -> Array:
    """View weights as a matrix, one row for each scale.  (out, ...) -> (out, n) or (1, out n).

    Raises
    ------
    ValueError
        If there are no weights, they are not real numbers, or a single number has no channels.
    """
    if w.dtype.kind not in "fiu":
        raise ValueError(f"quantize: weights are {w.dtype}, expected real numbers")
    if w.size == 0:
        raise ValueError(f"quantize: weights are {w.shape}, so there is nothing to quantize")
    if granularity == "tensor":
        return np.ascontiguousarray(w).reshape(1, -1)
    if w.ndim == 0:
        raise ValueError('quantize: a single number has no channels; choose "tensor"')
    return np.ascontiguousarray(w).reshape(w.shape[0], -1)


def broadcast_scale(scale: Array, ndim: int) -> Array:
    """Shape a scale so that it multiplies along axis 0.  (out,) -> (out, 1, ...), others as is."""
    return scale.reshape(-1, *[1] * (ndim - 1)) if scale.ndim == 1 else scale
