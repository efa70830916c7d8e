"""Exercise: the backward pass of GELU."""

import math
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.gradients import PaperExample, check_backward
from tervit_np.exercises.numbers import check_rng
from tervit_np.ops.gelu import gaussian_cdf, gelu
from tervit_np.ops.gelu import gelu_backward as library_backward
from tervit_np.verify.operators import Operator

TASK = """
GELU is the activation between the two linear layers of a block:

    y = x Phi(x)

Phi(x) is the probability that a standard normal variable is below x. It is
given as gaussian_cdf(x). Its derivative is the density

    phi(x) = exp(-x^2 / 2) / sqrt(2 pi)

dy is dL/dy and x the cache, both of any shape. Return dx = dL/dx, for the exact
form, form="erf", which is the default. The library's lines also have the
derivative of an approximation by tanh.

The check begins with an example for paper. Then it compares with finite
differences, with a random dy, and tries float32.
"""

HINTS = (
    "Every y depends on one x alone, so nothing is summed: dx = dy times the derivative of "
    "x Phi(x). That is a product of two functions of x.",
    "  d/dx (x Phi(x)) = Phi(x) + x phi(x)\n"
    "The first term is what x = x gives, the second is what Phi gives, whose derivative is the "
    "density phi.",
    "  density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)\n"
    "  dx = dy * (gaussian_cdf(x) + x * density)\n"
    "math.sqrt, and not np.sqrt, keeps float32 as it is.",
)

PLAIN = """
density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)

# The product rule: x changes, and Phi(x) changes.
slope = gaussian_cdf(x) + x * density

return dy * slope
"""

_AT_ONE = 0.5 * (1 + math.erf(math.sqrt(0.5))) + math.exp(-0.5) / math.sqrt(2 * math.pi)
_ON_PAPER = PaperExample(
    "on paper, x [0, 1], dy [2, 10]; Phi(1) is 0.8413, phi(1) is 0.2420",
    np.array([2.0, 10]),
    np.array([0.0, 1]),
    (np.array([1.0, 10 * _AT_ONE]),),
)


def check(module: ModuleType) -> Iterator[Finding]:
    """Check a matrix and a batch of tokens."""
    n = check_rng(1).normal
    operators = (
        Operator("gelu", {"x": 2 * n(size=shape)}, gelu, module.gelu_backward)
        for shape in ((3, 4), (2, 3, 4))
    )
    yield from check_backward(operators, _known_mistakes, _ON_PAPER)


def _known_mistakes(dy: Array, x: Array) -> dict[str, dict[str, Array]]:
    cdf, bell = gaussian_cdf(x), np.exp(-0.5 * x * x)
    density = bell / math.sqrt(2 * math.pi)
    return {
        "dx": {
            "the product rule's second term, x phi(x), is missing": dy * cdf,
            "the product rule's first term, Phi(x), is missing": dy * x * density,
            "1/sqrt(2 pi) is missing: the density does not sum to one": dy * (cdf + x * bell),
            "right to three digits: this is the derivative of the approximation by tanh": (
                library_backward(dy, x, form="tanh")
            ),
            "dy is missing: this is the gradient for an upstream of ones": cdf + x * density,
            "x is missing in the second term: x Phi(x) gives Phi(x) + x phi(x)": (
                dy * (cdf + density)
            ),
            "the exponent lacks its 1/2: the density is exp(-x^2 / 2) / sqrt(2 pi)": (
                dy * (cdf + x * np.exp(-x * x) / math.sqrt(2 * math.pi))
            ),
            "this is GELU itself times dy, not its derivative": dy * x * cdf,
        }
    }


GELU_BACKWARD = Exercise(
    name="gelu_backward",
    module="ops.gelu",
    chapter="06_block",
    title="the backward pass of an activation",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "Phi alone",
            "gaussian_cdf(x) + x * density",
            "gaussian_cdf(x)",
            "the product rule's second term, x phi(x), is missing",
        ),
        WrongAnswer(
            "the density without its factor",
            " / math.sqrt(2 * math.pi)",
            "",
            "the density does not sum to one",
        ),
        WrongAnswer(
            "the derivative of the approximation by tanh",
            'if form == "erf":',
            "if False:",
            "right to three digits: this is the derivative of the approximation by tanh",
        ),
        WrongAnswer(
            "dy is not used",
            "return dy * slope",
            "return slope",
            "dy is missing",
        ),
    ),
)
