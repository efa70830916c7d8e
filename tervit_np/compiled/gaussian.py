"""The Gaussian cumulative in float32, written so that the compiler makes vectors of it.

    Phi(x) = 1/2 + x P(x^2) / Q(x^2),   |x| <= 5.3

Phi - 1/2 is odd, so x times a function of x^2, and two polynomials of degree 5 follow that function
to 1e-8. Beyond, Phi is 0 or 1 to the precision of float32.
"""

import math
from typing import Any

import numpy as np

from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.jit import kernel

_REACH = 5.3


def _fit(degree: int = 5) -> tuple[list[np.float32], list[np.float32]]:
    """Fit P and Q, Q(0) = 1, at Chebyshev points of x.

    P - f Q = 0 is linear in the coefficients, though a misfit of it counts Q times too much: so it
    is solved again, divided by the Q of the time before.
    """
    x = _REACH * (1 + np.cos(np.pi * (np.arange(256) + 0.5) / 256)) / 2
    f = np.array([math.erf(a / math.sqrt(2)) / (2 * a) for a in x])
    u = (x / _REACH) ** 2
    powers, weight = u[:, None] ** np.arange(degree + 1), x
    for _ in range(4):
        system = np.hstack([powers, -f[:, None] * powers[:, 1:]]) * weight[:, None]
        found = np.linalg.lstsq(system, f * weight, rcond=1e-16)[0]
        p, q = found[: degree + 1], np.append(1, found[degree + 1 :])
        weight = x / (powers @ q)
    units = float(_REACH) ** (2 * np.arange(degree + 1))
    return [F(c) for c in p / units], [F(c) for c in q / units]


(_P0, _P1, _P2, _P3, _P4, _P5), (_, _Q1, _Q2, _Q3, _Q4, _Q5) = _fit()
_FAR, _HALF, _ZERO = F(_REACH), F(0.5), F(0)


@kernel(fastmath={"contract"})
def cumulative(x: Any) -> Any:
    """Return Phi(x), to 2e-7."""
    z = -_FAR if x < -_FAR else x
    z = _FAR if z > _FAR else z
    s = z * z
    upper = z * (_P0 + s * (_P1 + s * (_P2 + s * (_P3 + s * (_P4 + s * _P5)))))
    lower = ONE + s * (_Q1 + s * (_Q2 + s * (_Q3 + s * (_Q4 + s * _Q5))))
    return _HALF + upper / lower if x > -_FAR else _ZERO
