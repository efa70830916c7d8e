r"""
Three values
============

:You will do: derive the rule for three values from one wish, that the squared
  error be small; find its exact optimum by sorting; and measure on a trained
  transformer whether a smaller error of the weights means a higher accuracy.
:You will learn: where the paper's threshold of 0.7 times the mean comes from;
  why the scale is a mean over some weights only; what a rule for each channel
  gains.
:You need: some calculus; chapters 08 and 10 (code, scale, per channel).
:Time: 25 minutes to read. It uses the model that several chapters share,
  trained once in under a minute, and then runs in seconds.
:In the paper: for one row :math:`w` of a weight matrix, which makes one output
  channel,

.. math::

    \Delta = 0.7 \cdot \mathrm{mean}_i |w_i| \qquad
    t_i = \mathrm{sign}(w_i) \text{ where } |w_i| > \Delta \text{, else } 0
    \qquad
    \alpha = \mathrm{mean} \{ |w_i| : t_i \ne 0 \} \qquad
    \hat w = \alpha t

So we read it (chapter 20): as Ternary Weight Networks, for each channel.
"""

# %%
from tervit_lesson import SEED, claim, predict, quote, shapes, trained_model

from itertools import product
from statistics import NormalDist

import numpy as np

import tervit_np as tv
from tervit_lesson.figures import three_values as draw
from tervit_np.quant import Plan, Ternary, UniformAct, UniformWeight, ternarize
from tervit_np.quant.plan import ENCODER, FIRST_AND_LAST

rng = np.random.default_rng(SEED)


def relative_error(w, w_hat):
    """Squared error as a fraction of the squared weights."""
    return np.square(w - w_hat).sum() / np.square(w).sum()


# %%
# A bad rule, and a better one
# ----------------------------
# Chapter 10 let the largest weight decide the step. With 2 bits that leaves
# -s, 0 and s, where s is the largest magnitude. On a Gaussian row of 1,000
# weights almost all become 0: less than half of s rounds to 0.

row = rng.normal(size=(1, 1000))
from_largest = UniformWeight(2).forward(row)[0]
by_rule = ternarize(row).dequantize()
predict("the relative squared error of the paper's rule: 0.1, 0.2, 0.4?")
zeros = 100 * np.mean(from_largest == 0)
quote("step from the largest, zeros, %", zeros, 95.9, 0.05)
bad, good = relative_error(row, from_largest), relative_error(row, by_rule)
quote("step from the largest, error", bad, 0.834, 0.0005)
quote("the paper's rule, error", good, 0.201, 0.0005)
claim("the paper's rule has less than half of the error", good < bad / 2)

# %%
# Three values from first principles
# ----------------------------------
# We want codes t in {-1, 0, 1} and a scale :math:`\alpha` with the least
# :math:`J = \sum_i (w_i - \alpha t_i)^2`. Hold one and ask for the other.
#
# *The codes are given; which scale?* Set the derivative to zero:
#
# .. math::
#
#     -2 \sum_i t_i (w_i - \alpha t_i) = 0 \quad\Rightarrow\quad
#     \alpha = \frac{\sum_i w_i t_i}{\sum_i t_i^2}
#            = \mathrm{mean} \{ |w_i| : t_i \ne 0 \}
#
# That is the paper's scale, a mean over the *support*, what is not zeroed.
#
# *The scale is given; which codes?* Each weight takes the nearest of the three
# values, so it is zeroed if :math:`|w_i| < \alpha / 2`.
#
# At the best solution both hold: **the threshold is half of the scale.**
#
# *Both are free.* Only the largest weights can be worth a code. The question
# is how many: k. With :math:`S_k`, the sum of the k largest magnitudes, and
# the best scale :math:`\alpha = S_k / k`:
#
# .. math::
#
#     J_k = \sum_i w_i^2 - 2 \alpha S_k + k \alpha^2
#         = \sum_i w_i^2 - S_k^2 / k
#
# Sort, add up, look for the largest :math:`S_k^2 / k`: the answer is exact.


def exact(w):
    """Return the k, scale and relative error that are best for one row."""
    sizes = np.sort(np.abs(w))[::-1]
    sums = np.cumsum(sizes)
    gains = sums**2 / np.arange(1, len(w) + 1)
    k = np.argmax(gains) + 1
    return k, sums[k - 1] / k, 1 - gains[k - 1] / np.square(w).sum()


# %%
# Believe it? With eight weights there are only :math:`3^8 = 6561` codes. Try
# them all. (Half of them: t and -t differ in the sign of the scale.)

short = rng.normal(size=8)
every = np.array(list(product((-1, 0, 1), repeat=8))[:3280])
dots, squares = every @ short, np.square(every).sum(axis=1)
best = 1 - np.max(dots**2 / squares) / np.square(short).sum()
quote("all codes of eight weights, best error", best, 0.104, 0.0005)
quote("by sorting minus by trying", exact(short)[2] - best, 0, 1e-12)
fitted = ternarize(short[None], threshold="exact")
quote("scale minus the library's", exact(short)[1] - fitted.scale[0], 0, 1e-12)

# %%
# Where 0.7 comes from
# --------------------
# Sorting every row in every step of training would be slow, so Ternary Weight
# Networks ask what the answer is for rows of a known shape. There "the
# threshold is half of the scale" is an equation for one number:
#
# .. math:: \Delta = \tfrac{1}{2} \, E \bigl[ |w| \,\big|\, |w| > \Delta \bigr]
#
# * *Uniform* on [-1, 1]: the mean beyond :math:`\Delta` is
#   :math:`(1 + \Delta) / 2`, so :math:`\Delta = 1/3`. As E\|w\| is 1/2, that
#   is 0.667 E\|w\|.
# * *Laplace*, density :math:`\tfrac12 e^{-|w|}`: what is left beyond
#   :math:`\Delta` looks like the whole, shifted, so the mean is
#   :math:`\Delta + 1` and :math:`\Delta = 1`. As E\|w\| is 1, that is 1.0.
# * *Gaussian*: no closed form. Ask the sorted row, here of its quantiles.

predict("the Gaussian's best threshold over E|w|: 0.6, 0.7, 0.8?")
n = 20_000
places = (np.arange(n) + 0.5) / n
gaussian = np.array([NormalDist().inv_cdf((1 + u) / 2) for u in places])
rows = {"uniform": places, "Gaussian": gaussian, "Laplace": -np.log1p(-places)}
found = {}
for name, w in rows.items():
    k, scale, error = exact(w)
    found[name] = scale / 2 / w.mean(), error
per_sigma = found["Gaussian"][0] * gaussian.mean()
quote("Gaussian, best threshold / sigma", per_sigma, 0.612, 0.0005)
for name, factor, error in (
    ("uniform", 0.667, 0.111),
    ("Gaussian", 0.767, 0.190),
    ("Laplace", 1, 0.264),
):
    quote(f"{name}, best threshold / E|w|", found[name][0], factor, 0.0005)
    quote(f"{name}, best error", found[name][1], error, 0.0005)

# %%
# The best factor is 0.667 for a uniform row and 0.767 for a Gaussian one (that
# is 0.612 standard deviations). Ternary Weight Networks take 0.7, and later
# code of its authors 0.75. How much does it matter? Compute the error for
# every threshold.

factors = np.linspace(0, 2, 201)


def error_at(w, factor, scale="support"):
    fitted = ternarize(w[None], threshold=float(factor), scale=scale)
    return relative_error(w, fitted.dequantize()[0])


curves = {name: [error_at(w, f) for f in factors] for name, w in rows.items()}
draw.thresholds(factors, curves, found)

# %%
# Near its minimum the error hardly depends on the threshold.

at_07 = {name: error_at(w, 0.7) for name, w in rows.items()}
quote("Gaussian, error at 0.7", at_07["Gaussian"], 0.192, 0.0005)
quote("Laplace, error at 0.7", at_07["Laplace"], 0.282, 0.0005)

# %%
# Which mean?
# -----------
# Another reading of the paper takes the scale as the mean of the magnitudes
# over the *whole* row, zeroed weights included: smaller, and not the minimum.
# BitNet b1.58 uses this scale too, with a threshold of half the mean.

mean_scale = error_at(gaussian, 0.7, "mean")
bitnet = error_at(gaussian, 0.5, "mean")
quote("Gaussian, scale over the support", at_07["Gaussian"], 0.192, 0.0005)
quote("Gaussian, scale over the whole row", mean_scale, 0.278, 0.0005)
quote("Gaussian, BitNet's rule", bitnet, 0.263, 0.0005)

# %%
# Hence our default, "support".
#
# One rule for each channel
# -------------------------
# (*Per-channel* against *per-tensor* quantization.) One threshold for a whole
# matrix is too high for a quiet row, most of which becomes zero, and too low
# for a loud one. Take Gaussian rows, some three times as large as others.

sizes = np.exp(0.5 * rng.normal(size=(384, 1)))
matrix = sizes * rng.normal(size=(384, 384))
by_layer = ternarize(matrix, granularity="tensor")
by_channel = ternarize(matrix)
predict("the best error of a Gaussian row is 0.19. One rule for all rows?")
layer_error = relative_error(matrix, by_layer.dequantize())
channel_error = relative_error(matrix, by_channel.dequantize())
quote("one rule for the matrix", layer_error, 0.307, 0.0005)
quote("one rule for each row", channel_error, 0.193, 0.0005)

order = np.argsort(sizes[:, 0])
examples, common_zeros, own_zeros = {}, {}, {}
for name, r in (("quiet", order[20]), ("loud", order[363])):
    common_zeros[name] = 100 * np.mean(by_layer.codes[r] == 0)
    own_zeros[name] = 100 * np.mean(by_channel.codes[r] == 0)
    limits = by_channel.threshold[r], by_layer.threshold
    examples[name] = matrix[r], *limits, common_zeros[name]
draw.rows(examples)

quote("zeros of the quiet row, %", common_zeros["quiet"], 86, 0.5)
quote("zeros of the loud row, %", common_zeros["loud"], 21, 0.5)
quote("the same, its own threshold", own_zeros["loud"], 42, 0.5)
more = layer_error / channel_error
claim("one rule for the matrix has more error", more > 1.2)

# %%
# Under the common threshold 86 % of the quiet row become zero, and of the loud
# row 21 %, where its own rule makes it 42 %. The paper's motive is the fused
# matrix of queries, keys and values: one interval for all loses accuracy, and
# a rule for each channel separates them.
#
# On a trained model
# ------------------
# Round its blocks without training (*post-training quantization*):

model, data = trained_model(), shapes()
layers = {
    name.removeprefix("blocks."): layer.weight
    for name, layer in model.quantizable()
    if name.startswith("blocks") and layer.weight is not None
}


def errors_of(quantizer):
    """Relative error of each matrix."""
    matrices = [layer.data for layer in layers.values()]
    return [relative_error(w, quantizer.forward(w)[0]) for w in matrices]


table = {
    "one rule for each matrix": errors_of(Ternary("tensor")),
    "one rule for each channel": errors_of(Ternary()),
    "exact, each channel": errors_of(Ternary(threshold="exact")),
}
layer_mean, channel_mean, exact_mean = (np.mean(e) for e in table.values())
quote("trained, one a matrix, error", layer_mean, 0.155, 0.0005, True, 0.01)
quote("trained, one a channel, error", channel_mean, 0.151, 0.0005, True, 0.01)
quote("trained, exact, error", exact_mean, 0.150, 0.0005, True, 0.01)
claim("less than Gaussian rows", channel_mean < at_07["Gaussian"] - 0.02)
claim("more than uniform", channel_mean > at_07["uniform"] + 0.02, True)
gain = 100 * (1 - channel_mean / layer_mean)
quote("what a rule for each channel gains, %", gain, 2.4, 0.05, True, 1)
claim("it gains less than a tenth", 0 < gain < 10)
best_factors = [
    np.mean(fitted.threshold / np.abs(w.data).mean(axis=1))
    for w in layers.values()
    if (fitted := ternarize(w.data, threshold="exact"))
]
factor = np.mean(best_factors)
quote("best threshold / mean|w|", factor, 0.708, 0.0005, True, 0.01)
draw.trained(list(layers), table, at_07["Gaussian"])

# %%
# The rows of this model are between uniform, as they were drawn (chapter 06),
# and Gaussian. Their best threshold is, on average, 0.708 of the mean: 0.7
# could hardly be better. And the rows of one matrix are so much alike that a
# rule for each gains only 2.4 % of the error.
#
# Is a smaller error a better model?
# ----------------------------------
# What one wants is accuracy. Seven rules for three values, without any
# training, with 8 bits for everything else:


def encoder(quantizer):
    """Plan: this quantizer in the blocks, 8 bits elsewhere."""
    return Plan(
        [
            (ENCODER, quantizer, UniformAct(8)),
            (FIRST_AND_LAST, UniformWeight(8), UniformAct(8)),
        ]
    )


quantizers = {
    "channel": Ternary(),
    "channel, exact": Ternary(threshold="exact"),
    "channel, scale of the whole row": Ternary(scale="mean"),
    "channel, BitNet's rule": Ternary("channel", "absmean", "mean"),
    "matrix": Ternary("tensor"),
    "channel, from the largest": UniformWeight(2),
    "matrix, from the largest": UniformWeight(2, "tensor"),
}


def evaluate(plan):
    found = tv.train.evaluate(tv.quantize(model, plan), data.test, threads=2)
    return 100 * found.accuracy


predict("which rule has the highest accuracy, and which the lowest?")
error = {name: np.mean(errors_of(q)) for name, q in quantizers.items()}
accuracy = {name: evaluate(encoder(q)) for name, q in quantizers.items()}
accuracy["float"] = evaluate("float")
error["float"] = 0
for name in sorted(error, key=lambda name: error[name]):
    print(f"{name:32} error {error[name]:.3f}  {accuracy[name]:6.2f} %")
first, naive = "channel", "channel, from the largest"
quote("float", accuracy["float"], 77.0, 0.005, True, 3)
quote("channel", accuracy[first], 48.3, 0.005, True, 15)
quote("channel, exact", accuracy["channel, exact"], 48.9, 0.005, True, 15)
quote("matrix", accuracy["matrix"], 46.85, 0.005, True, 15)
whole_row = accuracy["channel, scale of the whole row"]
quote("channel, scale of the whole row", whole_row, 20.35, 0.005, True, 12)
quote("channel, from the largest", accuracy[naive], 50.1, 0.005, True, 15)
quote("its error", error[naive], 0.482, 0.0005, True, 0.02)
ratio = error[naive] / error[first]
claim("the naive rule has three times the error", ratio > 3, True)
behind = accuracy[first] - accuracy[naive]
claim("and is at most two points behind in accuracy", behind < 2, True)
costs_most = whole_row < accuracy[first] - 15
claim("the scale of the whole row costs most", costs_most, True)

# %%
# The step from the largest weight of each channel, the rule that this chapter
# began by rejecting, has three times the error of the paper's rule and is not
# behind: 50.1 against 48.3 %. And the *same codes* with the scale of the whole
# row fall to 20.35 %. **The error of the weights is not the accuracy.**
#
# What does the error not see? Split :math:`\hat w` into a part along :math:`w`
# and a part at a right angle to it. The factor of the first part,
#
# .. math:: g = \frac{\sum_i w_i \hat w_i}{\sum_i w_i^2}
#
# says how much of the float weight is kept; the rest acts like noise. With the
# scale of least squares :math:`g` is one minus the relative error.


def kept(quantizer):
    """Mean over the matrices of the factor along w."""
    factors = []
    for layer in layers.values():
        w, (w_hat, _) = layer.data, quantizer.forward(layer.data)
        factors.append((w * w_hat).sum() / np.square(w).sum())
    return float(np.mean(factors))


part = {name: kept(quantizer) for name, quantizer in quantizers.items()}
quote("kept by the paper's rule", part[first], 0.85, 0.005, True, 0.02)
quote("kept by the naive rule", part[naive], 0.98, 0.005, True, 0.02)
draw.error_and_accuracy(error, accuracy, 10)

# %%
# The paper's rule keeps 0.85 of the weights, the naive one nearly all. Is this
# what counts? Keep the codes of the paper's rule, and multiply all scales by a
# factor. Then take the float weights, and only make them smaller.


def accuracy_with(change, kinds=("qkv", "proj", "fc1", "fc2")):
    """Accuracy with some matrices of the blocks changed, all else float."""
    before = {name: layer.data.copy() for name, layer in layers.items()}
    for name, layer in layers.items():
        if name.split(".")[-1] in kinds:
            layer.data[...] = change(layer.data)
    changed = evaluate("float")
    for name, layer in layers.items():
        layer.data[...] = before[name]
    return changed


predict("multiply the paper's scales by 1 / 0.85: better or worse than 48 %?")
scaled = {
    f: accuracy_with(lambda w, f=f: f * ternarize(w).dequantize())
    for f in (0.71, 0.85, 1, 1.18, 1.5)
}
quote("scale times 1.18", scaled[1.18], 65.3, 0.05, True, 12)
quote("scale times 1", scaled[1], 48.25, 0.005, True, 15)
claim("a larger scale gains ten points", scaled[1.18] > scaled[1] + 10, True)
claim("a smaller one loses ten", scaled[0.85] < scaled[1] - 10, True)
ratio = part["channel, scale of the whole row"] / part[first]
quote("kept, row's scale / paper's", ratio, 0.71, 0.005, True, 0.01)
all_four = ("qkv", "proj", "fc1", "fc2")
together, scores, mlp = (
    accuracy_with(lambda w: 0.71 * w, kinds)
    for kinds in (all_four, ("qkv",), ("fc1", "fc2"))
)
quote("float, all times 0.71", together, 35.7, 0.05, True, 12)
quote("float, qkv times 0.71", scores, 65.5, 0.05, True, 10)
quote("float, fc1 and fc2 times 0.71", mlp, 64.3, 0.05, True, 10)
lost = [accuracy["float"] - a for a in (together, scores, mlp)]
claim("all of them cost over 20 points", lost[0] > 20, True)
claim("qkv alone, fc1 and fc2 alone over 4", min(lost[1:]) > 4, True)
tv.quantize(model, "float")

# %%
# The same codes with scales 1.18 times as large reach 65.3 % instead of
# 48.25 %, with a *larger* squared error of the weights. Least squares shrinks,
# and this network minds shrinking more than noise, even with no rounding at
# all: float weights times 0.71, what the scale of the whole row makes of the
# paper's, have 35.7 %.
#
# Why? Each block adds two *branches* to the residual stream, and a branch has
# two matrices one after the other, so it adds about half of what it should
# (0.71 times 0.71). Shrinking only fc1 and fc2 costs 13 points. And attention
# scores, products of queries and keys, are halved, and the attention weights
# become more alike. Shrinking only qkv costs 11.5 points.
#
# All of these are numbers *before* training with ternary weights. Training can
# mend a wrong scale, since LayerNorm and the other parameters adapt. Whether a
# rule for each channel is better *after* training, as the paper claims, takes
# trainings with several seeds: chapter 20 reads their stored result.
#
# On your own
# -----------
# * ``tervit exercise start ternarize``, then ``exact_interval``.
# * Find the exact interval without sorting: begin with any scale, take the
#   nearest codes, then the best scale for them, and so on (Lloyd's algorithm,
#   k-means on a line). Does it always end at the optimum?
# * Which fraction of each distribution is zero at its best threshold?
# * Multiply the scale of the whole row by 1.4 and evaluate again.
# * How does the error of the step from the largest weight grow with the length
#   of a row (64, 1,000 and 20,000 weights)? What does this explain?
# * ``tervit check --mutant threshold-maximum`` makes the threshold a fraction
#   of the largest weight. Which check sees it, and why no gradient check?
#
# In practice
# -----------
# * BitNet b1.58: one scale for the whole matrix, threshold half the mean,
#   scale the mean; trained from scratch.
# * *Bias correction* (Nagel et al. 2019) repairs the mean of the outputs, as
#   the factor 1.18 does their size.
#
# Further reading
# ---------------
# * Li, Liu 2016, *Ternary weight networks*: the rule, and 0.7.
# * Ma et al. 2024, *The era of 1-bit LLMs* (BitNet b1.58).
# * ``tervit_np/quant/ternarize.py``: the rules of this chapter.
