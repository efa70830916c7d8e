r"""
Clipping and learned steps
==========================

:You will do: train weights on a grid that has ends, and see one gradient rule
  lose them for ever and another let them run away. Then treat the step of the
  grid as a parameter, derive its gradient in two ways, and measure when a
  learned step is worth having.
:You will learn: what the straight-through estimator should do beyond the clip;
  how PACT and LSQ differentiate with respect to the step; why LSQ scales that
  gradient; why a better step matters at 2 bits and not at 8.
:You need: chapter 08 (latent weights, the frozen residual).
:Time: 25 minutes to read, 10 seconds to run.
:In the paper: no step is learned: TerViT computes thresholds and scales from
  the weights. Many quantizers go the other way.
"""

# %%
from tervit_lesson import FAST, SEED, claim, predict, quote  # first

from math import sqrt

import numpy as np

import tervit_np as tv
from tervit_lesson.figures import learned_steps as draw
from tervit_np.analysis.comparison.statistics import summarize
from tervit_np.param import Param, zero_grad
from tervit_np.quant import Ternary
from tervit_np.verify.gradcheck import numerical_gradient

rng = np.random.default_rng(SEED)

# %%
# A grid has ends
# ---------------
# A uniform grid with step :math:`s` has the values :math:`-Qs, ..., -s, 0, s,
# ..., Qs`; for :math:`b` bits, :math:`Q = 2^{b-1} - 1`. Here :math:`s` is
# given, and weights beyond :math:`Qs` are *clipped*:


def quantize(w, s, Q):
    """Round to the grid; weights beyond its ends are clipped."""
    return s * np.rint(np.clip(w / s, -Q, Q))


# %%
# *Inside*, the slope is zero between jumps, but a larger move does change the
# value; so chapter 08 replaced the derivative by 1. *Beyond* the ends there
# are no jumps left: a weight of 5.0 may move to 4.0, and nothing changes. What
# should the backward pass do there? Four rules that people use:
#
# * *identity*: pass the gradient on, as inside;
# * *mask*: pass nothing on, since nothing changes;
# * *inward*: pass it on only if the step leads back to the grid;
# * *clip weights*: pass it on, and after each step move the latent weights
#   themselves back to the end of the grid (BinaryConnect does this).
#
# Eight weights learn a target as in chapter 08, on a 3-bit grid that ends at
# 0.75. Two of the target's weights, 1.2 and -1.0, are beyond its ends. After
# 100 steps these two change to 0.5 and -0.25.

S, Q = 0.25, 3
END, SWITCH = S * Q, 100
inputs = rng.normal(size=(256, 8))
start = 0.3 * rng.normal(size=8)
target = np.array([1.2, -1.0, 0.5, -0.5, 0.25, 0, 0.75, -0.25])
later = target.copy()
later[:2] = 0.5, -0.25


def descend(rule, steps=400, lr=0.05):
    """Gradient descent.  -> losses (steps,), latent weights (steps, 8)."""
    w, losses, latents = start.copy(), [], []
    for step in range(steps):
        wanted = target if step < SWITCH else later
        error = inputs @ (quantize(w, S, Q) - wanted)
        losses.append(np.mean(error**2))
        latents.append(w.copy())
        dw = 2 * inputs.T @ error / len(inputs)
        inside = np.abs(w) < END
        if rule == "mask":
            dw = dw * inside
        if rule == "inward":  # w - lr * dw is nearer to 0
            dw = dw * (inside | (w * dw > 0))
        w = w - lr * dw
        if rule == "clip weights":
            w = np.clip(w, -END, END)
    return np.array(losses), np.array(latents)


predict("after the change, which rules reach a loss of 0?")
runs = {
    rule: descend(rule)
    for rule in ("identity", "mask", "inward", "clip weights")
}
needs = {}
for rule, (losses, latents) in runs.items():
    reached = np.flatnonzero(losses[SWITCH:] < 0.01)
    needs[rule] = reached[0] if len(reached) else np.inf
    largest = np.abs(latents[:, 0]).max()
    print(f"{rule:12}  largest |w[0]| {largest:.2f}, ", end="")
    print(f"steps to a loss below 0.01: {needs[rule]}")
farthest = np.abs(runs["identity"][1][:, 0]).max()
quote("identity, largest latent weight", farthest, 4.4, 0.05)
quote("identity, steps until it is right", needs["identity"], 167, 0)
quote("clip weights, steps until it is right", needs["clip weights"], 14, 0)
quote("inward, steps until it is right", needs["inward"], 14, 0)
quote("mask, loss in the end", runs["mask"][0][-1], 0.289, 0.0005)
claim("mask never recovers", np.isinf(needs["mask"]))
claim("identity is five times slower", needs["identity"] > 5 * needs["inward"])
draw.beyond_the_clip(runs, END, SWITCH)

# %%
# *Mask* is stuck: both weights crossed the end once and have had no gradient
# since. *Identity* comes back, but late: as long as the target is out of reach
# the latent weight drifts on, here to 4.4, and later it needs 167 steps to
# return. *Inward* and *clip weights* do so in 14. The mask is nevertheless
# common. It does no harm where the clip is so far out that no weight reaches
# it, and weight decay or a moving step can bring weights back.
#
# What the check sees of a clip
# -----------------------------
# TernaryBERT clips latent weights to ±2.5 before it makes them ternary, so
# that a few huge ones do not raise threshold and scale of all others
# (``Ternary(clip=2.5)``). With a clip the frozen function of chapter 08 is
#
# .. math:: \mathrm{frozen}(v) = \mathrm{clip}(v) + r_0
#
# whose derivative is 1 inside and 0 beyond: the mask rule. An identity
# backward pass contradicts it. To see this, let the clip be as low as
# :math:`\mathrm{mean}|w|`; then two of five Gaussian weights are beyond it.


class Careless(Ternary):
    def backward(self, dw_hat, cache):
        return dw_hat


def error(analytic, f, at):
    """Largest deviation from differences of f, relative to the largest."""
    numeric = numerical_gradient(f, at, upstream)
    return np.abs(analytic - numeric).max() / np.abs(numeric).max()


weights = rng.normal(size=(8, 50))
upstream = rng.normal(size=weights.shape)
clip = float(np.abs(weights).mean())
beyond = np.mean(np.abs(weights) > clip)
quote("share of weights beyond the clip", beyond, 0.44, 0.005)
of_forward, of_frozen = {}, {}
for name, q in (
    ("identity", Careless(clip=clip)),
    ("mask", Ternary(clip=clip)),
):
    _, c = q.forward(weights, keep_residual=True)
    dw = q.backward(upstream, c)
    of_forward[name] = error(dw, lambda v, q=q: q.forward(v)[0], weights)
    of_frozen[name] = error(dw, lambda v, q=q, c=c: q.frozen(v, c), weights)
    print(f"{name:9} against forward: {of_forward[name]:.1e}", end="")
    print(f"   against frozen: {of_frozen[name]:.1e}")
claim("against forward both look wrong", min(of_forward.values()) > 0.3)
claim("against frozen the identity is wrong", of_frozen["identity"] > 0.3)
quote("the mask, against frozen", of_frozen["mask"], 0, 1e-9)

# %%
# Differences of the forward pass condemn both, so they tell nothing.
# Differences of the frozen function condemn the identity alone. But remember
# the first experiment: the check proves that the code is the mask, not that
# the mask is a good idea.
#
# The step as a parameter
# -----------------------
# If :math:`s` decides so much, let gradient descent choose it. That needs the
# derivative of :math:`\hat w` with respect to :math:`s`. Write
#
# .. math::
#
#     v = \mathrm{clip}(w / s, -Q, Q), \qquad
#     \hat w = s \cdot \mathrm{round}(v)
#
# The true derivative, between jumps, is :math:`\mathrm{round}(v)`: no code
# changes, and all values stretch. For a straight-through derivative one has to
# say *what is frozen*, and there are two choices.
#
# *The residual in units of the weight*, :math:`r_0 = s_0 \mathrm{round}(v_0) -
# s_0 v_0`. Then ``frozen = s * v + r0``. Inside, ``s * v`` is ``w``, which
# does not depend on ``s``: the derivative is 0. Beyond, it is
# :math:`\pm Q`. PACT (Choi et al. 2018) learns the clip of activations,
# :math:`a = Qs`, by this rule: the derivative is 1 beyond the clip and 0
# inside.
#
# *The residual in steps*, :math:`\rho_0 = \mathrm{round}(v_0) - v_0`. Then
# ``frozen = s * (v + rho0)``. Inside, this is ``w + s * rho0``: the derivative
# is :math:`\rho_0 = \mathrm{round}(v) - v`. Beyond, it is :math:`\pm Q` again.
# This is LSQ (Esser et al. 2020).

values = np.array([0.1, 0.4, -0.9, 1.3, 2.0])
s0, h = 0.5, 1e-5


def scaled(s):
    return np.clip(values / s, -Q, Q)


def pact(w, s, Q):
    return np.where(np.abs(w / s) < Q, 0, np.sign(w) * Q)


def lsq(w, s, Q):
    v = np.clip(w / s, -Q, Q)
    return np.where(np.abs(w / s) < Q, np.rint(v) - v, np.sign(w) * Q)


rho0 = np.rint(scaled(s0)) - scaled(s0)
r0 = s0 * rho0
print("weights", values)
for name, formula, f in (
    ("true", np.rint(scaled(s0)), lambda s: s * np.rint(scaled(s))),
    ("PACT", pact(values, s0, Q), lambda s: s * scaled(s) + r0),
    ("LSQ", lsq(values, s0, Q), lambda s: s * (scaled(s) + rho0)),
):
    print(f"{name:7}", formula)
    by_differences = (f(s0 + h) - f(s0 - h)) / (2 * h)
    off = np.abs(formula - by_differences).max()
    quote(f"{name}, against differences of its function", off, 0, 1e-9)

# %%
# Wide differences
# ----------------
# Three derivatives, and each is exact for its own function. Which one helps?
# Gradient descent takes steps that are not tiny, so ask what happens when
# :math:`s` changes by a tenth, jumps included. Many weights, evenly spaced
# over one *cell* (all that have the same code), give a mean slope for each.

cells = np.arange(-5, 6)
within = (np.arange(10_000) + 0.5) / 10_000 - 0.5
measured = []
for cell in cells:
    w = cell + within  # the step is 1
    wide = (quantize(w, 1.1, Q) - quantize(w, 0.9, Q)) / 0.2
    measured.append(wide.mean())
predict("the mean slope of the weights with code 2: 2, 0, or between?")
quote("code 2, wide differences", measured[7], 0.05, 0.005)
quote("code 2, mean of LSQ", lsq(2 + within, 1, Q).mean(), 0, 1e-9)
quote("beyond, wide differences", measured[10], Q, 1e-9)
v = np.linspace(-5, 5, 2001)
draw.derivatives(
    v, np.rint(np.clip(v, -Q, Q)), lsq(v, 1, Q), pact(v, 1, Q), cells, measured
)

# %%
# Nearly 0. As the step grows, each value stretches (the true derivative), and
# some weights fall to the next lower code (which it does not see). The two
# cancel: on average :math:`\hat w` stays near :math:`w`. PACT and LSQ both
# have this mean. LSQ says in addition which weights are above their value and
# which below.
#
# How large is the gradient of a step?
# ------------------------------------
# It is a sum of as many terms as the step serves weights, :math:`N`. Compare
# relative sizes, gradient over value, of step and weights, for random upstream
# gradients. LSQ starts with :math:`s = 2\, \mathrm{mean}|w| / \sqrt Q`.


def relative_size(n, Q, draws=200):
    """(|ds| / s) over (|dw| / |w|), root mean square of random upstreams."""
    w = rng.normal(size=n)
    s = 2 * np.abs(w).mean() / np.sqrt(Q)
    dw_hat = rng.normal(size=(draws, n))
    ds = dw_hat @ lsq(w, s, Q)
    dw = np.linalg.norm(dw_hat * (np.abs(w / s) < Q), axis=1)
    return np.sqrt(np.mean((ds / s / dw * np.linalg.norm(w)) ** 2))


sizes = [(n, Q) for n in (100, 1000, 10_000) for Q in (1, 3, 127)]
ratios = [relative_size(n, Q) for n, Q in sizes]
reduced = [r / sqrt(n * Q) for r, (n, Q) in zip(ratios, sizes, strict=True)]
quote("N = 100, Q = 1, ratio", ratios[0], 2.8, 0.05)
quote("N = 10,000, Q = 127, ratio", ratios[-1], 204, 0.5)
even = 0.1 < min(reduced) and max(reduced) < 0.4
claim("ratio / sqrt(N Q) stays between 0.1 and 0.4", even)

# %%
# From 3 to 204: with one learning rate for all, the step of a large layer
# would jump about while its weights hardly move. So LSQ multiplies the
# gradient of the step by :math:`1 / \sqrt{NQ}`. (With Adam the factor does
# nothing: Adam divides each gradient by its own size.)
#
# When does a learned step help?
# ------------------------------
# A small network with one hidden layer, :math:`V\, \mathrm{relu}(W x)`, is
# trained as float on labels that a wider random network gives. Then it is
# trained on with rounded weights, by three rules for the step of each matrix:
#
# * *largest*: the largest weight is the last value, computed in each forward;
# * *best fit*: the step with the least squared error, of 33 tried, computed in
#   each forward;
# * *learned*: LSQ.

SEEDS = range(10 * SEED, 10 * SEED + (2 if FAST else 5))
FLOAT_STEPS, STEPS = (100, 30) if FAST else (300, 150)
BITS = (2, 3, 8)


def task(rng):
    """Gaussian inputs, labelled by a wide random network.  -> x, labels."""
    first, second = rng.normal(size=(64, 16)), rng.normal(size=(8, 64))
    x = rng.normal(size=(3000, 16))
    labels = (np.maximum(x @ first.T, 0) @ second.T).argmax(axis=1)
    return x.astype(np.float32), labels


def step_of(params, name, rule, Q):
    """Step of the matrix `name`, by one of the three rules."""
    if rule == "learned":
        return params["step_" + name].data[()]
    w = params[name].data
    tried = np.float32([1]) if rule == "largest" else np.linspace(0.2, 1, 33)
    tried = tried.astype(np.float32) * np.abs(w).max() / Q
    return min(tried, key=lambda s: np.square(w - quantize(w, s, Q)).sum())


def network(params, x, rule, Q):
    """Run it.  -> logits, and backward(dlogits), which adds all gradients."""
    used, steps = {name: params[name].data for name in "WV"}, {}
    if rule != "float":
        steps = {name: step_of(params, name, rule, Q) for name in "WV"}
        used = {n: quantize(used[n], s, Q) for n, s in steps.items()}
    hidden, first = tv.ops.linear(x, used["W"])
    logits, second = tv.ops.linear(np.maximum(hidden, 0), used["V"])

    def backward(dlogits):
        dhidden, dV, _ = tv.ops.linear_backward(dlogits, second)
        _, dW, _ = tv.ops.linear_backward(dhidden * (hidden > 0), first)
        for name, dw_hat in (("W", dW), ("V", dV)):
            w = params[name].data
            if rule == "learned":
                s = steps[name]
                ds = (dw_hat * lsq(w, s, Q)).sum() / np.sqrt(w.size * Q)
                params["step_" + name].grad += ds
                dw_hat = dw_hat * (np.abs(w / s) < Q)
            params[name].grad += dw_hat

    return logits, backward


def train(start, data, rule, bits, steps, seed):
    """Train from `start`.  -> weights, test accuracy in percent."""
    x, labels = data
    Q = 2 ** (bits - 1) - 1
    params = {name: Param(w.copy()) for name, w in start.items()}
    if rule == "learned":
        for name, w in start.items():
            s = 2 * np.abs(w).mean() / np.sqrt(Q)
            params["step_" + name] = Param(np.array(s, np.float32))
    optimizer = tv.AdamW(list(params.items()), lr=0.005, weight_decay=0)
    batches = np.random.default_rng(seed)
    for step in range(steps):
        optimizer.lr = 0.005 * min(1, 2 - 2 * step / steps)
        chosen = batches.integers(0, 1000, 128)  # 1000 to train, 2000 to test
        logits, backward = network(params, x[chosen], rule, Q)
        _, dlogits = tv.losses.cross_entropy(logits, labels[chosen])
        zero_grad(params.values())
        backward(dlogits)
        optimizer.step()
    answers = network(params, x[1000:], rule, Q)[0].argmax(axis=1)
    trained = {name: params[name].data for name in "WV"}
    return trained, 100 * np.mean(answers == labels[1000:])


predict("at 2 bits, and at 8: by how many points does `learned` lead?")
accuracy = {}
for seed in SEEDS:
    own = np.random.default_rng(seed)
    data = task(own)
    begin = {
        "W": (own.normal(size=(32, 16)) / 4).astype(np.float32),
        "V": (own.normal(size=(8, 32)) / sqrt(32)).astype(np.float32),
    }
    floats, _ = train(begin, data, "float", 8, FLOAT_STEPS, seed)
    _, longer = train(floats, data, "float", 8, STEPS, seed)
    accuracy.setdefault("float", []).append(longer)
    for bits in BITS:
        for rule in ("largest", "best fit", "learned"):
            _, reached = train(floats, data, rule, bits, STEPS, seed)
            accuracy.setdefault((bits, rule), []).append(reached)

mean = {key: np.mean(values) for key, values in accuracy.items()}
lead = {
    (bits, other): summarize(
        np.subtract(accuracy[bits, "learned"], accuracy[bits, other])
    )
    for bits in BITS
    for other in ("largest", "best fit")
}
quote("float, %", mean["float"], 72.4, 0.05, True, 1)
for rule, expected in (("largest", 57.0), ("best fit", 65.9), ("learned", 68)):
    quote(f"2 bits, {rule}, %", mean[2, rule], expected, 0.05, True, 3)
for key, expected in (
    ((2, "largest"), (11.1, 6.4)),
    ((2, "best fit"), (2.1, 2.9)),
    ((3, "largest"), (0.9, 0.4)),
    ((8, "largest"), (0.2, 0.2)),
):
    name = "{} bits, learned less {}".format(*key)
    quote(name, lead[key].mean, expected[0], 0.05, True, 3)
    quote(f"{name}, margin", lead[key].margin, expected[1], 0.05, True, 3)
whole, rest = lead[2, "largest"], lead[2, "best fit"]
claim("2 bits: learned beats largest", whole.mean > whole.margin, True)
claim("2 bits: best fit has over half of it", rest.mean < whole.mean / 2, True)
claim("8 bits: less than a point", abs(lead[8, "largest"].mean) < 1, True)
draw.accuracies(accuracy, BITS, mean["float"])

# %%
# At 2 bits the learned step leads by 11.1 ± 6.4 points (mean and 95 % interval
# of five seeds) over the step from the largest weight. But the step that fits
# the weights best, computed without any gradient, has most of that. What
# remains for LSQ, 2.1 ± 2.9 points, is not resolved by five seeds. At 3 bits
# the lead over *largest* is 0.9 ± 0.4, and at 8 bits 0.2 ± 0.2.
#
# So learn the step where there are few values and no good rule for it; for
# three values chapter 12 derives one.
#
# On your own
# -----------
# * ``tervit exercise start ste_with_clip``: write the mask rule and its frozen
#   function.
# * Add weight decay to the rule *mask* in ``descend`` (``w * (1 - 0.01 * lr)``
#   after each step, then with 0.2). Does it bring the weights back?
# * Multiply the gradient of the step by 100. Why do so few numbers change?
# * For a Gaussian row of 20,000 weights and Q = 1, find the step where
#   ``sum((w_hat - w) * lsq(w, s, 1))`` is zero, and the step with the least
#   squared error. How far apart are they?
#
# In practice
# -----------
# * PyTorch has a learnable fake quantizer whose backward pass is LSQ's.
# * torchao and BitNet compute weight scales in each forward pass, as TerViT
#   does. llama.cpp searches a best fit for each small group of weights when it
#   converts a file.
# * ParetoQ (2025) trains language models of 1 to 4 bits with learned steps.
#
# Further reading
# ---------------
# * Choi et al. 2018, *PACT: parameterized clipping activation for quantized
#   neural networks*.
# * Esser et al. 2020, *Learned step size quantization*.
# * ``tervit_np/quant/ternary.py``: ``clip`` and ``ste_mask``.
