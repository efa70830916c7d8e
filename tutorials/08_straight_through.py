r"""
The straight-through estimator
==============================

:You will do: train a layer of ternary weights with the true derivative of
  rounding, and watch it fail; then with another derivative in its place, and
  watch it find every weight. Check that other derivative by finite
  differences, although it is not the derivative of the forward pass, and find
  out what such a check can show and what it cannot.
:You will learn: why the derivative of rounding is taken to be 1; what latent
  weights are, and why a ternary network cannot be trained without them; what
  the frozen residual is.
:You need: chapter 01 (upstream gradients, checks by finite differences).
:Time: 25 minutes to read. It uses the model that several chapters share,
  trained once in under a minute, and then runs in seconds.
:In the paper: every row :math:`w` of a weight matrix (what makes one output, a
  *channel*) is replaced in the forward pass by :math:`\hat w = \alpha t`, a
  positive scale :math:`\alpha` times codes :math:`t_i` in {-1, 0, 1}:

.. math::
    \Delta = 0.7 \cdot \mathrm{mean}_i |w_i| \qquad
    t_i = \mathrm{sign}(w_i) \text{ where } |w_i| > \Delta \text{, else } 0
    \qquad
    \alpha = \mathrm{mean} \{ |w_i| : t_i \ne 0 \}

.. math:: \frac{\partial L}{\partial w} := \frac{\partial L}{\partial \hat w}

Chapter 12 derives the threshold :math:`\Delta` and the scale. This chapter is
about the ``:=`` in the last line.
"""

# %%
from tervit_lesson import FAST, SEED, claim, predict, quote, shapes
from tervit_lesson import trained_model

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_lesson.figures import straight_through as draw
from tervit_np.quant import Ternary
from tervit_np.quant.ternary import TernaryCache
from tervit_np.verify.adjoint import adjoint_checks
from tervit_np.verify.frozen import freeze
from tervit_np.verify.gradcheck import numerical_gradient

rng = np.random.default_rng(SEED)

# %%
# Rounding has no useful derivative
# ---------------------------------
# ``np.rint`` moves a number to the nearest integer. Ask finite differences for
# its derivative, as in chapter 01: a little to the right, minus a little to
# the left.

predict("the derivative of rounding at 0.3, at 0.7 and at 2.2?")
points = np.array([0.3, 0.7, 2.2])
h = 1e-5
slopes = (np.rint(points + h) - np.rint(points - h)) / (2 * h)
print("slopes at 0.3, 0.7 and 2.2:", slopes)
quote("largest slope of rounding", np.abs(slopes).max(), 0, 0)

# %%
# It is zero, except at the jumps. There, at 0.5 for example, a derivative does
# not exist: the difference quotient is :math:`1 / 2h`, and it grows without
# bound as :math:`h` becomes small.

draw.staircase()

# %%
# A derivative of zero stops training, because the chain rule multiplies. If
# :math:`\hat w` is :math:`w` after rounding, then
#
# .. math::
#
#     \frac{\partial L}{\partial w} =
#     \frac{\partial L}{\partial \hat w} \cdot
#     \frac{\partial \hat w}{\partial w} =
#     \frac{\partial L}{\partial \hat w} \cdot 0 = 0
#
# and gradient descent changes nothing, however wrong the network is.
#
# The ternary quantizer in numbers
# --------------------------------
# Here is one row of eight weights and its ternary copy. The float weights
# :math:`w` are called *latent*: the network never multiplies by them, only by
# :math:`\hat w`. ``Ternary`` is the library's quantizer. Its ``forward``
# returns :math:`\hat w` (and a cache for the backward pass), its ``encode``
# returns the codes and the scale.

w = np.array([[0.9, -0.2, 0.45, -1.3, 0.1, 0.7, -0.5, 0.3]])
quantizer = Ternary()
w_hat, _ = quantizer.forward(w)
codes, scale, _ = quantizer.encode(w)
quote("threshold, 0.7 mean|w|", 0.7 * np.abs(w).mean(), 0.389, 0.0005)
quote("scale", scale[0], 0.77, 0.0005)

# %%
# Now differences of ``forward``. The upstream gradient ``dy`` is random, as
# chapter 01 taught, so the result is the gradient of ``sum(dy * forward(w))``.

dy = rng.normal(size=w.shape)
of_forward = numerical_gradient(lambda v: quantizer.forward(v)[0], w, dy)
of_codes = numerical_gradient(
    lambda v: quantizer.encode(v).codes.astype(float), w, dy
)

predict("are all differences of forward zero, yes or no?")
print("latent w   code   w_hat      dy    differences: of forward   of codes")
for i in range(8):
    columns = w[0, i], codes[0, i], w_hat[0, i], dy[0, i]
    print("{:8.2f} {:6d} {:7.2f} {:7.2f}".format(*columns), end="")
    print(f"{of_forward[0, i]:24.4f} {of_codes[0, i]:10.1f}")
quote("largest slope of the codes", np.abs(of_codes).max(), 0, 0)
used = codes[0] != 0
is_zero = np.abs(of_forward[0]) < 1e-9
claim("forward has slopes where the code is not 0", not is_zero[used].any())
claim("and none where the code is 0", is_zero[~used].all())

# %%
# No. The *codes* are a staircase and have slope zero. But :math:`\hat w =
# \alpha t`, and the scale :math:`\alpha` is a mean over the :math:`k` weights
# whose code is not 0. It moves a little when one of them moves:
# :math:`\partial \alpha / \partial w_i = t_i / k`. So the true gradient is
# ``codes * sum(dy * codes) / k``:

k = np.count_nonzero(codes)
from_scale = codes * (dy * codes).sum() / k
left_over = np.abs(of_forward - from_scale).max()
quote("what the scale does not explain", left_over, 0, 1e-8)

# %%
# This is one number for the whole row, with the sign of each code. It can make
# the row larger or smaller. It can never say that *this* weight should be -1
# instead of 0.
#
# Training twelve weights
# -----------------------
# Give gradient descent a task that three values can solve. There are twelve
# inputs and one output. The targets come from a layer whose weights are -0.5,
# 0 and 0.5; call it the teacher. Our layer starts from random latent weights.
# Each step makes them ternary, computes the gradient with respect to
# :math:`\hat w` as in chapter 01, and asks ``backward`` for the gradient with
# respect to :math:`w`.

teacher = 0.5 * np.array([[1, -1, 0, 0, 1, 0, -1, 1, 0, -1, 0, 0]])
inputs = rng.normal(size=(256, 12))
targets = inputs @ teacher.T
starts = 0.3 * rng.normal(size=(21, *teacher.shape))  # one may be luck


def descend(backward, start, keep_latents=True, steps=80, lr=0.05):
    """Gradient descent.  -> losses (steps,), latents and codes (steps, 12)."""
    w, losses, latents, codes = start.copy(), [], [], []
    for _ in range(steps):
        w_hat, _ = quantizer.forward(w)
        if not keep_latents:
            w = w_hat.copy()
        error = inputs @ w_hat.T - targets
        losses.append(np.mean(error**2))
        latents.append(w[0].copy())
        codes.append(quantizer.encode(w).codes[0])
        dw_hat = 2 * error.T @ inputs / len(inputs)
        w -= lr * backward(dw_hat, w)
    return np.array(losses), np.array(latents), np.array(codes)


# %%
# Compare two backward passes: the true gradient, whose formula the table above
# confirmed, and the *straight-through estimator*, which treats the quantizer
# as if it were not there.


def true_gradient(dw_hat, w):
    t = quantizer.encode(w).codes
    return t * (dw_hat * t).sum() / np.count_nonzero(t)


def straight_through(dw_hat, w):
    return dw_hat


def right(codes):
    """Count the codes of the last step that are the teacher's."""
    return np.count_nonzero(codes[-1] == np.sign(teacher[0]))


by_truth, straight = (
    [descend(rule, start) for start in starts]
    for rule in (true_gradient, straight_through)
)
losses, _, codes_of = by_truth[0]
quote("loss at the start", losses[0], 1.606, 0.0005)
quote("right codes of 12, at the start", right(codes_of[:1]), 5, 0)
predict("with each of the two, how many codes are right after 80 steps?")
quote("true gradient, loss after 80 steps", losses[-1], 1.227, 0.0005)
quote("true gradient, right codes of 12", right(codes_of), 6, 0)
lowest = min(losses[-1] for losses, _, _ in by_truth)
highest = max(losses[-1] for losses, _, _ in straight)
quote("true gradient, lowest loss of 21 starts", lowest, 0.94, 0.005)
quote("straight through, highest loss of 21 starts", highest, 0, 1e-6)
rights = [[right(run[2]) for run in runs] for runs in (by_truth, straight)]
claim("the true gradient finds all codes from no start", max(rights[0]) < 12)
claim("straight through finds them from all 21", min(rights[1]) == 12)
draw.two_gradients(by_truth[0][0], straight[0][0])

# %%
# The true gradient brings the loss from 1.61 to 1.23 and one more code to its
# right value; from 21 starts its loss never falls below 0.94. It adjusts the
# size of the row, and the codes change by accident: when the weights that are
# not 0 become smaller, so does the threshold, and another weight exceeds it.
# The straight-through estimator is not the derivative of this forward pass,
# and it finds all twelve codes, from each of the 21 starts.
#
# Why does a wrong gradient work? :math:`\partial L / \partial \hat w` is
# right: it says in which direction the value that the network *uses* should
# move. The latent weight takes a small step in that direction. The code stays
# as it is, step after step, until the latent weight crosses the threshold;
# then the code changes, in the wanted direction. The latent weight sums small
# steps until they are enough to change a code.
#
# Here are the twelve latent weights during the first 40 steps. In the grey
# band, :math:`|w| \le \Delta`, the code is 0.

losses, latents, codes_of = straight[0]
changes = np.any(np.diff(codes_of, axis=0), axis=1)
count = np.count_nonzero(np.diff(codes_of, axis=0))
quote("code changes in 80 steps", count, 13, 0)
quote("the last one, at step", np.flatnonzero(changes)[-1] + 1, 15, 0)
claim("no code changes after step 40", not changes[40:].any())
thresholds = 0.7 * np.abs(latents).mean(axis=1)
draw.latents(latents[:40], codes_of[:40], thresholds[:40])

# %%
# Break it: no latent weights
# ---------------------------
# Why is the network not stored as three values from the first step on, since
# only these are used? Try it: each step starts from :math:`\hat w`.

predict("without latent weights, how many codes are right after 80 steps?")
runs = [descend(straight_through, start, False) for start in starts]
losses, _, codes_of = runs[0]
changes = np.count_nonzero(np.diff(codes_of, axis=0))
quote("right codes of 12, no latent weights", right(codes_of), 5, 0)
quote("loss after 80 steps, no latent weights", losses[-1], 1.264, 0.0005)
quote("code changes in 80 steps, no latent weights", changes, 0, 0)
most = max(right(codes) for _, _, codes in runs)
claim("without latent weights all codes are found from no start", most < 12)

# %%
# Not a single code changes; only the scale does. Each step is too small to
# carry a weight from 0 or from :math:`\alpha` across the threshold, and it is
# forgotten when the next step rounds. **Repair it** by keeping ``w``: that is
# all that latent weights are.
#
# So a ternary network in training has two sets of weights:
#
# * The *latent* weights are ordinary float numbers. The optimizer changes
#   them, a checkpoint stores them, ``named_params()`` lists them.
# * The *ternary* weights are computed from them in every forward pass and
#   dropped after the backward pass. Only the exported file (``tervit export``)
#   holds codes. It has no latent weights, so it cannot be trained further.
#
# The frozen residual
# -------------------
# A gradient that is not the derivative of the forward pass cannot be compared
# with differences of the forward pass. Then how do you find a mistake in it?
#
# Write the forward pass as
#
# .. math:: \hat w = w + (\hat w - w)
#
# The bracket is the *rounding residual*. Compute it once, at :math:`w_0`, and
# treat it as a constant :math:`r_0` from then on (a *stop-gradient*). This
# gives the *frozen* function, ``frozen(v) = v + r_0``. It has the value of the
# forward pass at :math:`w_0`, and it has slope 1 everywhere. So the
# straight-through estimator is an exact derivative after all: that of the
# frozen function. And the frozen function can be differenced.

w0, (w_hat0, cache) = w.copy(), quantizer.forward(w, keep_residual=True)
meets = np.abs(quantizer.frozen(w0, cache) - w_hat0).max()
quote("frozen minus forward, at w0", meets, 0, 1e-15)

line = np.linspace(-2.2, 2.2, 2001)
moved = np.repeat(w0, len(line), axis=0)
moved[:, 5] = line
stairs = quantizer.forward(moved)[0][:, 5]
straight_line = line + (w_hat0 - w0)[0, 5]
draw.frozen(line, stairs, straight_line, (w0[0, 5], w_hat0[0, 5]))

# %%
# (The steps of the staircase are not flat, and have small jumps, because scale
# and threshold are means of which this weight is a part.) Now the check that
# looked impossible:


def error(analytic, numeric):
    """Largest deviation, relative to the largest entry."""
    return np.abs(analytic - numeric).max() / np.abs(numeric).max()


by_formula = quantizer.backward(dy, cache)
of_frozen = numerical_gradient(lambda v: quantizer.frozen(v, cache), w, dy)
quote("against differences of frozen", error(by_formula, of_frozen), 0, 1e-9)
off = error(by_formula, of_forward)
print(f"against differences of forward: {off:.2f}")
claim("against forward it is off by more than 0.3", off > 0.3)

# %%
# What the check cannot show
# --------------------------
# Here is a quantizer that answers 7, whatever the weight is. Its backward pass
# is the inherited one, the identity.


class Sevens(Ternary):
    def forward(self, w, keep_residual=False):
        w_hat = np.full_like(w, 7)
        return w_hat, TernaryCache(ste_mask=None, residual=w_hat - w)


predict("does it pass the check, yes or no?")
sevens = Sevens()
_, c = sevens.forward(w, keep_residual=True)
of_frozen = numerical_gradient(lambda v: sevens.frozen(v, c), w, dy)
nonsense = error(sevens.backward(dy, c), of_frozen)
quote("error of the quantizer that answers 7", nonsense, 0, 1e-9)

# %%
# It passes. For this estimator the frozen function is :math:`w` plus *any*
# constant. The check says that the code does what was declared: "the
# derivative is 1". It cannot say that the declaration is good; only training
# shows that. Nor does it test the values; other tests compare these with
# stored numbers. The check says more where the estimator is not just the
# identity, and chapter 09 has two such cases: a clip and a learned step.
#
# A whole transformer, frozen
# ---------------------------
# ``freeze`` fixes every residual of a model at its first forward pass, those
# of the weights and those of the inputs, which are rounded to 8 bits (chapter
# 00). At that point the frozen model is the same function, and around it it is
# smooth, so differences apply. ``adjoint_checks`` is chapter 01's check along
# one random direction, for each parameter. Here is a tiny ternary transformer
# in float64, as it is, and frozen:

tiny = {"image_size": 12, "patch_size": 4, "num_classes": 5}
tiny |= {"dim": 12, "depth": 2, "heads": 3, "init": "xavier"}
pictures = rng.normal(size=(2, 3, 12, 12))
worst = {}
for name, prepare in (("as it is", lambda net: net), ("frozen", freeze)):
    net = tv.DeiT(
        tv.DeiTConfig(**tiny), np.random.default_rng(SEED + 3), "float64"
    )
    prepare(tv.quantize(net, "ternary"))
    names = [n for n, _ in net.named_params() if n.startswith("blocks.0")]
    checks = adjoint_checks(net, pictures, np.random.default_rng(5), names)
    worst[name] = max(check.error for check in checks)
print(f"largest error in block 0, as it is: {worst['as it is']:.2f}")
claim("differences of the model as it is disagree", worst["as it is"] > 0.1)
quote("largest error in block 0, frozen", worst["frozen"], 0, 1e-6)

# %%
# Codes that change in a real model
# ---------------------------------
# Last, train the shared model with ternary weights for a hundred steps, in
# chapter 07's loop. How many of its 196,608 codes change?

model, data = tv.quantize(trained_model(), "ternary"), shapes()
matrices = [
    m for _, m in model.quantizable() if isinstance(m.weight_quant, Ternary)
]


def all_codes():
    encoded = [m.weight_quant.encode(m.weight.data) for m in matrices]
    return np.concatenate([e.codes.ravel() for e in encoded])


predict("of a hundred codes, how many are changed after a hundred steps?")
one_matrix = matrices[0].weight
before, first = one_matrix.data.copy(), all_codes()
optimizer = tv.AdamW(model.named_params(), lr=5e-4)
losses, differing = [], []
for _ in range(20 if FAST else 100):
    batch = data.train.take(rng.integers(0, len(data.train), 64))
    images = normalise(batch.images, batch.mean, batch.std)
    logits, cache = model.forward(images)
    loss, dlogits = tv.losses.cross_entropy(logits, batch.labels)
    model.zero_grad()
    model.backward(dlogits, cache)
    tv.clip_grad_norm(model.named_params(), 1.0)
    optimizer.step()
    losses.append(loss)
    differing.append(100 * np.mean(all_codes() != first))

early, late = np.mean(losses[:10]), np.mean(losses[-10:])
still = np.count_nonzero(one_matrix.data == before)
quote("ternary weights", len(first), 196_608, 0)
quote("loss, first ten steps", early, 1.07, 0.005, True, 0.2)
quote("loss, last ten steps", late, 0.74, 0.005, True, 0.1)
quote("codes unlike the first, %", differing[-1], 3.05, 0.005, True, 0.3)
quote("latent weights of a matrix that did not move", still, 0, 0)
claim("the loss falls", late < early, True)
claim("fewer than 5 % of the codes changed", differing[-1] < 5)
draw.flips(losses, differing)

# %%
# The loss falls from 1.07 to 0.74, the mean of ten batches each. *Every*
# latent weight of the matrix that we watched has moved, and only three of a
# hundred codes differ from what rounding made of the float model. (Not only
# codes learn: the scales follow their rows, and biases and norms are float.)
#
# On your own
# -----------
# * ``tervit exercise start ste_with_clip``: write the forward pass, the
#   backward pass and the frozen function of ``Ternary``. Chapter 09 explains
#   the clip; without one they are those of this chapter.
# * Give ``descend`` a gradient of the wrong size, ``3 * dw_hat`` or
#   ``10 * dw_hat``, or only its sign. How wrong may an estimator be?
# * Without latent weights, try the learning rates 0.3, 0.5 and 1 in
#   ``descend``. Then compute each gradient from four random samples instead of
#   all 256, with latent weights at 0.05 and without them at 0.5. What do
#   latent weights buy?
# * Let the teacher have weights that three values cannot make, for example
#   ``rng.normal(size=(1, 12))``. Do the codes come to rest? (Run with
#   ``TERVIT_PLAY=1``, because the numbers will differ from the text.)
# * Write a subclass of ``Ternary`` whose estimator has slope 1/2 (``frozen``
#   and ``backward``). Does it pass the check?
#
# In practice
# -----------
# * Frameworks with automatic differentiation write the frozen residual in one
#   line: ``w + (quantize(w) - w).detach()``. BitNet's published training code
#   does this; ``detach`` makes the constant :math:`r_0`.
# * torchao trains BitNet layers with a hand-written backward pass like this
#   one. Its quantization-aware training calls such a forward pass *fake
#   quantization*: the values are rounded, but stored as floats.
# * Training a ternary model takes as much memory as training a float one. What
#   becomes small is the file, and inference.
#
# Further reading
# ---------------
# * Bengio, Léonard, Courville 2013, *Estimating or propagating gradients
#   through stochastic neurons*: where the name comes from.
# * Courbariaux, Bengio, David 2015, *BinaryConnect*: latent weights, for
#   networks of two values.
# * Li, Liu 2016, *Ternary weight networks*: the rule of this chapter.
# * ``tervit_np/quant/ternary.py`` and ``tervit_np/verify/frozen.py``: the
#   quantizer and the check. ``tervit check`` runs it for all quantizers.
