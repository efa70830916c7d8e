"""Exercise: the backward pass of layer normalisation."""

from collections.abc import Iterator
from functools import partial
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.gradients import PaperExample, check_backward
from tervit_np.exercises.numbers import check_rng
from tervit_np.ops.layernorm import LayerNormCache, layernorm
from tervit_np.verify.operators import Operator

TASK = """
Layer normalisation works on each row of the last axis, D numbers:

    mu   = mean(x)
    var  = mean((x - mu)^2)
    rstd = 1 / sqrt(var + eps)
    xhat = (x - mu) rstd
    y    = gamma xhat + beta

with x and y (..., D), gamma and beta (D,). dy is dL/dy; return dx (..., D),
dgamma (D,) and dbeta (D,). The cache holds xhat (..., D), rstd (..., 1) and
gamma.

x occurs three times: by itself, in mu and in var. A backward pass that forgets
one of them is roughly right, and a model still trains with it, but worse.

The check begins with an example for paper. Then it compares with finite
differences, with one, no and two leading axes and a random dy. With a dy of
ones and a gamma of ones the right dx is zero, and many a wrong one is zero too.
"""

HINTS = (
    "gamma and beta first: they act like the weight and the bias of a linear layer with one input "
    "each, so their gradients are sums over all rows. For dx, begin with g = dL/dxhat, which is "
    "gamma dy. Then go back through xhat = (x - mu) rstd with the product rule: which of the three "
    "factors depend on x?",
    "Three paths lead from xhat back to x, all within one row:\n"
    "  x itself      rstd g\n"
    "  through mu    - rstd mean(g),           as d mu/d x_j = 1/D\n"
    "  through var   - rstd xhat mean(g xhat), as d rstd/d x_j = - rstd^2 xhat_j/D\n"
    "dx is their sum.",
    "With g = dy * gamma,\n"
    "  dx = rstd * (g - mean(g) - xhat * mean(g * xhat))\n"
    "both means with axis=-1, keepdims=True. dgamma is the sum of dy * xhat and dbeta that of dy, "
    "over every axis but the last: axis=tuple(range(dy.ndim - 1)).",
)

PLAIN = """
# y = gamma xhat + beta: sums over all rows, as for a weight and a bias.
over_rows = tuple(range(dy.ndim - 1))
dgamma = (dy * xhat).sum(axis=over_rows)
dbeta = dy.sum(axis=over_rows)

# xhat = (x - mu) rstd: three paths from xhat back to x.
g = dy * gamma                                              # dL/dxhat
mean_g = g.mean(axis=-1, keepdims=True)
mean_g_xhat = (g * xhat).mean(axis=-1, keepdims=True)
dx = rstd * g                                               # x itself
dx = dx - rstd * mean_g                                     # through mu
dx = dx - rstd * xhat * mean_g_xhat                         # through var

return dx, dgamma, dbeta
"""

_D = 5
_XHAT, _DY = np.array([[1.0, -1, 1, -1]]), np.array([[4.0, 0, 1, 1]])
_ON_PAPER = PaperExample(
    "on paper, xhat [[1, -1, 1, -1]], rstd [[0.5]], gamma [1, 1, 2, 2], dy [[4, 0, 1, 1]]",
    _DY,
    LayerNormCache(_XHAT, np.array([[0.5]]), np.array([1.0, 1, 2, 2])),
    (np.array([[0.5, -0.5, -0.5, 0.5]]), np.array([4.0, 0, 1, -1]), _DY[0]),
)


def check(module: ModuleType) -> Iterator[Finding]:
    """Check on a few rows, on a single one, and on a batch of tokens."""
    n = check_rng(1).normal
    gamma, beta = n(size=_D), n(size=_D)
    operators = (
        Operator(
            "layernorm",
            {"x": 2 * n(size=(*leading, _D)) + 1, "gamma": gamma, "beta": beta},
            layernorm,
            module.layernorm_backward,
            {"D": _D},
        )
        for leading in ((6,), (), (2, 3))
    )
    yield from check_backward(operators, _known_mistakes, _ON_PAPER)


def _known_mistakes(dy: Array, cache: LayerNormCache) -> dict[str, dict[str, Array]]:
    xhat, rstd, gamma = cache
    g = dy * gamma
    g_mean = g.mean(axis=-1, keepdims=True)
    g_xhat_mean = (g * xhat).mean(axis=-1, keepdims=True)
    plain = dy - dy.mean(axis=-1, keepdims=True) - xhat * (dy * xhat).mean(axis=-1, keepdims=True)
    leading = tuple(range(dy.ndim - 1))
    first = "it is summed over the first axis alone; sum over every axis but the last"
    unsummed = "every row uses it, so its gradient is summed over all rows"
    return {
        "dx": {
            "mu and var are taken as constants; both depend on x": rstd * g,
            "the path through mu is missing: each x_j moves the mean by 1/D": (
                rstd * (g - xhat * g_xhat_mean)
            ),
            "the path through var is missing: it subtracts xhat mean(g xhat)": rstd * (g - g_mean),
            "gamma is left out: dL/dxhat is gamma dy": rstd * plain,
            "rstd is left out: xhat = (x - mu) rstd": g - g_mean - xhat * g_xhat_mean,
            "the path through var has the wrong sign: as var grows, rstd falls": (
                rstd * (g - g_mean + xhat * g_xhat_mean)
            ),
            "the means run over the whole array; each row has its own": (
                rstd * (g - g.mean() - xhat * (g * xhat).mean())
            ),
            "these are sums, not means: each x_j moves the mean by 1/D": (
                rstd * (g - _D * g_mean - _D * xhat * g_xhat_mean)
            ),
            **_wrong_factors(dy, cache),
        },
        "dgamma": {
            "y = gamma xhat + beta: what multiplies gamma is missing": dy.sum(axis=leading),
            "gamma itself is in it; the derivative by gamma is xhat alone": (
                (g * xhat).sum(axis=leading)
            ),
            first: (dy * xhat).sum(axis=0),
            unsummed: dy * xhat,
        },
        "dbeta": {
            "gamma is in it; beta is added after the product with gamma": g.sum(axis=leading),
            first: dy.sum(axis=0),
            unsummed: dy,
        },
    }


def _wrong_factors(dy: Array, cache: LayerNormCache) -> dict[str, Array]:
    """Return dx with all three paths in it, and something else wrong."""
    xhat, rstd, gamma = cache

    def dx(g: Array, axis: int = -1, width: float = _D) -> Array:
        mean = partial(np.mean, axis=axis, keepdims=True)
        shrunk = _D / width  # 1 where the means divide by D
        return np.asarray(rstd * (g - shrunk * mean(g) - shrunk * xhat * mean(g * xhat)))

    g = dy * gamma
    g_mean, g_xhat_mean = (a.mean(axis=-1, keepdims=True) for a in (g, g * xhat))
    gamma_after = "gamma comes after the projections; it belongs inside: dL/dxhat is gamma dy"
    return {
        "the means run over axis 0: that is BatchNorm; each token is normalised by itself": (
            dx(g, axis=0)
        ),
        gamma_after: gamma * dx(dy),
        "gamma is in it twice, before and after the projections": gamma * dx(g),
        "gamma is in it twice: dL/dxhat is gamma dy": dx(gamma * g),
        "it is divided by rstd; rstd is 1 / std already": dx(g) / rstd**2,
        "rstd is in it twice: xhat = (x - mu) rstd brings it in once": rstd * dx(g),
        "the path through var lacks its factor xhat: d rstd/d x_j holds xhat_j": (
            rstd * (g - g_mean - g_xhat_mean)
        ),
        "the path through var holds mean(g); it is mean(g xhat)": (
            rstd * (g - g_mean - xhat * g_mean)
        ),
        "the means divide by D - 1; the forward's mean and variance divide by D": (
            dx(g, width=_D - 1)
        ),
    }


LAYERNORM_BACKWARD = Exercise(
    name="layernorm_backward",
    module="ops.layernorm",
    chapter="03_layernorm",
    title="the backward pass of LayerNorm",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "the derivative of the mean is missing",
            "dx = dx - rstd * mean_g  ",
            "dx = dx",
            "the path through mu is missing",
        ),
        WrongAnswer(
            "the derivative of the variance is missing",
            "dx = dx - rstd * xhat * mean_g_xhat",
            "",
            "the path through var is missing",
        ),
        WrongAnswer(
            "dgamma sums dy without the normalised input",
            "(dy * xhat).sum(axis=over_rows)",
            "dy.sum(axis=over_rows)",
            "y = gamma xhat + beta: what multiplies gamma is missing",
        ),
        WrongAnswer(
            "means over the whole batch",
            "mean_g = g.mean(axis=-1, keepdims=True)\n"
            "    mean_g_xhat = (g * xhat).mean(axis=-1, keepdims=True)",
            "mean_g = g.mean()\n    mean_g_xhat = (g * xhat).mean()",
            "the means run over the whole array",
        ),
        WrongAnswer(
            "means over the tokens, as in BatchNorm",
            "along_ones = g.mean(axis=-1, keepdims=True)\n"
            "    along_xhat = (g * xhat).mean(axis=-1, keepdims=True)",
            "along_ones = g.mean(axis=0)\n    along_xhat = (g * xhat).mean(axis=0)",
            "that is BatchNorm; each token is normalised by itself",
        ),
        WrongAnswer(
            "gamma multiplies the result instead of dy",
            "g = dy * gamma\n    along",
            "g, rstd = dy, rstd * gamma\n    along",
            "gamma comes after the projections; it belongs inside",
        ),
        WrongAnswer(
            "rstd is taken for the standard deviation",
            "return rstd * (g",
            "return 1 / rstd * (g",
            "rstd is 1 / std already",
        ),
    ),
)
