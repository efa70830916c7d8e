"""The range of losses that the axes of a figure show."""

from collections.abc import Iterable

import numpy as np

from tervit_np.arrays import Array

_LEAST = 1e-6  # of the loss: less is roundoff, and no axis can resolve it


def loss_range(losses: Iterable[Array]) -> tuple[float, float]:
    """Return the lowest and the highest loss; around a constant loss a range that has a length.

    The loss is constant, for example, while the weights of the head are all 0.
    """
    values = np.concatenate([each.ravel() for each in losses])
    low, high = float(values.min()), float(values.max())
    least = _LEAST * max(abs(low), abs(high), 1.0)
    return (low, high) if high - low >= least else (low - least, high + least)
