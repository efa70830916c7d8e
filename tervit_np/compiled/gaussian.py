"""The Gaussian cumulative distribution in float32, written so that the compiler vectorizes it.

    Phi(x) = 1/2 + x P(x^2) / Q(x^2),   |x| <= 5.3

Phi - 1/2 is odd, so it is x times a function of x^2. P / Q with polynomials of degree 5 equals that
function to 1e-8. For larger |x|, Phi is 0 or 1 to the precision of float32.
"""

import math

import numpy as np

from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.jit import kernel

_LIMIT = 5.3


def _fit(degree: int = 5) -> tuple[list[np.float32], list[np.float32]]:
    """Fit P and Q, Q(0) = 1, at Chebyshev points of x.

    P - f Q = 0 is linear in the coefficients, but its residual is Q times that of P / Q - f. So it
    is solved several times, each time divided by the previous Q.
    """
    x = _LIMIT * (1 + np.cos(np.pi * (np.arange(256) + 0.5) / 256)) / 2
    f = np.array([math.erf(a / math.sqrt(2)) / (2 * a) for a in x])
    u = (x / _LIMIT) ** 2
    powers, weight = u[:, None] ** np.arange(degree + 1), x
    for _ in range(4):
        system = np.hstack([powers, -f[:, None] * powers[:, 1:]]) * weight[:, None]
        solution = np.linalg.lstsq(system, f * weight, rcond=1e-16)[0]
        p, q = solution[: degree + 1], np.append(1, solution[degree + 1 :])
        weight = x / (powers @ q)
    powers_of_limit = float(_LIMIT) ** (2 * np.arange(degree + 1))
    return [F(c) for c in p / powers_of_limit], [F(c) for c in q / powers_of_limit]


(_P0, _P1, _P2, _P3, _P4, _P5), (_, _Q1, _Q2, _Q3, _Q4, _Q5) = _fit()
_MAX, _HALF, _ZERO = F(_LIMIT), F(0.5), F(0)


@kernel(fastmath={"contract"})
def cumulative(x: np.float32) -> np.float32:
    """Return Phi(x), to 2e-7."""
    z = -_MAX if x < -_MAX else x
    z = _MAX if z > _MAX else z
    s = z * z
    numerator = z * (_P0 + s * (_P1 + s * (_P2 + s * (_P3 + s * (_P4 + s * _P5)))))
    denominator = ONE + s * (_Q1 + s * (_Q2 + s * (_Q3 + s * (_Q4 + s * _Q5))))
    return _HALF + numerator / denominator if x > -_MAX else _ZERO
