"""Ternary weights that stop when they oscillate: iterative freezing (Nagel et al. 2022).

The rule of ternary.py. After each step, for each weight with code t:

    o  = 1 where t has changed, against the direction of its last change; else 0
    f <- 0.98 f + 0.02 o                      how often it oscillates
    c <- 0.98 c + 0.02 t                      the code that it mostly has
    where f > limit: t is frozen at round(c), and w is set to alpha t from then on

A weight that changes its code back and forth has no better place than the code it has most of the
time, and every change disturbs all others. Frozen, it is a constant; the rest of the row goes on.
The limit 0.04 is reached by three oscillations in close succession.

The paper freezes weights of 3 and 4 bits, with a limit that falls during training and 0.01 in place
of 0.02. Both numbers here are ours, for shorter trainings. dampened.py says what oscillation harms
there.

    backward   dw = dw_hat
    frozen     w + (w_hat0 - w0)
"""

import numpy as np

from data_tools.plain_numbers import is_finite_number
from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.channels import as_rows
from tervit_np.quant.protocol import Convention
from tervit_np.quant.ternary import Ternary

KEPT = 0.98  # of both averages, in each step
STOPPED = 2.0  # the frequency of a frozen weight; others are at most 1


class Freezing(Ternary):
    """Ternary weights, of which those that oscillate are held at one code.

    Raises
    ------
    ValueError
        If the granularity is unknown, or `limit` is not above 0 and at most 1.
    """

    convention = Convention(
        boundary="|w| = Delta gives 0 (strict); f = limit does not freeze",
        ties="none: thresholds, not rounding; c of a frozen weight: half to even",
        scale="alpha, Delta from w in each forward; constants in the backward",
        clip="nowhere; a frozen weight is put back to alpha t after the step",
    )

    def __init__(self, granularity: str = "channel", limit: float = 0.04) -> None:
        if not (is_finite_number(limit) and 0 < limit <= 1):
            raise ValueError(f"limit is {limit!r}; expected a number above 0 and at most 1")
        super().__init__(granularity)
        self.limit = limit
        self._buffers: dict[str, Array] = {}

    def prepare(self, w: Array) -> None:
        """Start with the weight's codes, none of which has changed."""
        super().prepare(w)
        codes = np.sign(self.forward(w)[0])
        self._buffers = {
            "codes": codes,  # t
            "mean_codes": codes.copy(),  # c
            "directions": np.zeros_like(w),  # of the last change, -1 or 1; 0 before the first
            "frequencies": np.zeros_like(w),  # f
        }

    def buffers(self) -> dict[str, Array]:
        """Return codes, their averages, directions and frequencies, all shaped like w."""
        return self._buffers

    def after_step(self, weight: Param) -> None:
        """Count oscillations, freeze, and put frozen weights back to their codes."""
        if not self._buffers:
            return
        codes, mean_codes, directions, frequencies = self._buffers.values()
        w_hat = self.forward(weight.data)[0]
        change = np.sign(np.sign(w_hat) - codes)
        oscillates = change * directions < 0
        codes[...] = np.sign(w_hat)
        directions[...] = np.where(change == 0, directions, change)
        moving = frequencies < STOPPED
        frequencies += moving * (1 - KEPT) * (oscillates - frequencies)
        mean_codes += moving * (1 - KEPT) * (codes - mean_codes)
        stops = moving & (frequencies > self.limit)
        frequencies[stops] = STOPPED
        mean_codes[stops] = np.rint(mean_codes[stops])
        held = as_rows(mean_codes, self.granularity) * self.levels(w_hat)
        np.copyto(weight.data, held.reshape(codes.shape), where=frequencies == STOPPED)

    def __repr__(self) -> str:
        return f"freezing ternary ({self.granularity}, {self.limit:g})"
