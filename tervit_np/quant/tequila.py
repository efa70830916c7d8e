"""Ternary weights whose zeros act as a bias, after Tequila (Huang et al. 2025).

The rule of ternary.py, and for each output channel, over its weights with t_i = 0:

    extra = strength * sum of w_i            added to the bias of the layer

    backward   dw = dw_hat                                of the others
               dw = dw_hat + strength * dextra            of those that are 0
    frozen     w + (w_hat0 - w0), and extra with the set of zeros held fixed

A weight that is 0 has lost its effect, and its gradient by way of w_hat depends on inputs that may
say little about where it should go ("trapped in the dead zone"). As a part of the bias it has an
effect again, and a gradient that sums over all tokens. When training is over, the extra is a
constant and becomes part of the bias: the packed form is that of ternary weights.

A layer without a bias has no extra. The paper rounds by absmean; here the rule is that of
ternary.py, so that the extra alone is new. Its strength is 1e-3, as here.
"""

from typing import NamedTuple

from data_tools.plain_numbers import is_finite_number
from tervit_np.arrays import Array
from tervit_np.quant.protocol import Convention, require_residual
from tervit_np.quant.ternary import Ternary
from tervit_np.quant.weight_quantizer import row_sums


class TequilaCache(NamedTuple):
    """What the backward pass needs."""

    is_zero: Array  # bool, shaped like w
    residual: Array | None  # w_hat - w, None unless asked for


class Tequila(Ternary):
    """Ternary weights, and a bias from those that are 0.

    Raises
    ------
    ValueError
        If the granularity is unknown, or `strength` is negative or not finite.
    """

    convention = Convention(
        boundary="|w| = Delta gives 0 (strict) and counts for the bias",
        ties="none: thresholds, not rounding",
        scale="alpha, Delta from w in each forward; constants in the backward",
        clip="nowhere; where w_hat is 0, strength times the gradient of the bias is added",
    )

    def __init__(self, granularity: str = "channel", strength: float = 1e-3) -> None:
        if not (is_finite_number(strength) and strength >= 0):
            raise ValueError(f"strength is {strength!r}; expected a number of at least 0")
        super().__init__(granularity)
        self.strength = strength

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, TequilaCache]:  # type: ignore[override]
        """Ternarize.  (out, ...) -> w_hat (out, ...); ValueError if a weight is not finite."""
        w_hat, cache = super().forward(w, keep_residual)
        return w_hat, TequilaCache(w_hat == 0, cache.residual)

    def backward(self, dw_hat: Array, cache: TequilaCache) -> Array:  # type: ignore[override]
        """Undo `w_hat = w + constant`.  (out, ...) -> dw (out, ...)."""
        return dw_hat

    def frozen(self, w: Array, cache: TequilaCache) -> Array:  # type: ignore[override]
        """Map w with the residual of w0 held fixed."""
        return w + require_residual(cache.residual)

    def bias(self, w: Array, cache: TequilaCache) -> Array:
        """Add up the weights that are 0.  (out, ...) -> (out,)."""
        zeros = (w * cache.is_zero).reshape(len(w), -1)
        extra: Array = (self.strength * row_sums(zeros)[:, 0]).astype(w.dtype)
        return extra

    def bias_backward(self, dbias: Array, cache: TequilaCache) -> Array:
        """Undo `bias`.  (out,) -> its part of dw (out, ...)."""
        each = dbias.dtype.type(self.strength) * dbias
        part: Array = each.reshape(-1, *[1] * (cache.is_zero.ndim - 1)) * cache.is_zero
        return part

    def __repr__(self) -> str:
        return f"ternary Tequila ({self.granularity}, {self.strength:g})"
