"""Products of mixed precision: factors in bfloat16, sums in float32.

    bf16      a b  =  a' b'                          x' = bfloat16(x)
    bf16x2    a b  =  a' b' + (a' b" + a" b')        x" = bfloat16(x - x')

A unit that multiplies bfloat16 needs half the memory and a fraction of the transistors of one for
float32, and a matrix unit gives sixteen times as many products. What is lost are digits of the
factors, 8 bits of 24; the sums keep theirs. Training bears that where it would not bear weights of
8 bits: a step changes a weight by less than 1 part in 256, so the weights themselves (the *master
weights*), their gradients and the optimizer stay in float32.

Here the two products of a linear layer's backward pass are mixed, dx = dy W and dW = dy^T x. The
forward pass is not: it is the same as in evaluation. `bf16x2` keeps 16 bits of each factor.

    Micikevicius, Narang, Alben et al. 2018, "Mixed Precision Training", arXiv:1710.03740, section 3
    Henry, Tang, Heinecke 2019, "Leveraging the bfloat16 Artificial Intelligence Datatype For
    Higher-Precision Computations", arXiv:1904.06376: bf16x2
"""

import numpy as np

from tervit_np.arrays import Array, require_shape, rows
from tervit_np.bfloat16 import round_bfloat16, split_bfloat16
from tervit_np.dispatch import compiled
from tervit_np.ops.linear import LinearCache, input_shape, linear_backward, output_shape

PRECISIONS = ("float32", "bf16", "bf16x2")  # of the products of the backward pass


def check_precision(precision: str) -> str:
    """Return a precision if it is known, or raise ValueError."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}")
    return precision


def linear_backward_mixed(
    dy: Array, cache: LinearCache, precision: str
) -> tuple[Array, Array, Array]:
    """Undo `y = x @ weight.T + bias`.  (..., O) -> dx (..., I), dweight (O, I), dbias (O,).

    Arrays of float64 keep their precision.
    """
    if precision == "float32" or dy.dtype != np.float32:
        return linear_backward(dy, cache)
    return linear_backward_bf16(dy, cache, precision)


def linear_backward_bf16(
    dy: Array, cache: LinearCache, precision: str
) -> tuple[Array, Array, Array]:
    """Do the same with factors in bfloat16.  (..., O) -> dx (..., I), dweight (O, I), dbias (O,).

    Compiled, the sums have the order of a matrix unit (compiled/bf16_matmul.py), and the same bits
    with one and without.

    Raises
    ------
    ValueError
        If `dy` does not have the shape of y, or the precision is neither "bf16" nor "bf16x2".
    """
    if precision not in ("bf16", "bf16x2"):
        raise ValueError(f"precision is {precision!r}; expected 'bf16' or 'bf16x2'")
    require_shape("linear_backward_bf16: dy", dy, output_shape(cache))
    dy2, x2, w = rows(dy), rows(cache.x), cache.weight
    if (compiled_ops := compiled(dy2, x2, w)) is not None:
        split = precision == "bf16x2"
        dx, dweight, dbias = compiled_ops.linear_backward_bf16(dy2, x2, w, split=split)
    else:
        dx, dweight = matmul(dy2, w, precision), matmul(dy2.T, x2, precision)
        dbias = dy2.sum(axis=0)
    return dx.reshape(input_shape(cache)), dweight, dbias


def matmul(a: Array, b: Array, precision: str) -> Array:
    """Return a @ b in a precision.  float32 (M, K), (K, N) -> (M, N)."""
    product: Array
    if precision == "float32":
        product = a @ b
    elif precision == "bf16":
        product = round_bfloat16(a) @ round_bfloat16(b)
    else:
        (a_high, a_low), (b_high, b_low) = split_bfloat16(a), split_bfloat16(b)
        product = a_high @ b_high + (a_high @ b_low + a_low @ b_high)
    return product
