"""Mean, standard deviation and confidence interval over few seeds.

    mean    m = sum(x) / n
    std     s = sqrt(sum (x - m)^2 / (n - 1))
    95 %    m ± t s / sqrt(n),  t the 0.975 quantile of Student's distribution with n - 1 degrees

With three seeds t is 4.30, and the margin is 2.5 standard deviations. The interval covers other
seeds with the same data, budget and learning rates. It does not cover other data, nor other rates
that another search might have chosen.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Summary(NamedTuple):
    """Summary of a handful of numbers."""

    mean: float
    std: float  # NaN for a single number
    margin: float  # of error: half the width of the 95 % interval of the mean; NaN for one number

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.margin

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.margin


def summarize(values: Sequence[float]) -> Summary:
    """Summarize values (n,); ValueError if there are none."""
    n = len(values)
    if n == 0:
        raise ValueError("summarize: there are no values")
    mean = math.fsum(values) / n
    if n == 1:
        return Summary(mean, math.nan, math.nan)
    std = math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (n - 1))
    return Summary(mean, std, t_quantile(n - 1) * std / math.sqrt(n))


def t_quantile(degrees: int) -> float:
    """Return t with P(|T| <= t) = 0.95 for Student's T, by bisection."""
    low, high = 0.0, 13.0  # 12.7 for one degree of freedom, less for more
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_probability(middle, degrees) < 0.95 else (low, middle)
    return high


def t_probability(t: float, degrees: int) -> float:
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
    probability = math.sin(theta) * total
    return 2 / math.pi * (theta + probability) if odd else probability
