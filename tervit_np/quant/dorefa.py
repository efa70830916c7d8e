"""Weights through tanh, after DoReFa-Net (Zhou et al. 2016, section 2.3).

For one row w, N = 2^k - 1 and k bits:

    u = tanh(w) / max|tanh(w)|         in [-1, 1]
    q = round(N (u + 1) / 2)           0, 1, ..., N
    w_hat = c (2 q - N) / N            levels -c, ..., -c / N, c / N, ..., c: none is zero

    backward   g = (c / m) dw_hat            t = tanh(w), m = |t_j| the largest magnitude
               dt = g - [i = j] sign(t_j) sum(g u)
               dw = (1 - t^2) dt
    frozen     c u + (w_hat0 - c u0)

The rounding alone is straight-through; tanh and the maximum are differentiated, as in the authors'
code. tanh draws large weights together, so that they take fewer of the levels. With one bit the
paper has another rule, which is not here, nor are its activations in [0, 1] and its gradients of
few bits.

The paper has c = 1, one row for a whole layer, and batch normalization behind each layer, which
undoes any factor. A vision transformer has nothing of the kind: its weights near 0.02 would become
50 times too large. So our default is the c with the least |w_hat - w|, a constant in the backward:

    c = sum(w v) / sum(v^2)            v = (2 q - N) / N

scale="one" is the paper's.
"""

from typing import NamedTuple

import numpy as np

from data_tools import elementary
from tervit_np.arrays import Array
from tervit_np.quant.channels import scale_shape
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor, require_residual
from tervit_np.quant.uniform import checked_bits
from tervit_np.quant.weight_quantizer import WeightQuantizer, check_scale, finite_rows, row_sums

SCALES = ("fit", "one")


class DoReFaCache(NamedTuple):
    """What the backward pass needs; rows are those of the scales."""

    t: Array  # tanh(w) (M, N)
    largest: Array  # index of the largest |t| of each row (M, 1)
    c: Array  # (M, 1)
    residual: Array | None  # w_hat - c u (M, N), None unless asked for


class DoReFa(WeightQuantizer):
    """Weights of 2 to 7 bits on levels between the integers, so that none is zero.

    Raises
    ------
    ValueError
        If `bits` is not an integer from 2 to 7, or the granularity or `scale` is unknown.
    """

    bits: int
    convention = Convention(
        boundary="the largest |w| maps to the last level, 0 to one of the two next to it",
        ties="half to even",
        scale="max|tanh w| in each forward, differentiated; c a constant",
        clip="nowhere; 1 - tanh^2 is small for large |w|",
    )

    def __init__(self, bits: int = 2, granularity: str = "tensor", scale: str = "fit") -> None:
        super().__init__(granularity)
        bits = checked_bits(bits, 7)  # the codes, odd numbers, take one more
        if scale not in SCALES:
            raise ValueError(f"scale is {scale!r}; expected one of {', '.join(SCALES)}")
        self.bits, self.scale = bits, scale

    @property
    def code_bits(self) -> int:
        """One more than `bits`: the codes 2 q - N are odd numbers from -N to N."""
        return int(self.bits) + 1

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, DoReFaCache]:
        """Round to the levels.  (out, ...) -> w_hat (out, ...); ValueError if not finite."""
        matrix = finite_rows(w, self.granularity)
        t, largest = _tanh(matrix)
        codes = self._codes(t, largest)
        c = self._c(matrix, codes)
        w_hat = codes * (c / w.dtype.type(self._steps))
        residual = w_hat - c * _normalized(t, largest) if keep_residual else None
        return w_hat.reshape(w.shape), DoReFaCache(t, largest, c, residual)

    def backward(self, dw_hat: Array, cache: DoReFaCache) -> Array:
        """Undo `w_hat = c tanh(w) / max|tanh(w)| + constant`.  (out, ...) -> dw (out, ...).

        It is finite where c dw_hat / max|tanh(w)| is: in float32 below 3.4e38.
        """
        t, largest, c, _ = cache
        dt = c / _magnitude(t, largest) * dw_hat.reshape(t.shape)
        through_m = row_sums(dt * _normalized(t, largest)).astype(dt.dtype)
        sign = np.sign(np.take_along_axis(t, largest, axis=1))
        at_largest = np.take_along_axis(dt, largest, axis=1) - sign * through_m
        np.put_along_axis(dt, largest, at_largest, axis=1)
        dw: Array = ((1 - t * t) * dt).reshape(dw_hat.shape)
        return dw

    def frozen(self, w: Array, cache: DoReFaCache) -> Array:
        """Map w with the residual and c of w0 held fixed."""
        t, largest = _tanh(finite_rows(w, self.granularity))
        smooth = cache.c * _normalized(t, largest) + require_residual(cache.residual)
        return smooth.reshape(w.shape)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return the odd codes 2 q - N, and scales c / N."""
        matrix = finite_rows(w, self.granularity)
        codes = self._codes(*_tanh(matrix))
        scale = self._c(matrix, codes) / w.dtype.type(self._steps)
        scale = scale.reshape(scale_shape(w.shape, self.granularity))
        return QuantizedTensor(codes.astype(np.int8).reshape(w.shape), scale, ZERO)

    @property
    def _steps(self) -> int:
        return int(2**self.bits) - 1

    def _codes(self, t: Array, largest: Array) -> Array:  # (M, N) -> 2 q - N (M, N)
        n = self._steps
        codes: Array = 2 * np.rint(n * (_normalized(t, largest) + 1) / 2) - n
        return codes

    def _c(self, matrix: Array, codes: Array) -> Array:  # (M, N), (M, N) -> (M, 1)
        if self.scale == "one":
            return np.ones((len(matrix), 1), matrix.dtype)
        v = codes.astype(np.float64) / self._steps  # at least 1 / N, so no sum of squares is 0
        c = row_sums(matrix / row_sums(v * v) * v)
        return check_scale(c.astype(matrix.dtype))

    def __repr__(self) -> str:
        return f"DoReFa {self.bits} bits ({self.granularity}, {self.scale})"


def _tanh(matrix: Array) -> tuple[Array, Array]:
    """Return tanh(w), and where its magnitude is largest.  (M, N) -> (M, N), (M, 1)."""
    t = elementary.tanh(matrix).astype(matrix.dtype)
    return t, np.abs(t).argmax(axis=1, keepdims=True)


def _magnitude(t: Array, largest: Array) -> Array:
    """Return the largest |t| of each row, 1 for rows of zeros.  -> (M, 1)."""
    m = np.abs(np.take_along_axis(t, largest, axis=1))
    return np.where(m == 0, 1, m)


def _normalized(t: Array, largest: Array) -> Array:  # (M, N) -> u (M, N)
    u: Array = t / _magnitude(t, largest)
    return u
