"""Arrays that chapters draw at random, drawn in the same order with the same seed."""

from typing import Any

import numpy as np


def straight_through() -> dict[str, Any]:
    """Return the task of chapter 08: G = X^T X / n of its inputs, the teacher, the starts."""
    rng = np.random.default_rng(0)
    rng.normal(size=(1, 8))  # the upstream of its table
    teacher = 0.5 * np.array([1, -1, 0, 0, 1, 0, -1, 1, 0, -1, 0, 0])
    inputs = rng.normal(size=(256, 12))
    starts = 0.3 * rng.normal(size=(21, 1, 12))
    return {
        "products": (inputs.T @ inputs / len(inputs)).tolist(),
        "teacher": teacher.tolist(),
        "starts": starts[:, 0].tolist(),
    }


def gradient_check() -> dict[str, Any]:
    """Return the rows, the square weight and the upstream of chapter 01's comparison of checks."""
    n, i, o = 5, 4, 3
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, i))
    rng.normal(size=(o, i)), rng.normal(size=o), rng.normal(size=(n, o))  # its first layer
    weight = rng.normal(size=(i, i)) / 2
    rng.normal(size=i)  # a bias
    dy = rng.normal(size=(n, i))
    return {"x": x.tolist(), "W": weight.tolist(), "dy": dy.tolist()}
