"""Learned step size quantization of weights, LSQ (Esser et al. 2020).

    codes round(Q v) in {-Q, ..., Q}, Q = 2^(b-1) - 1              g(v) = codes / Q

with v, a and the gradients of learned_scale.py. The step of the papers is s = a / Q, and with
da = ds / Q their gradient of s is the one of a: round(v') - v' inside, +-Q beyond, v' = w / s.
Two bits are three values, thresholds +-a/2, levels -a, 0, a.

    start "mean"         s = 2 mean|w| / sqrt(Q)                                  LSQ
    start "deviation"    s = max(|mu - 3 sigma|, |mu + 3 sigma|) / 2^(b-1)        LSQ+

mu and sigma are mean and standard deviation of the row; LSQ+ is by Bhalgat et al. (2020). Of
Gaussian weights the first step ends the grid at 1.6 sqrt(Q) sigma: at 1.6 sigma with 2 bits, at 18
sigma with 8, where most codes are never used until a has shrunk.

The papers have the code -2^(b-1), too; here the grid is symmetric, as in uniform.py. The learned
offset of LSQ+ is for activations; its weights have none.
"""

import math

import numpy as np

from tervit_np.arrays import Array
from tervit_np.quant.learned_scale import LearnedScale
from tervit_np.quant.protocol import Convention
from tervit_np.quant.quest import root_mean_square
from tervit_np.quant.uniform import checked_bits, largest_code
from tervit_np.quant.weight_quantizer import row_sums

STARTS = ("mean", "deviation")


class LSQ(LearnedScale):
    """Equal steps from -a to a, with a learned a.

    Raises
    ------
    ValueError
        If `bits` is not an integer from 2 to 8, or the granularity or `start` is unknown.
    """

    bits: int
    convention = Convention(
        boundary="|w| = a has the last level and no gradient",
        ties="half to even",
        scale="a = Q s, learned; its gradient is g(v) - v inside, g(v) beyond",
        clip="|w| >= a",
    )

    def __init__(self, bits: int = 2, granularity: str = "channel", start: str = "mean") -> None:
        bits = checked_bits(bits)
        if start not in STARTS:
            raise ValueError(f"start is {start!r}; expected one of {', '.join(STARTS)}")
        super().__init__(granularity)
        self.bits, self.start, self.is_ternary = bits, start, bits == 2
        self.unit = 1 / largest_code(bits)

    def round(self, v: Array) -> Array:
        """Round to -Q, ..., Q.  (M, N) -> (M, N)."""
        codes: Array = np.rint(v * v.dtype.type(largest_code(int(self.bits))))
        return codes

    def first_ends(self, matrix: Array) -> Array:
        """Choose a by the rule `start`.  (M, N) -> (M,)."""
        q_max, mean = largest_code(int(self.bits)), row_sums(matrix) / matrix.shape[1]
        if self.start == "mean":
            magnitude = row_sums(np.abs(matrix))[:, 0] / matrix.shape[1]
            ends: Array = 2 * math.sqrt(q_max) * magnitude
        else:
            reach = np.abs(mean[:, 0]) + 3 * root_mean_square(matrix - mean)
            ends = reach * q_max / (q_max + 1)
        return ends

    def __repr__(self) -> str:
        return f"LSQ {self.bits} bits ({self.granularity}, {self.start})"
