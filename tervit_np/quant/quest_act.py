"""Activations with a Gaussian scale and a trust mask, after QuEST (Panferov et al. 2025).

For one token x with root mean square r, N = 2^b - 1:

    a     = e_b r                            e_2 = 1.494, e_3 = 2.051, e_4 = 2.514, ...
    q     = clip(round((x / a + 1) N / 2), 0, N)
    x_hat = (2 q - N) a / N                  levels -a, ..., -a / N, a / N, ..., a: none is zero

    backward   dx = dx_hat where |x_hat - x| <= a / N, 0 elsewhere       (trust mask)
    frozen     x + (x_hat0 - x0) where the mask of x0 is 1, x_hat0 elsewhere

e_b minimises the expected (x_hat - x)^2 of Gaussian values; the constants of the authors' code are
equal to four digits for 2 to 5 bits, and up to 0.3 % smaller for more. With 2 bits a symmetric grid
from the largest value (uniform.py) has the levels -max, 0, max and rounds most values to 0; here
they are +-a/3 and +-a. Values beyond a + a / N are clipped and get no gradient.

The paper multiplies each token by a Hadamard matrix first, which makes its values nearly Gaussian.
hadamard.py does so; here a few large values make a too large for the others. Halves round to even
q.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array, rows
from tervit_np.quant.channels import check_floats
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor, Quantizer, require_residual
from tervit_np.quant.quest import root_mean_square
from tervit_np.quant.uniform import checked_bits
from tervit_np.quant.weight_quantizer import check_scale

# End / root mean square with the least error on Gaussian values, by bits.
ENDS = {
    2: 1.4935300933786095,
    3: 2.0510680347475727,
    4: 2.514004596388241,
    5: 2.9161513933255465,
    6: 3.2779849981570317,
    7: 3.6110959889968193,
}


class QuestActCache(NamedTuple):
    """What the backward pass needs."""

    trusted: Array  # bool, |x_hat - x| <= a / N, which is |x| <= a + a / N
    residual: Array | None  # x_hat - x, x_hat where x is not trusted; None unless asked for


class QuestAct(Quantizer):
    """Activations of 2 to 7 bits, the end from the root mean square of each token.

    Raises
    ------
    ValueError
        If `bits` is not an integer from 2 to 7.
    """

    bits: int
    convention = Convention(
        boundary="|x| = a + a / N has a gradient; 0 maps to one of the two levels next to it",
        ties="half to even q",
        scale="e_b times the root mean square in each forward; constant in the backward",
        clip="|x_hat - x| > a / N, which is |x| > a + a / N",
    )

    def __init__(self, bits: int = 4) -> None:
        self.bits = checked_bits(bits, max(ENDS))

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, QuestActCache]:
        """Round to the levels.  (..., D) -> x_hat (..., D); ValueError if not finite."""
        codes, scale, _ = self.encode(w)
        x_hat = codes * scale
        trusted = np.abs(w) <= scale * w.dtype.type(2**self.bits)  # a + a / N
        return x_hat, QuestActCache(trusted, x_hat - w * trusted if keep_residual else None)

    def backward(self, dw_hat: Array, cache: QuestActCache) -> Array:
        """Undo `x_hat = x + constant` where it is trusted.  (..., D) -> dx (..., D)."""
        return dw_hat * cache.trusted

    def frozen(self, w: Array, cache: QuestActCache) -> Array:
        """Map x with the residual and the mask of x0 held fixed."""
        return w * cache.trusted + require_residual(cache.residual)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return the odd codes 2 q - N, int8, and scales a / N (..., 1)."""
        check_floats(w)
        x = rows(w)
        if not np.isfinite(x).all():
            raise ValueError("quantize: a value is NaN or infinite")
        n = 2**self.bits - 1
        with np.errstate(over="ignore"):
            end = check_scale((ENDS[self.bits] * root_mean_square(x)).astype(w.dtype))[:, None]
            scale = end / w.dtype.type(n)
            steps = x / np.where(end == 0, 1, end) + w.dtype.type(1)
        codes = 2 * np.clip(np.rint(steps * w.dtype.type(n / 2)), 0, n) - n
        shape = (*w.shape[:-1], 1)
        return QuantizedTensor(codes.astype(np.int8).reshape(w.shape), scale.reshape(shape), ZERO)

    def __repr__(self) -> str:
        return f"QuEST {self.bits} bits (token)"
