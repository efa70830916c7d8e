"""Exercise: QuEST's level for Gaussian rows, and the mask of its gradient."""

from collections.abc import Iterator
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng
from tervit_np.exercises.tasks.trust_mistakes import (
    backward_fault,
    codes_fault,
    mask_fault,
    rms_fault,
)
from tervit_np.quant import Quest
from tervit_np.verify.gradcheck import LIMIT, numerical_gradient

TASK = """
QuEST makes each row of weights ternary as if it were Gaussian, and passes no
gradient to a weight that is far from its value. With r the root mean square of
a row of n weights,

    r     = sqrt(sum w_i^2 / n)
    a     = 1.224 r                               the level
    t_i   = sign(w_i) where |w_i| > a / 2, else 0
    w_hat = a t

    dw_i  = dw_hat_i where |w_hat_i - w_i| <= a / 2, else 0

Write four parts:

    root_mean_square  matrix (M, N)              -> r (M,), float64
    encode            the codes t (M, N), from matrix and level (M,)
    forward           trusted, where the gradient passes, from w, w_hat, level
    backward          dw, from dw_hat and cache.trusted

* The square of 1e200 is too large for float64, and that of 1e-200 too small:
  divide each row by its largest magnitude first. For a row of zeros r is 0.
* In forward, level has the shape of a column and fits w. trusted is an array of
  True and False.
* Given is frozen, the map of which backward is the derivative.

The check begins with a row for paper, whose r is 2.
"""

HINTS = (
    "sqrt(sum (w / m)^2 / n) m is the same number for every m. Which m leaves no square above 1? "
    "For the mask draw w_hat - w over w: between which two weights is it at most half a level?",
    "  m       = max|w| of each row, and 1 where that is 0\n"
    "  r       = m sqrt(mean((w / m)^2))\n"
    "  t       = sign(w) [|w| > a / 2]          a is a column: level[:, None]\n"
    "  trusted = [|w_hat - w| <= a / 2]\n"
    "  dw      = dw_hat trusted",
    "  root_mean_square:  wide = matrix.astype(np.float64)\n"
    "                     m = np.abs(wide).max(axis=1, keepdims=True)\n"
    "                     m = np.where(m == 0, 1, m)\n"
    "                     mean = np.square(wide / m).mean(axis=1)\n"
    "                     return m[:, 0] * np.sqrt(mean)\n"
    "  encode:            codes = np.sign(matrix) * (\n"
    "                         np.abs(matrix) > level[:, None] / 2)\n"
    "  forward:           trusted = np.abs(w_hat - w) <= level / 2\n"
    "  backward:          return dw_hat * cache.trusted",
)

PLAIN = (
    """
trusted = np.abs(w_hat - w) <= level / 2
""",
    """
return dw_hat * cache.trusted
""",
    """
codes = np.sign(matrix) * (np.abs(matrix) > level[:, None] / 2)
""",
    """
wide = matrix.astype(np.float64)

# Magnitudes of at most 1 have squares that fit.
largest = np.abs(wide).max(axis=1, keepdims=True)
largest = np.where(largest == 0, 1, largest)
mean = np.square(wide / largest).mean(axis=1)

return largest[:, 0] * np.sqrt(mean)
""",
)

_PAPER = np.array([[4, -4, 2, -2, 2, 1.2, -1.2, 0.6, 0.6, 0.6, 0.2, 0]])


def check(module: ModuleType) -> Iterator[Finding]:
    """Check a row on paper, random rows with outliers, zeros, extremes, float32, differences."""
    row = f"w [{', '.join(f'{x:g}' for x in _PAPER[0])}], so r 2 and a / 2 1.224"
    n = check_rng(1).normal
    w = n(size=(4, 30)) * [[0.02], [0.5], [1.0], [3.0]]
    w[:, 0] = 4 * np.abs(w).max(axis=1) * [1, -1, 1, -1]
    w[:, 1] = 1.25 * Quest().encode(w).scale  # beyond a, and trusted
    cases = {
        f"on paper, {row}": _PAPER,
        "random w (4, 30) with outliers": w,
        "a row of zeros": np.stack([np.zeros(30), w[1]]),
        "weights near 1e200 and 1e-200": np.stack([w[1] * 1e200, w[1] * 1e-200]),
        "random w (4, 30), float32": w.astype(np.float32),
        "a weight equal to a / 2, float32": _with_threshold(w.astype(np.float32)),
    }
    for what, weights in cases.items():
        weights = read_only(weights)
        r = module.root_mean_square(weights)
        yield Finding(f"{what}: root_mean_square", rms_fault(r, weights))
        codes = module.Quest().encode(weights).codes
        yield Finding(f"{what}: encode", codes_fault(codes, weights))
        _, cache = module.Quest().forward(weights)
        yield Finding(f"{what}: forward", mask_fault(cache.trusted, weights))
        upstream = n(size=weights.shape)
        dw_hat = np.arange(1.0, 13)[None] if weights.size == _PAPER.size else upstream
        yield Finding(f"{what}: backward", backward_fault(module, weights, dw_hat))
    yield Finding("differences of frozen", _differences_fault(module, w, n(size=w.shape)))


def _with_threshold(w: Array) -> Array:
    """Make the first weight of each row a / 2.

    In float32, since the last bit of r in float64 depends on the order of its sum.
    """
    w = w.copy()
    while (w[:, 0] != (half := Quest().encode(w).scale / 2)).any():
        w[:, 0] = half
    return w


def _differences_fault(module: ModuleType, w: Array, upstream: Array) -> str:
    """Compare the student's backward with differences of the frozen map."""
    quest = module.Quest()
    _, cache = quest.forward(read_only(w), keep_residual=True)
    dw = quest.backward(read_only(upstream), cache)
    numeric = numerical_gradient(lambda v: quest.frozen(v, cache), w, upstream)
    return wrong_array(dw, numeric, "dw", rtol=LIMIT)


TRUST_MASK = Exercise(
    name="trust_mask",
    module="quant.quest",
    chapter="22_the_zoo",
    title="a level and a masked gradient",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=PLAIN,
    wrong_answers=(
        WrongAnswer(
            "the mean magnitude in place of the root mean square",
            "return largest[:, 0] * np.sqrt(mean)",
            "return np.abs(wide).mean(axis=1)",
            "this is mean|w|, as in BitNet's rule",
        ),
        WrongAnswer(
            "squares of the weights as they are",
            "largest = np.where(largest == 0, 1, largest)",
            "largest = np.ones_like(largest)",
            "these squares over- or underflow",
        ),
        WrongAnswer(
            "the row is not multiplied by its largest magnitude again",
            "return largest[:, 0] * np.sqrt(mean)",
            "return np.sqrt(mean)",
            "multiply by it again",
        ),
        WrongAnswer(
            "squares and sums in float32",
            "matrix.astype(np.float64)",
            "matrix",
            "r is float32, expected float64",
        ),
        WrongAnswer(
            "the threshold is the level",
            "> level[:, None] / 2",
            "> level[:, None]",
            "it is a / 2, the middle between 0 and a",
        ),
        WrongAnswer(
            "the nearest multiple of the level",
            "np.sign(matrix) * (np.abs(matrix) > level[:, None] / 2)",
            "np.rint(matrix / np.where(level == 0, 1, level)[:, None])",
            "beyond 1.5 a it leaves the three values",
        ),
        WrongAnswer(
            "the mask looks at the weight, not at its error",
            "np.abs(w_hat - w) <= level / 2",
            "np.abs(w) <= level",
            "it is True where |w| is at most a; compare |w_hat - w|",
        ),
        WrongAnswer(
            "the gradient passes everywhere",
            "return dw_hat * cache.trusted",
            "return dw_hat",
            "a weight that is not trusted gets no gradient",
        ),
    ),
)
