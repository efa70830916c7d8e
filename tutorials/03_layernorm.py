r"""
LayerNorm and its backward pass
===============================

:You will do: derive the backward pass of LayerNorm one step at a time, check
  every step, fold the steps into a single line, and find out what that line
  means. Then count what the layer keeps in memory.
:You will learn: a way to derive any gradient that never needs a clever idea;
  why a value that is used twice gets two gradients added; why the result is
  two projections; when a variance loses all its digits.
:You need: chapter 01 (the upstream gradient dy, finite differences).
:Time: 25 minutes to read, a few seconds to run.
:In the paper: the norm before each attention and each MLP of the transformer,
  :math:`y = \gamma (x - \mu) / \sqrt{v + \epsilon} + \beta`. Here it stays in
  float when the weights become ternary, which is our choice (chapter 20).
"""

# %%
from tervit_lesson import SEED, claim, predict, quote  # before the others
from tervit_lesson.figures import layernorm as draw

import numpy as np

rng = np.random.default_rng(SEED)

# %%
# What it does
# ------------
# A token is a row of :math:`D` numbers. While it passes through a deep network
# the row may drift and grow. LayerNorm brings each row back to mean 0 and
# variance 1, then lets two learned vectors, the gain :math:`\gamma` and the
# bias :math:`\beta`, choose another scale and mean (Ba, Kiros and Hinton,
# 2016). Each row is treated by itself, so we may think of a single row of
# :math:`D` numbers throughout, and leave NumPy to do :math:`N` of them.
# Written as six small steps, the smallest there are:

N, D, eps = 4, 6, 1e-5
x = 3 * rng.normal(size=(N, D)) + 2
gamma, beta = rng.normal(size=D), rng.normal(size=D)


def mean(a):  # of each row: (N, D) -> (N, 1)
    return a.mean(axis=-1, keepdims=True)


def total(a):  # of each row: (N, D) -> (N, 1)
    return a.sum(axis=-1, keepdims=True)


mu = mean(x)  # line 1
centred = x - mu  # line 2
var = mean(centred * centred)  # line 3
std = np.sqrt(var + eps)  # line 4
xhat = centred / std  # line 5
y = gamma * xhat + beta  # line 6

off = np.abs(xhat.mean(axis=1)).max()
quote("mean of xhat, at most", off, 0, 1e-14)
off = np.abs(xhat.var(axis=1) - 1).max()
quote("variance of xhat, off one by", off, 0, 1e-4)

# %%
# The backward pass, step by step
# -------------------------------
# Go through the six lines from the last to the first (*backpropagation*). For
# each one ask: given the gradient of what stands on the left, what is the
# gradient of what stands on the right? Three rules are all there is:
#
# * multiply by the derivative of the line;
# * where one value goes into many, *add up* over the many;
# * where a value is used in two lines, *add* the two gradients.
#
# And each answer can be checked at once. Take a value in the middle, say
# ``var``. What remains of the forward pass is a function of it: lines 4, 5 and
# 6. Move ``var`` a little, run the rest, and look at the loss: these are
# chapter 01's finite differences, which the library has, too. (As there, the
# loss is ``sum(dy * y)`` with a random upstream dy.)

from tervit_np.verify.gradcheck import numerical_gradient

dy = rng.normal(size=(N, D))


def error(analytic, numeric):
    """Largest deviation, as a share of the largest entry."""
    return np.abs(analytic - numeric).max() / np.abs(numeric).max()


def check(name, rest, value, gradient):
    """Compare a gradient with finite differences of y = rest(value)."""
    numeric = numerical_gradient(rest, value, dy)
    quote(f"error of {name}", error(gradient, numeric), 0, 1e-8)


# %%
# To learn it, cover the code below each line and write it yourself first.
#
# **Line 6**, ``y = gamma * xhat + beta``. The derivative by ``xhat`` is
# ``gamma``. All rows share ``gamma`` and ``beta``, hence the sums over rows.

dxhat = gamma * dy
dgamma = (dy * xhat).sum(axis=0)
dbeta = dy.sum(axis=0)


def y_of_xhat(xhat):
    return gamma * xhat + beta


check("dxhat", y_of_xhat, xhat, dxhat)
check("dgamma", lambda gamma: gamma * xhat + beta, gamma, dgamma)

# %%
# **Line 5**, ``xhat = centred / std``. The derivative of :math:`c / s` by
# :math:`s` is :math:`-c / s^2`. One ``std`` goes into all :math:`D` outputs of
# its row, so we add up. The derivative by :math:`c` is :math:`1 / s`. But
# ``centred`` is also used in line 3, so this is only the first part of its
# gradient.

dstd = -total(dxhat * centred) / std**2
dcentred_5 = dxhat / std


def y_of_std(std):
    return y_of_xhat(centred / std)


check("dstd", y_of_std, std, dstd)

# %%
# **Line 4**, ``std = np.sqrt(var + eps)``. The derivative of the root is one
# over twice the root.

dvar = dstd / (2 * std)


def y_of_var(var):
    return y_of_std(np.sqrt(var + eps))


check("dvar", y_of_var, var, dvar)

# %%
# **Line 3**, ``var = mean(centred * centred)``. The derivative of
# :math:`c_i^2 / D` is :math:`2 c_i / D`. This is the second part of the
# gradient of ``centred``, and the two are added.

dcentred_3 = dvar * 2 * centred / D
dcentred = dcentred_5 + dcentred_3


def y_of_centred(centred):  # used twice
    std = np.sqrt(mean(centred * centred) + eps)
    return y_of_xhat(centred / std)


check("dcentred", y_of_centred, centred, dcentred)

# %%
# **Line 2**, ``centred = x - mu``. One ``mu`` goes into all :math:`D` numbers
# of its row, with a minus. And ``x`` is also used in line 1.

dmu = -total(dcentred)
dx_2 = dcentred


def y_of_mu(mu):
    return y_of_centred(x - mu)


check("dmu", y_of_mu, mu, dmu)

# %%
# **Line 1**, ``mu = mean(x)``. Each :math:`x_i` moves the mean by
# :math:`1 / D`.

dx_1 = dmu / D
dx = dx_2 + dx_1


def y_of_x(x):
    return y_of_centred(x - mean(x))


check("dx", y_of_x, x, dx)

# %%
# That is the whole backward pass, and no line of it was difficult.
#
# Fold it up
# ----------
# Six lines are fine for understanding and poor for a computer: each writes an
# array. Write ``r = 1 / std`` and ``g = gamma * dy``, put each line into the
# next, and always replace ``centred / std`` by ``xhat``::
#
#    dstd     = -total(g * centred) / std**2     = -r * total(g * xhat)
#    dvar     = dstd / (2 * std)                 = -r**2 * total(g * xhat) / 2
#    dcentred = g / std + dvar * 2 * centred / D = r * (g - xhat * A)
#    dmu      = -total(dcentred)                 = -r * total(g)
#    dx       = dcentred + dmu / D               = r * (g - mean(g) - xhat * A)
#
# where ``A = mean(g * xhat)``. The line of dmu uses ``total(xhat) = 0``, which
# is what centring was for. As a formula, with a bar for the mean of the row,
#
# .. math::
#    dx = r \left( g - \overline{g} - \hat{x}\, \overline{g \hat{x}} \right)
#
# Each step of the algebra is an equation between arrays that we have:

r, g = 1 / std, gamma * dy
A = mean(g * xhat)


def same(name, one, other):
    quote(name, np.abs(one - other).max() / np.abs(one).max(), 0, 1e-13)


same("folded dstd", dstd, -r * total(g * xhat))
same("folded dvar", dvar, -(r**2) * total(g * xhat) / 2)
same("folded dcentred", dcentred, r * (g - xhat * A))
same("folded dmu", dmu, -r * total(g))
same("folded dx", dx, r * (g - mean(g) - xhat * A))

# %%
# The library has that one line, and so has a *fused kernel* on a GPU (one
# program for all six steps):

from tervit_np import ops

library_y, cache = ops.layernorm(x, gamma, beta, eps)
library_grads = ops.layernorm_backward(dy, cache)
same("library, y", y, library_y)
same("library, dx", dx, library_grads[0])
same("library, dgamma", dgamma, library_grads[1])
same("library, dbeta", dbeta, library_grads[2])

# %%
# What the line says
# ------------------
# The result can be read. Take the upstream g; remove its part along the row of
# ones, remove its part along xhat, multiply by r. Why those two? Because there
# are two ways to move a row without moving its LayerNorm: add a constant to
# all of it (the mean takes it away), or stretch it (the standard deviation
# takes that away). In a direction in which the output does not move, the
# gradient must have no part.
#
# And why is a mean such a part? The part of g along a direction u is
# :math:`\frac{g \cdot u}{u \cdot u}\, u`. A row of ones has
# :math:`u \cdot u = D`, and so has xhat, if eps is small: its variance is 1.
# So :math:`\frac{g \cdot u}{u \cdot u}` is a sum divided by D, a mean: that of
# g for the ones, that of g xhat for xhat. The two directions are at a right
# angle, since xhat sums to zero. So removing one part does not change the
# other.

same("xhat . xhat", total(xhat * xhat), D * var / (var + eps))


def dx_at(x):  # without eps, so that the symmetry is exact
    _, cache = ops.layernorm(x, gamma, beta, 0)
    return ops.layernorm_backward(dy, cache)[0]


predict("A row is twice as far from its mean. What happens to its dx?")
dx_once, dx_twice = dx_at(x), dx_at(mu + 2 * (x - mu))
quote("dx of a row twice as wide", (dx_twice / dx_once).mean(), 0.5, 1e-9)
quote("dx along ones", np.abs(total(dx_once)).max(), 0, 1e-13)
quote("dx along xhat", np.abs(total(dx_once * xhat)).max(), 0, 1e-13)

# %%
# Half: the same output is reached from twice as far. Rows with a large
# standard deviation get small gradients.
#
# With :math:`D = 3` one can draw it. A row is a point in space; centring
# projects it onto the plane at a right angle to (1, 1, 1), which is the plane
# of the picture; dividing by the standard deviation pulls it onto a circle of
# radius :math:`\sqrt 3`. The upstream g is the same for all points. In dx its
# part along the radius is gone, and what is left is longer near the centre.

plane = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])  # two axes
angles = np.deg2rad([20, 75, 130, 200, 255, 310])
lengths = np.array([0.9, 2.8, 1.2, 3.0, 1.0, 2.6])
points = (lengths * np.array([np.cos(angles), np.sin(angles)])).T @ plane
upstream = np.array([0.0, 1.0]) @ plane + np.zeros_like(points)
normed, cache = ops.layernorm(points, np.ones(3), np.zeros(3), 0)
pull = ops.layernorm_backward(upstream, cache)[0]
draw.circle(*(a @ plane.T for a in (points, normed, upstream, pull)))

# %%
# Break it
# --------
# Five backward passes that people write, each under an upstream of ones and
# under a random one. (With ones, the gain is one as well: a fresh layer.) The
# third forgets that the mean and the standard deviation depend on x at all.
# The fourth belongs to a variance that is divided by :math:`D - 1`, as
# ``torch.var`` divides by default, while LayerNorm divides by :math:`D`.

wrong = {
    "mu is constant": lambda g, xhat, r: r * (g - xhat * mean(g * xhat)),
    "std is constant": lambda g, xhat, r: r * (g - mean(g)),
    "both are constant": lambda g, xhat, r: r * g,
    "D - 1 for D": lambda g, xhat, r: (
        r * (g - mean(g) - xhat * total(g * xhat) / (g.shape[1] - 1))
    ),
    "sum for mean": lambda g, xhat, r: (
        r * (g - mean(g) - xhat * total(g * xhat))
    ),
}
predict("How many of the five pass a check with an upstream of ones?")
true_dx = numerical_gradient(y_of_x, x, dy)
passes, errors = [], {}
for name, backward in wrong.items():
    on_ones = np.abs(backward(np.ones_like(x), xhat, r)).max()  # should be 0
    passes.append(on_ones < 1e-9)
    errors[name] = error(backward(g, xhat, r), true_dx)
    verdict = "passes" if passes[-1] else "caught"
    print(f"{name:17} ones: {verdict}   random: off by {errors[name]:.2f}")
quote("mistakes that pass with ones", sum(passes), 3, 0)
claim("random: all are off by over 3 %", min(errors.values()) > 0.03)

# %%
# Three of five. With ones, g is constant, and the true dx is zero for every
# row: the layer removes constants. So any formula that removes the mean is
# right, whatever else it does. The library's ``tervit check`` never uses ones.
#
# The fourth mistake hides in another way. Here rows have 6 numbers. In
# DeiT-Small they have 384, and 1/383 is almost 1/384:

wide, wide_dy = rng.normal(size=(N, 384)), rng.normal(size=(N, 384))
_, cache = ops.layernorm(wide, np.ones(384), np.zeros(384), eps)
right_dx = ops.layernorm_backward(wide_dy, cache)[0]
off = error(wrong["D - 1 for D"](wide_dy, cache.xhat, cache.rstd), right_dx)
print(f"D - 1 for D, rows of 384: off by {off:.1e}")
claim("a tolerance of a thousandth lets it pass", off < 1e-3)
claim("the tolerance of tervit check does not", off > 1e-7)

# %%
# This is why chapter 01 checks in float64, with a tolerance of 1e-7: mistakes
# of the size 1/D look like noise in float32. It also checks small arrays,
# whose mistakes are large.
#
# A trap in the forward pass
# --------------------------
# Statistics books offer ``mean(x**2) - mean(x)**2`` for the variance, which
# reads the row once instead of twice. In float32 a number has seven digits. If
# the mean is 1000 and the variance 1, then ``mean(x**2)`` is 1000001, and the
# number that we want is its last digit.

means = 10.0 ** np.arange(0, 5.5, 0.5)
one_pass, two_pass = [], []
for m in means:
    rows = (m + rng.normal(size=(200, 64))).astype(np.float32)
    truth = rows.astype(np.float64).var(axis=1)
    fast = (rows * rows).mean(axis=1) - rows.mean(axis=1) ** 2
    slow = ((rows - mean(rows)) ** 2).mean(axis=1)
    one_pass.append(np.median(np.abs(fast / truth - 1)))
    two_pass.append(np.median(np.abs(slow / truth - 1)))
draw.variance(means, one_pass, two_pass)

at_1000 = list(means).index(1000)
noise = "rounding errors depend on the order in which NumPy adds"
log_error = np.log10(two_pass[at_1000])
quote("read once, mean 1000", one_pass[at_1000], 0.043, 0.035, wide=noise)
quote("read twice, mean 1000, log10", log_error, -7.5, 1, wide=noise)
claim(
    "read once is worse 1000 times",
    one_pass[at_1000] > 1e3 * two_pass[at_1000],
)

# %%
# An error of some percent against the last digit of float32. A row of a
# trained network can have a mean that is large compared with its standard
# deviation, so the library reads twice.
#
# What the layer keeps
# --------------------
# The backward pass needs xhat, r and gamma. Our six steps kept ``x``,
# ``centred`` and ``xhat``, three arrays of the size of the input. What is kept
# for the backward pass (the *cache*, or *saved activations*) fills most of the
# memory of a training. For one LayerNorm of DeiT-Small, with 64 images of 197
# tokens of 384 numbers in float32:

array, column = 64 * 197 * 384 * 4 / 1e6, 64 * 197 * 4 / 1e6  # megabytes
ways = {
    "1. every step": 3 * array + 3 * column,
    "2. xhat and r": array + column,
    "3. x, mu and r": array + 2 * column,  # xhat = (x - mu) * r
    "4. r": column,  # xhat = (y - beta) / gamma
}
for way, size in ways.items():
    print(f"{way:15} {size:6.2f} MB, {25 * size:7.1f} MB in 25 layers")
quote("MB, every step", ways["1. every step"], 58.25, 0.005)
quote("MB, xhat and r", ways["2. xhat and r"], 19.42, 0.005)
quote("MB in 25 layers, every step", 25 * ways["1. every step"], 1456, 0.5)
quote("MB in 25 layers, xhat and r", 25 * ways["2. xhat and r"], 485, 0.5)

# %%
# DeiT-Small has 25 of these layers: 1.5 GB against half a gigabyte. The
# library keeps the second way, PyTorch the third. The fourth keeps next to
# nothing, because the linear layer behind keeps y anyway, as its input. Try it
# with one gain that training has brought close to zero:

predict("gamma is 1e-6. What is left of (y - beta) / gamma in float32?")
small_gamma, bias = gamma.astype(np.float32), beta.astype(np.float32)
small_gamma[0], bias[0] = 1e-6, 0.5
single = xhat.astype(np.float32)
out = small_gamma * single + bias
back = (out - bias) / small_gamma
lost = np.abs(back - single).max(axis=0)
print("xhat from y, error in each column:", np.array2string(lost, precision=1))
claim("the first column is off by over 0.001", lost[0] > 1e-3)
claim("the others by less than 1e-5", lost[1:].max() < 1e-5)

# %%
# float32 has steps of 6e-8 around 0.5; divided by 1e-6 these are steps of
# 0.06. Such a column has one digit, perhaps two. In a quantized model the
# fourth way fails for all columns: the linear layer there keeps y rounded to 8
# bits.
#
# Where memory is short one keeps only the input of each block and runs the
# block again in the backward pass (*gradient checkpointing*): ``tervit train
# --recompute``.
#
# On your own
# -----------
# * Close this file and write the folded line from memory: ``tervit exercise
#   start layernorm_backward``.
# * A constant row has variance 0. What are xhat and dx there, and which factor
#   bounds dx? Compute it, then try ``eps = 0``.
# * RMSNorm, of most language models, leaves out the mean: ``xhat = x /
#   sqrt(mean(x**2) + eps)``. Go through four steps. Which projection is left?
# * Swap the axes: normalise each column over the rows instead, and you have
#   BatchNorm in training. What does dx of one row depend on now?
# * How much of a block's memory is in its norms? Run
#   ``tervit_np.nn.Block(384, 6, 1536, 0.0)`` on an array (2, 197, 384) of
#   float32 and add up ``nbytes`` in the cache that it returns.
#
# In practice
# -----------
# * On a GPU a second kernel computes dgamma and dbeta, because they sum over
#   the other axis.
# * timm's DeiT has eps 1e-6 and Swin 1e-5. A wrong eps is hard to see and
#   shifts all logits a little; only stored numbers of another program find it.
# * torchao and BitNet leave norms in float, as we do: in DeiT-Small they are a
#   thousandth of all numbers. (FTerViT, 2026, makes even those ternary.)
#
# Further reading
# ---------------
# * `ops/layernorm.py <../tervit_np/ops/layernorm.py>`_.
# * Ba, Kiros, Hinton: Layer normalization (2016).
# * Andrej Karpathy's note on LayerNorm in llm.c, for the same derivation in C.
# * Chen, Xu, Zhang, Guestrin: Training deep nets with sublinear memory cost
#   (2016): recomputing instead of keeping.
