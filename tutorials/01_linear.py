r"""
A linear layer and its gradient
===============================

:You will do: write the layer that every network is built from, first in a
  hurry, catch its mistake with a gradient check, write it again so that the
  mistake cannot happen, and then find checks that accept wrong code.
:You will learn: how to derive a gradient with one index at a time, why a
  backward pass is best written as a pure function, which numbers a gradient
  check needs, and five ways in which a check says "right" to wrong code.
:You need: matrix products and the chain rule. NumPy, no framework.
:Time: 20 minutes to read, a few seconds to run.
:In the paper: the layer :math:`y = x W^\top + b`. TerViT will later round its
  :math:`W` to three values; everything else about it stays as it is here.
"""

# %%
from tervit_lesson import SEED, claim, predict, quote  # before the others
from tervit_lesson.figures import linear as draw

import numpy as np

rng = np.random.default_rng(SEED)

# %%
# The layer
# ---------
# A linear layer makes rows of :math:`O` numbers out of rows of :math:`I`
# numbers. A row may be a picture, a word or, in a vision transformer, a patch
# of a picture; the layer treats each by itself. With :math:`N` rows,
#
# .. math::
#    y_{no} = \sum_i x_{ni} W_{oi} + b_o
#    \qquad x: (N, I) \quad W: (O, I) \quad b: (O) \quad y: (N, O)
#
# The weight is (out, in), as in PyTorch: one row of :math:`W` belongs to one
# output. (TerViT gives each such row its own scale.)
#
# ``quote(name, value, expected, tolerance)`` prints a number and stops the
# script if it is not what this text says, within the tolerance.
# ``claim(words, bool)`` does the same with a conclusion.

N, I, O = 5, 4, 3
x, W, b = (rng.normal(size=shape) for shape in ((N, I), (O, I), O))

y = x @ W.T + b
by_loops = np.zeros((N, O))
for n, o in np.ndindex(N, O):
    by_loops[n, o] = sum(x[n, i] * W[o, i] for i in range(I)) + b[o]
quote("product against loops", np.abs(y - by_loops).max(), 0, 1e-14)

# %%
# Its gradient, one index at a time
# ---------------------------------
# After this layer and all later ones comes a number :math:`L`, the loss.
# Training needs to know how :math:`L` changes with :math:`W`, :math:`b` and,
# for the layers before this one, with :math:`x`. What follows the layer passes
# it the *upstream* gradient :math:`\partial L / \partial y`. (So gradients are
# computed from the last layer to the first: *backpropagation*.) In this course
#
# .. math:: \mathrm{dA} \quad\text{stands for}\quad
#    \partial L / \partial A, \quad\text{and has the shape of } A.
#
# *The weight.* One entry :math:`W_{oi}` takes part in the output :math:`o` of
# every row :math:`n`, and in nothing else. So the chain rule sums over
# :math:`n`:
#
# .. math::
#    \mathrm{dW}_{oi} = \sum_n \mathrm{dy}_{no}
#    \frac{\partial y_{no}}{\partial W_{oi}}
#    = \sum_n \mathrm{dy}_{no}\, x_{ni}
#    \quad\Rightarrow\quad \mathrm{dW} = \mathrm{dy}^\top x
#
# *The input.* One entry :math:`x_{ni}` takes part in all outputs :math:`o` of
# its own row:
#
# .. math::
#    \mathrm{dx}_{ni} = \sum_o \mathrm{dy}_{no}\, W_{oi}
#    \quad\Rightarrow\quad \mathrm{dx} = \mathrm{dy}\, W
#
# *The bias* :math:`b_o` is added to the output :math:`o` of every row:
#
# .. math:: \mathrm{db}_o = \sum_n \mathrm{dy}_{no}
#
# There is no need to learn these lines: the shapes leave one product possible
# each time, if N, I and O differ.
#
# A first version
# ---------------
# Many write first a class that stores its input for the backward pass.


class HastyLinear:
    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def forward(self, x):
        self.x = x  # for later
        return x @ self.weight.T + self.bias

    def backward(self, dy):
        self.dweight = dy.T @ self.x
        self.dbias = dy.sum(axis=0)
        return dy @ self.weight


# %%
# Is it right? Ask the definition of a derivative. Move one number a little up
# and a little down, and see what that does to the loss. By Taylor's theorem
#
# .. math::
#    f(x + h) &= f + h f' + \tfrac12 h^2 f'' + \tfrac16 h^3 f''' + \cdots \\
#    f(x - h) &= f - h f' + \tfrac12 h^2 f'' - \tfrac16 h^3 f''' + \cdots \\
#    \frac{f(x + h) - f(x - h)}{2h} &= f' + \tfrac16 h^2 f''' + \cdots
#
# The second derivative cancels, which is why one goes in both directions.
# (*Central finite differences*; in these chapters, differences for short.) The
# loss is not here, but for :math:`L = \sum_{no} \mathrm{dy}_{no}\, y_{no}`
# with fixed numbers dy the upstream gradient is exactly dy. So we may choose
# any upstream we like, and check against that :math:`L`.


def differences(f, x, dy, h=1e-5, back=1):
    """Gradient of sum(dy * f(x)) by x, element by element; back=0: up only."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[index] = h
        change = f(x + shift) - f(x - back * shift)
        gradient[index] = (dy * change).sum() / ((1 + back) * h)
    return gradient


def error(analytic, numeric):
    """Largest deviation, as a fraction of the largest entry."""
    return np.abs(analytic - numeric).max() / np.abs(numeric).max()


dy = rng.normal(size=(N, O))
layer = HastyLinear(W, b)
layer.forward(x)
dx = layer.backward(dy)
expected = differences(lambda w: HastyLinear(w, b).forward(x), W, dy)
quote("hasty layer, error of dW", error(layer.dweight, expected), 0, 1e-9)
expected = differences(lambda x: HastyLinear(W, b).forward(x), x, dy)
quote("hasty layer, error of dx", error(dx, expected), 0, 1e-9)

# %%
# Nine digits agree. The formulas are right, and the layer is broken all the
# same.
#
# Break it
# --------
# Use the layer twice in one network: :math:`z = f(f(x))`, as a recurrent
# network does. (The layer must be square for that.)

predict("Which of dW and dx comes out wrong?")
square, square_bias = rng.normal(size=(I, I)) / 2, rng.normal(size=I)
dz = rng.normal(size=(N, I))


def twice(x, weight):
    layer = HastyLinear(weight, square_bias)
    return layer.forward(layer.forward(x)), layer


_, layer = twice(x, square)
dx = layer.backward(layer.backward(dz))
true_dW = differences(lambda w: twice(x, w)[0], square, dz)
true_dx = differences(lambda x: twice(x, square)[0], x, dz)
quote("used twice, error of dx", error(dx, true_dx), 0, 1e-9)
wrong = error(layer.dweight, true_dW)
print(f"used twice, error of dW: {wrong:.2f}")
claim("used twice, dW is wrong by over a tenth", wrong > 0.1)

# %%
# dx is right, since it needs the weight only. dW is wrong in *two* ways, and
# nothing has complained:
#
# 1. The second call of ``forward`` overwrote ``self.x``. The backward pass of
#    the first call then multiplied by the input of the second.
# 2. The second call of ``backward`` overwrote ``self.dweight``. A weight that
#    is used twice influences the loss in two ways, and its gradient is their
#    *sum*.
#
# A stack of inputs inside the object and ``+=`` would mend both, until
# somebody evaluates between a forward and its backward. The mistake is that
# the layer has state. So let it have none.
#
# Repair it: the pure pair
# ------------------------
# The forward pass returns what the backward pass will need, and the caller
# keeps it. Nothing is stored, so nothing can be overwritten.


def linear(x, weight, bias):  # (N, I), (O, I), (O) -> (N, O)
    return x @ weight.T + bias, (x, weight)


def linear_backward(dy, cache):  # (N, O) -> (N, I), (O, I), (O)
    x, weight = cache
    return dy @ weight, dy.T @ x, dy.sum(axis=0)


h, first = linear(x, square, square_bias)
z, second = linear(h, square, square_bias)
dh, dW_second, db_second = linear_backward(dz, second)
dx, dW_first, db_first = linear_backward(dh, first)

dW = dW_first + dW_second
quote("pure pair used twice, error of dW", error(dW, true_dW), 0, 1e-9)
quote("pure pair used twice, error of dx", error(dx, true_dx), 0, 1e-9)

# %%
# The addition is now in the caller. This is the form of every operator in
# ``tervit_np/ops``: ``y, cache = op(x, ...)`` and ``dx, ... = op_backward(dy,
# cache)``. The library's linear layer is this one, with any number of axes
# before the last:

from tervit_np import ops

of_library = ops.linear_backward(dy, ops.linear(x, W, b)[1])
ours = linear_backward(dy, linear(x, W, b)[1])
worst = max(map(error, of_library, ours))
quote("library against ours, backward", worst, 0, 1e-12)

# %%
# How far to move
# ---------------
# The check above moved each number by ``h = 1e-5``, in float64, for a reason.
# A difference quotient has two errors: what Taylor's theorem drops grows like
# :math:`h^2`, and rounding in :math:`f`, some :math:`\epsilon |f|`, is divided
# by :math:`2h`. Their sum is smallest near :math:`h = \epsilon^{1/3}`, which
# is 6e-6 in float64 (:math:`\epsilon` = 2.2e-16) and 5e-3 in float32 (1.2e-7).
#
# A linear map has no third derivative, so look at :math:`\tanh` of the layer.


def f(x):
    return np.tanh(x @ W.T.astype(x.dtype) + b.astype(x.dtype))


exact = (dy * (1 - f(x) ** 2)) @ W  # by hand: the derivative is 1 - tanh^2
steps = 10.0 ** np.arange(-12, 0.5, 0.5)
kinds = {
    "float64, up and down": (1, np.float64),
    "float64, up only": (0, np.float64),
    "float32, up and down": (1, np.float32),
}
predict("How many digits can a check in float32 confirm, at best?")
errors, digits = {}, {}
for name, (back, kind) in kinds.items():
    u, du = x.astype(kind), dy.astype(kind)
    found = [differences(f, u, du, kind(h), back) for h in steps]
    errors[name] = [error(gradient, exact) for gradient in found]
    digits[name] = -np.log10(min(errors[name]))

predicted = {
    name: np.finfo(kind).eps ** (1 / 3)
    for name, (back, kind) in kinds.items()
    if back
}
draw.steps(steps, errors, predicted)

double, single = predicted.values()
quote("predicted step, float64", double, 6.06e-6, 5e-9)
quote("predicted step, float32", single, 4.92e-3, 5e-6)
both, up_only, single = digits.values()
roundoff = "rounding errors depend on the processor's BLAS and tanh"
quote("digits, float64, up and down", both, 10.8, 1, wide=roundoff)
quote("digits, float64, up only", up_only, 8.0, 1, wide=roundoff)
quote("digits, float32, up and down", single, 4.9, 1, wide=roundoff)
claim("both directions give two digits more", both > up_only + 1.5)
claim("float32 confirms fewer than six digits", single < 6)

# %%
# With the best step of each: ten digits in float64, eight if one goes up only,
# and not quite five in float32. There, with a step that is not quite the best
# one, you cannot tell whether 0.003 is a mistake or noise. Hence the first
# rule: **check in float64**, train in what you like.
#
# Why the upstream is random
# --------------------------
# We chose dy at random. It is tempting to take ones: then :math:`L` is simply
# the sum of the outputs. Here is a backward pass that forgets its upstream.


def forgetful(dy, cache):
    x, weight = cache
    return dy @ weight, np.ones_like(dy).T @ x, dy.sum(axis=0)


_, cache = linear(x, W, b)


def error_of_dW(backward, dy):
    truth = differences(lambda w: linear(x, w, b)[0], W, dy)
    return error(backward(dy, cache)[1], truth)


ones = np.ones((N, O))
quote("forgetful, upstream of ones", error_of_dW(forgetful, ones), 0, 1e-9)
wrong = error_of_dW(forgetful, dy)
print(f"forgetful, random upstream: {wrong:.2f}")
claim("a random upstream catches it", wrong > 0.1)

# %%
# With ones it makes no difference whether dy is used. Besides, all rows of dW
# are equal, so that a mistake that exchanges outputs is invisible:

draw.upstream(ones.T @ x, dy.T @ x)

# %%
# (Worse, if outputs sum to one, as probabilities do, :math:`L` is then the
# number of rows, whatever the input is: the true gradient is zero, and a
# backward pass that returns zeros is "right".)
#
# The second rule: **the upstream is drawn at random.**
#
# How a check can mislead
# -----------------------
# Here are six ways to get the gradient wrong (in the code), and five ways to
# check it:
#
# * *shapes*: the gradient has the shape of its array, nothing more;
# * *ones*: differences in float64, upstream of ones;
# * *W = 0*: random upstream, but the layer's weights are still zeros;
# * *loose*: float32, and since right code cannot reach 1e-7 there, a tolerance
#   of two percent;
# * *strict*: float64, random upstream, random weights, 1e-7.

mistakes = {
    "(right code)": lambda dy, x, w: (dy @ w, dy.T @ x),
    "sign of dx": lambda dy, x, w: (-dy @ w, dy.T @ x),
    "W transposed in dx": lambda dy, x, w: (dy @ w.T, dy.T @ x),
    "dy forgotten in dW": lambda dy, x, w: (dy @ w, np.ones_like(dy).T @ x),
    "outputs exchanged in dW": lambda dy, x, w: (dy @ w, dy[:, ::-1].T @ x),
    "mean instead of sum": lambda dy, x, w: (dy @ w, dy.T @ x / len(dy)),
    "1 % too much in dW": lambda dy, x, w: (dy @ w, 1.01 * dy.T @ x),
}


def passes(backward, dy, w, limit=1e-7, kind=np.float64, h=1e-5):
    """Check both gradients of a square layer by differences."""
    dy, w, u = dy.astype(kind), w.astype(kind), x.astype(kind)
    dx = differences(lambda u: u @ w.T, u, dy, kind(h))
    dw = differences(lambda w: u @ w.T, w, dy, kind(h))
    return all(  # dx may be 0
        np.abs(g - t).max() <= limit * max(np.abs(t).max(), 1e-3)
        for g, t in zip(backward(dy, u, w), (dx, dw), strict=True)
    )


def right_shapes(backward):
    dx, dw = backward(dz, x, square)
    return dx.shape == x.shape and dw.shape == square.shape


float32 = {"limit": 0.02, "kind": np.float32, "h": 1e-3}
checks = {
    "shapes": right_shapes,
    "ones": lambda f: passes(f, np.ones_like(dz), square),
    "W = 0": lambda f: passes(f, dz, 0 * square),
    "loose": lambda f: passes(f, dz, square, **float32),
    "strict": lambda f: passes(f, dz, square),
}
predict("How many of the six mistakes does each check catch?")
passed = np.array(
    [[check(f) for check in checks.values()] for f in mistakes.values()]
)
draw.checks(passed, mistakes, checks)
claim("right code passes every check", passed[0].all())
caught = (~passed[1:]).sum(axis=0)
for name, count, in_text in zip(checks, caught, (0, 4, 4, 5, 6), strict=True):
    quote(f"caught by {name}", count, in_text, 0)

# %%
# Read it by columns. *Shapes* catches nothing here, because the layer is
# square: use sizes that all differ. *W = 0* lets through what multiplies a
# zero: check at random weights. *Loose* lets the one percent through. And
# *ones* misses the two that exchange outputs or forget dy.
#
# One mistake is in no column. Take a forward pass that is wrong, and
# differentiate it correctly: a layer that subtracts its bias.

truth = differences(lambda b: x @ W.T - b, b, dy)
analytic = -dy.sum(axis=0)
quote("a wrong layer, strictly checked", error(analytic, truth), 0, 1e-9)

# %%
# Passed. A gradient check compares a backward pass with *its own* forward
# pass, not with what you meant. Forward passes are checked against something
# else: loops, as at the top of this chapter, or numbers from an independent
# program. (Chapter 05 has a famous mistake of this kind.)
#
# One direction instead of all
# ----------------------------
# ``differences`` runs the forward pass twice for each number, and a model has
# millions. But to compare two gradients, which are linear maps, it is enough
# to compare what they make of a random direction :math:`v`:
#
# .. math::
#    \frac{L(W + hv) - L(W - hv)}{2h} \approx \sum_{oi} \mathrm{dW}_{oi} v_{oi}
#
# Two forward passes, whatever the size of :math:`W`. The error of a wrong dW
# is at a right angle to a random direction with probability 0. But one wrong
# entry among a million shows as about a thousandth only, so the tolerance must
# be small.

v, h = rng.normal(size=W.shape), 1e-5
dW = linear_backward(dy, linear(x, W, b)[1])[1]
above, below = (linear(x, W + s * h * v, b)[0] for s in (1, -1))
along = (dy * (above - below)).sum() / (2 * h)
quote("along one direction", error((dW * v).sum(), along), 0, 1e-9)

# %%
# ``tervit check`` does this for every parameter of a whole vision transformer;
# ``tervit check --mutant NAME`` makes a mistake (*mutation testing*) and
# shows which check catches it.
#
# On your own
# -----------
# * Write a gradient check yourself, and this chapter's layer from an empty
#   body: ``tervit exercise start numerical_gradient``, then
#   ``linear_backward``. The next task is the real step.
# * Tokens come as (B, T, I), a batch of sequences. ``dy.T @ x`` then fails, or
#   worse, does not. Which product over which axes is dW now? Write it, check
#   it, then see how ``ops.linear_backward`` does it in one line.
# * Make ``HastyLinear`` pass the test of two uses by means of a stack and
#   ``+=``. Then find a use that breaks it again.
# * Write a ReLU, ``max(x, 0)``, and its backward pass. Put one entry of x at
#   exactly 0. What do differences say there, and who is right?
# * Change ``h`` in ``differences`` to 1e-12 and run with ``TERVIT_PLAY=1``.
#
# In practice
# -----------
# * PyTorch's ``nn.Linear`` has the same three formulas. Its ``.grad`` is added
#   to, for the reason you saw; so training loops call ``zero_grad()``.
# * ``torch.autograd.gradcheck`` is this check. It warns if inputs are not
#   float64, and its ``fast_mode`` is the check along one direction.
# * In timm's vision transformers nearly all parameters are in such layers.
#   torchao quantizes a model by exchanging the weight inside ``nn.Linear``.
#
# Further reading
# ---------------
# * `ops/linear.py <../tervit_np/ops/linear.py>`_ and its
#   `test <../tests/ops/test_linear.py>`_: the pure pair in the library.
#   `verify/diagnosis.py <../tervit_np/verify/diagnosis.py>`_ guesses a mistake
#   from the wrong numbers.
# * Baydin, Pearlmutter, Radul, Siskind: Automatic differentiation in machine
#   learning: a survey (2018), for what frameworks do instead.
