r"""
Softmax and cross-entropy
=========================

:You will do: turn the last numbers of a network into probabilities, measure
  how wrong they are, derive the gradient that starts every backward pass,
  break all three with large numbers, and repair them. Then train a small
  classifier, and ask whether its probabilities can be believed.
:You will learn: why the maximum is subtracted, why nobody computes the
  logarithm of a softmax in two steps, why the gradient is ``(p - y) / B``, an
  untrained model's loss, what temperature and label smoothing do.
:You need: chapter 01 (the chain rule by index, finite differences).
:Time: 25 minutes to read, a few seconds to run.
:In the paper: the loss of DeiT and Swin, which TerViT makes ternary. Softmax
  appears a second time, in attention (chapter 05).
"""

# %%
from tervit_lesson import SEED, claim, predict, quote, shapes  # first
from tervit_lesson.figures import cross_entropy as draw

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_np import ops

rng = np.random.default_rng(SEED)

# %%
# From scores to probabilities
# ----------------------------
# The last layer of a classifier is linear. For each picture it gives one
# number for each class, a *logit*: any real number, the larger the more likely
# the class. *Softmax* turns a row of logits :math:`z` into probabilities:
#
# .. math:: p_c = \frac{e^{z_c}}{\sum_j e^{z_j}}
#
# All are positive, the row sums to one, and the largest logit gets the largest
# probability. Add a number :math:`a` to all logits of a row: numerator and
# denominator are both multiplied by :math:`e^a`, and nothing changes. In code,
# straight from the formula:


def hasty_softmax(z):  # (B, C) -> (B, C)
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


B, C = 5, 4
z = 2 * rng.normal(size=(B, C))
p = hasty_softmax(z)
quote("rows sum to one, off by", np.abs(p.sum(axis=1) - 1).max(), 0, 1e-14)
moved = hasty_softmax(z + 7)
quote("all logits + 7, change of p", np.abs(moved - p).max(), 0, 1e-14)

# %%
# Break it
# --------
# Nothing stops a network from making logits of 100: training with too large
# steps (a high *learning rate*) is enough. Training runs in float32.

predict("softmax of the logits 101, 102, 103 in float32?")
row = np.array([[101, 102, 103]], np.float32)
with np.errstate(all="ignore"):  # NumPy would warn, as it should
    print("softmax(101, 102, 103) =", hasty_softmax(row)[0])
    print("softmax(-111, -112, -113) =", hasty_softmax(-row - 10)[0])
largest = np.log(np.finfo(np.float32).max)
quote("largest z with a finite exp(z)", largest, 88.72, 0.005)

# %%
# Not a number, twice. In float32 the exponential of anything above 88.7 is
# infinite, and infinity divided by infinity has no value. At the other end it
# is zero divided by zero. One such row turns every weight of the network into
# nan at the next step.
#
# Repair it
# ---------
# We may add any number to a row. So subtract its largest logit. Then the
# largest exponential is exactly 1, and the sum is at least 1: nothing
# overflows, and nothing is divided by zero.


def softmax(z):  # (B, C) -> (B, C)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


quote("repaired, change of p", np.abs(softmax(z) - p).max(), 0, 1e-15)
quote("its largest", softmax(row).max(), 0.6652, 0.00005)

# %%
# ``axis=1`` matters. The maximum of the whole array also prevents overflow,
# and passes every test with rows that look alike. Put a row of ordinary logits
# below a row of large ones:

mixed = np.array([[200, 201, 202], [1, 2, 3]], np.float32)
with np.errstate(all="ignore"):
    second = hasty_softmax(mixed - mixed.max())[1]
print("second row, with the maximum of the array:", second)
quote("values of it that are nan", np.isnan(second).sum(), 3, 0)

# %%
# How wrong is it?
# ----------------
# A picture has a label :math:`y`, the number of its class, and a good model
# gives that class a high probability. For many pictures the probability of all
# labels is a product, and the logarithm makes it a sum. Its mean, with a minus
# so that small is good, is the *cross-entropy*:
#
# .. math:: L = -\frac1B \sum_b \log p_{b,y_b}
#
# A sure and right answer costs 0, a probability of one half costs
# :math:`\log 2 = 0.69`, and for a sure and wrong answer there is no upper
# limit. (Logarithms are natural.)
#
# To an untrained model all classes are about equally likely, so each picture
# costs :math:`\log C`, whatever its label is: a number that checks model, data
# and loss before training.

predict("The loss of an untrained model with ten classes?")
few = shapes().test.take(np.arange(64))
model = tv.create_model("deit_shapes", seed=SEED)
logits = model.predict(normalise(few.images, few.mean, few.std))
loss, _ = tv.losses.cross_entropy(logits, few.labels)
quote("first loss", loss, 2.306, 0.0005, elsewhere=0.001)
quote("log 10", np.log(10), 2.3026, 0.00005)
claim("the first loss is log(classes)", abs(loss / np.log(10) - 1) < 0.02)

# %%
# If your first loss is far above :math:`\log C`, the last layer begins with
# weights that are too large. It cannot be far below, since random weights do
# not prefer the right class; if it is, the loss is computed wrongly, or the
# model was trained before.
#
# The logarithm at the edge
# -------------------------
# The loss needs the logarithm of a softmax. In two steps, ``log(softmax(z))``,
# this fails although softmax itself is repaired. Let the true class lie 150
# below another one. Its probability, :math:`e^{-150}`, becomes 0 in float32,
# and :math:`\log 0` is minus infinity, but the answer is a harmless -150. Take
# the logarithm on paper; with :math:`m` the largest logit of the row,
#
# .. math:: \log p_c = z_c - m - \log \sum_j e^{z_j - m}
#
# What is subtracted from :math:`z_c` is the *log-sum-exp* of the row.


def log_softmax(z):  # (B, C) -> (B, C)
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


below = np.arange(0, 131, dtype=np.float32)
rows = np.stack([-below, np.zeros_like(below)], axis=1)
with np.errstate(divide="ignore"):
    in_two_steps = -np.log(softmax(rows)[:, 0])
in_one = -log_softmax(rows)[:, 0]
draw.edge(below, in_two_steps, in_one)

lost = int(below[np.isinf(in_two_steps)].min())
quote("two steps: infinite from", lost, 104, 0)
quote("one step: the loss there", in_one[lost], 104, 1e-4)
wrong = np.abs(in_two_steps[:lost] - in_one[:lost])
first_wrong = below[:lost][wrong > 0.01][0]
other_exp = "NumPy's exp has other last bits on other processors"
quote("two steps: first wrong by 0.01", first_wrong, 100, 2, wide=other_exp)

# %%
# Between 88 and 103 the probability is a *subnormal* number, with fewer and
# fewer digits, and then it is gone.
#
# The gradient
# ------------
# Now derive what every backward pass in this course starts with. For one row
# the loss is
#
# .. math:: L = -\log p_y = -z_y + \log \sum_j e^{z_j}
#
# The derivative of the logarithm of the sum by :math:`z_c` is :math:`e^{z_c}`
# divided by the sum, which is :math:`p_c`. If :math:`c` is the true class, it
# also appears in the first term, with derivative -1. With the labels as rows
# of zeros and a one (*one-hot*), and the mean over :math:`B` rows,
#
# .. math:: \mathrm{dz} = \frac{p - y}{B}
#
# What the model said minus what it should have said. Loss and gradient share
# the exponentials, so one function returns both. We check it by differences;
# the loss is one number, so its upstream gradient is 1.

from tervit_np.verify.gradcheck import numerical_gradient  # of chapter 01


def cross_entropy(z, labels):  # (B, C), (B) -> loss, dz (B, C)
    rows = np.arange(len(z))
    log_p = log_softmax(z)
    dz = np.exp(log_p)
    dz[rows, labels] -= 1
    return -log_p[rows, labels].mean(), dz / len(z)


labels = rng.integers(0, C, B)
loss, dz = cross_entropy(z, labels)
true_dz = numerical_gradient(lambda z: cross_entropy(z, labels)[0], z, 1.0)
quote("dz against differences", np.abs(dz - true_dz).max(), 0, 1e-9)
library_loss, library_dz = tv.losses.cross_entropy(z, labels)
quote("loss against the library", abs(library_loss - loss), 0, 1e-13)
quote("dz against the library", np.abs(library_dz - dz).max(), 0, 1e-13)

# %%
# Each row of dz sums to zero, since p and y both sum to one. And no entry of
# :math:`p - y` is outside -1 to 1, however wrong the model is.
#
# **Which checks catch which mistake?** Here are four wrong gradients. A
# common check of a gradient is to look whether the loss falls.

y = np.eye(C)[labels]
p = softmax(z)
gradients = {
    "(p - y) / B": (p - y) / B,
    "(y - p) / B": (y - p) / B,  # the sign
    "p - y": p - y,  # the mean forgotten
    "(p - y) / (B C)": (p - y) / (B * C),  # a mean over the classes, too
    "-y / (p B)": -y / (p * B),  # the derivative of log p; softmax forgotten
}
predict("Of the four wrong ones, how many make the loss fall?")
passed = []
for name, gradient in gradients.items():
    step = 0.01 * gradient / np.abs(gradient).max()
    falls = cross_entropy(z - step, labels)[0] < loss
    to_zero = np.abs(gradient.sum(axis=1)).max() < 1e-12
    agrees = np.abs(gradient - true_dz).max() < 1e-7
    passed.append((falls, to_zero, agrees))
    print(f"{name:16} falls {falls!s:5}  rows to 0 {to_zero!s:5}  {agrees}")
passed = np.array(passed)
quote("right gradient passes", passed[0].sum(), 3, 0)
quote("wrong ones: the loss falls", passed[1:, 0].sum(), 3, 0)
quote("wrong ones: rows sum to 0", passed[1:, 1].sum(), 3, 0)
quote("wrong ones: differences agree", passed[1:, 2].sum(), 0, 0)

# %%
# Three of four: a small step lowers the loss, too, if only the size of the
# gradient is wrong, or if its direction is roughly right. Finite differences
# (the last column) catch all four.
#
# **Why not the squared error?** Take two classes and look at the gradient by
# the true logit, against the *margin*: the true logit minus the other. With
# the squared error :math:`\sum_c (p_c - y_c)^2` the chain rule passes through
# softmax and brings the factor :math:`p (1 - p)`, which is almost zero when
# the model is sure.

margins = np.linspace(-8, 8, 161)
p_true = 1 / (1 + np.exp(-margins))  # softmax of two logits
by_log = p_true - 1
by_square = -4 * (1 - p_true) ** 2 * p_true
draw.pull(margins, by_log, by_square)
by_differences = numerical_gradient(
    lambda z: ((softmax(z) - [[1, 0]]) ** 2).sum(), np.array([[-6.0, 0]]), 1.0
)[0, 0]
at = list(margins.round(6)).index(-6)
quote("squared error, margin -6", by_square[at], -0.0098, 0.00005)
quote("against differences", by_square[at] - by_differences, 0, 1e-8)
quote("cross-entropy, margin -6", by_log[at], -0.9975, 0.00005)

# %%
# Sure and wrong, at a margin of -6: the gradient of the squared error is a
# hundred times smaller. It learns least where there is most to learn. In the
# cross-entropy the logarithm cancels the exponential, and the gradient is as
# large as the mistake.
#
# A classifier in ten lines
# -------------------------
# With chapter 01's layer and this loss one can train. Three classes of points
# in the plane, each a Gaussian cloud: their true probabilities are known, and
# are the softmax of a linear layer. This is *softmax regression*.

centres = 1.5 * np.array([[1, 0], [-0.5, 0.87], [-0.5, -0.87]])


def cloud(n):  # -> points (n, 2), labels (n)
    labels = rng.integers(0, 3, n)
    return centres[labels] + rng.normal(size=(n, 2)), labels


def train(points, targets, steps=300, lr=1.0):
    """Softmax regression with rows of probabilities as targets."""
    weight, bias = np.zeros((3, 2)), np.zeros(3)
    for _ in range(steps):
        z, cache = ops.linear(points, weight, bias)
        dz = (softmax(z) - targets) / len(z)
        _, dweight, dbias = ops.linear_backward(dz, cache)
        weight -= lr * dweight
        bias -= lr * dbias
    return weight, bias


points, point_labels = cloud(2000)
test, test_labels = cloud(20_000)
one_hot = np.eye(3)[point_labels]
weight, bias = train(points, one_hot)
test_logits, _ = ops.linear(test, weight, bias)
loss, _ = cross_entropy(test_logits, test_labels)
true_logits = test @ centres.T - (centres**2).sum(axis=1) / 2
best, _ = cross_entropy(true_logits, test_labels)
accuracy = (test_logits.argmax(axis=1) == test_labels).mean()
quote("loss before training, log 3", np.log(3), 1.0986, 0.00005)
quote("loss, trained", loss, 0.416, 0.0005)
quote("loss of the true probabilities", best, 0.412, 0.0005)
quote("accuracy, percent", 100 * accuracy, 83.6, 0.05)
claim("the trained loss is within 2 % of it", loss < 1.02 * best)

# %%
# The loss falls from :math:`\log 3 = 1.10` to 0.416; the true probabilities
# have 0.412. The clouds overlap, and no model can tell the class of a point
# between them. A loss has a floor that depends on the data.
#
# Can the probabilities be believed?
# ----------------------------------
# If of all test points of which the model is sure by about 90 %, nine of ten
# are right, it is *calibrated*. Compare three sets of logits: those of the
# model, the same times three, and those of a model trained with *label
# smoothing*, whose targets are not 0 and 1 but
#
# .. math:: q = (1 - \epsilon)\, y + \epsilon / C
#
# with :math:`\epsilon = 0.2` here. (0.1 is usual.)

smooth = train(points, 0.8 * one_hot + 0.2 / 3)
smooth_logits, _ = ops.linear(test, *smooth)


def confidence(logits):
    """Mean confidence and accuracy in ten bins, and the mean gap."""
    p = softmax(logits)
    sure, right = p.max(axis=1), p.argmax(axis=1) == test_labels
    bins = np.minimum((10 * sure).astype(int), 9)
    n, says, is_right = (np.bincount(bins, w, 10) for w in (None, sure, right))
    some = n > 100
    n, says, is_right = n[some], says[some] / n[some], is_right[some] / n[some]
    return says, is_right, (n * np.abs(says - is_right)).sum() / n.sum()


sets = {
    "logits": test_logits,
    "logits times 3": 3 * test_logits,
    "label smoothing": smooth_logits,
}
predict("Multiply all logits by 3. What happens to accuracy and loss?")
results = {name: confidence(logits) for name, logits in sets.items()}
draw.calibration({name: r[:2] for name, r in results.items()})
losses = {n: cross_entropy(s, test_labels)[0] for n, s in sets.items()}
off = {name: 100 * r[2] for name, r in results.items()}
quote("points off, logits", off["logits"], 1.3, 0.05)
quote("points off, times 3", off["logits times 3"], 11.4, 0.05)
quote("points off, label smoothing", off["label smoothing"], 13.7, 0.05)
quote("loss, times 3", losses["logits times 3"], 0.740, 0.0005)
says, is_right, _ = results["logits times 3"]
claim("times 3: surer than right, in every bin", (says > is_right).all())
says, is_right, _ = results["label smoothing"]
sure = says > 0.5
claim("smoothing: less sure", (says[sure] < is_right[sure]).all())

# %%
# The accuracy is the same, because the largest logit stays the largest; the
# loss is not. The model's own probabilities are off by one point. Times three
# it is *overconfident*, by 11 points on average. With label smoothing it is
# right more often than it says, by 14. (This average over the bins is the
# *expected calibration error*.) Large networks that were trained for long are
# often overconfident (Guo et al. 2017), and smoothing is a remedy.
#
# Temperature
# -----------
# Another remedy: divide the logits by a *temperature* T before the softmax.
# Above 1 it makes the probabilities more equal, below 1 it makes the largest
# one larger, and it never changes which is the largest.
# To calibrate a trained model, choose the T with the smallest loss on data
# that was not trained on (*temperature scaling*).

for T in (0.1, 1, 10):
    print(f"T = {T:<4}", softmax(np.array([[1.0, 2.0, 3.0]]) / T).round(3)[0])
predict("Which T repairs the logits that were multiplied by 3?")
held_out, held_labels = cloud(2000)
tried = np.arange(0.1, 6, 0.05)
best_T = []
for factor, layer in ((3, (weight, bias)), (1, smooth)):
    held_logits = factor * ops.linear(held_out, *layer)[0]
    found = [cross_entropy(held_logits / T, held_labels)[0] for T in tried]
    best_T.append(tried[np.argmin(found)])
T_large, T_smooth = best_T
quote("T, times 3", T_large, 3.2, 0.01)
quote("T, label smoothing", T_smooth, 0.5, 0.01)
repaired = confidence(3 * test_logits / T_large)[2]
quote("points off, times 3, repaired", 100 * repaired, 0.4, 0.05)
claim("T undoes the factor 3, to a fifth", abs(T_large / 3 - 1) < 0.2)
claim("label smoothing needs T below 1", T_smooth < 0.7)

# %%
# It is 3.2 because the model itself needs 3.2 / 3 = 1.07: it was a little too
# sure. Now its probabilities are off by 0.4 points. Smoothing needs the
# opposite, a temperature of one half.
#
# What smoothing does to the loss
# -------------------------------
# With smoothed targets q the loss is the mean of :math:`-\sum_c q_c \log p_c`,
# and the gradient is :math:`(p - q) / B`. It is zero where p is q, so the true
# logit stays a fixed margin above the others, in place of growing without end.
# And the loss there is not zero. With :math:`\epsilon = 0.1` and ten classes:

q = 0.9 * np.eye(10)[0] + 0.1 / 10
quote("margin of the best logits", np.log(q[0] / q[1]), 4.51, 0.005)
quote("lowest loss with smoothing", -(q * np.log(q)).sum(), 0.500, 0.0005)
found = tv.losses.cross_entropy(np.log(q)[None], np.array([0]), smoothing=0.1)
at_q, gradient = found
quote("the library's loss there", at_q, 0.500, 0.0005)
quote("and its gradient", np.abs(gradient).max(), 0, 1e-15)

# %%
# So half a unit of the training loss that chapter 00 printed, with smoothing
# 0.1, cannot be learned away. Compare losses only with equal targets.
#
# On your own
# -----------
# * ``tervit exercise start softmax``, then ``cross_entropy``, both from an
#   empty body.
# * A common mistake is softmax twice: give ``cross_entropy`` probabilities
#   instead of logits. What is the lowest loss that ten classes can then have?
# * Multiply ``model.head.weight.data`` by 30 before the first loss. What is it
#   now, and why can it be so far above log 10 in spite of random logits?
# * Let a row of targets q sum to 1.1. Derive dz again. What is added to
#   :math:`p - q`, and why does the library refuse such targets?
# * Repeat "The logarithm at the edge" in float16. From which margin on is the
#   loss of the two steps infinite?
#
# In practice
# -----------
# * PyTorch's ``cross_entropy`` takes logits, never probabilities, and computes
#   log-sum-exp inside. It has ``label_smoothing``, too; DeiT and Swin use 0.1.
# * Language models have a hundred thousand classes; fused kernels compute loss
#   and gradient without storing the probabilities.
# * FlashAttention computes softmax in parts: it keeps a maximum and a sum for
#   each row and corrects both when a later part has a larger one.
#
# Further reading
# ---------------
# * `losses.py <../tervit_np/losses.py>`_, `its test
#   <../tests/test_losses.py>`_.
# * Blanchard, Higham, Higham: Accurately computing the log-sum-exp and softmax
#   functions (2021).
# * Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks
#   (2017). Szegedy et al.: Rethinking the Inception architecture (2016), where
#   label smoothing comes from.
