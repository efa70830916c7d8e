"""A linear layer that has nothing but packed weights."""

import numpy as np

from tervit_np.arrays import Array, rows
from tervit_np.kernels import Panels, ternary_linear
from tervit_np.nn import Module


class PackedLinear(Module):
    """y = x_hat w_hat^T + b with 8-bit tokens and ternary weights.  (..., I) -> (..., O)."""

    def __init__(self, packed: Panels, bias: Array | None) -> None:
        self.packed = packed
        self.offset = None if bias is None else np.asarray(bias, np.float32)

    def forward(self, x: Array) -> tuple[Array, None]:
        """Round the tokens and multiply; there is nothing to go back with."""
        y = ternary_linear(rows(x), self.packed, self.offset)
        return y.reshape(*x.shape[:-1], self.packed.outputs), None
