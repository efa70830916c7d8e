"""Layer normalisation (Ba, Kiros, Hinton 2016).

    mu = mean(x)  var = mean((x - mu)^2)  xhat = (x - mu) / sqrt(var + eps)  y = gamma xhat + beta

over the last axis. With g = gamma dy, and both mu and var depending on x:

    dL/dx = rstd (g - mean(g) - xhat mean(g xhat))

A wrong backward usually lacks the two means. They remove from g its part along the constant vector
and along xhat, the two directions in which x may change without changing y.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array, require_shape, rows
from tervit_np.dispatch import compiled


class LayerNormCache(NamedTuple):
    """What the backward pass needs."""

    xhat: Array  # (..., D)  normalised input
    rstd: Array  # (..., 1)  1 / sqrt(var + eps)
    gamma: Array  # (D,)


def layernorm(
    x: Array, gamma: Array, beta: Array, eps: float = 1e-6
) -> tuple[Array, LayerNormCache]:
    """Normalise the last axis, then scale and shift.  (..., D), (D,), (D,) -> (..., D).

    The variance is taken in two passes: E[x^2] - E[x]^2 loses all digits where |mean| >> std.

    Raises
    ------
    ValueError
        If `gamma` or `beta` is not as long as the last axis of `x`, that axis is empty, or numbers
        are so large that their variance is infinite: beyond 1e19 in float32.
    """
    if not x.shape or not x.shape[-1]:
        raise ValueError(f"layernorm: x is {x.shape}, expected rows of at least one number")
    for name, parameter in (("gamma", gamma), ("beta", beta)):
        if parameter.shape != x.shape[-1:]:
            raise ValueError(
                f"layernorm: x has last axis {x.shape[-1]}, {name} has shape {parameter.shape}"
            )
    if (compiled_ops := compiled(x, gamma, beta)) is not None:
        y, xhat, rstd = compiled_ops.layernorm(
            rows(x), np.ascontiguousarray(gamma), np.ascontiguousarray(beta), eps
        )
        _check_variance(rstd)
        rstd = rstd.reshape(*x.shape[:-1], 1)
        return y.reshape(x.shape), LayerNormCache(xhat.reshape(x.shape), rstd, gamma)
    eps = float(eps)  # a np.float64 would turn float32 into float64
    with np.errstate(over="ignore"):  # refused below
        centred = x - x.mean(axis=-1, keepdims=True)
        rstd = 1.0 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    _check_variance(rstd)
    xhat = centred * rstd
    return xhat * gamma + beta, LayerNormCache(xhat, rstd, gamma)


def _check_variance(rstd: Array) -> None:
    """Refuse an infinite variance, which would turn rows into beta; NaN passes."""
    if not rstd.all():
        raise ValueError(
            f"layernorm: the variance of a row is infinite in {rstd.dtype}, its numbers are too "
            "large; look for weights or images that are"
        )


def layernorm_backward(dy: Array, cache: LayerNormCache) -> tuple[Array, Array, Array]:
    """Undo `y = xhat * gamma + beta`.  (..., D) -> dx (..., D), dgamma (D,), dbeta (D,).

    Raises
    ------
    ValueError
        If `dy` does not have the shape of y.
    """
    xhat, rstd, gamma = cache
    require_shape("layernorm_backward: dy", dy, xhat.shape)
    if (compiled_ops := compiled(dy, *cache)) is not None:
        dx, dgamma, dbeta = compiled_ops.layernorm_backward(
            rows(dy), rows(xhat), rows(rstd), np.ascontiguousarray(gamma)
        )
        return dx.reshape(dy.shape), dgamma, dbeta
    # exercise layernorm_backward: dx, dgamma and dbeta from dy, xhat, rstd and gamma
    leading = tuple(range(dy.ndim - 1))
    dgamma = (dy * xhat).sum(axis=leading)
    dbeta = dy.sum(axis=leading)
    g = dy * gamma
    along_ones = g.mean(axis=-1, keepdims=True)
    along_xhat = (g * xhat).mean(axis=-1, keepdims=True)
    return rstd * (g - along_ones - xhat * along_xhat), dgamma, dbeta
