r"""
LayerNorm and its backward pass
===============================

:You will do: derive the backward pass of LayerNorm one step at a time, check
  every step, fold the steps into a single line, and find out what that line
  means. Then count what the layer keeps in memory, and keep less.
:You will learn: a way to derive any gradient that never needs a clever idea;
  why a value that is used twice gets two gradients added; why the result is
  two projections; which cached arrays cost memory and which do not.
:You need: chapter 01 (the upstream gradient dy, checks by differences).
:Time: 25 minutes to read, a few seconds to run.
:In the paper: the norm before each attention and each MLP of the transformer,
  :math:`y = \gamma (x - \mu) / \sqrt{v + \epsilon} + \beta`. It stays in full
  precision when the weights become ternary.
"""

# %%
from lesson import COLOURS, figure, quote, show  # before the others

import numpy as np

rng = np.random.default_rng(0)

# %%
# What it does
# ------------
# A token is a row of :math:`D` numbers. While it passes through a deep network
# the row may drift and grow. LayerNorm brings each row back to mean 0 and
# variance 1, then lets two learned vectors, the gain :math:`\gamma` and the
# bias :math:`\beta`, choose another scale and mean. Ba, Kiros and Hinton
# (2016):
#
# .. math::
#    \hat{x} = \frac{x - \mu}{\sqrt{v + \epsilon}}, \qquad y = \gamma \hat{x}
#    + \beta, \qquad \mu = \frac1D \sum_i x_i, \qquad
#    v = \frac1D \sum_i (x_i - \mu)^2
#
# Each row is treated by itself, so we may think of a single row of :math:`D`
# numbers throughout, and leave NumPy to do :math:`N` of them. Written as six
# small steps, the smallest there are:

N, D, eps = 4, 6, 1e-5
x = 3 * rng.normal(size=(N, D)) + 2
gamma, beta = rng.normal(size=D), rng.normal(size=D)


def mean(a):  # (N, D) -> (N, 1)
    return a.mean(axis=-1, keepdims=True)


def total(a):  # (N, D) -> (N, 1)
    return a.sum(axis=-1, keepdims=True)


def forward(x, **given):
    """Six steps. A value that is given is used instead of computed."""
    mu = given.get("mu", mean(x))  # 1
    centred = given.get("centred", x - mu)  # 2
    var = given.get("var", mean(centred * centred))  # 3
    std = given.get("std", np.sqrt(var + eps))  # 4
    xhat = given.get("xhat", centred / std)  # 5
    y = gamma * xhat + beta  # 6
    return y, (mu, centred, var, std, xhat)


y, (mu, centred, var, std, xhat) = forward(x)
quote("mean of xhat, at most", np.abs(xhat.mean(axis=1)).max(), 0, 1e-14)
quote(
    "variance of xhat, off one by", np.abs(xhat.var(axis=1) - 1).max(), 0, 1e-4
)

# %%
# The odd ``given`` is for checking: ``forward(x, var=v)`` runs the steps as if
# step 3 had given ``v``. So we can move ``var`` alone and watch the loss, and
# that is the definition of the gradient with respect to ``var``.
#
# The backward pass, step by step
# -------------------------------
# Go through the six lines from the last to the first (*backpropagation*). For
# each one ask: given the gradient of what stands on the left, what is the
# gradient of what stands on the right? Three rules are all there is:
#
# * multiply by the derivative of the line;
# * where one value goes into many, *add up* over the many;
# * where a value is used in two lines, *add* the two gradients.

dy = rng.normal(size=(N, D))

# %%
# **Line 6**, :math:`y_i = \gamma_i \hat{x}_i + \beta_i`. The derivative by
# :math:`\hat{x}_i` is :math:`\gamma_i`. All rows share :math:`\gamma` and
# :math:`\beta`, hence the sums over rows:
#
# .. math::
#    \mathrm{d\hat{x}}_i = \gamma_i\, \mathrm{dy}_i, \qquad
#    \mathrm{d}\gamma_i = \sum_n \mathrm{dy}_{ni} \hat{x}_{ni}, \qquad
#    \mathrm{d}\beta_i = \sum_n \mathrm{dy}_{ni}

dxhat = gamma * dy
dgamma = (dy * xhat).sum(axis=0)
dbeta = dy.sum(axis=0)

# %%
# **Line 5**, :math:`\hat{x}_i = c_i / s`, where :math:`c` is ``centred`` and
# :math:`s` is ``std``. One :math:`s` goes into all :math:`D` outputs of its
# row, so we add up. The derivative of :math:`c_i / s` by :math:`s` is
# :math:`-c_i / s^2`:
#
# .. math::
#    \mathrm{ds} = -\sum_i \mathrm{d\hat{x}}_i \frac{c_i}{s^2},
#    \qquad \mathrm{dc}_i {+}{=} \frac{\mathrm{d\hat{x}}_i}{s}
#
# The :math:`{+}{=}` is a reminder: ``centred`` is also used
# in line 3, and this is only the first part of its gradient.

dstd = -total(dxhat * centred) / std**2
dcentred_5 = dxhat / std

# %%
# **Line 4**, :math:`s = \sqrt{v + \epsilon}`. The derivative of the root is
# one over twice the root:
#
# .. math:: \mathrm{dv} = \frac{\mathrm{ds}}{2 s}

dvar = dstd / (2 * std)

# %%
# **Line 3**, :math:`v = \frac1D \sum_i c_i^2`. Each :math:`c_i` moves
# :math:`v` by :math:`2 c_i / D`. This is the second part of dc:
#
# .. math:: \mathrm{dc}_i {+}{=} \mathrm{dv}\, \frac{2 c_i}{D}

dcentred_3 = dvar * 2 * centred / D
dcentred = dcentred_5 + dcentred_3

# %%
# **Line 2**, :math:`c_i = x_i - \mu`. One :math:`\mu` goes into all :math:`D`,
# with a minus; and :math:`x_i` will also be used in line 1:
#
# .. math::
#    \mathrm{d}\mu = -\sum_i \mathrm{dc}_i, \qquad
#    \mathrm{dx}_i {+}{=} \mathrm{dc}_i

dmu = -total(dcentred)
dx_2 = dcentred

# %%
# **Line 1**, :math:`\mu = \frac1D \sum_i x_i`:
#
# .. math:: \mathrm{dx}_i {+}{=} \frac{\mathrm{d}\mu}{D}

dx_1 = dmu / D
dx = dx_2 + dx_1

# %%
# That is the whole backward pass, and no line of it was difficult. Now check
# every line against the definition: move the value in the middle of the
# forward pass, run the rest, and compare. (Chapter 01's check by finite
# differences is in the library, too.)

from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.gradcheck import GradientCheck
from tervit_np.verify.gradcheck import numerical_gradient as differences


def error(analytic, numeric):
    """Largest deviation, as a share of the largest entry."""
    largest = np.abs(numeric).max()
    return np.abs(analytic - numeric).max() / largest


steps = {
    "xhat": (xhat, dxhat),
    "std": (std, dstd),
    "var": (var, dvar),
    "centred": (centred, dcentred),
    "mu": (mu, dmu),
}
for name, (value, analytic) in steps.items():
    rest = differences(
        lambda v, name=name: forward(x, **{name: v})[0], value, dy
    )
    quote(f"error of d{name}", error(analytic, rest), 0, 1e-8)
true_dx = differences(lambda x: forward(x)[0], x, dy)
quote("error of dx", error(dx, true_dx), 0, 1e-8)

# %%
# Fold it up
# ----------
# Six lines are fine for understanding and poor for a computer: each writes an
# array. Write :math:`r = 1/s` and :math:`g = \mathrm{d\hat{x}} = \gamma\,
# \mathrm{dy}`, and put each line into the next, always replacing :math:`c / s`
# by :math:`\hat{x}`. We will need two means over the row,
# :math:`\overline{g}` and :math:`\overline{g \hat{x}}`.
#
# .. math::
#    \mathrm{ds} &= -\sum_i g_i \frac{c_i}{s^2}
#      = -r \sum_i g_i \hat{x}_i = -r D\, \overline{g\hat{x}} \\
#    \mathrm{dv} &= \frac{\mathrm{ds}}{2s}
#      = -\tfrac12 r^2 D\, \overline{g\hat{x}} \\
#    \mathrm{dc}_i &= r g_i + \mathrm{dv} \frac{2 c_i}{D}
#      = r g_i - r^2\, \overline{g\hat{x}}\, c_i
#      = r (g_i - \hat{x}_i\, \overline{g\hat{x}}) \\
#    \mathrm{d}\mu &= -\sum_i \mathrm{dc}_i
#      = -r \left(\sum_i g_i - \overline{g\hat{x}} \sum_i \hat{x}_i\right)
#      = -r D\, \overline{g}
#
# In the last line :math:`\sum_i \hat{x}_i = 0`, which is what centring was
# for. The whole path through the variance adds nothing to dmu. Finally
#
# .. math::
#    \boxed{\ \mathrm{dx}_i = \mathrm{dc}_i + \frac{\mathrm{d}\mu}{D}
#    = r \left( g_i - \overline{g} - \hat{x}_i\, \overline{g\hat{x}} \right)\ }
#
# Each line of the algebra is an equation between arrays that we have:

r, g = 1 / std, gamma * dy
along_ones, along_xhat = mean(g), mean(g * xhat)


def same(name, one, other):
    quote(name, np.abs(one - other).max() / np.abs(one).max(), 0, 1e-13)


same("folded dstd", dstd, -r * D * along_xhat)
same("folded dvar", dvar, -0.5 * r**2 * D * along_xhat)
same("folded dcentred", dcentred, r * (g - xhat * along_xhat))
same("folded dmu", dmu, -r * D * along_ones)
same("folded dx", dx, r * (g - along_ones - xhat * along_xhat))

# %%
# The library has that one line, and so does a fused kernel on a GPU:

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
# The result can be read. Take the upstream :math:`g`; remove its part along
# :math:`(1, \cdots, 1)`, remove its part along :math:`\hat{x}`, multiply by
# :math:`r`. Why those two? Because there are two ways to move a row without
# moving its LayerNorm: add a constant to all of it (the mean takes it away),
# or stretch it (the standard deviation takes that away). In a direction in
# which the output does not move, the gradient must have no part.
#
# And why is a mean such a part? Because of the lengths of the two directions:
#
# .. math::
#    \mathbf 1 \cdot \mathbf 1 = D, \qquad
#    \hat{x} \cdot \hat{x} = D \frac{v}{v + \epsilon} \approx D, \qquad
#    \mathbf 1 \cdot \hat{x} = 0
#
# So :math:`\overline{g}\, \mathbf 1 = \frac{g \cdot \mathbf 1}{\mathbf 1 \cdot
# \mathbf 1}\, \mathbf 1` is the projection of :math:`g` on the ones, and
# :math:`\overline{g\hat{x}}\, \hat{x} \approx \frac{g \cdot \hat{x}}{\hat{x}
# \cdot \hat{x}}\, \hat{x}` that on :math:`\hat{x}`, exactly so without eps.
# The two directions are at a right angle, so to remove one part does not touch
# the other.
#
# *Predict*: what happens to dx if the row is twice as far from its mean?

same("xhat . xhat", total(xhat * xhat), D * var / (var + eps))


def dx_at(x):  # without eps, so that the symmetry is exact
    _, cache = ops.layernorm(x, gamma, beta, 0)
    return ops.layernorm_backward(dy, cache)[0]


dx_once, dx_twice = dx_at(x), dx_at(mu + 2 * (x - mu))
quote("dx along ones", np.abs(total(dx_once)).max(), 0, 1e-13)
quote("dx along xhat", np.abs(total(dx_once * xhat)).max(), 0, 1e-13)
quote("dx of a row twice as wide", (dx_twice / dx_once).mean(), 0.5, 1e-9)

# %%
# Half: the same output is reached from twice as far. Rows with a large
# standard deviation get small gradients.
#
# With :math:`D = 3` one can draw it. A row is a point in space; centring
# projects it onto the plane at a right angle to (1, 1, 1), which is the plane
# of the picture; dividing by the standard deviation pulls it onto a circle of
# radius :math:`\sqrt 3`. The upstream is the same for all points; it is the
# gradient at the grey point, drawn at the black one. In dx its part along the
# radius is gone, and what is left is longer near the centre.

flat = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])  # of the plane
angles = np.deg2rad([20, 75, 130, 200, 255, 310])
lengths = np.array([0.9, 2.8, 1.2, 3.0, 1.0, 2.6])
points = (lengths * np.array([np.cos(angles), np.sin(angles)])).T @ flat
upstream = np.array([0.0, 1.0]) @ flat + np.zeros_like(points)
ones, zeros = np.ones(3), np.zeros(3)
normed, cache = ops.layernorm(points, ones, zeros, 0)
pull = ops.layernorm_backward(upstream, cache)[0]

with figure(5.2, 6.0) as fig:
    ax = fig.subplots()
    turn = np.linspace(0, 2 * np.pi, 200)
    radius = np.sqrt(3)
    ax.plot(radius * np.cos(turn), radius * np.sin(turn), color="#B8B8B8")
    arrow = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.008}
    for start, end in zip(points @ flat.T, normed @ flat.T, strict=True):
        ax.plot(*zip(start, end, strict=True), ":", color="#7F7F7F", lw=1.2)
        ax.plot(*end, "o", color="#7F7F7F", markersize=5)
    at = (points @ flat.T).T
    ax.quiver(*at, *(upstream @ flat.T).T, color="#56B4E9", **arrow)
    ax.quiver(*at, *(pull @ flat.T).T, color="#D55E00", **arrow)
    ax.plot(*at, "o", color="#222222", markersize=7)
    ax.plot([], [], "o", color="#222222", label="x, centred")
    ax.plot([], [], "o", color="#7F7F7F", label="its LayerNorm, on the circle")
    ax.plot([], [], color="#56B4E9", label="g, of the grey point")
    ax.plot([], [], color="#D55E00", label="dx: around the circle only")
    ax.set(aspect="equal", xlim=(-3.3, 2.6), ylim=(-3.5, 3.9))
    ax.set_axis_off()
    ax.legend(loc="lower center", ncols=2, fontsize=9)
    show(fig, "03_circle")

# %%
# Break it
# --------
# Five backward passes that people write, each under an upstream of ones and
# under a random one. (With ones, the gain is one as well: a fresh layer.) The
# third forgets that :math:`\mu` and :math:`s` depend on :math:`x` at all. The
# fourth was derived for a variance that is divided by :math:`D - 1`, as
# ``torch.var`` does by default, while the forward pass divides by :math:`D`.
# After the numbers comes what the library's checker says about them. *Predict*
# which ones pass the check with ones.


def unbiased(g, xhat, r):
    return r * (g - mean(g) - xhat * total(g * xhat) / (D - 1))


wrong = {
    "mu is constant": lambda g, xhat, r: r * (g - xhat * mean(g * xhat)),
    "std is constant": lambda g, xhat, r: r * (g - mean(g)),
    "both are constant": lambda g, xhat, r: r * g,
    "D - 1 for D": unbiased,
    "sum, not mean": lambda g, xhat, r: (
        r * (g - mean(g) - xhat * total(g * xhat))
    ),
}
pass_with_ones = 0
for name, backward in wrong.items():
    by_random = backward(g, xhat, r)
    guess = likely_mistake(GradientCheck("dx", by_random, true_dx))
    off = error(by_random, true_dx)
    on_ones = np.abs(backward(np.ones_like(x), xhat, r)).max()  # should be 0
    verdict = "passes" if on_ones < 1e-9 else "caught"
    print(f"{name:17} ones: {verdict}   random: off by {off:.2f}; {guess}")
    assert off > 0.05
    pass_with_ones += on_ones < 1e-9
quote("mistakes that pass with ones", pass_with_ones, 3, 0)

# %%
# Three of five. With ones, :math:`g` is constant, and the true dx is zero for
# every row: the layer removes constants. So any formula that removes the mean
# is right, whatever else it does. The library's ``tervit check`` never uses
# ones. (What its checker says of a mistake is a guess. Here the first guess
# names the mistake, two are vague, and both that say "unrelated" mislead.)
#
# A trap in the forward pass
# --------------------------
# Statistics books offer :math:`v = \overline{x^2} - \overline{x}^2`, which
# reads the row once instead of twice. In float32 a number has seven digits. If
# the mean is 1000 and the variance 1, then :math:`\overline{x^2}` is 1000001,
# and the one that we want is its last digit.

means = 10.0 ** np.arange(0, 5.5, 0.5)
one_pass, two_pass = [], []
for m in means:
    rows = (m + rng.normal(size=(200, 64))).astype(np.float32)
    truth = rows.astype(np.float64).var(axis=1)
    fast = (rows * rows).mean(axis=1) - rows.mean(axis=1) ** 2
    slow = ((rows - mean(rows)) ** 2).mean(axis=1)
    one_pass.append(np.median(np.abs(fast / truth - 1)))
    two_pass.append(np.median(np.abs(slow / truth - 1)))

with figure(5.8, 3.4) as fig:
    ax = fig.subplots()
    ax.loglog(means, one_pass, "o-", color=COLOURS[1])
    ax.loglog(means, two_pass, "o-", color=COLOURS[0])
    ax.text(30, 3e-2, "read once", color=COLOURS[1], ha="right")
    ax.text(300, 3e-7, "read twice", color=COLOURS[0])
    ax.axhline(1, color="#B8B8B8", zorder=0)
    ax.text(1, 1.4, "nothing is left", fontsize=9, color="#666666")
    ax.set_xlabel("mean of the row (its variance is 1)")
    ax.set_ylabel("relative error of v, float32")
    show(fig, "03_variance")

at_1000 = list(means).index(1000)
quote("read once, mean 1000", one_pass[at_1000], 0.04, 0.035)
quote("read twice, mean 1000, log10", np.log10(two_pass[at_1000]), -7.5, 1)

# %%
# Four percent of error against the last digit of float32. A row of a trained
# network can have a mean that is large compared with its standard deviation,
# so the library reads twice.
#
# What the layer keeps
# --------------------
# The backward pass needs :math:`\hat{x}`, :math:`r` and :math:`\gamma`. Our
# six steps stored ``x``, ``centred`` and ``xhat``, three arrays of the size of
# the input, because that is the easiest code. Here are four choices of what to
# store (the *cache*, or *saved activations*), in the size of one LayerNorm of
# DeiT-Small (B = 64 images, T = 197 tokens, D = 384, float32):
#
# 1. *every step*: x, centred, xhat and the columns mu, var, std;
# 2. *xhat and r*, what the library keeps;
# 3. *x, mu and r*, from which :math:`\hat{x} = (x - \mu) r` comes again;
# 4. *r only*: the linear layer behind keeps the output y anyway, as its
#    input, and :math:`\hat{x} = (y - \beta) / \gamma`.

big, column = 64 * 197 * 384 * 4 / 1e6, 64 * 197 * 4 / 1e6  # megabytes
ways = {
    "every step": 3 * big + 3 * column,
    "xhat, r": big + column,
    "x, mu, r": big + 2 * column,
    "r, with y kept elsewhere": column,
}
for way, size in ways.items():
    print(f"{way:25} {size:6.2f} MB, {25 * size:7.1f} MB in 25 layers")
quote("MB, every step", ways["every step"], 58.2, 0.1)
quote("MB, xhat and r", ways["xhat, r"], 19.4, 0.1)
quote("MB, r only", ways["r, with y kept elsewhere"], 0.05, 0.01)
quote("MB in 25 layers, every step", 25 * ways["every step"], 1455, 5)
quote("MB in 25 layers, xhat and r", 25 * ways["xhat, r"], 486, 5)
quote("MB in 25 layers, r only", 25 * column, 1.26, 0.01)

# %%
# DeiT-Small has 25 of these layers: 1.5 GB are kept by the first way, half a
# gigabyte by the second, and 1.3 MB by the last. *Predict* the danger of the
# last, then run it with one :math:`\gamma_i` that training has brought close
# to zero.

small_gamma = gamma.astype(np.float32)
small_gamma[0] = 1e-6
bias = beta.astype(np.float32)
single = xhat.astype(np.float32)
out = small_gamma * single + bias
back = (out - bias) / small_gamma
lost = np.abs(back - single).max(axis=0)
print("xhat from y, error in each column:", np.array2string(lost, precision=1))
quote("columns recovered to 1e-5", (lost < 1e-5).sum(), D - 1, 0)
quote("error in the other column", lost[0], 0.043, 0.02)

# %%
# The column with the small :math:`\gamma_i` keeps one digit, perhaps two:
# float32 has steps of 1.2e-7 above 1, and divided by 1e-6 these are steps of
# 0.12. At 1e-8 nothing would be left.
#
# How much is a LayerNorm in a whole block? A cache is an ordinary tuple, so we
# can ask one. (The block is chapter 07's subject; here it is enough that it
# has two norms, an attention and an MLP of two linear layers.)

from tervit_np.nn import Block

block = Block(384, 6, 4 * 384, 0.0)
tokens = rng.normal(size=(2, 197, 384)).astype(np.float32)
_, kept = block.forward(tokens)
arrays = {
    "norm1: xhat": kept.norm1.xhat,
    "qkv: input": kept.attn.qkv.linear.x,
    "q, k, v": kept.attn.products[0].qkv,
    "attention": kept.attn.products[0].probs,
    "proj: input": kept.attn.proj.linear.x,
    "norm2: xhat": kept.norm2.xhat,
    "fc1: input": kept.mlp.fc1.linear.x,
    "GELU: input": kept.mlp.hidden,
    "fc2: input": kept.mlp.fc2.linear.x,
}
sizes = {name: a.nbytes / len(tokens) / 1e6 for name, a in arrays.items()}
with figure(6.4, 3.6) as fig:
    ax = fig.subplots()
    names = list(sizes)[::-1]
    norm = [name.startswith("norm") for name in names]
    colours = np.where(norm, "#D55E00", "#B8B8B8")
    bars = ax.barh(names, [sizes[name] for name in names], color=colours)
    ax.bar_label(bars, fmt="%.2f", padding=4, fontsize=9)
    ax.set_xlabel("MB kept for one image by one block of DeiT-Small")
    ax.tick_params(axis="y", length=0)
    show(fig, "03_kept")

share = (sizes["norm1: xhat"] + sizes["norm2: xhat"]) / sum(sizes.values())
quote("MB kept by a block for an image", sum(sizes.values()), 5.77, 0.05)
quote("share of both norms", share, 0.105, 0.01)
quote("MB of a block's input", tokens[0].nbytes / 1e6, 0.30, 0.005)

# %%
# Six megabytes an image and block, a tenth of them in the norms. The MLP and
# the attention matrix keep most. Where memory is short one keeps only each
# block's input, 0.30 MB in place of 5.77, and runs the block again in the
# backward pass (*gradient checkpointing*): ``tervit train --recompute``.
#
# On your own
# -----------
# * Close this file and write the folded line from memory: ``tervit exercise
#   start layernorm_backward``.
# * A constant row has variance 0. What are :math:`\hat{x}` and dx there, and
#   which factor bounds dx? Compute it, then try ``eps = 0``.
# * RMSNorm leaves out the mean: :math:`\hat{x} = x / \sqrt{\overline{x^2} +
#   \epsilon}`. Go through the steps (there are four). Which projection is
#   left?
# * Swap the axes: normalise each column over the rows instead, and you have
#   BatchNorm in training. What does dx of one row depend on now?
# * Add to ``wrong`` a mistake of your own that passes with ones.
#
# In practice
# -----------
# * PyTorch keeps the third way, input, mean and r. On a GPU a second kernel
#   computes dgamma and dbeta, because they sum over the other axis.
# * timm's DeiT has eps 1e-6 and Swin 1e-5. A wrong eps is hard to see and
#   shifts all logits a little; only stored numbers of another program find it.
# * torchao and BitNet leave norms in float, as TerViT does: in DeiT-Small they
#   are a thousandth of all numbers. (FTerViT, 2026, makes even those ternary.)
#
# Further reading
# ---------------
# * `ops/layernorm.py <../tervit_np/ops/layernorm.py>`_ and its
#   `test <../tests/ops/test_layernorm.py>`_.
# * Ba, Kiros, Hinton: Layer normalization (2016).
# * Andrej Karpathy's note on LayerNorm in llm.c, for the same derivation in C.
# * Chen, Xu, Zhang, Guestrin: Training deep nets with sublinear memory cost
#   (2016): recomputing instead of keeping.
