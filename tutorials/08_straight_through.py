r"""
Rounding breaks it: the straight-through estimator
==================================================

:You will do: train a layer of ternary weights with the true derivative of
  rounding, and watch nothing happen; then with a pretended one, and watch it
  learn. Check the pretended derivative by finite differences, which sounds
  impossible, and find out what such a check is worth.
:You will learn: why the gradient of rounding is taken to be 1; what a frozen
  residual is; where the ternary weights of a network are, and why a second set
  of weights, the latent ones, lies behind them.
:You need: chapter 01 (upstream gradients, checks by differences).
:Time: 25 minutes to read. It uses the model that the chapters share, trained
  once in under a minute, and then runs in seconds.
:In the paper: every row :math:`w` of a weight matrix (what makes one output, a
  *channel*) is replaced in the forward pass by :math:`\hat w = \alpha t`, a
  positive scale :math:`\alpha` times codes :math:`t_i` in {-1, 0, 1}:

.. math::
    \Delta = 0.7 \cdot \mathrm{mean}_i |w_i| \qquad
    t_i = \mathrm{sign}(w_i) \text{ where } |w_i| > \Delta \text{, else } 0
    \qquad
    \alpha = \mathrm{mean} \{ |w_i| : t_i \ne 0 \}

.. math:: \frac{\partial L}{\partial w} := \frac{\partial L}{\partial \hat w}

Where the threshold :math:`\Delta` and the scale come from is chapter 12. This
chapter is about the ``:=`` in the last line.
"""

# %%
from lesson import COLOURS, FAST, figure, quote, shapes, show
from lesson import stage_colour, trained_model

from math import erfc, pi, sqrt

import numpy as np
from matplotlib.colors import ListedColormap

import tervit_np as tv
from data_tools import normalise
from tervit_np.verify.adjoint import adjoint_checks
from tervit_np.verify.frozen import freeze
from tervit_np.verify.gradcheck import GradientCheck, numerical_gradient
from tervit_np.quant import Ternary
from tervit_np.quant.ternary import TernaryCache

FLOAT, TERNARY = stage_colour("float"), stage_colour("ternary")
PLUS, MINUS = COLOURS[:2]  # the codes 1 and -1
GREY, DARK = "#8A8A8A", "#444444"

# %%
# A staircase has no slope
# ------------------------
# ``np.rint`` moves a number to the nearest whole one.
#
# **Predict** its derivative at 0.3, at 0.7 and at 2.2. Then let differences
# answer, as in chapter 01: a little to the right, minus a little to the left.

points = np.array([0.3, 0.7, 2.2])
h = 1e-5
slopes = (np.rint(points + h) - np.rint(points - h)) / (2 * h)
print("slopes at 0.3, 0.7, 2.2:", slopes)
quote("largest slope of rounding", np.abs(slopes).max(), 0, 0)

# %%
# Zero, everywhere but at the jumps. At a jump, say 0.5, the differences would
# give 1 / 2h: not a slope, but a wall. Draw it, and next to it the derivative
# that everybody uses instead.

with figure(7.2, 3.0) as fig:
    left, right = fig.subplots(1, 2)
    x = np.linspace(-2.5, 2.5, 1001)
    left.plot(x, x, ":", color=GREY)
    left.plot(x, np.rint(x), color=TERNARY)
    left.text(-2.3, 1.3, "rint(x)", color=TERNARY)
    left.text(0.5, 1.6, "y = x", color=GREY)
    left.set_title("rounding")
    right.plot(x, 0 * x, color=TERNARY)
    right.plot(x, 0 * x + 1, ":", color=GREY)
    right.set_ylim(-0.4, 1.6)
    right.text(-2.4, -0.2, "true: 0, none at the jumps", color=TERNARY)
    right.text(-2.4, 1.1, "pretended: 1", color=DARK)
    right.set_title("its derivative")
    for ax in (left, right):
        ax.set_xlabel("x")
    show(fig, "08_staircase")

# %%
# Why zero is a disaster: the chain rule multiplies. If :math:`\hat w` is made
# from :math:`w` by rounding, then
#
# .. math::
#
#     \frac{\partial L}{\partial w} =
#     \frac{\partial L}{\partial \hat w} \cdot
#     \frac{\partial \hat w}{\partial w} =
#     \frac{\partial L}{\partial \hat w} \cdot 0
#
# and gradient descent subtracts zero, however wrong the network is.
#
# The ternary quantizer, seen by differences
# ------------------------------------------
# One row of eight weights and its ternary copy. The float weights :math:`w`
# are called *latent*: the network never multiplies by them, only by
# :math:`\hat w`. ``Ternary`` is the library's quantizer: ``forward`` gives
# :math:`\hat w` (and a cache for the way back), ``encode`` the integers behind
# it.

rng = np.random.default_rng(7)
w = rng.normal(size=(1, 8))
quantizer = Ternary()
w_hat, _ = quantizer.forward(w)
codes = quantizer.encode(w).codes

# %%
# **Predict:** differences of ``forward`` will all be zero. True or false?
#
# (The upstream gradient ``dy`` is random, as chapter 01 taught; the answer is
# the gradient of ``sum(dy * forward(w))``.)

dy = rng.normal(size=w.shape)


def ternary(v):
    return quantizer.forward(v)[0]


naive = numerical_gradient(ternary, w, dy)
of_codes = numerical_gradient(lambda v: quantizer.encode(v).codes * 1.0, w, dy)

print("latent w   code   w_hat    dy    differences of forward   of codes")
for i in range(8):
    columns = w[0, i], codes[0, i], w_hat[0, i], dy[0, i]
    slopes = naive[0, i], of_codes[0, i]
    print("{:8.3f} {:6d} {:7.3f} {:7.3f}".format(*columns), end="")
    print("{:17.4f} {:15.1f}".format(*slopes))
quote("largest slope of the codes", np.abs(of_codes).max(), 0, 0)

# %%
# False, in an instructive way. The *codes* are a staircase and have slope
# zero. But :math:`\hat w = \alpha t`, and the scale :math:`\alpha`, a mean of
# the k weights that are not rounded to zero, moves a little when one of them
# moves: :math:`\partial \alpha / \partial w_i = \mathrm{sign}(w_i) / k`. So
# every weight whose code is not 0 gets plus or minus the *same* number,
# :math:`\frac{1}{k} \sum_j dy_j t_j`, and the others get nothing:


k = np.count_nonzero(codes)
from_scale = codes * (dy * codes).sum() / k
quote(
    "what is left when the scale is explained",
    np.abs(naive - from_scale).max(),
    0,
    1e-8,
)

# %%
# One number for the whole row: the true gradient can make the row larger or
# smaller. It can never say that *this* weight should be -1 instead of 0.
#
# Run it: learning without a slope
# --------------------------------
# A task that three values can solve: twelve inputs, one output, and targets
# from a teacher, a layer whose weights are -0.5, 0 and 0.5. Ours starts from
# random latent weights. Each step ternarizes them, computes the gradient with
# respect to :math:`\hat w` as in chapter 01, and asks ``backward`` what that
# means for :math:`w`.

inputs = rng.normal(size=(256, 12))
teacher = 0.5 * np.array([[1, -1, 0, 0, 1, 0, -1, 1, 0, -1, 0, 0]])
targets = inputs @ teacher.T
start = 0.3 * np.random.default_rng(1).normal(size=teacher.shape)


def descend(backward, begin=start, steps=80, lr=0.05):
    """Gradient descent.  -> losses (steps,), latents and codes (steps, 12)."""
    w, losses, latents, codes = begin.copy(), [], [], []
    for _ in range(steps):
        w_hat, _ = quantizer.forward(w)
        error = inputs @ w_hat.T - targets
        losses.append(np.mean(error**2))
        latents.append(w[0].copy())
        codes.append(quantizer.encode(w).codes[0])
        dw_hat = 2 * error.T @ inputs / len(inputs)
        w -= lr * backward(dw_hat, w)
    return np.array(losses), np.array(latents), np.array(codes)


# %%
# First with the true gradient, the formula that the table above confirmed.
# Then *straight through*: pretend that the quantizer is not there.


def true_gradient(dw_hat, w):
    t = quantizer.encode(w).codes
    return t * (dw_hat * t).sum() / np.count_nonzero(t)


def straight_through(dw_hat, w):
    return dw_hat


truth = descend(true_gradient)
pretence = descend(straight_through)


def right(codes):
    """Count the last codes that are the teacher's."""
    return np.count_nonzero(codes[-1] == np.sign(teacher[0]))


def best_scale(codes):
    """Return the least loss that these codes reach with any scale."""
    product = inputs @ codes[:, None]
    scale = (product * targets).sum() / (product**2).sum()
    return np.mean((scale * product - targets) ** 2)


quote("loss at the start", truth[0][0], 1.157, 0.01)
quote("loss after 80 steps, true gradient", truth[0][-1], 1.024, 0.01)
quote(
    "least loss of its codes, any scale", best_scale(truth[2][-1]), 1.024, 0.01
)
quote("loss after 80 steps, straight through", pretence[0][-1], 0, 1e-5)
quote("right codes of 12, at the start", right(truth[2][:1]), 6, 0)
quote("right codes of 12, true gradient", right(truth[2]), 7, 0)
quote("right codes of 12, straight through", right(pretence[2]), 12, 0)
bump = np.flatnonzero(np.diff(truth[0]) > 0) + 1
flip = np.flatnonzero(np.any(np.diff(truth[2], axis=0), axis=1)) + 1
quote("true gradient, the loss rises at step", bump[0], 2, 0)
quote("true gradient, a code flips at step", flip[0], 2, 0)

others = 0.3 * np.random.default_rng(2).normal(size=(20, *teacher.shape))
all_right = {
    rule: sum(right(descend(rule, other)[2]) == 12 for other in others)
    for rule in (true_gradient, straight_through)
}
quote("all right, of 20 starts, true gradient", all_right[true_gradient], 0, 0)
found_all = all_right[straight_through]
quote("all right, of 20 starts, straight through", found_all, 20, 0)

# %%
# The true gradient brings the loss from 1.157 to 1.024 and stops: no scale
# does better with the codes that it has. (One more code did become right, by
# accident: shrinking the weights whose code is not 0 lowers the threshold, and
# another weight slips over it. That flip is the bump at the start of its
# curve.) The pretended gradient belongs to no function that was computed, and
# it finds the teacher: all 12 codes, loss 0. Of 20 other starts
# straight-through finds it from all, the true gradient from none.

with figure(7.2, 3.0) as fig:
    ax = fig.subplots()
    ax.plot(truth[0], color=DARK)
    ax.plot(pretence[0], color=TERNARY)
    ax.text(45, 1.07, "true gradient", color=DARK)
    ax.text(14, 0.12, "straight through", color=TERNARY)
    ax.set_xlabel("step")
    ax.set_ylabel("loss")
    ax.set_ylim(bottom=0)
    show(fig, "08_two_gradients")

# %%
# Why does a wrong gradient work? :math:`\partial L / \partial \hat w` is
# right: it says in which direction the value that the network *uses* should
# move. The latent weight moves in that direction, a little. Nothing visible
# happens, step after step, until it crosses the threshold; then the code
# flips, in the wanted direction. The latent weight adds up small steps until
# they are enough to change the code.
#
# Here are the twelve latent weights during the run above. The grey band is
# :math:`|w| \le \Delta`: inside it the code is 0.

losses, latents, codes = pretence
threshold = 0.7 * np.abs(latents).mean(axis=1)
quote("code flips in 80 steps", np.count_nonzero(np.diff(codes, axis=0)), 7, 0)

with figure(7.2, 4.2) as fig:
    top, bottom = fig.subplots(2, sharex=True, height_ratios=[3, 2])
    three = ListedColormap([MINUS, "#E8E8E8", PLUS])
    steps = np.arange(40)  # after that nothing crosses any more
    bound = threshold[:40]
    top.fill_between(steps, -bound, bound, color="#E8E8E8")
    colours = {1: PLUS, 0: GREY, -1: MINUS}
    for i in range(12):
        colour = colours[codes[-1, i]]
        top.plot(latents[:40, i], color=colour, linewidth=1.4)
    for code, height in (1, 0.55), (0, 0.0), (-1, -0.45):
        label = f"code {code}"
        top.text(40, height, label, color=colours[code], va="center")
    top.set_ylabel("latent weight")
    bottom.imshow(codes[:40].T, cmap=three, vmin=-1, vmax=1, aspect="auto")
    bottom.set_yticks([0, 11], ["weight 1", "weight 12"])
    bottom.set_xlabel("step")
    bottom.set_ylabel("codes")
    show(fig, "08_latents")

# %%
# Break it: throw the latent weights away
# ---------------------------------------
# Readers of ternary papers often ask why the network is not simply stored as
# three values from the first step on; after all, only those are used.
# **Predict** what happens if each step writes :math:`\hat w` over :math:`w`.


def descend_without_latents(steps=80, lr=0.05):
    """Gradient descent on the ternary weights themselves.  -> as descend."""
    w, losses, codes = start.copy(), [], []
    for _ in range(steps):
        w, _ = quantizer.forward(w)
        error = inputs @ w.T - targets
        losses.append(np.mean(error**2))
        codes.append(quantizer.encode(w).codes[0])
        w = w - lr * 2 * error.T @ inputs / len(inputs)
    return np.array(losses), np.array(codes)


forgetful = descend_without_latents()
late_flips = np.count_nonzero(np.diff(forgetful[1][10:], axis=0))
quote("loss after 80 steps, no latent weights", forgetful[0][-1], 1.125, 0.01)
quote("code flips after step 10, no latent weights", late_flips, 0, 0)

# %%
# Every step is smaller than the way to the threshold, and every step is
# forgotten. After a few flips at the start, where a large gradient threw a
# weight across in one stride, the layer is stuck for ever. **Repair it** by
# keeping ``w``: that is all the latent weights are.
#
# So in a ternary network that trains there are two sets of weights:
#
# * the *latent* ones, ordinary float numbers: what the optimizer steps, what
#   a checkpoint stores, what ``named_params()`` lists;
# * the *ternary* ones, computed from them in every forward pass and thrown
#   away after the backward pass. Only the exported file (``tervit export``)
#   holds codes, and it has no latent weights: it cannot be trained further.
#
# See it in a transformer:

model = trained_model()
layer = dict(model.quantizable())["blocks.1.mlp.fc1"]
before = layer.weight.data.copy()
tv.quantize(model, "ternary")
used, _ = layer.weight_quant.forward(layer.weight.data)
quote("values in row 0, latent", len(np.unique(layer.weight.data[0])), 64, 0)
quote("values in row 0, as used", len(np.unique(used[0])), 3, 0)
quote("latents changed", np.count_nonzero(layer.weight.data != before), 0, 0)

# %%
# ``tv.quantize`` changed no weight: it put a quantizer into each layer.
#
# The residual, frozen
# --------------------
# A gradient that is not the derivative of the forward pass cannot be checked
# by differences, so bugs in it are safe from chapter 01. Or are they?
#
# Write the forward pass as
#
# .. math:: \hat w = w + (\hat w - w)
#
# The bracket is the *rounding residual*. Compute it once, at :math:`w_0`, and
# treat it as a constant (a *stop-gradient*):
# :math:`\mathrm{frozen}(v) = v + r_0`. This function touches the forward pass
# at :math:`w_0` and has slope 1 everywhere. Straight-through means nothing
# else than: *use the derivative of the frozen function*. And that one has
# differences.

w0, (w_hat0, cache) = w.copy(), quantizer.forward(w, keep_residual=True)
quote(
    "frozen minus forward, at w0",
    np.abs(quantizer.frozen(w0, cache) - w_hat0).max(),
    0,
    1e-15,
)

with figure(7.2, 3.4) as fig:
    ax = fig.subplots()
    line = np.linspace(-2.2, 2.2, 2001)
    moved = np.repeat(w0, len(line), axis=0)
    moved[:, 7] = line
    stairs = quantizer.forward(moved)[0][:, 7]
    stairs[1:][np.abs(np.diff(stairs)) > 0.1] = np.nan  # do not draw the walls
    ax.plot(line, stairs, color=TERNARY)
    ax.plot(line, line + (w_hat0 - w0)[0, 7], "--", color=FLOAT)
    ax.plot(w0[0, 7], w_hat0[0, 7], "o", color="#222222", zorder=3)
    ax.text(-1.6, -0.7, "forward", color=TERNARY)
    ax.text(-0.2, -0.8, "frozen: w + residual", color=FLOAT)
    ax.text(1.4, 0.65, "here w is now")
    ax.set_xlabel("one latent weight, the other seven held")
    ax.set_ylabel(r"its $\hat w$")
    ax.set_ylim(-1.3, 1.5)
    show(fig, "08_frozen")

# %%
# (The treads of the staircase slant: that is the scale again, a mean of which
# this weight is a part. The two small steps are another weight, whose code
# flips as the common threshold moves.)
#
# Now the check that looked impossible. ``GradientCheck`` holds a gradient from
# formulas (*analytic*) and one from differences (*numeric*); ``error`` is
# relative to the largest entry.

analytic = quantizer.backward(dy, cache)


def frozen(v):
    return quantizer.frozen(v, cache)


against_frozen = GradientCheck("", analytic, numerical_gradient(frozen, w, dy))
against_naive = GradientCheck("", analytic, naive)
quote("error against frozen differences", against_frozen.error, 0, 1e-9)
quote("error against naive differences", against_naive.error, 0.70, 0.01)

# %%
# Against the frozen function the backward pass is exact; against the forward
# pass it is 70 % wrong. Both are as they should be.
#
# What the check cannot show
# --------------------------
# **Predict:** here is a quantizer that answers 7, whatever the weight. Its
# backward is the identity. Does it pass?


class Sevens(Ternary):
    def forward(self, w, keep_residual=False):
        w_hat = np.full_like(w, 7)
        return w_hat, TernaryCache(ste_mask=None, residual=w_hat - w)


sevens = Sevens()
_, c = sevens.forward(w, keep_residual=True)
nonsense = GradientCheck(
    "",
    sevens.backward(dy, c),
    numerical_gradient(lambda v: sevens.frozen(v, c), w, dy),
)
quote("error of the quantizer that says 7", nonsense.error, 0, 1e-9)

# %%
# It passes. For the identity rule the frozen function is :math:`w` plus *any*
# constant, and the check only says that the code does what it declared. It
# cannot say that the declaration is wise; only training says that. (And the
# values? Other tests hold them to golden numbers.)
#
# What it can show
# ----------------
# The check catches mistakes where the declared rule is more than the identity
# plus a constant. Example: a *clip*. TernaryBERT clips latent weights to ±c (c
# is 2.5 there) inside the quantizer, so that a few huge ones do not raise the
# threshold and scale of all others. A weight beyond c gets no gradient:
#
# .. math::
#
#     \hat w = \mathrm{ternarize}(\mathrm{clip}(w)), \qquad
#     \mathrm{frozen}(v) = \mathrm{clip}(v) + r_0
#
# The clip is not a staircase: outside ±c its true derivative is 0. An identity
# backward ignores that. With :math:`c = \mathrm{mean}|w|` and Gaussian
# weights, the mistake concerns this share of them:

beyond = erfc(sqrt(2 / pi) / sqrt(2))  # E|w| = sqrt(2 / pi) of a unit Gaussian
quote("share of Gaussian weights beyond mean|w|", beyond, 0.425, 0.001)


class Careless(Ternary):
    def backward(self, dw_hat, cache):
        return dw_hat


weights = rng.normal(size=(8, 50))
upstream = rng.normal(size=weights.shape)


def verdicts(q):
    """Relative error against naive and against frozen differences."""
    _, c = q.forward(weights, keep_residual=True)
    hand = q.backward(upstream, c)
    return [
        GradientCheck("", hand, numerical_gradient(f, weights, upstream)).error
        for f in (lambda v: q.forward(v)[0], lambda v: q.frozen(v, c))
    ]


clip = float(np.abs(weights).mean())
print("backward              naive differences   frozen differences")
errors = {}
for name, q in [
    ("identity (careless)", Careless(clip=clip)),
    ("stopped at the clip", Ternary(clip=clip)),
]:
    errors[name] = verdicts(q)
    print("{:22} {:16.1e} {:20.1e}".format(name, *errors[name]))
quote("careless, naive", errors["identity (careless)"][0], 1, 0.1)
quote("careful, naive", errors["stopped at the clip"][0], 1, 0.1)
quote("careless, frozen", errors["identity (careless)"][1], 0.87, 0.05)
quote("careful, frozen", errors["stopped at the clip"][1], 0, 1e-9)

# %%
# The careless one passes a gradient on for 42 % of the weights where it should
# be 0. Naive differences condemn both, so they tell nothing. Frozen
# differences condemn the careless one alone.
# ``tervit check --mutant ternary-clip`` plants this very mistake in the
# library and shows which check catches it.
#
# A second example: quantizers that *learn* their step s (LSQ, Esser et al.
# 2020). With levels up to Q,
#
# .. math::
#
#     \hat w = s \cdot \mathrm{round}(v), \qquad
#     v = \mathrm{clip}(w / s, -Q, Q), \qquad
#     \mathrm{frozen} = s \cdot (v + \rho_0)
#
# with :math:`\rho_0 = \mathrm{round}(v_0) - v_0`, a residual in units of s.
# Differentiate frozen by s: inside, the product rule gives
# :math:`v + \rho_0 - w / s = \mathrm{round}(v) - v`; outside, :math:`\pm Q`.
# The true derivative of the forward pass is :math:`\mathrm{round}(v)`, since
# no code moves. Differences see both:

s, Q, values = 0.5, 3, np.array([0.1, 0.4, -0.9, 1.3, 2.0])


def clipped(s):
    return np.clip(values / s, -Q, Q)


rho0 = np.rint(clipped(s)) - clipped(s)
inside = np.abs(values / s) < Q
by_formula = np.where(inside, rho0, np.sign(values) * Q)


def slope(f):
    return (f(s + h) - f(s - h)) / (2 * h)


of_frozen = slope(lambda s: s * (clipped(s) + rho0))
of_forward = slope(lambda s: s * np.rint(clipped(s)))
print("w                       ", values)
print("LSQ's formula           ", by_formula.round(3))
print("differences of frozen   ", of_frozen.round(3))
print("differences of forward  ", of_forward.round(3))
gap = np.abs(by_formula - of_frozen).max()
quote("LSQ's formula minus differences of frozen", gap, 0, 1e-9)

# %%
# A whole transformer, frozen
# ---------------------------
# ``freeze`` fixes every residual of a model, weights and 8-bit activations,
# at its first call. A frozen model has the same logits and the same gradients,
# and it is smooth, so differences apply to it: ``adjoint_checks`` moves each
# parameter along a random direction and compares the slope of the output with
# what the backward pass says. A tiny ternary transformer, in float64, first
# not frozen, then frozen:

config = tv.DeiTConfig(12, 4, 5, dim=12, depth=2, heads=3, init="xavier")
pictures = np.random.default_rng(0).normal(size=(2, 3, 12, 12))


def worst(prepare):
    """Largest error of a parameter of block 0 against differences."""
    net = tv.DeiT(config, np.random.default_rng(3), "float64")
    net = prepare(tv.quantize(net, "ternary"))
    names = [n for n, _ in net.named_params() if n.startswith("blocks.0")]
    found = adjoint_checks(net, pictures, np.random.default_rng(5), names)
    return max(difference.error for difference in found)


loose, frozen_error = worst(lambda net: net), worst(freeze)
print(f"error, not frozen: {loose:.2f}")
assert loose > 0.1
quote("error, frozen", frozen_error, 0, 1e-6)

# %%
# A real model moves
# ------------------
# Last, the trained transformer from above, now ternary, for a hundred steps.
# How many of its codes flip?

data = shapes()
STEPS = 20 if FAST else 100
ternary_layers = [
    layer
    for _, layer in model.quantizable()
    if isinstance(layer.weight_quant, Ternary)
]


def all_codes():
    return np.concatenate(
        [
            layer.weight_quant.encode(layer.weight.data).codes.ravel()
            for layer in ternary_layers
        ]
    )


optimizer = tv.AdamW(model.named_params(), lr=5e-4)
first = last = all_codes()
batch_losses, flipped, differing = [], [], []
for _ in range(STEPS):
    chosen = rng.integers(0, len(data.train), 64)
    images, labels = data.train.images[chosen], data.train.labels[chosen]
    images = normalise(images, data.train.mean, data.train.std)
    logits, model_cache = model.forward(images, train=True, rng=rng)
    loss, dlogits = tv.losses.cross_entropy(logits, labels)
    model.zero_grad()
    model.backward(dlogits, model_cache)
    tv.clip_grad_norm(model.named_params(), 1.0)
    optimizer.step()
    now = all_codes()
    batch_losses.append(loss)
    flipped.append(100 * np.mean(now != last))
    differing.append(100 * np.mean(now != first))
    last = now

quote("ternary weights", len(first), 196_608, 0)
moved = 100 * np.mean(layer.weight.data != before)
quote("latent weights of one matrix that moved, %", moved, 100, 0.1)
quote("loss, first step", batch_losses[0], 1.24, 0.4, True)
quote("loss, last ten steps", np.mean(batch_losses[-10:]), 0.8, 0.15, True)
quote("codes that flip in a step, %", np.mean(flipped), 0.09, 0.04, True)
quote("codes unlike the first, in the end, %", differing[-1], 3.1, 1, True)

with figure(7.2, 3.0) as fig:
    left, right_ax = fig.subplots(1, 2)
    left.plot(batch_losses, color=TERNARY, linewidth=0.8, alpha=0.4)
    mean = np.convolve(batch_losses, np.ones(10) / 10, "valid")
    left.plot(np.arange(len(mean)) + 4.5, mean, color=TERNARY)
    left.set_xlabel("step")
    left.set_ylabel("loss of a batch, and mean of 10")
    right_ax.plot(differing, color=TERNARY)
    right_ax.set_xlabel("step")
    right_ax.set_ylabel("codes unlike the first, %")
    right_ax.set_ylim(bottom=0)
    show(fig, "08_flips")

# %%
# Three codes of a hundred are no longer what rounding made them, and the loss
# has fallen from 1.24 to 0.8. In one step about one code in a thousand flips;
# over the hundred, *every* latent weight of the matrix that we kept has moved.
# (Codes are not all that learns: scales follow their rows, and biases and
# LayerNorms are float.)
#
# On your own
# -----------
# * Let the teacher have weights that three values cannot make, say
#   ``rng.normal(size=(1, 12))``. Do the codes come to rest? Draw the latents:
#   some lean on their threshold and flip back and forth. (Run with
#   ``TERVIT_PLAY=1``, since the numbers will leave the text.)
# * In ``descend_without_latents``, raise ``lr`` until codes keep flipping.
#   Does the loss become small?
# * Give ``descend`` a gradient of the wrong size, ``3 * dw_hat`` or
#   ``0.3 * dw_hat``, or the mere sign of it. How wrong may a pretended
#   gradient be?
# * Write the derivative of ``frozen`` for a clip that lets a tenth of the
#   gradient through outside, and a class whose ``frozen`` and ``backward``
#   pass the check.
#
# In practice
# -----------
# * Frameworks with automatic differentiation write the frozen residual in one
#   line: ``w + (quantize(w) - w).detach()``. BitNet's published training code
#   does; ``detach`` is our :math:`r_0`.
# * torchao trains BitNet layers with a hand-written backward that hands the
#   gradient of the ternary weight to the latent one unchanged, as here. Its
#   quantization-aware training calls such a forward pass *fake quantization*:
#   rounded, but still stored as floats.
# * timm has no quantized training; its models are the float start.
# * Optimizers step the latent weights only, so training a ternary model needs
#   as much memory as training a float one. What becomes small is the file.
#
# Further reading
# ---------------
# * Bengio, Léonard, Courville 2013, *Estimating or propagating gradients
#   through stochastic neurons*: where the name comes from.
# * Li, Liu 2016, *Ternary weight networks*: the rule of this chapter.
# * Esser et al. 2020, *Learned step size quantization*.
# * ``tervit_np/quant/ternary.py`` and ``tervit_np/verify/frozen.py``: the
#   quantizer and the check, and ``tervit check`` to run it on all of them.
