"""Exercise: split a projection into heads, and merge them again."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import not_arrays, wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
Attention works in H heads, each with K = D / H numbers of a token. The numbers
of head 0 come first in a token, then those of head 1, and so on. Write three
functions:

    split_heads   (B, T, D)    -> (B, H, T, K)
    merge_heads   (B, H, T, K) -> (B, T, D)              the inverse
    split_qkv     (B, T, 3 D)  -> q, k, v, each (B, H, T, K)

The fused projection holds q, k and v of a token, in this order, D numbers each.
Within each of them head h has K numbers that follow one another.

Nothing is computed, numbers only change places. reshape never moves a number:
it keeps the order in memory and draws other borders. To exchange two axes takes
transpose or swapaxes.

The check begins with three tokens of four numbers for paper.
"""

HINTS = (
    "In memory a token's D numbers follow one another, then comes the next token. So the only axis "
    "that reshape can break into heads is the last: (B, T, H, K). Which two axes are then in the "
    "wrong order? Merging goes the same way back.",
    "  split:  (B, T, D)   -> reshape (B, T, H, K)    -> swap axes 1 and 2\n"
    "  merge:  (B, H, T, K) -> swap axes 1 and 2      -> reshape (B, T, H K)\n"
    "  qkv:    (B, T, 3 D) -> reshape (B, T, 3, H, K) -> 3 in front, H before T",
    "  split_qkv:    x = qkv.reshape(batch, tokens, 3, heads, head_dim)\n"
    "                q, k, v = x.transpose(2, 0, 3, 1, 4)\n"
    "  split_heads:  x.reshape(batch, tokens, heads, -1).swapaxes(1, 2)\n"
    "  merge_heads:  out.swapaxes(1, 2).reshape(batch, tokens, -1)",
)

PLAIN = (
    """
batch, tokens, columns = qkv.shape
head_dim = columns // (3 * heads)

# q, k, v are outermost in a row, then the heads.
x = qkv.reshape(batch, tokens, 3, heads, head_dim)
q, k, v = x.transpose(2, 0, 3, 1, 4)

return q, k, v
""",
    """
batch, tokens, dim = x.shape
by_head = x.reshape(batch, tokens, heads, dim // heads)

return by_head.swapaxes(1, 2)
""",
    """
batch, heads, tokens, head_dim = out.shape
by_token = out.swapaxes(1, 2)  # (B, T, H, K)

return by_token.reshape(batch, tokens, heads * head_dim)
""",
)

_MIXED = (
    "reshape alone: head 0 holds pieces of other tokens; break D into (H, K), then swap T and H"
)


def check(module: ModuleType) -> Iterator[Finding]:
    """Check each function on paper, then all three with random numbers."""
    tokens = np.arange(12.0).reshape(1, 3, 4)
    fused = np.arange(12.0).reshape(1, 2, 6)
    yield Finding(
        "on paper, split_heads of [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]], 2 heads",
        _split_fault(module.split_heads(read_only(tokens), 2), tokens, 2),
    )
    yield Finding(
        "merge_heads of [[[0, 1], [4, 5], [8, 9]], [[2, 3], [6, 7], [10, 11]]]",
        _merge_fault(module.merge_heads(read_only(_split(tokens, 2))), _split(tokens, 2)),
    )
    yield Finding(
        "split_qkv of [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]], 2 heads",
        _qkv_fault(module.split_qkv(read_only(fused), 2), fused, 2),
    )
    x = check_rng(1).normal(size=(2, 5, 12))
    yield Finding(
        "split_heads of random x (2, 5, 12), 3 heads",
        _split_fault(module.split_heads(read_only(x), 3), x, 3),
    )
    yield Finding(
        "merge_heads of random heads (2, 3, 5, 4)",
        _merge_fault(module.merge_heads(read_only(_split(x, 3))), _split(x, 3)),
    )
    yield Finding(
        "split_qkv of random qkv (2, 5, 12), 2 heads",
        _qkv_fault(module.split_qkv(read_only(x), 2), x, 2),
    )


def _split(x: Array, heads: int) -> Array:
    """Take the columns of one head after the other."""
    return np.stack(np.split(x, heads, axis=-1), axis=1)


def _split_fault(result: Any, x: Array, heads: int) -> str:
    batch, tokens, dim = x.shape
    true = _split(x, heads)
    known = {
        _MIXED: x.reshape(batch, heads, tokens, dim // heads),
        "K comes before H in a token; each head has K numbers that follow one another": (
            x.reshape(batch, tokens, dim // heads, heads).transpose(0, 3, 1, 2)
        ),
        "T and H are still to be swapped": true.swapaxes(1, 2),
    }
    return wrong_array(result, true, "the result", known)


def _merge_fault(result: Any, out: Array) -> str:
    batch, heads, tokens, head_dim = out.shape
    shape = (batch, tokens, heads * head_dim)
    known = {
        "reshape alone mixes tokens and heads; transpose back before reshaping": (
            out.reshape(shape)
        ),
        "K comes before H in a token; each head has K numbers that follow one another": (
            out.transpose(0, 2, 3, 1).reshape(shape)
        ),
    }
    return wrong_array(result, out.swapaxes(1, 2).reshape(shape), "the result", known)


def _qkv_fault(result: Any, qkv: Array, heads: int) -> str:
    parts = tuple(result) if isinstance(result, np.ndarray) and result.ndim == 5 else result
    if fault := not_arrays(parts, ("q", "k", "v")):
        return fault
    batch, tokens, columns = qkv.shape
    head_dim = columns // (3 * heads)
    true = [_split(part, heads) for part in np.split(qkv, 3, axis=-1)]
    orders = {
        "q, k, v are outermost in the fused row, then the heads": (
            qkv.reshape(batch, tokens, heads, 3, head_dim).transpose(3, 0, 2, 1, 4)
        ),
        "q, k, v are outermost in the fused row, not innermost": (
            qkv.reshape(batch, tokens, heads, head_dim, 3).transpose(4, 0, 2, 1, 3)
        ),
        _MIXED: qkv.reshape(3, batch, heads, tokens, head_dim),
    }
    for i, name in enumerate("qkv"):
        known = {sentence: wrong[i] for sentence, wrong in orders.items()}
        known |= {
            f"this is {other}; return q, k, v in this order": true[j]
            for j, other in enumerate("qkv")
            if j != i
        }
        if fault := wrong_array(parts[i], true[i], name, known):
            return fault
    return ""


SPLIT_HEADS = Exercise(
    name="split_heads",
    module="ops.attention",
    chapter="05_attention",
    title="split tokens into heads",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=PLAIN,
    wrong_answers=(
        WrongAnswer(
            "reshape to (B, H, T, K) at once",
            "by_head = x.reshape(batch, tokens, heads, dim // heads)\n\n"
            "    return by_head.swapaxes(1, 2)",
            "return x.reshape(batch, heads, tokens, dim // heads)",
            "head 0 holds pieces of other tokens",
        ),
        WrongAnswer(
            "q, k and v within each head",
            "qkv.reshape(batch, tokens, 3, heads, head_dim)\n"
            "    q, k, v = x.transpose(2, 0, 3, 1, 4)",
            "qkv.reshape(batch, tokens, heads, 3, head_dim)\n"
            "    q, k, v = x.transpose(3, 0, 2, 1, 4)",
            "q, k, v are outermost in the fused row",
        ),
        WrongAnswer(
            "merge without going back",
            "by_token = out.swapaxes(1, 2)",
            "by_token = out",
            "transpose back before reshaping",
        ),
    ),
)
