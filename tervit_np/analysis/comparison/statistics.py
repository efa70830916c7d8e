"""Means over few seeds, and how sure one can be of them.

    mean    m = sum(x) / n
    sd      s = sqrt(sum (x - m)^2 / (n - 1))
    95 %    m ± t s / sqrt(n),  t the 0.975 quantile of Student's distribution with n - 1 degrees

With three seeds t is 4.30: the interval of three differences is 2.5 times their standard deviation
to each side. It says what other seeds would give with these data, this budget and these rates; it
knows nothing of other data, nor of the rates that another search might have chosen.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """Summary of a handful of numbers."""

    mean: float
    sd: float  # NaN for a single number
    half: float  # half the width of the 95 % interval of the mean; NaN for a single number


def spread(values: Sequence[float]) -> Spread:
    """Summarise values (n,); ValueError if there are none."""
    n = len(values)
    if n == 0:
        raise ValueError("spread: there are no values")
    mean = math.fsum(values) / n
    if n == 1:
        return Spread(mean, math.nan, math.nan)
    sd = math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (n - 1))
    return Spread(mean, sd, t_quantile(n - 1) * sd / math.sqrt(n))


def t_quantile(degrees: int) -> float:
    """Return t with P(|T| <= t) = 0.95 for Student's T, by bisection."""
    low, high = 0.0, 13.0  # 12.7 for one degree of freedom, less for more
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_inside(middle, degrees) < 0.95 else (low, middle)
    return high


def t_inside(t: float, degrees: int) -> float:
    """Return P(|T| <= t): finite sums in theta = atan(t / sqrt(n)), Abramowitz & Stegun 26.7.3-4.

    n odd     2/pi (theta + sin (cos + 2/3 cos^3 + ... + (2 4 ... (n-3))/(3 5 ... (n-2)) cos^(n-2)))
    n even    sin (1 + 1/2 cos^2 + 3/8 cos^4 + ... + (1 3 ... (n-3))/(2 4 ... (n-2)) cos^(n-2))
    """
    theta = math.atan(t / math.sqrt(degrees))
    cos, odd = math.cos(theta), degrees % 2
    total, term = 0.0, cos if odd else 1.0
    for k in range(1 + odd, degrees, 2):  # term holds cos^(k - 1)
        total += term
        term *= k / (k + 1) * cos**2
    inside = math.sin(theta) * total
    return 2 / math.pi * (theta + inside) if odd else inside
