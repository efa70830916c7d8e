"""Uniform quantization to b bits: equal steps, for weights and for activations.

symmetric, Q = 2^(b-1) - 1 (127 for 8 bits: -128 is left out, so that negation is exact)

    s = max|x| / Q        q = round(x / s) in [-Q, Q]        x_hat = q s

min-max, for one-sided activations (N = 2^b - 1 steps; the range is extended to contain 0)

    s = (hi - lo) / N    z = round(-lo / s)    q = clip(round(x / s) + z, 0, N)    x_hat = (q - z) s

Scales come from the data in each forward ("dynamic") and count as constants in the backward. The
extremes map to the ends of the grid, so no value is clipped. Halves round to even, as np.rint does.

    backward   dx = dx_hat
    frozen     x + (x_hat0 - x0)

The paper describes both kinds and does not say where it uses which; symmetric per token is our
default, since an integer matrix product needs one scale per row and no zero point.
"""

import numpy as np

from data_tools.plain_numbers import plain
from tervit_np.arrays import Array, rows
from tervit_np.dispatch import compiled
from tervit_np.quant.channels import as_rows, check_floats, check_granularity, scale_shape
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor
from tervit_np.quant.straight_through import StraightThrough
from tervit_np.quant.weight_quantizer import WeightQuantizer


class UniformWeight(StraightThrough, WeightQuantizer):
    """Symmetric weights, one scale per output channel, tensor or group of inputs.

    Raises
    ------
    ValueError
        If `bits` is not an integer from 2 to 8, or the granularity `per` is unknown.
    """

    bits: int
    convention = Convention(
        boundary="max|w| maps to the last level",
        ties="half to even",
        scale="max|w| / Q in each forward; constant in the backward",
        clip="nowhere: no value is outside",
    )

    def __init__(self, bits: int = 8, per: str = "channel") -> None:
        bits = checked_bits(bits)
        check_granularity(per, "per")
        super().__init__(per)
        self.bits, self.per = bits, per

    def fake_quantize(self, w: Array) -> Array:
        """Round to the grid.  (out, ...) -> w_hat (out, ...)."""
        return _fake_symmetric(self._as_rows(w), largest_code(self.bits)).reshape(w.shape)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes in [-Q, Q], int8, and scales (out,), (out, groups) or ()."""
        q, scale = symmetric_codes(self._as_rows(w), largest_code(self.bits))
        scale = scale.reshape(scale_shape(w.shape, self.per))
        return QuantizedTensor(q.reshape(w.shape).astype(np.int8), scale, ZERO)

    def _as_rows(self, w: Array) -> Array:
        matrix = as_rows(w, self.per)
        check_floats(matrix)  # of int8 weights |-128| is -128
        return matrix

    def __repr__(self) -> str:
        return f"int{self.bits} ({self.per})"


class UniformAct(StraightThrough):
    """Dynamic activations, symmetric or min-max, one scale per token (last axis) or per tensor.

    Raises
    ------
    ValueError
        If `bits` is not an integer from 2 to 8, or `kind` or `per` is unknown.
    """

    bits: int
    convention = Convention(
        boundary="the extremes map to the ends of the grid; 0 maps to 0",
        ties="half to even",
        scale="from the data in each forward; constant in the backward",
        clip="nowhere; min-max may move an end by half a step (zero point rounded)",
    )

    def __init__(self, bits: int = 8, kind: str = "symmetric", per: str = "token") -> None:
        bits = checked_bits(bits)
        if kind not in ("symmetric", "minmax"):
            raise ValueError(f"kind is {kind!r}; expected 'symmetric' or 'minmax'")
        if per not in ("token", "tensor"):
            raise ValueError(f"per is {per!r}; expected 'token' or 'tensor'")
        self.bits, self.kind, self.per = bits, kind, per

    def fake_quantize(self, w: Array) -> Array:
        """Round to the grid.  (..., D) -> x_hat (..., D)."""
        if self.kind == "symmetric":
            x_hat = _fake_symmetric(self._as_rows(w), largest_code(self.bits))
        else:
            x_hat = _fake_minmax(self._as_rows(w), 2**self.bits - 1)
        return x_hat.reshape(w.shape)

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes (int8 symmetric, uint8 min-max), scales and zero points (..., 1) or ()."""
        x = self._as_rows(w)
        shape = (*w.shape[:-1], 1) if self.per == "token" else ()
        if self.kind == "symmetric":
            q, scale = symmetric_codes(x, largest_code(self.bits))
            return QuantizedTensor(q.astype(np.int8).reshape(w.shape), scale.reshape(shape), ZERO)
        q, scale, zero = minmax_codes(x, 2**self.bits - 1)
        zero = zero.astype(np.int32).reshape(shape)
        return QuantizedTensor(q.astype(np.uint8).reshape(w.shape), scale.reshape(shape), zero)

    def _as_rows(self, x: Array) -> Array:
        check_floats(x)
        return rows(x) if self.per == "token" else np.ascontiguousarray(x).reshape(1, -1)

    def __repr__(self) -> str:
        return f"int{self.bits} {self.kind} ({self.per})"


def largest_code(bits: int) -> int:
    """Largest code Q of a symmetric grid, whose codes are -Q to Q: 127 for 8 bits."""
    # exercise quantize_symmetric: Q, from the number of bits
    return int(2 ** (bits - 1)) - 1


def _fake_symmetric(x: Array, q_max: int) -> Array:  # (M, N) -> (M, N)
    if (compiled_ops := compiled(x)) is not None:
        x_hat: Array = compiled_ops.fake_quant_rows(x, q_max)
        return x_hat
    q, scale = symmetric_codes(x, q_max)
    return q * scale


def symmetric_codes(x: Array, q_max: int) -> tuple[Array, Array]:
    """Round each row to whole codes from -q_max to q_max.  (M, N) -> codes (M, N), scale (M, 1).

    Codes have the dtype of x. Raises ValueError if a value is not finite.
    """
    # exercise quantize_symmetric: codes and scale of each row
    scale = _step(np.abs(x).max(axis=1, keepdims=True, initial=0), q_max)
    # A row of zeros, or of denormals so small that the scale vanishes, has all codes 0.
    safe = np.where(scale == 0, 1, scale)
    q = np.clip(np.rint(x / safe), -q_max, q_max)
    return np.where(scale == 0, 0, q), scale


def _fake_minmax(x: Array, levels: int) -> Array:  # (M, N) -> (M, N)
    if (compiled_ops := compiled(x)) is not None:
        x_hat: Array = compiled_ops.fake_quant_rows_minmax(x, levels)
        return x_hat
    q, scale, zero = minmax_codes(x, levels)
    return (q - zero) * scale


def minmax_codes(x: Array, levels: int) -> tuple[Array, Array, Array]:
    """Round each row to whole codes from 0 to `levels`, of which one, the zero point, means 0.

    (M, N) -> codes (M, N), scale (M, 1), zero point (M, 1); codes have the dtype of x. Raises
    ValueError if a value is not finite.
    """
    # exercise quantize_minmax: codes, scale and zero point of each row
    low = np.minimum(x.min(axis=1, keepdims=True, initial=0), 0)
    high = np.maximum(x.max(axis=1, keepdims=True, initial=0), 0)
    with np.errstate(over="ignore"):  # _step refuses an infinite range
        scale = _step(high - low, levels)
    safe = np.where(scale == 0, 1, scale)
    zero = np.clip(np.rint(-low / safe), 0, levels)
    q = np.clip(np.rint(x / safe) + zero, 0, levels)
    return np.where(scale == 0, zero, q), scale, zero


def checked_bits(bits: object, largest: int = 8) -> int:
    """Return a number of bits as an int; ValueError if it is not one from 2 to `largest`."""
    number = plain(bits)
    if type(number) is not int or not 2 <= number <= largest:
        raise ValueError(f"bits is {bits!r}; expected an integer from 2 to {largest}")
    return number


def _step(span: Array, levels: int) -> Array:
    """Divide a range into steps; ValueError if the last level overflows the type."""
    scale: Array = span / span.dtype.type(levels)
    with np.errstate(over="ignore"):
        last_level = scale * span.dtype.type(levels)
    if not np.isfinite(last_level).all():
        raise ValueError("quantize: a value is NaN or infinite, or too large for a scale")
    return scale
