"""What all quantizers of weights share: who has a scale in common, and whether a kernel runs it."""

import math

import numpy as np

from tervit_np.arrays import Array
from tervit_np.quant.channels import as_rows, check_granularity, group_size, scale_shape
from tervit_np.quant.protocol import Quantizer


class WeightQuantizer(Quantizer):
    """Weights as codes times a scale for each output channel, tensor or group of inputs.

    Raises
    ------
    ValueError
        If the granularity is unknown.
    """

    def __init__(self, granularity: str = "channel") -> None:
        check_granularity(granularity)
        self.granularity = granularity

    @property
    def packing(self) -> str:
        """Codes by their kind, and whether groups of inputs have their own scales."""
        kind = "ternary" if self.is_ternary else "integer"
        return kind if group_size(self.granularity) is None else f"{kind} groups"

    def num_scales(self, shape: tuple[int, ...]) -> int:
        """Count the scales of a weight of this shape."""
        return math.prod(scale_shape(shape, self.granularity))

    def prepare(self, w: Array) -> None:
        """Raise ValueError if a channel cannot be cut into groups."""
        scale_shape(w.shape, self.granularity)


def finite_rows(w: Array, granularity: str) -> Array:
    """View weights as a matrix with one row per scale.  (out, ...) -> (scales, weights per scale).

    Raises
    ------
    ValueError
        If `as_rows` refuses them, or a weight is not a finite floating-point number.
    """
    matrix = as_rows(w, granularity)
    if matrix.dtype.kind != "f":
        raise ValueError(f"quantize: weights are {w.dtype}, expected floating-point numbers")
    if not np.isfinite(matrix).all():
        raise ValueError("quantize: a weight is NaN or infinite")
    return matrix


def row_sums(matrix: Array) -> Array:
    """Add each row up in float64, in the order of its values.  (M, N) -> (M, 1).

    `sum` of NumPy adds in another order on another processor, and its last digit would reach the
    weights of a trained model.
    """
    if matrix.shape[1] == 0:
        return np.zeros((len(matrix), 1))
    sums: Array = np.cumsum(matrix, axis=1, dtype=np.float64)[:, -1:]
    return sums


def check_scale(scale: Array) -> Array:
    """Return scales; ValueError if one is infinite, since its values are too large for it."""
    if not np.isfinite(scale).all():
        raise ValueError("quantize: a value is too large for a scale")
    return scale
