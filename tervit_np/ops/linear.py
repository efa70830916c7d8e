"""Linear layer, the operator that takes most of the time.

y = x W^T + b,  W is (out, in) as in PyTorch, so a row of W is one output channel.

    dL/dx = dy W         dL/dW = dy^T x         dL/db = sum of dy over all rows
"""

from typing import Any, NamedTuple

from tervit_np.arrays import Array, require_shape, rows
from tervit_np.dispatch import compiled, integer_engine


class LinearCache(NamedTuple):
    """What the backward pass needs."""

    x: Array  # (..., I)
    weight: Array  # (O, I)

    def without_dx(self) -> "LinearCache":
        """Return a cache of which the backward pass makes dweight and dbias alone.

        A weight without columns, (O, 0), leaves dx = dy W without columns, too.
        """
        return self._replace(weight=self.weight[:, :0])


def linear(
    x: Array, weight: Array, bias: Array | None = None, packed: Any = None
) -> tuple[Array, LinearCache]:
    """Multiply by a matrix and add a bias.  (..., I), (O, I), (O,) -> (..., O).

    `packed` is the same weight in `kernels.Panels`, if each of its rows is a scale times -1, 0, 1
    and each row of x a scale times 8-bit integers: the product is then a sum of integers. The scale
    is the fixed one of the panels; where they have none, the largest integer is 127 or -127.

    Raises
    ------
    ValueError
        If `weight` is not a matrix, the last axis of `x` is not its second axis, or `bias` is not
        (O,).
    """
    if weight.ndim != 2:
        raise ValueError(f"linear: weight is {weight.shape}, expected (out, in)")
    if x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: x has last axis {x.shape[-1]}, weight expects {weight.shape[1]} "
            f"(weight is (out, in) = {weight.shape})"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"linear: bias has shape {bias.shape}, expected {weight.shape[:1]}")
    y = _matmul(rows(x), weight, bias, packed)
    return y.reshape(*x.shape[:-1], weight.shape[0]), LinearCache(x, weight)


def _matmul(x: Array, weight: Array, bias: Array | None, packed: Any) -> Array:
    """Multiply matrices: faster than a 3-D `@`, which runs many small products.

    (M, I), (O, I), (O,) -> (M, O).
    """
    if packed is not None and (engine := integer_engine(x, bias)) is not None:
        y: Array = engine.multiply_floats(x, packed, bias)
        return y
    if (compiled_ops := compiled(x, weight, bias)) is not None:
        y = compiled_ops.linear(x, weight, bias)
        return y
    y = x @ weight.T
    if bias is not None:
        y += bias
    return y


def output_shape(cache: LinearCache) -> tuple[int, ...]:
    """Return the shape of y."""
    return *cache.x.shape[:-1], cache.weight.shape[0]


def input_shape(cache: LinearCache) -> tuple[int, ...]:
    """Return the shape of dx: that of x, or (..., 0) where dx is left out."""
    return *cache.x.shape[:-1], cache.weight.shape[1]


def linear_backward(dy: Array, cache: LinearCache) -> tuple[Array, Array, Array]:
    """Undo `y = x @ weight.T + bias`.  (..., O) -> dx (..., I), dweight (O, I), dbias (O,).

    Raises
    ------
    ValueError
        If `dy` does not have the shape of y.
    """
    require_shape("linear_backward: dy", dy, output_shape(cache))
    if (compiled_ops := compiled(dy, *cache)) is not None:
        dx, dweight, dbias = compiled_ops.linear_backward(rows(dy), rows(cache.x), cache.weight)
        return dx.reshape(input_shape(cache)), dweight, dbias
    # exercise linear_backward: dx, dweight and dbias from dy, cache.x and cache.weight
    dy2, x2 = rows(dy), rows(cache.x)
    dx = dy2 @ cache.weight
    dweight = dy2.T @ x2
    dbias = dy2.sum(axis=0)
    return dx.reshape(input_shape(cache)), dweight, dbias
