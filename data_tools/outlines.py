"""Ten outlines as signed distances: negative inside, positive outside, zero on the edge.

Each function takes arrays of coordinates, x to the right and y upwards; its figure fills about
[-1, 1]^2. The minimum of two distances is a union, the maximum an intersection; the maximum with a
negated distance cuts a hole.
"""

import numpy as np

from data_tools.elementary import cos, sin
from data_tools.imageset import Array

_SIN, _COS = float(sin(np.pi / 5)), float(cos(np.pi / 5))  # of half a star's sector


def length(x: Array | float, y: Array | float) -> Array:
    """sqrt(x^2 + y^2), rounded alike on every machine, as np.hypot is not."""
    root: Array = np.sqrt(x * x + y * y)
    return root


def disk(x: Array, y: Array) -> Array:
    """A filled circle."""
    return length(x, y) - 0.8


def square(x: Array, y: Array) -> Array:
    """A square."""
    return np.maximum(np.abs(x), np.abs(y)) - 0.72


def triangle(x: Array, y: Array) -> Array:
    """An equilateral triangle: three half-planes."""
    sides = np.maximum(0.866 * np.abs(x) + 0.5 * y, -y)
    return sides - 0.5


def star(x: Array, y: Array) -> Array:
    """Five points: straight edges between an outer and an inner radius, folded into one sector."""
    across, along = np.abs(x), y  # of the axis through the upper tip
    for side in (1, -1):  # two mirrors fold all sectors onto that of this tip
        beyond = np.maximum(side * _COS * across - _SIN * along, 0)
        across, along = across - 2 * side * _COS * beyond, along + 2 * _SIN * beyond
    across = np.abs(across)
    inner_x, inner_y = 0.4 * _SIN, 0.4 * _COS
    nx, ny = 1.0 - inner_y, inner_x  # normal of the edge from the tip (0, 1) to the inner corner
    distance: Array = (across * nx + (along - 1.0) * ny) / float(length(nx, ny))
    return distance


def ring(x: Array, y: Array) -> Array:
    """A circle with a round hole."""
    return np.abs(length(x, y) - 0.62) - 0.2


def cross(x: Array, y: Array) -> Array:
    """Two crossing bars."""
    a, b = np.abs(x), np.abs(y)
    return np.minimum(np.maximum(a - 0.26, b - 0.85), np.maximum(a - 0.85, b - 0.26))


def crescent(x: Array, y: Array) -> Array:
    """A disk minus another disk."""
    return np.maximum(length(x, y) - 0.85, 0.68 - length(x - 0.42, y))


def heart(x: Array, y: Array) -> Array:
    """A square standing on a corner, with a half-disk on each upper edge."""
    a = np.abs(x)
    diamond = (a + np.abs(y + 0.12)) * 0.7071 - 0.52
    return np.minimum(diamond, length(a - 0.368, y - 0.248) - 0.52)


def arrow(x: Array, y: Array) -> Array:
    """A bar with a triangular head, pointing right."""
    a = np.abs(y)
    bar = np.maximum(a - 0.2, np.abs(x + 0.35) - 0.55)
    head = np.maximum((0.75 * (x - 0.95) + 0.85 * a) / 1.1336, 0.1 - x)
    return np.minimum(bar, head)


def pair(x: Array, y: Array) -> Array:
    """Two separate disks."""
    return length(np.abs(x) - 0.46, y) - 0.36


OUTLINES = (disk, square, triangle, star, ring, cross, crescent, heart, arrow, pair)
