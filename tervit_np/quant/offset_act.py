"""Activations on a grid whose end a and offset b are learned, LSQ+ (Bhalgat et al. 2020).

    y     = x - b
    x_hat = y_hat + b            y_hat from y and a as LSQ has them (learned_act.py)

    backward   dx, da as those of LSQ for y
               db = sum of dx_hat over the values with |y| >= a
    frozen     x + s r0                 where |y0| < a0
               a sign(y) + b            beyond

Inside of the grid, b moves the levels and the rounding with them: x_hat does not depend on it. A
value beyond an end stands on that end, which moves with b. Outputs of GELU are hardly below 0 and
far above it: a grid around 0 has half of its levels where no values are.

b starts at 0 (ours; the paper finds both by least squares). The paper has 2^b levels, here there
is one less. b need not be a multiple of the step, so x_hat has no integer codes with a zero point:
layers with such inputs have no packed form and run as floats.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.learned_act import LearnedActCache, LSQAct
from tervit_np.quant.protocol import Convention, QuantizedTensor
from tervit_np.quant.weight_quantizer import row_sums


class LSQPlusAct(LSQAct):
    """Activations with a learned end and a learned offset, one of each for a layer."""

    convention = Convention(
        boundary="|x - b| = a maps to the last level and has no gradient",
        ties="half to even, of (x - b) / s",
        scale="a and b, learned from a calibrated start and 0; da as LSQ, db 1 beyond, 0 inside",
        clip="|x - b| >= a",
    )

    def __init__(self, bits: int = 8) -> None:
        super().__init__(bits)
        self._offset: Param | None = None  # b (1,)

    def prepare(self, w: Array) -> None:
        """Make both parameters, of the dtype of the layer's weight."""
        super().prepare(w)
        self._offset = Param(np.zeros(1, w.dtype))

    def params(self) -> dict[str, Param]:
        """Return a and b, if a plan has prepared them."""
        return {} if self._offset is None else {**super().params(), "offset": self._offset}

    @property
    def offset(self) -> float:
        """The present b, 0 before `prepare`."""
        return 0.0 if self._offset is None else float(self._offset.data[0])

    def with_scale(self, scale: float) -> "LSQPlusAct":
        """Start from a calibrated step and from b = 0, around which it was found, in place."""
        super().with_scale(scale)
        self.params()["offset"].data.fill(0)
        return self

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, LearnedActCache]:  # type: ignore[override]
        """Round to the grid.  (...) -> x_hat (...).

        Raises
        ------
        ValueError
            If a value is not finite, or the model is not calibrated.
        """
        offset = w.dtype.type(self.offset)
        y_hat, cache = LSQAct.forward(self, w - offset, keep_residual)
        return y_hat + offset, cache

    def backward(self, dw_hat: Array, cache: LearnedActCache) -> Array:  # type: ignore[override]
        """Add da and db into their gradients.  (...) -> dx (...)."""
        grad = self.params()["offset"].grad
        grad += row_sums((dw_hat * ~cache.ste_mask).reshape(1, -1))[0].astype(grad.dtype)
        return LSQAct.backward(self, dw_hat, cache)

    def frozen(self, w: Array, cache: LearnedActCache) -> Array:  # type: ignore[override]
        """Map x with the residual and the mask of x0 held fixed, at the present a and b."""
        offset = w.dtype.type(self.offset)
        frozen: Array = super().frozen(w - offset, cache) + offset
        return frozen

    def encode(self, w: Array) -> QuantizedTensor:
        """Raise ValueError: there are no integer codes."""
        raise ValueError("inputs with a learned offset have no integer codes")
