"""Central differences against hand-written gradients, in float64.

    dL/dx_i  =  sum(dy * (f(x + h e_i) - f(x - h e_i))) / 2h        upstream dy drawn at random

The upstream must be random: with ones everywhere a LayerNorm backward may return anything that sums
to zero, and a softmax backward may return zero, and both pass.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array

STEP = 1e-5
LIMIT = 1e-7


class GradientCheck(NamedTuple):
    """A hand-written gradient and the same gradient by finite differences."""

    name: str
    analytic: Array
    numeric: Array
    floor: float = 1e-30  # errors are relative to this where both gradients are smaller

    @property
    def error(self) -> float:
        """Largest deviation over the largest value of either; infinite if shapes differ."""
        if np.shape(self.analytic) != np.shape(self.numeric):
            return np.inf
        scale = max(np.abs(self.analytic).max(), np.abs(self.numeric).max(), self.floor)
        return float(np.abs(self.analytic - self.numeric).max() / scale)

    @property
    def ok(self) -> bool:
        """Whether both agree to LIMIT; NaN never does."""
        return self.error <= LIMIT


def numerical_gradient(f: Callable[[Array], Array], x: Array, dy: Array) -> Array:
    """Differentiate sum(dy f(x)) element by element.  f: (...) -> like dy; -> like x."""
    # exercise numerical_gradient: the gradient of sum(dy f(x)) by each element of x
    shifted = np.array(x, np.float64, order="C")
    flat = shifted.reshape(-1)  # a view, also where x is transposed
    gradient = np.empty(flat.size)
    for i in range(flat.size):
        x_i = flat[i]
        flat[i] = x_i + STEP
        plus = np.array(f(shifted))  # a copy: f may return its argument
        flat[i] = x_i - STEP
        minus = np.array(f(shifted))
        flat[i] = x_i
        gradient[i] = ((plus - minus) * dy).sum() / (2 * STEP)
    return gradient.reshape(shifted.shape)


def directional_derivative(f: Callable[[], float], x: Array, direction: Array) -> float:
    """Differentiate f along `direction` of x with two calls; f reads x, which is restored."""
    original = x.copy()
    try:
        x += STEP * direction
        plus = f()
        x[...] = original - STEP * direction
        minus = f()
    finally:  # also where f ends in an error
        x[...] = original
    return (plus - minus) / (2 * STEP)
