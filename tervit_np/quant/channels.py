"""Weights that share a scale, as the rows of a matrix.

    "channel"    one scale for each output channel
    "tensor"     one scale for all weights
    "group64"    one scale for 64 inputs in a row of an output channel, or for another number

An output channel is the slice at one index of axis 0: a row of a linear layer's (out, in), a
filter of a convolution's (out, in, k, k).
"""

import re

import numpy as np

from tervit_np.arrays import Array

GRANULARITIES = ("channel", "tensor")
_GROUP = re.compile("group([1-9][0-9]{0,4})")


def check_granularity(granularity: object, name: str = "granularity") -> None:
    """Raise ValueError if weights cannot share scales in this way."""
    if granularity not in GRANULARITIES and group_size(granularity) is None:
        raise ValueError(
            f"{name} is {granularity!r}; expected 'channel', 'tensor', or 'group' and a number of "
            "inputs, at least 2, as in 'group64'"
        )


def group_size(granularity: object) -> int | None:
    """Return how many inputs share a scale, None if the granularity is not by groups."""
    match = _GROUP.fullmatch(granularity) if isinstance(granularity, str) else None
    return int(match[1]) if match and int(match[1]) > 1 else None


def as_rows(w: Array, granularity: str) -> Array:
    """View weights as a matrix with one row per scale.  (out, ...) -> (scales, weights per scale).

    Raises
    ------
    ValueError
        If `w` is empty, holds no real numbers, is a scalar, which has no channels, or has channels
        that cannot be cut into groups.
    """
    if w.dtype.kind not in "fiu":
        raise ValueError(f"quantize: weights are {w.dtype}, expected real numbers")
    if w.size == 0:
        raise ValueError(f"quantize: weights are {w.shape}, expected at least one")
    scales = int(np.prod(scale_shape(w.shape, granularity)))
    return np.ascontiguousarray(w).reshape(scales, -1)


def scale_shape(shape: tuple[int, ...], granularity: str) -> tuple[int, ...]:
    """Return the shape of the scales: (), (out,), or (out, groups of a channel).

    Raises
    ------
    ValueError
        If the weights are a scalar, which has no channels, or a channel cannot be cut into groups.
    """
    if granularity == "tensor":
        return ()
    if not shape:
        raise ValueError('quantize: a scalar has no channels; choose "tensor"')
    if (size := group_size(granularity)) is None:
        return shape[:1]
    inputs = int(np.prod(shape[1:]))
    if inputs % size:
        raise ValueError(f"quantize: {inputs} inputs cannot be cut into groups of {size}")
    return shape[0], inputs // size


def broadcast_scale(scale: Array, shape: tuple[int, ...]) -> Array:
    """Reshape scales so that they multiply codes of a shape.

    (out,) -> (out, 1, ...); (out, groups) -> `shape`; () and (..., 1) of tokens as they are.
    """
    if scale.ndim == 1:
        return scale.reshape(-1, *[1] * (len(shape) - 1))
    if scale.ndim == 2:
        repeats = int(np.prod(shape[1:])) // scale.shape[1]
        return np.repeat(scale, repeats, axis=1).reshape(shape)
    return scale


def check_floats(x: Array) -> None:
    """Raise ValueError unless values are floating-point numbers; scales cast to integers are 0."""
    if x.dtype.kind != "f":
        raise ValueError(f"quantize: values are {x.dtype}, expected floating-point numbers")
