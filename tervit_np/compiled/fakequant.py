"""Uniform quantization of rows and back, to the same bits as NumPy.

Twin of quant/uniform.py. The largest magnitude of a row is found on the bit patterns: without its
sign bit a float32 orders like an integer, and integer maxima make vectors where float maxima, which
must mind NaN, do not. NaN and infinity show as patterns from 0x7F800000 on.
"""

from typing import Any

import numpy as np

from tervit_np.compiled.exponential import F, bits_to_float, float_to_bits
from tervit_np.compiled.jit import kernel

_MAGNITUDE = np.int32(0x7FFFFFFF)
_INFINITY = np.int32(0x7F800000)
_ROUND = F(1.5 * 2**23)  # x + _ROUND - _ROUND rounds half to even, as np.rint does
_ZERO = F(0)


@kernel(boundscheck=False)
def symmetric_step(row: Any, limit: Any) -> Any:
    """max|x| / limit of one row; ValueError where no step can be had."""
    bits = np.int32(0)
    for i in range(row.shape[0]):
        bits = max(bits, np.int32(float_to_bits(row[i]) & _MAGNITUDE))
    step: Any = bits_to_float(bits) / limit
    if bits >= _INFINITY or not np.isfinite(step * limit):
        raise ValueError("quantize: a value is NaN or infinite, or too large for a scale")
    return step


@kernel()
def fake_quant_rows(x: Any, q_max: int) -> Any:
    """clip(round(x / s)) s with s = max|x| / q_max, each row.  (M, N) -> (M, N)."""
    rows, width = x.shape
    out = np.empty_like(x)
    limit = F(q_max)
    for m in range(rows):
        scale = symmetric_step(x[m], limit)
        if scale == _ZERO:
            out[m] = _ZERO
            continue
        for i in range(width):
            q = (x[m, i] / scale + _ROUND) - _ROUND
            out[m, i] = min(max(q, -limit), limit) * scale
    return out


@kernel()
def fake_quant_rows_minmax(x: Any, levels: int) -> Any:
    """(clip(round(x / s) + z) - z) s on the row's own range.  (M, N) -> (M, N)."""
    rows, width = x.shape
    out = np.empty_like(x)
    top = F(levels)
    for m in range(rows):
        low, high = _ZERO, _ZERO
        for i in range(width):
            low, high = min(low, x[m, i]), max(high, x[m, i])
        finite = True
        for i in range(width):
            finite &= np.int32(float_to_bits(x[m, i]) & _MAGNITUDE) < _INFINITY
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
