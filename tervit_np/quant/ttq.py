"""Trained ternary quantization, TTQ (Zhu et al. 2017): two learned scales for each row.

For one row w, with P and N learned:

    Delta = 0.05 max|w|
    t_i   = sign(w_i) where |w_i| > Delta, else 0
    w_hat = P where t = 1,  0 where t = 0,  -N where t = -1

    backward   dw = P dw_hat where t = 1,  dw_hat where t = 0,  N dw_hat where t = -1
               dP = sum of dw_hat where t = 1
               dN = -(sum of dw_hat where t = -1)
    frozen     s (w + t0 - w0)        s = P, 1, N where t0 = 1, 0, -1

`frozen` takes each weight for a number of its zone's unit, P, 1 or N: moving w by one moves w_hat
by one unit. So weights that are 0 get the whole gradient, others a fraction like their scale; that
AdamW divides by the size of each gradient takes most of the difference away again.

With so small a threshold few weights are 0: 10 % of a Gaussian row of 64 weights. The paper has one
P and one N for a layer. It divides weights by max|w| first, which changes no t, and does not say
where P and N start. Its code starts them at 1, with batch normalization behind the layers, which
undoes any factor. A vision transformer has none, so here they start at the mean magnitude of the
weights that each stands for. In the paper's equation of dN the minus sign is missing. A P or N that
training has brought below 0 counts as 0.

A packed layer multiplies its sum by one scale for each output, and this rule has two. So it has no
packed form.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor, require_residual
from tervit_np.quant.weight_quantizer import WeightQuantizer, check_scale, finite_rows, row_sums

THRESHOLD = 0.05  # of the largest magnitude
_SIGNS = {"positive": 1, "negative": -1}  # of the weights that P and N stand for


class TTQCache(NamedTuple):
    """What the backward pass needs, all (M, N)."""

    codes: Array  # t
    residual: Array | None  # t - w, None unless asked for


class TTQ(WeightQuantizer):
    """Weights in {-N, 0, P}, P and N learned for each output channel, tensor or group."""

    bits = 2
    is_ternary = True
    convention = Convention(
        boundary="|w| = Delta gives 0 (strict)",
        ties="none: thresholds, not rounding",
        scale="P and N, learned; Delta from w in each forward, a constant in the backward",
        clip="nowhere; the gradient is multiplied by P or N where w_hat is not 0",
    )
    no_packed_form = (
        "they have two scales for each output, one for each sign, and a packed layer multiplies "
        "its sum by one"
    )

    def __init__(self, granularity: str = "channel") -> None:
        super().__init__(granularity)
        self._scales: dict[str, Param] = {}  # P and N of each row (M,), set by `prepare`

    @property
    def packing(self) -> str:
        """None, as `no_packed_form` says."""
        return ""

    def num_scales(self, shape: tuple[int, ...]) -> int:
        """Count P and N of each row."""
        return 2 * super().num_scales(shape)

    def prepare(self, w: Array) -> None:
        """Set P and N to the mean magnitudes of the weights that they stand for."""
        super().prepare(w)
        matrix = finite_rows(w, self.granularity)
        for name, sign in _SIGNS.items():
            self._scales[name] = Param(check_scale(_mean_magnitude(matrix, sign).astype(w.dtype)))

    def params(self) -> dict[str, Param]:
        """Return P and N as "positive" and "negative"; nothing before `prepare`."""
        return dict(self._scales)

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, TTQCache]:
        """Ternarize.  (out, ...) -> w_hat (out, ...); ValueError if a weight is not finite."""
        matrix = finite_rows(w, self.granularity)
        codes = _codes(matrix)
        w_hat = codes * self._units(codes)
        return w_hat.reshape(w.shape), TTQCache(codes, codes - matrix if keep_residual else None)

    def backward(self, dw_hat: Array, cache: TTQCache) -> Array:
        """Add dP and dN into their gradients.  (out, ...) -> dw (out, ...)."""
        codes, _ = cache
        signed = dw_hat.reshape(codes.shape) * codes
        for name, sign in _SIGNS.items():
            grad = self._scales[name].grad
            grad += row_sums(np.where(codes == sign, signed, 0))[:, 0].astype(grad.dtype)
        return dw_hat * self._units(codes).reshape(dw_hat.shape)

    def frozen(self, w: Array, cache: TTQCache) -> Array:
        """Map w with the residual and the codes of w0 held fixed, at the present P and N."""
        matrix = finite_rows(w, self.granularity)
        frozen: Array = self._units(cache.codes) * (matrix + require_residual(cache.residual))
        return frozen.reshape(w.shape)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes in {-1, 0, 1}, and the unit of each weight as its scale."""
        codes = _codes(finite_rows(w, self.granularity))
        units = self._units(codes).reshape(w.shape)
        return QuantizedTensor(codes.astype(np.int8).reshape(w.shape), units, ZERO)

    def _units(self, codes: Array) -> Array:
        """Return P, 1 or N for each code.  (M, N) -> (M, N)."""
        if not self._scales:
            raise ValueError(
                f"{self!r} has no scales yet: a plan sets them (tv.quantize), or prepare(weight)"
            )
        positive, negative = (np.maximum(p.data, 0)[:, None] for p in self._scales.values())
        units: Array = np.where(codes > 0, positive, np.where(codes < 0, negative, 1))
        return units.astype(codes.dtype)

    def __repr__(self) -> str:
        return f"ternary TTQ ({self.granularity})"


def _codes(matrix: Array) -> Array:
    """Compute t, of the dtype of the weights.  (M, N) -> (M, N)."""
    magnitude = np.abs(matrix)
    largest = magnitude.max(axis=1, keepdims=True)
    codes: Array = np.sign(matrix) * (magnitude > matrix.dtype.type(THRESHOLD) * largest)
    return codes


def _mean_magnitude(matrix: Array, sign: int) -> Array:
    """Average the magnitudes of the weights of one sign that are not 0.  (M, N) -> (M,)."""
    chosen = _codes(matrix) == sign
    count = np.maximum(chosen.sum(axis=1, keepdims=True), 1)
    return row_sums(np.where(chosen, np.abs(matrix), 0) / count)[:, 0]
