"""Quantization of float32 tokens to 8 bits, and the sum of each token's integers.

    s = max|x| / 127      q = round(x / s)      row_sum = sum(q)

Twin of `quantize_tokens` in panels.py. Adding 1.5 2^23 to x / s leaves the nearest integer in the
low bits of the float.

Sixteen divisions at a time take as long as ten multiplications, and all numbers of a row have one
divisor. So with 512-bit vectors x / s is x times 1 / s, corrected twice by what is missing,
x - q s, which a fused multiply-add computes exactly. The first correction leaves an error of less
than a unit in the last place, from where the second gives the quotient rounded once, as a division
does (Markstein 1990, "Computation of elementary functions on the IBM RISC System/6000 processor").
With 256 bits the division is no slower, and stays.

Each of the three loops runs over ROWS_PER_PASS rows before the next loop begins. The maximum and
the sum of a row are known only after its last element; the CPU begins the next row meanwhile.

With a static scale the first loop is not needed, and x / s may be beyond 127 and is clipped. What
is left of the search for the maximum is the check for NaN and infinity, in the second loop.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import fma
from tervit_np.compiled.exponential import ONE, ROUND, F, float_to_bits
from tervit_np.compiled.fakequant import check_finite, magnitude_bits, symmetric_step
from tervit_np.compiled.jit import kernel
from tervit_np.kernels.panels import QuantizedTokens
from tervit_np.target import fuses_multiply_adds, lanes

ROWS_PER_PASS = 4  # few enough for the L1 cache
ROUND_BITS = np.int32(np.float32(ROUND).view(np.int32))
_Q_MAX = np.int32(127)
_ZERO = F(0)
_SMALL, _LARGE = F(2.0**-100), F(2.0**100)  # between them no reciprocal or remainder is denormal
_BY_RECIPROCAL = lanes() == 16 and fuses_multiply_adds()


@kernel(boundscheck=False)
def quantize_rows(x: Array, inputs: int, input_scale: float, out: QuantizedTokens) -> None:
    """Quantize the first `inputs` columns of x.  (M, ...) -> tokens (M', I'), padded with 0.

    `input_scale` is a static scale, or 0 to give each token its own.
    """
    rows = x.shape[0]
    for start in range(0, rows, ROWS_PER_PASS):
        quantize_pass(x[start : start + ROWS_PER_PASS], inputs, input_scale, start, out)
    for m in range(rows, out.q.shape[0]):
        out.scale[m], out.row_sums[m] = _ZERO, 0
        out.q[m] = 0


@kernel(boundscheck=False)
def quantize_pass(
    x: Array, inputs: int, input_scale: float, start: int, out: QuantizedTokens
) -> None:
    """Quantize at most ROWS_PER_PASS rows.  (R, ...) -> tokens start..start + R - 1."""
    if input_scale > 0:
        out.scale[start : start + x.shape[0]] = F(input_scale)
        _clip_and_round_rows(x, inputs, start, F(input_scale), out.q)
    else:
        for m in range(x.shape[0]):
            out.scale[start + m] = symmetric_step(x[m, :inputs], F(_Q_MAX))
        _round_rows(x, inputs, start, out.scale, out.q)
    _sum_rows(x.shape[0], inputs, start, out.q, out.row_sums)


@kernel(boundscheck=False)
def nearest_integer(value: np.float32) -> np.int32:
    """Round a float32 of magnitude below 2^22."""
    return np.int32(float_to_bits(value + ROUND) - ROUND_BITS)


@kernel(boundscheck=False)
def quotient(x: np.float32, divisor: np.float32, inverse: np.float32) -> np.float32:
    """x / divisor, rounded once, if it is 0.25 or more; for less, its nearest integer stays 0."""
    q = x * inverse
    q = fma(fma(-q, divisor, x), inverse, q)
    return fma(fma(-q, divisor, x), inverse, q)


@kernel(boundscheck=False)
def _round_rows(x: Array, inputs: int, start: int, scale: Array, q: Array) -> None:
    """q = round(x / s), padded with 0.  (R, ...), (M',) -> rows of q (M', I') from `start` on."""
    for m in range(x.shape[0]):
        step = scale[start + m] if scale[start + m] > _ZERO else ONE
        if _BY_RECIPROCAL and _SMALL < step < _LARGE:
            inverse = ONE / step
            for i in range(inputs):
                q[start + m, i] = nearest_integer(quotient(x[m, i], step, inverse))
        else:
            for i in range(inputs):
                value = nearest_integer(x[m, i] / step)
                q[start + m, i] = min(max(value, -_Q_MAX), _Q_MAX)  # a denormal step exceeds 127
        q[start + m, inputs:] = 0


@kernel(boundscheck=False)
def _clip_and_round_rows(x: Array, inputs: int, start: int, scale: np.float32, q: Array) -> None:
    """q = round(clip(x / s)), padded with 0.  (R, ...) -> rows of q (M', I') from `start` on."""
    limit, bits = F(_Q_MAX), np.int32(0)
    for m in range(x.shape[0]):
        for i in range(inputs):
            bits = max(bits, magnitude_bits(x[m, i]))
            q[start + m, i] = nearest_integer(min(max(x[m, i] / scale, -limit), limit))
        q[start + m, inputs:] = 0
    check_finite(bits)


@kernel(boundscheck=False)
def _sum_rows(rows: int, inputs: int, start: int, q: Array, row_sums: Array) -> None:
    """row_sums = sum(q), in a loop of its own because its vectors hold fewer numbers.

    (M', I') -> row_sums (M',), `rows` of them from `start` on.
    """
    for m in range(start, start + rows):
        total = np.int32(0)
        for i in range(inputs):
            total = np.int32(total + np.int32(q[m, i]))
        row_sums[m] = total
