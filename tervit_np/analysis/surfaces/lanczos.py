"""The largest and smallest eigenvalues of a symmetric operator, from products alone (Lanczos 1950).

    beta_j q_{j+1} = A q_j - alpha_j q_j - beta_{j-1} q_{j-1}

The eigenvalues (Ritz values) of the tridiagonal T of alpha and beta converge to those of A from
both ends. Within |beta_m s| of each Ritz value there is an eigenvalue of A; s is the last entry of
T's eigenvector. With roundoff the q_j lose their orthogonality and eigenvalues appear repeatedly,
so each new vector is made orthogonal to all before it, twice. Power iteration does not replace
this: it finds the largest *magnitude*, which may be negative, and converges slowly if two are
close.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array

_STREAM = 0x1A2C
MEMORY = 2**30  # bytes for all vectors; large models get fewer steps


class Spectrum(NamedTuple):
    """Ritz values, ascending, and a bound on the distance of each to an eigenvalue."""

    values: Array  # (steps,)
    bounds: Array  # (steps,)

    @property
    def largest(self) -> float:
        """The largest eigenvalue."""
        return float(self.values[-1])

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue, often negative for a network."""
        return float(self.values[0])


def lanczos(
    product: Callable[[Array], Array], size: int, *, steps: int = 20, seed: int = 0
) -> Spectrum:
    """Approximate the ends of a spectrum with `steps` products of vectors (size,).

    Raises
    ------
    ValueError
        If `steps` is not positive.
    """
    if steps < 1:
        raise ValueError(f"lanczos: {steps} steps; at least one is needed")
    steps = min(steps, size, max(MEMORY // (8 * size), 4))
    q = np.random.default_rng([_STREAM, seed]).normal(size=size)
    basis = np.empty((steps, size))
    alpha, beta = np.zeros(steps), np.zeros(steps)
    length = float(np.linalg.norm(q))
    for j in range(steps):
        basis[j] = q / length
        q = product(basis[j])
        alpha[j] = basis[j] @ q
        for _ in range(2):  # twice is enough (Parlett 1980)
            q -= basis[: j + 1].T @ (basis[: j + 1] @ q)
        length = beta[j] = float(np.linalg.norm(q))
        if length <= 1e-12 * np.abs(alpha[: j + 1]).max():  # the basis spans an invariant space
            return _ritz(alpha[: j + 1], beta[: j + 1])
    return _ritz(alpha, beta)


def _ritz(alpha: Array, beta: Array) -> Spectrum:
    tridiagonal = np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1)
    values, vectors = np.linalg.eigh(tridiagonal)
    return Spectrum(values, np.abs(beta[-1] * vectors[-1]))
