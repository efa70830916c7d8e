"""Factors of the float product rounded to bfloat16, as float32 numbers.

Groups of 32 inputs are padded with zeros. With three parts (bf16_panels.py) a group is written
three times.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.bf16_panels import A_LOW, bf16_bits
from tervit_np.compiled.exponential import F, bits_to_float
from tervit_np.compiled.float_microkernel import UNIT_STEPS
from tervit_np.compiled.jit import kernel

_ZERO = F(0)


@kernel(boundscheck=False)
def padded(inputs: int) -> int:
    """Return a number of inputs in whole steps."""
    return -(-inputs // UNIT_STEPS) * UNIT_STEPS


@kernel(boundscheck=False)
def numbers_across(x: Array, first: int, stop: int, parts: int, out: Array) -> None:
    """Round rows of x, whose columns are inputs.  -> (M, K' P), parts of A."""
    inputs = out.shape[1] // parts
    both = np.empty((2, inputs), np.float32)  # low, high
    for m in range(first, stop):
        if parts == 1:
            round_row(x[m], False, out[m - first])
            continue
        round_row(x[m], True, both[0])
        round_row(x[m], False, both[1])
        row = out[m - first]
        for k in range(0, inputs, UNIT_STEPS):
            for p in range(parts):
                part, start = both[int(p != A_LOW)], k * parts + p * UNIT_STEPS
                for i in range(UNIT_STEPS):
                    row[start + i] = part[k + i]


@kernel(boundscheck=False)
def numbers_down(x: Array, first: int, stop: int, parts: int, low_part: int, out: Array) -> None:
    """Round rows of x, which are inputs.  -> (K' P, N)."""
    for k in range(padded(stop - first)):
        step, i = divmod(k, UNIT_STEPS)
        row = x[min(first + k, stop - 1)]
        for p in range(parts):
            target = out[(step * parts + p) * UNIT_STEPS + i]
            if first + k < stop:
                round_row(row, parts > 1 and p == low_part, target)
            else:
                target[:] = _ZERO


@kernel(boundscheck=False)
def round_row(x: Array, low: bool, out: Array) -> None:
    """Write the high or the low bfloat16 of each number, and zeros up to the end of `out`."""
    count = x.shape[0]
    if low:
        for n in range(count):
            high = bits_to_float(bf16_bits(x[n]))
            out[n] = bits_to_float(bf16_bits(F(x[n] - high)))
    else:
        for n in range(count):
            out[n] = bits_to_float(bf16_bits(x[n]))
    for n in range(count, out.shape[0]):
        out[n] = _ZERO
