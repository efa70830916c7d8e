"""Three of four weights: ternary weights with one zero in each four, Sherry (Huang et al. 2026).

For an output channel with n weights, cut into blocks of 4 inputs:

    t_i   = 0 for the smallest of the 4 magnitudes, sign(w_i) for the others
    alpha = sum of |w_i| over {t_i kept} / (3 n / 4)         their mean, which is least squares
    w_hat = alpha t

    backward   dw = dw_hat
    frozen     w + (w_hat0 - w0)

There is no threshold: 4 places for the zero times 2^3 signs are 32 patterns, 5 bits for 4 weights,
1.25 bits for each. Our packed files store these codes as they store all ternary ones, 1.6 bits
each: the kernels read codes at places that do not depend on the values.

On Gaussian rows its squared error is 0.28 |w|^2, that of ternary.py 0.19: a threshold sets the 42 %
smallest weights of a row to zero, this rule one in each block, whatever its size.

While it trains, the paper adds eps w to w_hat, with eps from a schedule that ends at 0 ("Arenas").
That part is not here; `Stage(ramp=...)` mixes in w in another way.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.quant.channels import group_size, scale_shape
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor
from tervit_np.quant.straight_through import StraightThrough
from tervit_np.quant.weight_quantizer import WeightQuantizer, finite_rows, row_sums

BLOCK = 4  # weights, one of which becomes zero


class Sherry(StraightThrough, WeightQuantizer):
    """Weights in {-alpha, 0, alpha}, with exactly one zero in each block of four inputs.

    Raises
    ------
    ValueError
        If the granularity is unknown, or blocks of four do not fit into its groups.
    """

    bits = 2
    is_ternary = True
    convention = Convention(
        boundary="the smallest of four magnitudes gives 0, whatever its size",
        ties="the first of equal magnitudes gives 0",
        scale="mean of the three kept magnitudes of all blocks; constant in the backward",
        clip="nowhere",
    )

    def __init__(self, granularity: str = "channel") -> None:
        super().__init__(granularity)
        if (size := group_size(granularity)) is not None and size % BLOCK:
            raise ValueError(
                f"granularity is {granularity!r}; blocks of {BLOCK} do not fit into it"
            )

    def prepare(self, w: Array) -> None:
        """Raise ValueError if a channel cannot be cut into blocks and groups."""
        super().prepare(w)
        inputs = w[0].size if w.ndim else 1
        if inputs % BLOCK:
            raise ValueError(f"quantize: {inputs} inputs cannot be cut into blocks of {BLOCK}")

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes in {-1, 0, 1} and scales."""
        matrix = finite_rows(w, self.granularity)
        self.prepare(w)
        kept = largest_three(matrix)
        magnitude = np.where(kept, np.abs(matrix), 0).astype(np.float64)
        alpha = row_sums(magnitude / (0.75 * matrix.shape[1])).astype(w.dtype)
        codes = (np.sign(matrix) * kept).astype(np.int8)
        alpha = alpha.reshape(scale_shape(w.shape, self.granularity))
        return QuantizedTensor(codes.reshape(w.shape), alpha, ZERO)

    def __repr__(self) -> str:
        return f"ternary Sherry 3:4 ({self.granularity})"


def largest_three(matrix: Array) -> Array:
    """Mark all but the smallest magnitude of each four.  (M, N) -> bool (M, N)."""
    blocks = np.abs(matrix).reshape(-1, BLOCK)
    kept = np.ones(blocks.shape, bool)
    kept[np.arange(len(blocks)), blocks.argmin(axis=1)] = False
    return kept.reshape(matrix.shape)
