"""Factors of the float product as pairs of bfloat16 numbers, for their dot product (bf16_dot.py).

A matrix unit sums the even inputs of a group of 32 in turn, and the odd ones apart
(amx_emulation.py). The dot product adds both products of a word to the same sum, that of the upper
half first. So a word holds two even inputs or two odd ones, not two neighbours:

    word          0      1      2      3      4    ...   14     15
    upper half    0      1      4      5      8    ...   28     29     inputs of a group
    lower half    2      3      6      7     10    ...   30     31
    sum         even    odd   even    odd   even   ...  even    odd

The even words then make the sum of inputs 0, 2, 4, 6, ..., 30, and the odd words the other one.
Groups are padded with zeros. With three parts (bf16_panels.py) a group is written three times.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.bf16_panels import A_LOW, Region, pack_pair, packer, value_of
from tervit_np.compiled.float_microkernel import UNIT_STEPS
from tervit_np.compiled.jit import kernel

WORDS = UNIT_STEPS // 2  # of a group
_FIRST = [4 * (word // 2) + word % 2 for word in range(WORDS)]
pack_group = packer(lower=[i + 2 for i in _FIRST], upper=_FIRST)


@kernel(boundscheck=False)
def pairs_across(x: Array, first: int, stop: int, parts: int, out: Array) -> None:
    """Pair inputs of rows of x, which are its columns.  -> (M, S P), parts of A."""
    inputs, edge = x.shape[1], np.empty(UNIT_STEPS, np.float32)
    part = Region(first, stop, 0, inputs)
    for m in range(first, stop):
        word = (m - first) * out.shape[1]
        for k in range(0, inputs, UNIT_STEPS):
            if k + UNIT_STEPS <= inputs:
                pack_group(x, m * inputs + k, WORDS, out, word, WORDS, parts, A_LOW)
            else:
                for i in range(UNIT_STEPS):
                    edge[i] = value_of(x, part, m, k + i)
                pack_group(edge, 0, WORDS, out, word, WORDS, parts, A_LOW)
            word += parts * WORDS


@kernel(boundscheck=False)
def pairs_down(x: Array, first: int, stop: int, parts: int, low_part: int, out: Array) -> None:
    """Pair inputs of columns of x, which are its rows.  -> (S P, N), N to a multiple of 16."""
    columns, width = x.shape[1], out.shape[1]
    part, edge = Region(first, stop, 0, columns), np.empty(2 * WORDS, np.float32)
    for k in range(first, stop, UNIT_STEPS):
        start = (k - first) // UNIT_STEPS * parts * WORDS
        for word in range(WORDS):
            one = k + word // 2 * 4 + word % 2
            two = one + 2
            for n in range(0, columns, WORDS):
                at = (start + word) * width + n
                if n + WORDS <= columns and two < stop:
                    pack_pair(x, two * columns + n, -2 * columns, out, at, WORDS * width, parts,
                              low_part)  # fmt: skip
                else:
                    for j in range(WORDS):
                        edge[j] = value_of(x, part, two, n + j)
                        edge[WORDS + j] = value_of(x, part, one, n + j)
                    pack_pair(edge, 0, WORDS, out, at, WORDS * width, parts, low_part)
