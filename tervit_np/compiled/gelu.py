"""GELU and its derivative, one pass over the array instead of ten.

Twin of ops/gelu.py.
"""

import math

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.arithmetic import fma
from tervit_np.compiled.exponential import LOWEST, ONE, F, exp32, exp32_within
from tervit_np.compiled.gaussian import cumulative
from tervit_np.compiled.jit import kernel

_HALF, _TWO = F(0.5), F(2)
_DENSITY = F(1 / math.sqrt(2 * math.pi))
_SCALE, _CUBIC = F(math.sqrt(2 / math.pi)), F(0.044715)
_CUBIC3 = F(3 * 0.044715)
_LARGEST = F(1e12)  # Phi(x) is 0 or 1 long before; times the smallest density it is 0
_SATURATED = F(9.98)  # from here on tanh u is -1 or 1, and exp(2u) is within the range of exp32


@kernel()
def gelu(x: Array) -> Array:
    """y = x Phi(x).  (M, N) -> (M, N)."""
    y = np.empty_like(x)
    flat, out = x.reshape(-1), y.reshape(-1)
    for i in range(flat.size):
        out[i] = gelu_erf_of(flat[i])
    return y


@kernel()
def gelu_erf_of(a: np.float32) -> np.float32:
    """Return a Phi(a): 0 at -infinity."""
    factor = -_LARGEST if a < -_LARGEST else a  # infinity times 0 is NaN
    return factor * cumulative(a)


@kernel()
def gelu_backward(dy: Array, x: Array) -> Array:
    """dx = dy (Phi(x) + x phi(x)).  (M, N), (M, N) -> (M, N)."""
    dx = np.empty_like(x)
    grad, flat, out = dy.reshape(-1), x.reshape(-1), dx.reshape(-1)
    for i in range(flat.size):
        a = flat[i]
        exponent = -_HALF * a * a
        density = _DENSITY * exp32_within(LOWEST if exponent < LOWEST else exponent)
        out[i] = grad[i] * fma(_bounded(a, _LARGEST), density, cumulative(a))
    return dx


@kernel()
def _bounded(a: np.float32, limit: np.float32) -> np.float32:
    """Move what is beyond the limit there, so that no product overflows.  NaN -> NaN."""
    a = -limit if a < -limit else a
    return limit if a > limit else a


@kernel()
def _tanh_argument(a: np.float32) -> np.float32:
    """u = sqrt(2/pi) (a + 0.044715 a^3)."""
    return _SCALE * fma(_CUBIC * a * a, a, a)


@kernel()
def _tanh(exp2u: np.float32) -> np.float32:
    """tanh(u) = 1 - 2 / (exp(2u) + 1), from exp(2u)."""
    return ONE - _TWO / (exp2u + ONE)


@kernel()
def gelu_tanh(x: Array) -> Array:
    """y = x (1 + tanh u) / 2, u = sqrt(2/pi) (x + 0.044715 x^3).  (M, N) -> (M, N)."""
    y = np.empty_like(x)
    flat, out = x.reshape(-1), y.reshape(-1)
    for i in range(flat.size):
        out[i] = gelu_tanh_of(flat[i])
    return y


@kernel()
def gelu_tanh_of(a: np.float32) -> np.float32:
    """Return a (1 + tanh u) / 2: 0 at -infinity."""
    factor = -_LARGEST if a < -_LARGEST else a  # infinity times 0 is NaN
    return factor * fma(_HALF, _tanh(exp32(_TWO * _tanh_argument(a))), _HALF)


@kernel()
def gelu_tanh_backward(dy: Array, x: Array) -> Array:
    """dx = dy ((1 + t) / 2 + x (1 - t^2) u' / 2), t = tanh u.  (M, N), (M, N) -> (M, N)."""
    dx = np.empty_like(x)
    grad, flat, out = dy.reshape(-1), x.reshape(-1), dx.reshape(-1)
    for i in range(flat.size):
        a = _bounded(flat[i], _SATURATED)
        t = _tanh(exp32_within(_TWO * _tanh_argument(a)))
        du = _SCALE * fma(_CUBIC3 * a, a, ONE)
        out[i] = grad[i] * fma(_HALF * a * fma(-t, t, ONE), du, fma(_HALF, t, _HALF))
    return dx
