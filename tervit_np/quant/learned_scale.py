"""Weights with a learned scale: one number a for each row, trained together with the weights.

For one row w, where g rounds a number in [-1, 1] to the levels of the rule (lsq.py, seq.py):

    v     = clip(w / a, -1, 1)
    w_hat = a g(v)

    backward   dw = dw_hat                        where |w| < a, 0 beyond
               da = sum of dw_hat (g(v) - v)      over the weights with |w| < a
                  + sum of dw_hat g(v)            over those beyond
    frozen     w + a (g(v0) - v0)                 where |w0| < a0
               a g(v0)                            beyond

Inside, a larger a moves the levels away from 0 and the weights towards it in units of a; da weighs
one against the other. Beyond, the weight stands on the last level, which moves with a.

a is the end of the grid, where the papers learn its step. The end has the size of the weights
whatever the number of bits, and AdamW, which moves every parameter by about the learning rate, then
moves it by the same fraction as the weights. The papers multiply the gradient of a step by
1 / sqrt(n Q). LSQ trains by SGD, where that balances it against the gradients of the weights;
ParetoQ has taken it over. AdamW divides by the size of a gradient, so that a factor has no effect
but on the norm by which all gradients are clipped, and da here has none: it is the derivative of
`frozen`.

An a that training has brought below 0 counts as 0, and w_hat is 0 until it has grown again. Then
every weight is beyond, but one that is 0 counts as inside: a row of zeros, whose a starts at 0, has
a gradient.
"""

from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.channels import scale_shape
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import QuantizedTensor, require_residual
from tervit_np.quant.weight_quantizer import WeightQuantizer, check_scale, finite_rows, row_sums


class LearnedScaleCache(NamedTuple):
    """What the backward pass needs."""

    ste_mask: Array  # bool, |w| < a, or w = 0 where a is; shaped like w
    slope: Array  # derivative of each w_hat by its a (M, N)
    residual: Array | None  # g(v) - v (M, N), None unless asked for


class LearnedScale(WeightQuantizer):
    """Codes times a learned scale; a rule says how v is rounded and where a starts."""

    unit: float  # what one code is worth, as a fraction of a: g(v) = code unit

    def __init__(self, granularity: str = "channel") -> None:
        super().__init__(granularity)
        self._end: Param | None = None  # a of each row (M,), set by `prepare`

    @abstractmethod
    def round(self, v: Array) -> Array:
        """Round to whole codes.  v in [-1, 1] (M, N) -> codes (M, N), of the dtype of v."""

    @abstractmethod
    def first_ends(self, matrix: Array) -> Array:
        """Choose the first a of each row.  (M, N) -> (M,)."""

    def prepare(self, w: Array) -> None:
        """Set every a to its start for this weight."""
        super().prepare(w)
        with np.errstate(over="ignore"):
            start = self.first_ends(finite_rows(w, self.granularity)).astype(w.dtype)
        self._end = Param(check_scale(start))

    def params(self) -> dict[str, Param]:
        """Return the learned a of all rows, none before `prepare`; of one axis, so none decays."""
        return {} if self._end is None else {"end": self._end}

    @property
    def end(self) -> Param:
        """The learned a of all rows (M,).

        Raises
        ------
        ValueError
            If there is none yet.
        """
        if self._end is None:
            raise ValueError(
                f"{self!r} has no scale yet: a plan sets it (tv.quantize), or prepare(weight)"
            )
        return self._end

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, LearnedScaleCache]:
        """Round to the levels.  (out, ...) -> w_hat (out, ...); ValueError if not finite."""
        v, a = self._normalized(w)
        codes = self.round(v)
        w_hat = codes * (a * v.dtype.type(self.unit))
        ste_mask, residual = np.abs(v) < 1, codes * v.dtype.type(self.unit) - v
        slope = residual + np.where(ste_mask, 0, v)
        cache = ste_mask.reshape(w.shape), slope, residual if keep_residual else None
        return w_hat.reshape(w.shape), LearnedScaleCache(*cache)

    def backward(self, dw_hat: Array, cache: LearnedScaleCache) -> Array:
        """Add da into its gradient.  (out, ...) -> dw (out, ...)."""
        da = row_sums(dw_hat.reshape(cache.slope.shape) * cache.slope)[:, 0]
        self.end.grad += da.astype(self.end.grad.dtype)
        return dw_hat * cache.ste_mask

    def frozen(self, w: Array, cache: LearnedScaleCache) -> Array:
        """Map w with the residual and the mask of w0 held fixed, at the present a."""
        v, a = self._normalized(w)
        residual = a * require_residual(cache.residual)
        inside = cache.ste_mask.reshape(v.shape)
        frozen: Array = np.where(inside, w.reshape(v.shape), a * np.sign(v)) + residual
        return frozen.reshape(w.shape)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes and the scales a unit, as `forward` multiplies them."""
        v, a = self._normalized(w)
        scale = (a * v.dtype.type(self.unit)).reshape(scale_shape(w.shape, self.granularity))
        return QuantizedTensor(self.round(v).astype(np.int8).reshape(w.shape), scale, ZERO)

    def _normalized(self, w: Array) -> tuple[Array, Array]:
        """Compute v and a.  (out, ...) -> (M, N), (M, 1)."""
        matrix = finite_rows(w, self.granularity)
        a = np.maximum(self.end.data, 0).astype(w.dtype)[:, None]
        with np.errstate(over="ignore"):  # of weights far beyond a tiny a
            v = np.clip(matrix / np.where(a == 0, np.finfo(w.dtype).tiny, a), -1, 1)
        return v, a
