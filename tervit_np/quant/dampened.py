"""Ternary weights that are pulled to their levels: oscillation dampening (Nagel et al. 2022).

The rule of ternary.py, and a term in the loss, w_hat counting as a constant:

    strength * sum of (w_hat_i - w_i)^2 over the weights with |w_i| <= alpha

    its gradient     2 strength (w - w_hat), added to that of the batch before it is clipped

A weight near its threshold may cross it with every step: from either side the gradient at w_hat
asks for the other level, and w never comes to rest (tests and chapter 22 count the flips). The term
keeps weights near the level they are on. Beyond alpha there is no other level to flip to.

The paper lets the strength grow during training, up to 0.1 or less; here it is constant, and its
default, chosen so that the pull has the size of usual gradients, is ours. The networks of the paper
have batch normalization, and it finds two harms: the averages that evaluation normalises by are of
weights that have changed since, and training does not reach a minimum. Models with LayerNorm, as
here, keep no such averages.

    backward   dw = dw_hat
    frozen     w + (w_hat0 - w0)
"""

import numpy as np

from data_tools.plain_numbers import is_finite_number
from tervit_np.param import Param
from tervit_np.quant.channels import as_rows
from tervit_np.quant.protocol import Convention
from tervit_np.quant.ternary import Ternary


class Dampened(Ternary):
    """Ternary weights with a pull towards their levels.

    Raises
    ------
    ValueError
        If the granularity is unknown, or `strength` is negative or not finite.
    """

    convention = Convention(
        boundary="|w| = Delta gives 0 (strict) and is pulled to it",
        ties="none: thresholds, not rounding",
        scale="alpha, Delta from w in each forward; constants in the backward and in the pull",
        clip="nowhere; where |w| <= alpha, 2 strength (w - w_hat) is added before the step",
    )

    def __init__(self, granularity: str = "channel", strength: float = 0.01) -> None:
        if not (is_finite_number(strength) and strength >= 0):
            raise ValueError(f"strength is {strength!r}; expected a number of at least 0")
        super().__init__(granularity)
        self.strength = strength

    def before_step(self, weight: Param) -> None:
        """Add the gradient of the term."""
        w, w_hat = weight.data, self.forward(weight.data)[0]
        inside = np.abs(as_rows(w, self.granularity)) <= self.levels(w_hat)
        weight.grad += w.dtype.type(2 * self.strength) * (w - w_hat) * inside.reshape(w.shape)

    def __repr__(self) -> str:
        return f"dampened ternary ({self.granularity}, {self.strength:g})"
