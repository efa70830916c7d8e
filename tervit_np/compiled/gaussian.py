"""The Gaussian cumulative distribution in float32, written so that the compiler vectorizes it.

    Phi(x) = 1/2 + x P(x^2) / Q(x^2),   |x| <= 5.3

Phi - 1/2 is odd, so it is x times a function of x^2. P / Q with polynomials of degree 5 equals that
function to 1e-8. For larger |x|, Phi is 0 or 1 to the precision of float32.
"""

import numpy as np

from tervit_np.compiled.arithmetic import fma
from tervit_np.compiled.exponential import ONE, F
from tervit_np.compiled.jit import kernel

_LIMIT = 5.3


# Fitted at Chebyshev points of x, as tests/compiled/test_gaussian.py does again. They are numbers,
# not a fit on import, because its last bits would depend on the machine.
_P0, _P1, _P2 = F(0.39894226), F(0.03269671), F(0.0046135741)
_P3, _P4, _P5 = F(0.00015793073), F(6.3664538e-06), F(2.4266923e-08)
_Q1, _Q2, _Q3 = F(0.24862489), F(0.028002566), F(0.0018230097)
_Q4, _Q5 = F(7.0599977e-05), F(1.2425294e-06)
_MAX, _HALF, _ZERO = F(_LIMIT), F(0.5), F(0)


@kernel()
def cumulative(x: np.float32) -> np.float32:
    """Return Phi(x), to 2.1e-7."""
    z = -_MAX if x < -_MAX else x
    z = _MAX if z > _MAX else z
    s = z * z
    numerator = z * fma(s, fma(s, fma(s, fma(s, fma(s, _P5, _P4), _P3), _P2), _P1), _P0)
    denominator = fma(s, fma(s, fma(s, fma(s, fma(s, _Q5, _Q4), _Q3), _Q2), _Q1), ONE)
    return _HALF + numerator / denominator if x > -_MAX else _ZERO
