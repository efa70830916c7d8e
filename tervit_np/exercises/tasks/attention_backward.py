"""Exercise: the backward pass of attention."""

import math
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.gradients import PaperExample, check_backward
from tervit_np.exercises.numbers import check_rng
from tervit_np.ops.attention import (
    AttentionCache,
    attention,
    merge_heads,
    merge_qkv,
    split_heads,
    split_qkv,
)
from tervit_np.ops.softmax import softmax_backward
from tervit_np.verify.operators import Operator

TASK = """
Attention is three lines. For each image and head, with Q, K and V (T, K), where
K is also the number of columns, as in chapter 05:

    S = Q K^T / sqrt(K)      s_ij = sum_c q_ic k_jc / sqrt(K)
    A = softmax(S)           each row by itself
    O = A V                  o_ic = sum_j a_ij v_jc

do is dL/dO, the gradient that arrives, (B, H, T, K). Compute dq, dk and dv, of
the same shape. The given lines split the arrays into heads and join the three
results. The cache holds

    qkv         q, k and v, joined, (B, T, 3 D)
    probs       A, (B, H, T, T)
    probs_hat   A as it multiplied V: probs itself, or rounded to a few bits

The rounding counts as the identity in the backward pass. softmax_backward(dy,
y, scale) is the exercise of this name: it returns the gradient of what softmax
was applied to before the scale, scale * y * (dy - sum(dy y)).

The check begins with an example for paper. Then it compares with finite
differences, with two heads, one head and a random do.
"""

HINTS = (
    "Go from the last line to the first. O = A V is a matrix product, so its backward pass is that "
    "of a linear layer, twice: a gradient for A and one for V. Then softmax. Then Q K^T is a "
    "matrix product again. To find a transpose, follow one number: in which o_ic does v_jc occur? "
    "In all of them that have the same c: its gradient is a sum over i.",
    "  dV = A^T dO            dv_jc = sum_i a_ij do_ic\n"
    "  dA = dO V^T            da_ij = sum_c do_ic v_jc\n"
    "  dS = softmax_backward(dA, A), divided by sqrt(K)\n"
    "  dQ = dS K              dq_ic = sum_j ds_ij k_jc\n"
    "  dK = dS^T Q            dk_jc = sum_i ds_ij q_ic\n"
    "In NumPy the transpose of each head is x.swapaxes(-1, -2). x.T would reverse all four axes.",
    "  dv = probs_hat.swapaxes(-1, -2) @ do\n"
    "  dprobs = do @ v.swapaxes(-1, -2)\n"
    "  dscores = softmax_backward(dprobs, probs, q.shape[-1] ** -0.5)\n"
    "  dq = dscores @ k\n"
    "and dk the same way, with dscores transposed and q.",
)

PLAIN = """
# O = A V
dv = probs_hat.swapaxes(-1, -2) @ do    # summed over the queries i
da = do @ v.swapaxes(-1, -2)            # summed over the columns c

# A = softmax(S), and S has the factor 1 / sqrt(K)
scale = q.shape[-1] ** -0.5
ds = softmax_backward(da, probs, scale)

# S = Q K^T
dq = ds @ k                             # summed over the keys j
dk = ds.swapaxes(-1, -2) @ q            # summed over the queries i
"""

_LOG3 = math.log(3)  # so that the second row of exp(Q K^T) is [1, 3]
_ON_PAPER = PaperExample(
    "on paper, Q [0, 1], K [0, ln 3], V [4, 8], so A [[1/2, 1/2], [1/4, 3/4]], dO [1, 2]",
    np.array([[[1.0], [2]]]),
    AttentionCache(
        np.array([[[0.0, 0, 4], [1, _LOG3, 8]]]),
        np.array([[[[0.5, 0.5], [0.25, 0.75]]]]),
        np.array([[[[0.5, 0.5], [0.25, 0.75]]]]),
    ),
    (
        np.array([[[_LOG3], [1.5 * _LOG3]]]),
        np.array([[[-1.5], [1.5]]]),
        np.array([[[1.0], [2]]]),
    ),
)


def check(module: ModuleType) -> Iterator[Finding]:
    """Check with two heads and with one, then with rounded probabilities."""
    n = check_rng(1).normal
    operators = (
        Operator(
            "attention",
            {name: n(size=(batch, tokens, heads * width)) for name in "qkv"},
            partial(_forward, heads=heads),
            partial(_backward, module),
            {"K": width, "H": heads, "T": tokens},
        )
        for batch, tokens, heads, width in ((2, 4, 2, 3), (2, 5, 1, 3))
    )
    yield from check_backward(operators, _known_mistakes, _ON_PAPER)
    yield Finding("probs_hat, the probabilities rounded to 1/8", _rounded_fault(module))


def _forward(q: Array, k: Array, v: Array, heads: int) -> tuple[Array, AttentionCache]:
    return attention(np.concatenate([q, k, v], axis=-1), heads)


def _backward(module: ModuleType, dout: Array, cache: AttentionCache) -> Any:
    """Return dq, dk and dv, (B, T, D), or what is not their array as it is."""
    dqkv = module.attention_backward(dout, cache)
    if not isinstance(dqkv, np.ndarray) or dqkv.shape != cache.qkv.shape:
        return dqkv
    return tuple(np.split(dqkv, 3, axis=-1))


def _known_mistakes(dout: Array, cache: AttentionCache) -> dict[str, dict[str, Array]]:
    """Return the gradients of mistakes, with the heads of a token merged."""
    heads, a = cache.probs.shape[1], cache.probs
    q, k, v = split_qkv(cache.qkv, heads)
    do = split_heads(dout, heads)
    da = do @ v.swapaxes(-1, -2)
    scale = q.shape[-1] ** -0.5
    ds = softmax_backward(da, a, scale)
    # Sentence: the gradient of the scores under that mistake.
    scores = {
        "it is sqrt(K) times too large: the scale is in the forward, so it is in the backward": (
            ds / scale
        ),
        "the scale 1/sqrt(K) is in it twice; softmax_backward(.., scale) multiplies by it": (
            ds * scale
        ),
        "softmax is left out: this takes dA for dS": da * scale,
        "softmax and the scale are left out: this takes dA for dS": da,
        "of softmax only the diagonal is there: its Jacobian is a full matrix": scale * a * da,
        "softmax_backward takes dA and A in this order": softmax_backward(a, da, scale),
    }
    known: dict[str, dict[str, Array]] = {
        "dq": {
            "it is dS Q; the derivative of q_i k_j by q_i is k_j: dQ = dS K": ds @ q,
            "dS is transposed; q_i is in row i of S, so sum over the keys j: dQ = dS K": (
                ds.swapaxes(-1, -2) @ k
            ),
        },
        "dk": {
            "it is dS Q; k_j is in column j of S, so sum over the queries i: dS transposed": ds @ q,
            "it is dS^T K; the derivative of q_i k_j by k_j is q_i: dK = dS^T Q": (
                ds.swapaxes(-1, -2) @ k
            ),
        },
        "dv": {
            "it is A dO; v_j is used by all queries i, so sum over them: A transposed": a @ do,
            "it is A^T V; the gradient that arrives, dO, is missing": a.swapaxes(-1, -2) @ v,
            "it has the factor 1/sqrt(K); that belongs to the scores, and V comes after them": (
                a.swapaxes(-1, -2) @ do * scale
            ),
            "it is dS^T dO; O = A V, so A multiplies: dV = A^T dO": ds.swapaxes(-1, -2) @ do,
        },
    }
    known["dq"] |= {sentence: wrong @ k for sentence, wrong in scores.items()}
    known["dk"] |= {sentence: wrong.swapaxes(-1, -2) @ q for sentence, wrong in scores.items()}
    return {
        name: {sentence: merge_heads(wrong) for sentence, wrong in mistakes.items()}
        for name, mistakes in known.items()
    }


def _rounded_fault(module: ModuleType) -> str:
    """Check which of the two, probs and probs_hat, is used where; empty if all is right."""
    n = check_rng(2).normal
    dout = read_only(n(size=(2, 4, 6)))
    _, (qkv, a, a_hat) = attention(n(size=(2, 4, 18)), 2, lambda probs: np.round(probs * 8) / 8)
    q, k, v = split_qkv(qkv, 2)
    do = split_heads(dout, 2)

    def dqkv(in_product: Array, in_softmax: Array) -> Array:
        ds = softmax_backward(do @ v.swapaxes(-1, -2), in_softmax, 3**-0.5)
        dv = in_product.swapaxes(-1, -2) @ do
        return merge_qkv(ds @ k, ds.swapaxes(-1, -2) @ q, dv)

    multiplied = "V was multiplied by probs_hat, so dV = probs_hat^T dO"
    softmax = "softmax's own result is probs, and its backward pass needs that"
    known = {
        multiplied: dqkv(a, a),
        softmax: dqkv(a_hat, a_hat),
        f"probs and probs_hat are exchanged: {multiplied}": dqkv(a, a_hat),
    }
    cache = AttentionCache(*map(read_only, (qkv, a, a_hat)))
    return wrong_array(module.attention_backward(dout, cache), dqkv(a_hat, a), "dqkv", known)


ATTENTION_BACKWARD = Exercise(
    name="attention_backward",
    module="ops.attention",
    chapter="05_attention",
    title="the backward pass of attention",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "the scale is forgotten",
            "softmax_backward(da, probs, scale)",
            "softmax_backward(da, probs)",
            "it is sqrt(K) times too large",
        ),
        WrongAnswer(
            "the gradient of the keys sums over the keys",
            "dk = ds.swapaxes(-1, -2) @ q",
            "dk = ds @ q",
            "k_j is in column j of S, so sum over the queries i",
        ),
        WrongAnswer(
            "the gradient of the values sums over the keys",
            "dv = probs_hat.swapaxes(-1, -2) @ do",
            "dv = probs_hat @ do",
            "v_j is used by all queries i",
        ),
        WrongAnswer(
            "softmax is forgotten",
            "softmax_backward(da, probs, scale)",
            "da * scale",
            "softmax is left out",
        ),
        WrongAnswer(
            "V is multiplied by the probabilities before rounding",
            "probs_hat.swapaxes(-1, -2)",
            "probs.swapaxes(-1, -2)",
            "V was multiplied by probs_hat",
        ),
    ),
)
