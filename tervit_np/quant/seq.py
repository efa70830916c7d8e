"""Stretched elastic quantization (SEQ) with a learned scale, after ParetoQ (Liu et al. 2025).

    three levels   t = round(3/2 v) in {-1, 0, 1}                      g(v) = 2/3 t
    four levels    c = 2 round(2 v - 1/2) + 1 in {-3, -1, 1, 3}        g(v) = 1/4 c

with v, a and the gradients of learned_scale.py. Thresholds of three levels are +-a/3: they cut
[-a, a] into equal thirds, and each level is the middle of its third. Ternary weights of a learned
step (lsq.py with 2 bits) have their thresholds at a/2 and their levels at the ends. With four
levels the quarters have their middles at +-a/4 and +-3a/4, and none is zero.

a starts at the largest magnitude of the row, so that nothing is clipped at first.

Where the authors' code differs: it clips v at 0.99, lest v = 1 be rounded to a level too many; here
the codes are clipped instead. Beyond a, its da of four levels is g(v), as here. Of three levels it
is sign(v), 3/2 of the derivative, although w_hat stands on 2/3 a there, too. A scale below 1e-5
counts as 1e-5 there.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.quant.learned_scale import LearnedScale
from tervit_np.quant.protocol import Convention


class SEQ(LearnedScale):
    """Three or four levels in the middles of equal parts of [-a, a], with a learned a.

    Raises
    ------
    ValueError
        If `levels` is neither 3 nor 4, or the granularity is unknown.
    """

    bits = 2
    convention = Convention(
        boundary="|w| = a / 3 gives 0 (three levels); |w| = a has no gradient",
        ties="half to even, of 3/2 v or of 2 v - 1/2",
        scale="a, learned; its gradient is g(v) - v inside, g(v) beyond",
        clip="|w| >= a",
    )

    def __init__(self, levels: int = 3, granularity: str = "channel") -> None:
        if isinstance(levels, bool) or levels not in (3, 4):
            raise ValueError(f"levels is {levels!r}; expected 3 or 4")
        super().__init__(granularity)
        self.levels, self.is_ternary = levels, levels == 3
        self.unit = 2 / 3 if self.is_ternary else 1 / 4

    @property
    def code_bits(self) -> int:
        """Of four levels one more than `bits`: their codes are odd numbers from -3 to 3."""
        return 2 if self.is_ternary else 3

    def round(self, v: Array) -> Array:
        """Round to -1, 0, 1, or to -3, -1, 1, 3.  (M, N) -> (M, N)."""
        if self.is_ternary:
            codes: Array = np.clip(np.rint(v * v.dtype.type(1.5)), -1, 1)
        else:
            codes = 2 * np.clip(np.rint(2 * v - v.dtype.type(0.5)), -2, 1) + 1
        return codes

    def first_ends(self, matrix: Array) -> Array:
        """Choose the largest magnitude.  (M, N) -> (M,)."""
        largest: Array = np.abs(matrix).max(axis=1)
        return largest

    def __repr__(self) -> str:
        kind = "ternary SEQ" if self.is_ternary else "SEQ of four levels"
        return f"{kind} ({self.granularity})"
