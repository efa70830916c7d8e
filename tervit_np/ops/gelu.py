"""GELU (Hendrycks, Gimpel 2016), exact and in its tanh approximation.

    exact   y = x Phi(x),  Phi(x) = (1 + erf(x / sqrt 2)) / 2        dy/dx = Phi(x) + x phi(x)
    tanh    y = x (1 + tanh u) / 2,  u = sqrt(2/pi) (x + 0.044715 x^3)

DeiT and Swin use the exact form; the tanh form differs by up to 5e-4, which is visible in logits.

Infinity gives the limits: y = 0 and dy/dx = 0 at -inf, y = inf and dy/dx = 1 at inf.
"""

import math

import numpy as np

from tervit_np.arrays import Array, require_shape, rows
from tervit_np.dispatch import compiled
from tervit_np.ops.erf import erf

FORMS = ("erf", "tanh")
_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBIC = 0.044715
_SATURATED = 40.0  # from here on Phi(x) is 0 or 1, phi(x) is 0; its cube is finite in float16, too


def gelu(x: Array, form: str = "erf") -> tuple[Array, Array]:
    """GELU of the given form; the cache is `x`.  (...) -> (...).

    Raises
    ------
    ValueError
        If the form is neither "erf" nor "tanh".
    """
    _check_form(form)
    if (compiled_ops := compiled(x)) is not None:
        kernel = compiled_ops.gelu if form == "erf" else compiled_ops.gelu_tanh
        y: Array = kernel(rows(x)).reshape(x.shape)
        return y, x
    factor = np.maximum(x, -_SATURATED)  # infinity times 0 is NaN
    if form == "erf":
        return factor * gaussian_cdf(x), x
    return 0.5 * factor * (1 + np.tanh(_tanh_argument(_bounded(x)))), x


def gelu_backward(dy: Array, x: Array, form: str = "erf") -> Array:
    """Undo `y = gelu(x)`.  (...), (...) -> dx (...).

    Raises
    ------
    ValueError
        If `dy` does not have the shape of x, or the form is neither "erf" nor "tanh".
    """
    _check_form(form)
    require_shape("gelu_backward: dy", dy, x.shape)
    if (compiled_ops := compiled(dy, x)) is not None:
        kernel = compiled_ops.gelu_backward if form == "erf" else compiled_ops.gelu_tanh_backward
        dx: Array = kernel(rows(dy), rows(x)).reshape(x.shape)
        return dx
    x = _bounded(x)
    # exercise gelu_backward: dx from dy and x, for the exact form
    if form == "erf":
        density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return dy * (gaussian_cdf(x) + x * density)
    t = np.tanh(_tanh_argument(x))
    du = _TANH_SCALE * (1 + 3 * _TANH_CUBIC * x * x)
    dx = dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du)
    return dx


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise ValueError(f"gelu: form is {form!r}; expected one of {', '.join(FORMS)}")


def _bounded(x: Array) -> Array:
    """Move numbers beyond 40 to 40, so that no square or cube of them overflows.  NaN -> NaN."""
    bounded: Array = np.clip(x, -_SATURATED, _SATURATED)
    return bounded


def gaussian_cdf(x: Array) -> Array:
    """Phi(x), the probability that a standard normal variable is below x.  (...) -> (...)."""
    return 0.5 * (1 + erf(x / math.sqrt(2)))


def _tanh_argument(x: Array) -> Array:
    return _TANH_SCALE * (x + _TANH_CUBIC * (x * x * x))  # x**3 would call pow, 50 times slower
