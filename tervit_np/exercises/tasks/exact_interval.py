"""Exercise: the best three values for a row, found by sorting."""

import math
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import not_arrays, wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
A row w of weights becomes alpha t, with t in {-1, 0, 1}. Which alpha and t make
the squared error |w - alpha t|^2 the least?

It is enough to ask how many weights get a code that is not 0. If there are k of
them, they are the k largest, with their own signs, and the best alpha is the
mean of their magnitudes. So try every k from 1 to N and take the best.

`magnitude` (M, N) has |w| of M rows. Return for each row

    alpha (M,)      the best scale
    delta (M,)      a weight whose magnitude is above it gets the code of its
                    sign: the nearer of the values 0 and alpha changes there

Sort each row once and use sums that run along it, instead of computing N errors
of N terms each. With S_k, the sum of the k largest, what is the error?

The check begins with a row for paper.
"""

HINTS = (
    "Multiply out. For the k largest, the sum of (|w| - alpha)^2 is their sum of squares minus "
    "2 alpha S_k plus k alpha^2, and the others add their squares. Put alpha = S_k / k into it: "
    "what is left of k? And the nearer of 0 and alpha changes halfway between them.",
    "  |w - alpha t|^2 = |w|^2 - S_k^2 / k,        alpha = S_k / k\n"
    "so take the k with the largest S_k^2 / k. np.sort sorts upwards, np.cumsum gives S_k for all "
    "k, np.argmax finds the index of the best; index 0 is k = 1. Delta = alpha / 2.",
    "  descending = np.sort(magnitude, axis=1)[:, ::-1]\n"
    "  sums = np.cumsum(descending, axis=1)\n"
    "  k = np.arange(1, magnitude.shape[1] + 1)\n"
    "  best = np.argmax(sums**2 / k, axis=1)\n"
    "  alpha = sums[np.arange(len(best)), best] / (best + 1)\n"
    "  return alpha, alpha / 2",
)

PLAIN = """
descending = np.sort(magnitude, axis=1)[:, ::-1]
sums = np.cumsum(descending, axis=1)            # S_1, S_2, ..., S_N
k = np.arange(1, magnitude.shape[1] + 1)

# The error is |w|^2 - S_k^2 / k: the larger the second term, the better.
best = np.argmax(sums**2 / k, axis=1)
of_row = np.arange(len(sums))
alpha = sums[of_row, best] / k[best]

return alpha, alpha / 2
"""


def check(module: ModuleType) -> Iterator[Finding]:
    """Check a row on paper, rows with known answers, random rows, zeros."""
    n = check_rng(1).normal
    cases = {
        "on paper, [[6, 1, 4, 5, 1]]": np.array([[6.0, 1, 4, 5, 1]]),
        "one large weight, [[1, 1, 10, 1]]": np.array([[1.0, 1, 10, 1]]),
        "[[6, 3, 2, 2, 1]], where S_k^2 / k falls and rises again": np.array([[6.0, 3, 2, 2, 1]]),
        "[[8, 3, 2, 1, 1, 1]], where 5.5 is also the mean of what is above its half": np.array(
            [[8.0, 3, 2, 1, 1, 1]]
        ),
        "equal weights, [[2, 2, 2]]": np.array([[2.0, 2, 2]]),
        "random magnitudes (3, 9)": np.abs(n(size=(3, 9)) * [[0.5], [1.0], [3.0]]),
        "random magnitudes (5, 64), with a long tail": np.abs(n(size=(5, 64))) ** 3,
        "a row of zeros": np.array([[0.0, 0.0], [3.0, 1.0]]),
    }
    for what, magnitude in cases.items():
        yield Finding(what, _fault(module.exact_interval(read_only(magnitude)), magnitude))


def _fault(result: Any, magnitude: Array) -> str:
    """Compare alpha and delta with those of the best of all k; empty if both are right."""
    if fault := not_arrays(result, ("alpha", "delta")):
        return fault
    alpha, delta = result
    true = np.array([_best_alpha(row) for row in magnitude])
    message = wrong_array(alpha, true, "alpha", _wrong_alphas(magnitude))
    if message and alpha.shape == true.shape and np.isfinite(alpha).all():
        return f"{message}. {_errors(magnitude, alpha, true)}"
    return message or wrong_array(delta, true / 2, "delta", _wrong_deltas(magnitude, true))


def _best_alpha(row: Array) -> float:
    """Return the best alpha of one row: try every k and add up the error."""
    sizes = sorted((float(w) for w in row), reverse=True)
    candidates = []
    for k in range(1, len(sizes) + 1):
        alpha = math.fsum(sizes[:k]) / k
        candidates.append((_error(sizes, k, alpha), k, alpha))
    return min(candidates)[2]


def _error(descending: list[float], k: int, alpha: float) -> float:
    return math.fsum((w - alpha * (i < k)) ** 2 for i, w in enumerate(descending))


def _errors(magnitude: Array, alpha: Array, true: Array) -> str:
    """Write the squared errors of a row, with the student's alpha and the best codes for it."""
    i = int(np.argmax(np.abs(alpha - true)))
    with_alpha, least = (
        float(np.minimum(magnitude[i] ** 2, (magnitude[i] - a) ** 2).sum())
        for a in (alpha[i], true[i])
    )
    return (
        f"The error of row {i} is at least {with_alpha:.4g} with {alpha[i]:.4g}, and {least:.4g} "
        f"with {true[i]:.4g}"
    )


def _wrong_alphas(magnitude: Array) -> dict[str, Array]:
    descending = -np.sort(-magnitude, axis=1)
    sums = np.cumsum(descending, axis=1)
    k = np.arange(1, magnitude.shape[1] + 1)
    best = np.argmax(sums**2 / k, axis=1)
    row = np.arange(len(best))
    chosen = sums[row, best]
    mean = magnitude.mean(axis=1)
    above = magnitude > 0.7 * mean[:, None]
    support = np.where(above, magnitude, 0).sum(axis=1) / np.maximum(above.sum(axis=1), 1)
    true = chosen / (best + 1)
    one_k = int(np.argmax((sums**2 / k).sum(axis=0)))
    falls = np.diff(sums**2 / k, axis=1, append=-np.inf) < 0
    first = falls.argmax(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        known = {
            "it is the largest weight, k = 1: S_k / k only falls; the gain is S_k^2 / k": (
                descending[:, 0]
            ),
            "it is the mean of the whole row: S_k is the sum of the k largest, not of the k "
            "smallest, and the gain is S_k^2 / k, as S_k^2 only grows": mean,
            "it is S_k; alpha is the mean, S_k / k": chosen,
            "it is S_k divided by k - 1: index 0 is k = 1": chosen / best,
            "it is S_k / N; divide by k": chosen / len(k),
            "it is the smallest weight of the k largest; alpha is their mean": (
                descending[row, best]
            ),
            "it is the scale of ternarize, with Delta = 0.7 mean|w|; find the best k": support,
            "it has one k for all rows; each row has its own": sums[:, one_k] / (one_k + 1),
            "k ends where S_k^2 / k falls first; it may rise again: try every k": (
                sums[row, first] / (first + 1)
            ),
            "k is counted from 0, and begins with 1": np.full(len(best), np.inf),
            "each row has one number, as in sums[np.arange(M), best]": true[:, None],
            "this is delta; return alpha, delta": true / 2,
            "it is the gain S_k^2 / k; alpha is S_k / k": chosen**2 / (best + 1),
            "it is the mean of the weights above its half, as several numbers are; try every k": (
                _alternating(magnitude)
            ),
        }
    return known


def _alternating(magnitude: Array) -> Array:
    """Take codes for a scale and the scale for these codes in turn, from the mean on.  -> (M,)."""
    alpha = magnitude.mean(axis=1)
    for _ in range(magnitude.shape[1]):  # each turn changes the number of codes, or is the last
        above = magnitude > alpha[:, None] / 2
        alpha = np.where(above, magnitude, 0).sum(axis=1) / np.maximum(above.sum(axis=1), 1)
    return np.asarray(alpha)


def _wrong_deltas(magnitude: Array, alpha: Array) -> dict[str, Array]:
    smallest = [
        row[row > a / 2].min(initial=np.inf) for row, a in zip(magnitude, alpha, strict=True)
    ]
    return {
        "it is alpha; the nearer of 0 and alpha changes at half of it": alpha,
        "it is the smallest weight that gets a code, and is not above itself: take alpha / 2": (
            np.array(smallest)
        ),
        "it is 0.7 mean|w|; the nearer of 0 and alpha changes at alpha / 2": (
            0.7 * magnitude.mean(axis=1)
        ),
    }


EXACT_INTERVAL = Exercise(
    name="exact_interval",
    module="quant.ternarize",
    chapter="12_three_values",
    title="the best three values for a row",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "the gain is S_k / k",
            "sums**2 / k",
            "sums / k",
            "it is the largest weight, k = 1: S_k / k only falls",
        ),
        WrongAnswer(
            "the first k after which the gain falls",
            "np.argmax(sums**2 / k, axis=1)",
            "np.argmax(np.diff(sums**2 / k, axis=1, append=-1) < 0, axis=1)",
            "k ends where S_k^2 / k falls first; it may rise again: try every k",
        ),
        WrongAnswer(
            "sorted upwards",
            "np.sort(magnitude, axis=1)[:, ::-1]",
            "np.sort(magnitude, axis=1)",
            "it is the mean of the whole row: S_k is the sum of the k largest",
        ),
        WrongAnswer(
            "the threshold is alpha",
            "return alpha, alpha / 2",
            "return alpha, alpha",
            "the nearer of 0 and alpha changes at half of it",
        ),
        WrongAnswer(
            "the index is taken for k",
            "/ k[best]",
            "/ np.maximum(best, 1)",
            "it is S_k divided by k - 1: index 0 is k = 1",
        ),
        WrongAnswer(
            "the sum for the mean",
            "sums[of_row, best] / k[best]",
            "sums[of_row, best]",
            "it is S_k; alpha is the mean",
        ),
    ),
)
