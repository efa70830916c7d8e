"""Exercise: the backward pass of softmax."""

from collections.abc import Iterator
from functools import partial
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.gradients import PaperExample, check_backward
from tervit_np.exercises.numbers import check_rng
from tervit_np.ops.softmax import softmax
from tervit_np.verify.operators import Operator

TASK = """
The forward pass is softmax of each row of scale x (..., N):

    z = scale x        y_i = exp(z_i) / sum_j exp(z_j)

dy is dL/dy and y is the cache, the probabilities. Return dx = dL/dx, with the
shape of x.

An x_j moves every y_i of its row: its own upwards, the others downwards, since
the row sums to 1. So the Jacobian of a row is a full matrix. The gradient does
not need the matrix.

The check begins with an example for paper. Then it compares with finite
differences, with a scale of 1/2 and a random dy. With a dy of ones the right dx
is zero.
"""

HINTS = (
    "Take the logarithm: log y_i = z_i - log sum_k exp(z_k). Its derivative by z_j is 1 - y_j for "
    "i = j, and -y_j otherwise. What is dy_i/dz_j, then?",
    "  dy_i/dz_j = y_i (1 if i = j else 0) - y_i y_j\n"
    "  dL/dz_j   = sum_i dy_i dy_i/dz_j = y_j (dy_j - s),   s = sum_i dy_i y_i\n"
    "s is one number for each row, the mean of dy weighted by the probabilities. And z = scale x "
    "brings in the scale once more.",
    "  s  = (dy * y).sum(axis=-1, keepdims=True)\n  dx = scale * y * (dy - s)",
)

PLAIN = """
# The mean of dy in each row, weighted by the probabilities.
s = (dy * y).sum(axis=-1, keepdims=True)

dz = y * (dy - s)
return scale * dz
"""

_SCALE = 0.5
_Y, _DY = np.array([[0.5, 0.25, 0.25]]), np.array([[8.0, 0, 8]])
_ON_PAPER = PaperExample(
    "on paper, y [[1/2, 1/4, 1/4]], dy [[8, 0, 8]], scale 1/2",
    _DY,
    _Y,
    (np.array([[0.5, -0.75, 0.25]]),),
)


def check(module: ModuleType) -> Iterator[Finding]:
    """Check with a scale, on a few rows, on a batch and on a single row."""
    n = check_rng(1).normal
    operators = (
        Operator(
            "softmax",
            {"x": n(size=shape)},
            partial(softmax, scale=_SCALE),
            partial(module.softmax_backward, scale=_SCALE),
            {"N": 5},
        )
        for shape in ((6, 5), (2, 3, 5), (5,))
    )
    yield from check_backward(operators, _known_mistakes, _ON_PAPER)


def _known_mistakes(dy: Array, y: Array) -> dict[str, dict[str, Array]]:
    scale = _SCALE
    s = (dy * y).sum(axis=-1, keepdims=True)
    known = {
        "only the diagonal is there: as one probability rises, the others of its row pay for it": (
            scale * y * dy
        ),
        "the mean of dy is weighted by the probabilities: s = sum_j dy_j y_j": (
            scale * y * (dy - dy.mean(axis=-1, keepdims=True))
        ),
        "s is the sum of dy alone; each dy_j is multiplied by y_j": (
            scale * y * (dy - dy.sum(axis=-1, keepdims=True))
        ),
        "s runs over the whole array; each row has its own": scale * y * (dy - (dy * y).sum()),
        "y is missing in front: dz_j = y_j (dy_j - s)": scale * (dy - s),
        "the sign of s is wrong: the others pay for one that rises": scale * y * (dy + s),
        "the diagonal alone, y (1 - y) dy: that is the derivative of the logistic function": (
            scale * y * (1 - y) * dy
        ),
        "the scale is missing: it is in the forward, so it is in the backward": y * (dy - s),
        "it is divided by the scale; z = scale x multiplies it": y * (dy - s) / scale,
    }
    if dy.ndim > 1:
        along = (dy * y).sum(axis=-2, keepdims=True)
        sentence = "s runs over axis -2; the probabilities of a row, the last axis, belong together"
        known[sentence] = scale * y * (dy - along)
    return {"dx": known}


SOFTMAX_BACKWARD = Exercise(
    name="softmax_backward",
    module="ops.softmax",
    chapter="05_attention",
    title="the backward pass of softmax",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "only the diagonal of the Jacobian",
            "y * (dy - s)",
            "y * dy",
            "only the diagonal is there",
        ),
        WrongAnswer(
            "the sum runs over the axis before the last",
            "(dy * y).sum(axis=-1, keepdims=True)",
            "(dy * y).sum(axis=-2, keepdims=True)",
            "the probabilities of a row, the last axis, belong together",
        ),
        WrongAnswer(
            "the mean is not weighted",
            "(dy * y).sum(axis=-1, keepdims=True)",
            "dy.mean(axis=-1, keepdims=True)",
            "the mean of dy is weighted by the probabilities",
        ),
        WrongAnswer(
            "the scale is forgotten",
            "return scale * dz",
            "return dz",
            "the scale is missing",
        ),
    ),
)
