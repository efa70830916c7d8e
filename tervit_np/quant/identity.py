"""No quantization: a float layer is a layer with this quantizer.

w_hat = w        dw = dw_hat
"""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.quant.protocol import Convention, QuantizedTensor, Quantizer


class Identity(Quantizer):
    """Return values and gradients unchanged, bit for bit."""

    bits = 32
    convention = Convention("none", "none", "none", "nowhere")

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, None]:  # noqa: D102
        return w, None

    def backward(self, dw_hat: Array, cache: Any) -> Array:  # noqa: D102
        return dw_hat

    def frozen(self, w: Array, cache: Any) -> Array:  # noqa: D102
        return w

    def encode(self, w: Array) -> QuantizedTensor:
        """Raise an error: real numbers have no codes.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError("Identity has no integer codes: choose a quantizer for this layer")

    def __repr__(self) -> str:
        return "float"


IDENTITY = Identity()
ZERO = np.zeros((), np.int32)  # the zero point of every symmetric grid
