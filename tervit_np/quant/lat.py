"""Loss-aware ternarization, LAT (Hou, Kwok 2018), as TernaryBERT (Zhang et al. 2020) uses it.

For one row w, where d_i tells how large the curvature of the loss is along i:

    minimise   sum of d_i (w_i - a t_i)^2    over a > 0 and t_i in {-1, 0, 1}

    t_i   = sign(w_i) where |w_i| > a / 2, else 0            for any d: each term by itself
    a     = sum of d_i |w_i| over {t_i != 0} / sum of d_i over {t_i != 0}
    w_hat = a t

The weights that are not 0 are the k largest, whatever d is. So sort |w| downwards, let S_k be the
sum of the first k of d |w| and D_k that of d, and take the k with the largest S_k^2 / D_k. With
equal d this is the exact interval of ternarize.py.

    d = sqrt(v)        v <- 0.99 v + 0.01 g^2 after each step, g the gradient of the latent weight

d is what Adam divides by: its estimate of the diagonal of the Hessian. The papers read it from the
optimizer; here the rule keeps its own average, so that it is stored with the model and any
optimizer will do. Before the first step all d are equal. The factor 0.99 is ours.

    backward   dw = dw_hat
    frozen     w + (w_hat0 - w0)
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.channels import as_rows, scale_shape
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor
from tervit_np.quant.straight_through import StraightThrough
from tervit_np.quant.ternarize import scaled_rows
from tervit_np.quant.weight_quantizer import WeightQuantizer, check_scale, finite_rows

KEPT = 0.99  # of the average of squared gradients, in each step


class LAT(StraightThrough, WeightQuantizer):
    """Ternary weights whose errors count as much as their gradients were large."""

    bits = 2
    is_ternary = True
    convention = Convention(
        boundary="|w| = a / 2 gives 0 (strict)",
        ties="none: thresholds, not rounding",
        scale="a from w and from the gradients so far, in each forward; a constant in the backward",
        clip="nowhere",
    )

    def __init__(self, granularity: str = "channel") -> None:
        super().__init__(granularity)
        self._squares: Array | None = None  # v, shaped like w, set by `prepare`

    def prepare(self, w: Array) -> None:
        """Start with equal importance."""
        super().prepare(w)
        self._squares = np.zeros_like(w)

    def buffers(self) -> dict[str, Array]:
        """Return the average of squared gradients, shaped like w, if there is one."""
        return {} if self._squares is None else {"squares": self._squares}

    def after_step(self, weight: Param) -> None:
        """Average the squared gradient."""
        for squares in self.buffers().values():
            squares += (1 - KEPT) * (np.square(weight.grad) - squares)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes in {-1, 0, 1} and scales."""
        matrix = finite_rows(w, self.granularity)
        magnitude, exponent = scaled_rows(np.abs(matrix.astype(np.float64)))
        level = weighted_level(magnitude, self._importance(matrix))
        codes = np.sign(matrix) * (magnitude > level[:, None] / 2)
        with np.errstate(over="ignore"):
            scale = check_scale(np.ldexp(level, exponent).astype(w.dtype))
        scale = scale.reshape(scale_shape(w.shape, self.granularity))
        return QuantizedTensor(codes.astype(np.int8).reshape(w.shape), scale, ZERO)

    def _importance(self, matrix: Array) -> Array:
        """Return d with a largest value of 1 in each row, or 1 everywhere.  -> (M, N) float64."""
        if self._squares is None:
            return np.ones(matrix.shape)
        d = np.sqrt(as_rows(self._squares, self.granularity).astype(np.float64))
        largest = d.max(axis=1, keepdims=True)
        return np.where(largest == 0, 1, d / np.where(largest == 0, 1, largest))

    def __repr__(self) -> str:
        return f"ternary LAT ({self.granularity})"


def weighted_level(magnitude: Array, importance: Array) -> Array:
    """Return the a of each row with the least weighted error.  |w|, d (M, N) -> a (M,)."""
    order = np.argsort(-magnitude, axis=1, kind="stable")
    d = np.take_along_axis(importance, order, axis=1)
    sums = np.cumsum(d * np.take_along_axis(magnitude, order, axis=1), axis=1)
    total = np.cumsum(d, axis=1)
    levels = sums / np.where(total == 0, 1, total)  # the largest weights may have d = 0
    best = np.argmax(sums * levels, axis=1)
    level: Array = levels[np.arange(len(best)), best]
    return level
