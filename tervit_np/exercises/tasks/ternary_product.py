"""Exercise: the matrix product of a ternary layer, in integers."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
A ternary layer multiplies tokens of 8 bits by weights of three values. A token
m is s_m q_m, with integers q from -127 to 127, and a weight is a_n t_nk, with t
in {-1, 0, 1}:

    y_mn = sum_k (s_m q_mk) (a_n t_nk) = s_m a_n sum_k q_mk t_nk

The sum is one of integers, and the scales come once, at the end. A packed
weight has no sign: stored = t + 1, which is 0, 1 or 2 (its zero point is 1).
Write two functions:

    integer_sums   q (M, K) int8, stored (N, K) uint8    -> int32 (M, N)
    scale_sums     sums, token_scale (M,), weight_scale (N,)
                                                         -> float32 (M, N)

In NumPy the product of an int8 and a uint8 array is summed in int16. How large
can a sum be?
"""

HINTS = (
    "t = stored - 1. Multiply out: sum_k q (stored - 1) is a product of the arrays that are given, "
    "minus something that has one number for each token. And 127 * 2 * 384 is 97,536, more than "
    "int16 holds.",
    "  sum_k q t = sum_k q stored - sum_k q\n"
    "The second sum is the token's: a column, (M, 1). Both in int32. The scale of the token "
    "multiplies a row of the sums, that of the weight a column.",
    "  sums = q.astype(np.int32) @ stored.astype(np.int32).T\n"
    "  sums - q.sum(axis=1, dtype=np.int32)[:, None]\n"
    "and\n"
    "  sums.astype(np.float32) * token_scale[:, None] * weight_scale",
)

PLAIN = (
    """
sums = q.astype(np.int32) @ stored.astype(np.int32).T

# The stored weight is t + 1, so each sum holds the token's sum once too often.
token_sums = q.sum(axis=1, dtype=np.int32)

return sums - token_sums[:, None]
""",
    """
return sums.astype(np.float32) * token_scale[:, None] * weight_scale
""",
)


def check(module: ModuleType) -> Iterator[Finding]:
    """Check a product on paper, random ones, sums that are too large for int16, the scales."""
    integers = check_rng(1).integers
    cases = {
        "on paper, q [[3, -2, 5], [1, 4, -6]], t [[1, 0, -1], [1, 1, 1]]": (
            np.array([[3, -2, 5], [1, 4, -6]]),
            np.array([[1, 0, -1], [1, 1, 1]]),
        ),
        "random q (4, 7), t (3, 7)": (integers(-127, 128, (4, 7)), integers(-1, 2, (3, 7))),
        "384 inputs, q all 127, t all 1": (np.full((2, 384), 127), np.ones((3, 384), int)),
        "384 random inputs": (integers(-127, 128, (5, 384)), integers(-1, 2, (6, 384))),
    }
    for what, (q, t) in cases.items():
        q, stored = read_only(q.astype(np.int8)), read_only((t + 1).astype(np.uint8))
        result = module.integer_sums(q, stored)
        yield Finding(f"{what}: integer_sums", _sums_fault(result, q, stored))
    n = check_rng(2).uniform
    scales = {
        "sums [[10, 20], [30, 40]], token_scale [0.5, 2], weight_scale [1, 3]": (
            np.array([[10, 20], [30, 40]]),
            np.array([0.5, 2]),
            np.array([1.0, 3]),
        ),
        "random sums (4, 3)": (integers(-9999, 9999, (4, 3)), n(0.01, 1, 4), n(0.01, 1, 3)),
    }
    for what, (sums, of_token, of_weight) in scales.items():
        arrays = sums.astype(np.int32), of_token.astype(np.float32), of_weight.astype(np.float32)
        result = module.scale_sums(*map(read_only, arrays))
        yield Finding(f"{what}: scale_sums", _scale_fault(result, *arrays))


def _sums_fault(result: Any, q: Array, stored: Array) -> str:
    """Compare the sums with the formula; empty if they are right."""
    wide, t = q.astype(np.int64), stored.astype(np.int64) - 1
    of_tokens, uncorrected = wide.sum(axis=1, keepdims=True), wide @ (t + 1).T
    true = (wide @ t.T).astype(np.int32)
    fits = "q and the weights are one byte each, but 127 * 384 does not fit; sum in int32"
    known = {
        "the stored weight is t + 1, so this is too large by the token's sum": uncorrected,
        "it is the token's sum, sum_k q, that must be subtracted, not the weight's": (
            uncorrected - (t + 1).sum(axis=1)
        ),
        "the token's sum is added; subtract it": uncorrected + of_tokens,
        "it is the token's sum that must be subtracted, not K": uncorrected - q.shape[1],
        f"these sums wrapped around in int16: {fits}": (uncorrected.astype(np.int16) - of_tokens),
        f"the token's sum wrapped around in int8: {fits}": uncorrected - of_tokens.astype(np.int8),
        f"these sums wrapped around in 16 bits: {fits}": true.astype(np.int16),
        f"these sums wrapped around in 8 bits: {fits}": true.astype(np.int8),
    }
    known = {sentence: wrong for sentence, wrong in known.items() if (wrong != true).any()}
    return wrong_array(result, true, "the sums", known)


def _scale_fault(result: Any, sums: Array, of_token: Array, of_weight: Array) -> str:
    """Compare y with the formula; empty if it is right."""
    real = sums.astype(np.float64)
    true = real * of_token[:, None] * of_weight
    known = {
        "the token's scale is missing": real * of_weight,
        "the weight's scale is missing": real * of_token[:, None],
        "the two scales are added; each multiplies": real * (of_token[:, None] + of_weight),
    }
    if len(of_token) == len(of_weight):
        known["the scales are exchanged: a token is a row of y, a weight's row a column"] = (
            real * of_token * of_weight[:, None]
        )
        known["a token is a row of y: its scale is a column, token_scale[:, None]"] = (
            real * of_token * of_weight
        )
    return wrong_array(result, true.astype(np.float32), "y", known, rtol=1e-6)


TERNARY_PRODUCT = Exercise(
    name="ternary_product",
    module="kernels.ternary_linear",
    chapter="18_integer_kernels",
    title="a ternary layer in integers",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=PLAIN,
    wrong_answers=(
        WrongAnswer(
            "the zero point is not undone",
            "sums - token_sums[:, None]",
            "sums",
            "the stored weight is t + 1, so this is too large by the token's sum",
        ),
        WrongAnswer(
            "sums in the type that NumPy chooses",
            "q.astype(np.int32) @ stored.astype(np.int32).T",
            "q @ stored.T",
            "these sums wrapped around in int16: q and the weights are one byte each",
        ),
        WrongAnswer(
            "the token's sum in int8",
            "q.sum(axis=1, dtype=np.int32)",
            "q.sum(axis=1, dtype=np.int8)",
            "the token's sum wrapped around in int8",
        ),
        WrongAnswer(
            "the sum of the weights instead of the token's",
            "sums - token_sums[:, None]",
            "sums - stored.sum(axis=1, dtype=np.int32)",
            "it is the token's sum, sum_k q, that must be subtracted",
        ),
        WrongAnswer(
            "the token's scale multiplies a column",
            "token_scale[:, None]",
            "token_scale",
            "its scale is a column, token_scale[:, None]",
        ),
    ),
)
