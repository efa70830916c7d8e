"""Affine maps of a picture by bilinear interpolation, to the same bits on every machine.

    u = a x + b y + c                               the source of the output pixel at (x, y), its
    v = d x + e y + f                               centre at x = column + 1/2, y = row + 1/2
    top = p00 + (p01 - p00) s                       s, t = fractions of u - 1/2 and v - 1/2
    out = top + (p10 + (p11 - p10) s - top) t       float64, cut to a byte

Pillow computes the same numbers. But its package for Arm fuses a product and the sum after it, and
where `out` is near a whole number, the byte is then another one. NumPy rounds after each operation.
"""

import math
from typing import NamedTuple

import numpy as np

from data_tools import elementary
from data_tools.imageset import Array


class Affine(NamedTuple):
    """The map from a pixel of the output to its source."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float


def rotation(degrees: float, width: int, height: int) -> Affine:
    """Return the map that rotates a picture about its centre, counterclockwise."""
    angle = -math.radians(degrees % 360)
    cos, sin = (round(float(g(angle)), 15) for g in (elementary.cos, elementary.sin))
    x, y = width / 2, height / 2
    return Affine(cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y)


def transform(pixels: Array, affine: Affine, fill: int) -> Array:
    """Map a picture; `fill` is the grey of what comes from outside of it.

    uint8 (H, W, 3) -> (H, W, 3)
    """
    height, width, channels = pixels.shape
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    u = affine.a * x + affine.b * y + affine.c
    v = affine.d * x + affine.e * y + affine.f
    inside = np.flatnonzero((u >= 0) & (u < width) & (v >= 0) & (v < height))
    left, right, s = _neighbours(u.ravel()[inside], width)
    top, bottom, t = _neighbours(v.ravel()[inside], height)
    planes = np.ascontiguousarray(pixels.reshape(-1, channels).T)  # long runs for NumPy's loops
    one, two = (
        _between(planes.take(first + left, axis=1), planes.take(first + right, axis=1), s)
        for first in (top * width, bottom * width)
    )
    out = np.full((height * width, channels), fill, np.uint8)
    out[inside] = _between(one, two, t).astype(np.uint8).T
    return out.reshape(pixels.shape)


def _neighbours(position: Array, size: int) -> tuple[Array, Array, Array]:
    """Return the pixels before and after positions along an axis, and the fraction between them."""
    position = position - 0.5
    first = np.floor(position)
    before = first.astype(np.intp)
    after = np.minimum(before + 1, size - 1)
    return np.maximum(before, 0), after, position - first


def _between(one: Array, two: Array, fraction: Array) -> Array:
    """Return one + (two - one) fraction.  (C, M), (C, M), (M,) -> float64 (C, M)."""
    step = np.subtract(two, one, dtype=np.float64)
    step *= fraction
    step += one
    return step
