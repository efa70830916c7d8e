"""The trace of a symmetric operator from products with random signs (Hutchinson 1990).

    tr A = E[v' A v],   v_i = +1 or -1        variance 2 (|A|_F^2 - sum A_ii^2)

The trace divided by the number of weights is their mean curvature.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array

_STREAM = 0x7AACE


class Trace(NamedTuple):
    """An estimate of the trace."""

    mean: float
    error: float  # standard error over probes
    probes: int


def signs(size: int, seed: int, probe: int) -> Array:
    """Draw one vector of signs.  -> (size,)."""
    return np.random.default_rng([_STREAM, seed, probe]).choice((-1.0, 1.0), size)


def trace(
    product: Callable[[Array], Array], size: int, *, probes: int = 10, seed: int = 0
) -> Trace:
    """Estimate the trace of an operator on vectors (size,).

    Raises
    ------
    ValueError
        If there are fewer than two probes, which give no error.
    """
    if probes < 2:
        raise ValueError(f"trace: {probes} probes; at least two are needed")
    vectors = (signs(size, seed, i) for i in range(probes))
    samples = np.array([float(v @ product(v)) for v in vectors])
    return Trace(float(samples.mean()), float(samples.std(ddof=1) / np.sqrt(probes)), probes)
