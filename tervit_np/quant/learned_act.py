"""Activations on a static grid whose end a is learned: LSQ (Esser 2020) and PACT (Choi 2018).

    s = a / Q        q = round(clip(x / s, -Q, Q))        x_hat = q s        Q = 2^(b-1) - 1

    backward   dx = dx_hat                               where |x| < a, 0 beyond
               da = sum of dx_hat (x_hat - x) / a        LSQ, over the values with |x| < a
                    nothing of these                     PACT
                  + sum of dx_hat sign(x)                both, over those beyond
    frozen     x + s r0, r0 = q0 - x0 / s0               LSQ, where |x0| < a0
               x + (x_hat0 - x0)                         PACT
               a sign(x)                                 both, beyond

The two differ in what is frozen. LSQ holds the rounding in steps, which stretches with the grid;
PACT holds it in units of x, so that values inside say nothing about a (chapter 09). PACT is made
for ReLU and clips at 0 and a, with 2^b levels; the inputs of a transformer's layers have both
signs, so here it clips at -a and a. PACT adds the decay of a to the loss; here no learned scale
decays.

a is one parameter for a layer. It starts where calibration by least squares puts it when a stage
begins (static.py, calibration.py), and the optimizer moves it from there; in the paper LSQ starts
at the step 2 mean|x| / sqrt(Q) of the first batch. As with weights, the end is learned and not the
step, and its gradient has no factor (learned_scale.py).
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.protocol import Convention, require_residual
from tervit_np.quant.static import TINY, StaticAct
from tervit_np.quant.uniform import checked_bits, largest_code
from tervit_np.quant.weight_quantizer import row_sums

ALMOST_ZERO = 1e-20  # s of an a below 0: large enough that dx_hat s is no denormal number


class LearnedActCache(NamedTuple):
    """What the backward pass needs."""

    ste_mask: Array  # bool, |x| < a
    stretch: Array  # a times the derivative of x_hat by a
    residual: Array | None  # x_hat - x where |x| < a, 0 beyond; None unless asked for
    scale: float  # s of that forward


class LSQAct(StaticAct):
    """Symmetric activations with a learned end; no `scale` until calibration starts it.

    Raises
    ------
    ValueError
        If `bits` is not an integer from 2 to 8.
    """

    convention = Convention(
        boundary="|x| = a maps to the last level and has no gradient",
        ties="half to even",
        scale="a = Q s, learned from a calibrated start; its gradient is (x_hat - x) / a inside",
        clip="|x| >= a",
    )

    def __init__(self, bits: int = 8) -> None:
        self.bits = checked_bits(bits)
        self._end: Param | None = None  # a (1,), 0 before calibration

    def prepare(self, w: Array) -> None:
        """Make the parameter, of the dtype of the layer's weight."""
        self._end = Param(np.zeros(1, w.dtype))

    def params(self) -> dict[str, Param]:
        """Return a, if a plan has prepared it."""
        return {} if self._end is None else {"end": self._end}

    @property
    def scale(self) -> float | None:  # type: ignore[override]
        """The present step s, None before calibration; an a below 0 counts as almost 0."""
        if self._end is None or self._end.data[0] == 0:
            return None
        if self._end.data[0] < 0:
            return ALMOST_ZERO
        step = self._end.data / self._end.data.dtype.type(largest_code(self.bits))
        return max(float(step[0]), TINY)

    def with_scale(self, scale: float) -> "LSQAct":
        """Start from a calibrated step, in place."""
        if self._end is None:
            self.prepare(np.zeros(1, np.float32))
        self.params()["end"].data.fill(largest_code(self.bits) * scale)
        return self

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, LearnedActCache]:  # type: ignore[override]
        """Round to the grid.  (...) -> x_hat (...).

        Raises
        ------
        ValueError
            If a value is not finite, or the model is not calibrated.
        """
        x_hat, (ste_mask, _) = StaticAct.forward(self, w)
        residual = np.where(ste_mask, x_hat - w, 0)
        stretch = self.inside(residual) + np.where(ste_mask, 0, x_hat)
        kept = residual if keep_residual else None
        return x_hat, LearnedActCache(ste_mask, stretch, kept, self.require_scale())

    def inside(self, residual: Array) -> Array:
        """Return what values inside contribute to a da.  x_hat - x (...) -> (...)."""
        return residual

    def backward(self, dw_hat: Array, cache: LearnedActCache) -> Array:  # type: ignore[override]
        """Add da into its gradient.  (...) -> dx (...)."""
        grad = self.params()["end"].grad
        total = row_sums((dw_hat * cache.stretch).reshape(1, -1))[0]
        grad += (total / (cache.scale * largest_code(self.bits))).astype(grad.dtype)
        return dw_hat * cache.ste_mask

    def frozen(self, w: Array, cache: LearnedActCache) -> Array:  # type: ignore[override]
        """Map x with the residual and the mask of x0 held fixed, at the present a."""
        scale, residual = self.require_scale(), require_residual(cache.residual)
        held = residual + self.inside(residual) * (scale / cache.scale - 1)
        beyond = np.sign(w) * w.dtype.type(scale * largest_code(self.bits))
        frozen: Array = np.where(cache.ste_mask, w + held.astype(w.dtype), beyond)
        return frozen

    def __repr__(self) -> str:
        scale = "not calibrated" if self.scale is None else f"{self.scale:.3g}"
        return f"int{self.bits} {type(self).__name__.removesuffix('Act')} ({scale})"


class PACT(LSQAct):
    """Symmetric activations with a learned end that only values beyond it move."""

    convention = Convention(
        boundary="|x| = a maps to the last level and has no gradient",
        ties="half to even",
        scale="a, learned from a calibrated start; its gradient is 0 inside",
        clip="|x| >= a",
    )

    def inside(self, residual: Array) -> Array:
        """Return zeros: values inside do not move a.  (...) -> (...)."""
        return np.zeros_like(residual)
