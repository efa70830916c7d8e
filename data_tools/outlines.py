"""Ten outlines as signed distances: negative inside, positive outside, zero on the edge.

Each function takes arrays of coordinates, x to the right and y upwards; its figure fills about
[-1, 1]^2. The minimum of two distances is a union, the maximum an intersection; the maximum with a
negated distance cuts a hole.
"""

import numpy as np

from data_tools.imageset import Array


def disk(x: Array, y: Array) -> Array:
    """A filled circle."""
    return np.hypot(x, y) - 0.8


def square(x: Array, y: Array) -> Array:
    """A square."""
    return np.maximum(np.abs(x), np.abs(y)) - 0.72


def triangle(x: Array, y: Array) -> Array:
    """An equilateral triangle: three half-planes."""
    sides = np.maximum(0.866 * np.abs(x) + 0.5 * y, -y)
    return sides - 0.5


def star(x: Array, y: Array) -> Array:
    """A five-pointed star: one straight edge, repeated by folding the plane into one sector."""
    sector = 2 * np.pi / 5
    angle = np.abs((np.arctan2(x, y) + sector / 2) % sector - sector / 2)
    radius = np.hypot(x, y)
    across, along = radius * np.sin(angle), radius * np.cos(angle)
    inner_x, inner_y = 0.4 * np.sin(sector / 2), 0.4 * np.cos(sector / 2)
    nx, ny = 1.0 - inner_y, inner_x  # normal of the edge from the tip (0, 1) to the inner corner
    distance: Array = (across * nx + (along - 1.0) * ny) / np.hypot(nx, ny)
    return distance


def ring(x: Array, y: Array) -> Array:
    """A circle with a round hole."""
    return np.abs(np.hypot(x, y) - 0.62) - 0.2


def cross(x: Array, y: Array) -> Array:
    """Two crossing bars."""
    a, b = np.abs(x), np.abs(y)
    return np.minimum(np.maximum(a - 0.26, b - 0.85), np.maximum(a - 0.85, b - 0.26))


def crescent(x: Array, y: Array) -> Array:
    """A disk minus another disk."""
    return np.maximum(np.hypot(x, y) - 0.85, 0.68 - np.hypot(x - 0.42, y))


def heart(x: Array, y: Array) -> Array:
    """A square standing on a corner, with a half-disk on each upper edge."""
    a = np.abs(x)
    diamond = (a + np.abs(y + 0.12)) * 0.7071 - 0.52
    return np.minimum(diamond, np.hypot(a - 0.368, y - 0.248) - 0.52)


def arrow(x: Array, y: Array) -> Array:
    """A bar with a triangular head, pointing right."""
    a = np.abs(y)
    bar = np.maximum(a - 0.2, np.abs(x + 0.35) - 0.55)
    head = np.maximum((0.75 * (x - 0.95) + 0.85 * a) / 1.1336, 0.1 - x)
    return np.minimum(bar, head)


def pair(x: Array, y: Array) -> Array:
    """Two separate disks."""
    return np.hypot(np.abs(x) - 0.46, y) - 0.36


OUTLINES = (disk, square, triangle, star, ring, cross, crescent, heart, arrow, pair)
