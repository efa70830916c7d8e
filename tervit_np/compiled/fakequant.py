"""Fake quantization, equal to NumPy's to the last bit, except that zeros have no sign here.

Twin of quant/uniform.py and quant/static.py. The largest magnitude of a row is found as an integer:
without the sign bit, the bits of float32 values order as the values do. Maxima of integers
vectorize; maxima of floats do not, because of NaN. The bits of NaN and infinity are 0x7F800000 and
above.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import ROUND, F, bits_to_float, float_to_bits
from tervit_np.compiled.jit import kernel

_MAGNITUDE = np.int32(0x7FFFFFFF)
_INFINITY = np.int32(0x7F800000)
_ZERO = F(0)


@kernel(boundscheck=False)
def magnitude_bits(x: np.float32) -> np.int32:
    """Return the bits of |x|, which order as the magnitudes do."""
    return np.int32(float_to_bits(x) & _MAGNITUDE)


@kernel(boundscheck=False)
def check_finite(bits: np.int32) -> None:
    """Raise ValueError if the largest bits are those of infinity or NaN."""
    if bits >= _INFINITY:
        raise ValueError("quantize: a value is NaN or infinite")


@kernel(boundscheck=False)
def symmetric_step(row: Array, limit: np.float32) -> np.float32:
    """Return max|x| / limit.  (N,) -> float32, or ValueError if it is not finite."""
    bits = np.int32(0)
    for i in range(row.shape[0]):
        bits = max(bits, magnitude_bits(row[i]))
    step = bits_to_float(bits) / limit
    if bits >= _INFINITY or not np.isfinite(step * limit):
        raise ValueError("quantize: a value is NaN or infinite, or too large for a scale")
    return step


@kernel()
def fake_quant_rows(x: Array, q_max: int) -> Array:
    """clip(round(x / s)) s with s = max|x| / q_max, by row.  (M, N) -> (M, N)."""
    rows, width = x.shape
    out = np.empty_like(x)
    limit = F(q_max)
    for m in range(rows):
        scale = symmetric_step(x[m], limit)
        if scale == _ZERO:
            out[m] = _ZERO
            continue
        for i in range(width):
            q = (x[m, i] / scale + ROUND) - ROUND
            out[m, i] = min(max(q, -limit), limit) * scale
    return out


@kernel()
def fake_quant_rows_minmax(x: Array, levels: int) -> Array:
    """(clip(round(x / s) + z) - z) s, s = (max x - min x) / levels, by row.  (M, N) -> (M, N)."""
    rows, width = x.shape
    out = np.empty_like(x)
    top = F(levels)
    for m in range(rows):
        low, high = _ZERO, _ZERO
        for i in range(width):
            low, high = min(low, x[m, i]), max(high, x[m, i])
        finite = True
        for i in range(width):
            finite &= magnitude_bits(x[m, i]) < _INFINITY
        scale = (high - low) / top
        if not finite or not np.isfinite(scale * top):
            raise ValueError("quantize: a value is NaN or infinite, or too large for a scale")
        if scale == _ZERO:
            out[m] = _ZERO
            continue
        zero = min(max(np.rint(-low / scale), _ZERO), top)
        for i in range(width):
            q = np.rint(x[m, i] / scale) + zero
            out[m, i] = (min(max(q, _ZERO), top) - zero) * scale
    return out


@kernel()
def fake_quant_static(x: Array, scale: float, q_max: int) -> tuple[Array, Array]:
    """round(clip(x / s)) s with a given s; whether |x| < q_max s.  (N,) -> (N,), bool (N,)."""
    out, inside = np.empty_like(x), np.empty(x.shape, np.bool_)
    step, limit, bits = F(scale), F(q_max), np.int32(0)
    for i in range(x.shape[0]):
        bits = max(bits, magnitude_bits(x[i]))
        v = min(max(x[i] / step, -limit), limit)
        out[i] = ((v + ROUND) - ROUND) * step
        inside[i] = abs(v) < limit
    check_finite(bits)
    return out, inside
