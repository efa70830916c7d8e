"""Q-EMA, rounding by an average of past weights, after TetraJet (Chen et al. 2025).

For one row w with threshold Delta and scale alpha of ternary.py, and an average e of past weights:

    t_i   = sign(w_i) where |w_i| >= alpha
            sign(w_i) where |w_i| < alpha and sign(w_i) e_i > Delta,  else 0
    w_hat = alpha t

    e <- 0.99 e + 0.01 w after each step

w is between two levels, and the average, not w itself, decides which of them is taken. A weight
that swings around its threshold with every step has an average that does not, so its code stays.
A weight at rest equals its average and gets the code of ternary.py. Beyond alpha there is one
level.

The paper rounds to the nearest level of 4-bit floats and averages with 0.998; with three levels the
threshold of ternary.py takes the place of the middle. 0.99 is ours, for shorter trainings.

    backward   dw = dw_hat
    frozen     w + (w_hat0 - w0)
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.dispatch import compiled
from tervit_np.param import Param
from tervit_np.quant.channels import as_rows, scale_shape
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor
from tervit_np.quant.straight_through import StraightThrough
from tervit_np.quant.ternarize import THRESHOLDS, check_finite, ternarize_rows
from tervit_np.quant.weight_quantizer import WeightQuantizer, finite_rows

KEPT = 0.99  # of the average, in each step


class QEMA(StraightThrough, WeightQuantizer):
    """Ternary weights that take the level on the side of their average."""

    bits = 2
    is_ternary = True
    convention = Convention(
        boundary="an average on the threshold gives 0 (strict); |w| = alpha gives sign(w)",
        ties="none: thresholds, not rounding",
        scale="alpha, Delta from w in each forward; constants in the backward",
        clip="nowhere",
    )

    def __init__(self, granularity: str = "channel") -> None:
        super().__init__(granularity)
        self._average: Array | None = None  # e, shaped like w, set by `prepare`

    def prepare(self, w: Array) -> None:
        """Start the average at the weight."""
        super().prepare(w)
        self._average = w.copy()

    def buffers(self) -> dict[str, Array]:
        """Return the average, shaped like w, if there is one."""
        return {} if self._average is None else {"average": self._average}

    def after_step(self, weight: Param) -> None:
        """Move the average towards the weight."""
        for average in self.buffers().values():
            average += (1 - KEPT) * (weight.data - average)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes in {-1, 0, 1} and scales."""
        matrix = finite_rows(w, self.granularity)
        alpha, delta = _scale_and_threshold(matrix)
        sign = np.sign(matrix)
        average = matrix if self._average is None else as_rows(self._average, self.granularity)
        is_kept = (np.abs(matrix) >= alpha[:, None]) | (sign * average > delta[:, None])
        scale = alpha.reshape(scale_shape(w.shape, self.granularity))
        check_finite(scale)
        codes = (sign * is_kept).astype(np.int8).reshape(w.shape)
        return QuantizedTensor(codes, scale, ZERO)

    def __repr__(self) -> str:
        return f"ternary Q-EMA ({self.granularity})"


def _scale_and_threshold(matrix: Array) -> tuple[Array, Array]:
    """Return alpha and Delta of each row, as ternary.py has them.  (M, N) -> (M,), (M,).

    alpha has the type of the weights, as in w_hat. Delta is not rounded to nearest, which could
    raise it to the value of a weight just above it.
    """
    if (compiled_ops := compiled(matrix)) is not None:
        _, alpha, delta = compiled_ops.ternarize_rows(matrix, THRESHOLDS["twn"], False)
    else:
        _, alpha, delta = ternarize_rows(matrix)
    return alpha.astype(matrix.dtype), delta
