r"""
Distillation
============

:You will do: soften a teacher's answers with a temperature, derive the
  gradient of the distillation loss and find out why it carries a factor
  :math:`T^2`, train a ternary student with it, and read what a teacher added
  in fifteen trainings.
:You will learn: what a network says beyond its answer; the two losses of
  distillation, soft and hard; three ways to get them wrong that no error
  message reports; DeiT's distillation token.
:You need: chapter 02 (softmax, cross-entropy), and for the training chapters
  07 and 08.
:Time: 30 minutes to read. It uses the model that the chapters share, trained
  once in under a minute, and then runs for half a minute.
:In the paper: we do not know whether TerViT has a teacher (chapter 20). Its
  relatives have: the authors' own Q-ViT learns from a hard teacher, FTerViT
  (2026) from nothing but a teacher's probabilities. DeiT was made for it.
"""

# %%
from tervit_lesson import FAST, ROOT, SEED, claim, predict, quote, shapes
from tervit_lesson import trained_model  # before the others

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_lesson.figures import distillation as draw
from tervit_np.losses import cross_entropy, distillation, hard_distillation

rng = np.random.default_rng(SEED)

# %%
# More than an answer
# -------------------
# The float model that the chapters share is the teacher. Its student will be
# the same model with ternary weights. What does the teacher say of the
# pictures that it was trained on?

teacher, data = trained_model(), shapes()
train = data.train.take(np.arange(2048))
z = teacher.predict(normalise(train.images, train.mean, train.std))
z = z.astype(np.float64)
labels = train.labels


def softmax(z):  # (B, C) -> (B, C)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


t = softmax(z)

# %%
# The label is one word. The teacher also says what else it might be, and how
# sure it is. Averaged over the pictures of each class, its wrong answers show
# which classes look alike to it. The label contains nothing of this.

by_class = np.array([t[labels == c].mean(axis=0) for c in range(10)])
draw.confusion(by_class, data.train.classes)
right = (t.argmax(axis=1) == labels).mean()
choices = np.argsort(-t, axis=1)
among_wrong = (choices[:, 1] == labels).mean() / (1 - right)
quote("training pictures that it has right", right, 0.754, 5e-4, True, 0.1)
quote("of the others, label second", among_wrong, 0.673, 5e-4, True, 0.1)
claim("where it is wrong, the label is mostly second", among_wrong > 0.5, True)

# %%
# The teacher is not finished: it was trained for 8 epochs, and has 75 % of its
# own training pictures right. (That will matter.) Of the pictures that it has
# wrong, two thirds have their label in second place.
#
# Temperature
# -----------
# A sure teacher puts nearly everything on one class, and the interesting small
# numbers vanish. Dividing the logits by a *temperature* T > 1 before the
# softmax brings them back (Hinton, Vinyals, Dean 2015): the order stays, and
# the probabilities approach each other. A very large T says 1/10 of all.


def entropy(p):
    """Mean entropy of rows, in bits: 0 is one class, log2(10) = 3.3 all."""
    return -(p * np.log2(np.maximum(p, 1e-30))).sum(axis=1).mean()


temperatures = 1, 4, 16
unsure = np.argmin(np.abs(np.sort(t)[:, -2] - 0.3))  # second choice near 0.3
draw.temperature(
    train.images[unsure],
    [softmax(z / T)[unsure] for T in temperatures],
    temperatures,
    data.train.classes,
)
quote("entropy at T = 1", entropy(t), 1.48, 0.005, True, 0.2)
quote("entropy at T = 4", entropy(softmax(z / 4)), 3.18, 0.005, True, 0.05)

# %%
# The loss
# --------
# How far are the student's probabilities :math:`p` from the teacher's
# :math:`t`? The usual measure is the *Kullback-Leibler divergence*,
#
# .. math:: \mathrm{KL}(t \,\|\, p) = \sum_c t_c \log \frac{t_c}{p_c}
#    = \underbrace{-\sum_c t_c \log p_c}_{\text{cross-entropy}}
#    - \underbrace{\left(-\sum_c t_c \log t_c\right)}_{\text{entropy of } t}
#
# It is cross-entropy with soft targets, minus a number that does not depend on
# the student, so that the smallest value is 0. Each class counts as much as
# the teacher's probability of it. By hand, for random logits s:


def soft_loss(student, teacher, T):
    """T^2 KL(teacher || student), mean over the batch."""
    t, p = softmax(teacher / T), softmax(student / T)
    return T**2 * (t * (np.log(t) - np.log(p))).sum(axis=1).mean()


few = slice(0, 8)
s = rng.normal(size=(8, 10))  # the student's logits
for T in temperatures:
    loss, _ = distillation(s, z[few], T)
    off = abs(soft_loss(s, z[few], T) - loss)
    quote(f"soft loss against the library, T = {T}", off, 0, 1e-12)
own, _ = distillation(z[few], z[few], 4)
quote("loss of a student that equals its teacher", own, 0, 1e-12)
there, back = soft_loss(s, z[few], 1), soft_loss(z[few], s, 1)
claim("KL is not symmetric", abs(there - back) > 0.05 * there)

# %%
# The gradient, and T squared
# ---------------------------
# Chapter 02 found for cross-entropy with targets t: the gradient with respect
# to the logits is :math:`(p - t) / B`. Here the logits are divided by T before
# the softmax, so the chain rule adds :math:`1/T`. And :math:`p - t` shrinks
# as well: both approach 1/C. For a large T, with :math:`e^x \approx 1 + x`,
#
# .. math:: p_c - t_c \approx \frac{(s_c - \bar s) - (z_c - \bar z)}{C\, T}
#
# Together the gradient falls like :math:`1/T^2`. Multiplied by :math:`T^2` it
# has a limit, the difference of the centred logits divided by B C. So T
# changes what the student looks at, and not how large its steps are:
#
# .. math:: L = T^2\, \mathrm{KL}(t \,\|\, p) \qquad
#    \frac{\partial L}{\partial s} = T\, \frac{p - t}{B}


def soft_gradient(student, teacher, T):
    p, t = softmax(student / T), softmax(teacher / T)
    return T * (p - t) / len(student)


def differences(f, x, h=1e-5):
    """Central finite differences of a number f(x)."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[index] = h
        gradient[index] = (f(x + shift) - f(x - shift)) / (2 * h)
    return gradient


def distance(one, other):
    return np.abs(one - other).max() / np.abs(other).max()


for T in temperatures:
    analytic = soft_gradient(s, z[few], T)
    numeric = differences(lambda s, T=T: soft_loss(s, z[few], T), s)
    quote(f"gradient, T = {T}, error", distance(analytic, numeric), 0, 1e-7)
    library = distillation(s, z[few], T)[1]
    quote(f"library, T = {T}", distance(analytic, library), 0, 1e-12)

centred = (s - s.mean(axis=1, keepdims=True)) / 10 / len(s)
centred -= (z[few] - z[few].mean(axis=1, keepdims=True)) / 10 / len(s)
far = distance(soft_gradient(s, z[few], 1000), centred)
quote("distance from the limit at T = 1000", far, 0, 0.01)

# %%
predict("T = 8: the gradient without T squared is how many times smaller?")
many = 2.0 ** np.arange(0, 6.1, 0.5)
lengths = np.array([np.linalg.norm(soft_gradient(s, z[few], T)) for T in many])
label_length = np.linalg.norm(cross_entropy(s, labels[few])[1])
draw.lengths(many, lengths, label_length)
change = lengths.max() / lengths.min()
claim("with T^2 it changes less than 4 times, up to T = 64", change < 4)
without = (lengths / many**2)[many == 8][0]
longer = label_length > 20 * without
claim("without, T = 8: the label's is 20 times longer", longer)

# %%
# 64 times. The usual loss is a sum, half labels and half teacher
# (``Stage(teacher="float", teacher_weight=0.5, temperature=4)``). Without
# :math:`T^2` the teacher is in the sum and has next to no influence.
#
# Break it
# --------
# Three mistakes. The first: :math:`T^2` in the loss and not in the gradient.
# The second: forgotten in both. The third: student and teacher exchanged.

T = 4
numeric = differences(lambda s: soft_loss(s, z[few], T), s)
first = distance(soft_gradient(s, z[few], T) / T**2, numeric)
second = distance(
    soft_gradient(s, z[few], T) / T**2,
    differences(lambda s: soft_loss(s, z[few], T) / T**2, s),
)
predict("which of the first two does the check by differences find?")
claim("T^2 in the loss alone: found", first > 0.5)
claim("T^2 forgotten in both: not found", second < 1e-6)

exchanged = distillation(z[few], s, T)[1]  # (student, teacher)!
step = 1e-3
loss_before = soft_loss(s, z[few], T)
loss_wrong = soft_loss(s - step * exchanged, z[few], T)
claim("a step with arguments exchanged raises it", loss_wrong > loss_before)

# %%
# The second is a wrong loss with a right gradient; only a look at the formula
# finds it. The third has the right shape and size, and the opposite sign: each
# step makes the student differ more.
#
# What a teacher adds: the record
# -------------------------------
# Now the question of the chapter. The student is the teacher with ternary
# weights and begins with the teacher's, so the teacher costs no training of
# its own, only a forward pass for each picture. ``tervit compare
# docs/comparisons/distillation.toml`` ran five ways to spend the same three
# epochs, each with three seeds: a float stage of 10 epochs of 8,000 pictures,
# then the ternary stage. Labels are smoothed by 0.1 in all of them.

from tervit_np.analysis.comparison import read_record
from tervit_np.analysis.comparison.statistics import summarize

record = read_record(ROOT / "docs" / "comparisons" / "distillation.json")
arms = [arm.name for arm in record.plan.arms]
accuracy = {arm: np.array(record.accuracies(arm)) for arm in arms}
loss = {
    arm: np.array([r["test_loss"] for r in record.tested if r["arm"] == arm])
    for arm in arms
}
print("minus labels alone          accuracy, 95 %              loss, 95 %")
differ = {}
for arm in arms[1:]:
    points = summarize(accuracy[arm] - accuracy["labels"])
    losses = summarize(loss[arm] - loss["labels"])
    differ[arm] = points
    print(
        f"{arm:26}{points.mean:+6.2f} ± {points.margin:.2f} points"
        f"{losses.mean:+12.3f} ± {losses.margin:.3f}"
    )
draw.record(accuracy, loss)
for arm, mean, margin in (
    ("labels and teacher, T = 1", 0.27, 1.04),
    ("labels and teacher, T = 4", -0.12, 1.04),
    ("labels and hard teacher", -0.53, 0.96),
    ("teacher alone, T = 1", -2.45, 1.71),
):
    quote(f"{arm}: minus labels", differ[arm].mean, mean, 0.005)
    quote(f"{arm}: give or take", differ[arm].margin, margin, 0.005)
alone = differ.pop("teacher alone, T = 1")
holds_zero = [abs(d.mean) < d.margin for d in differ.values()]
claim("with labels and teacher, each interval holds zero", all(holds_zero))
claim("the teacher alone is worse", alone.mean + alone.margin < 0)

# %%
# **No gain is visible.** With the labels, the teacher's probabilities add 0.27
# ± 1.04 points, or -0.12 ± 1.04 at T = 4, and its answers -0.53 ± 0.96. (Three
# seeds, 95 %; more than 1.3 points are excluded, less is not.) And the teacher
# *in place of* the labels costs 2.45 ± 1.71 points. Why? Compare the student
# with the teacher, on the validation pictures:

validation = {arm: [] for arm in arms}
for run in record.tested:
    surpassed = run["accuracy"] - run["stages"][0]["accuracy"]
    validation[run["arm"]].append(100 * surpassed)
print("student minus teacher, points, three seeds")
for arm in arms:
    print(f"{arm:26}", *(f"{points:+6.1f}" for points in validation[arm]))
alone, taught = validation["labels"], validation["teacher alone, T = 1"]
claim("with labels every student surpasses its teacher", min(alone) > 0)
claim("taught alone, all end within half a point", np.abs(taught).max() < 0.5)

# %%
# A student of the teacher alone ends where the teacher is: it has learned what
# it was asked to. But this teacher is a float model in the middle of its
# training, and three more epochs with labels make the ternary model better
# than the float model that it came from. To add something, a teacher should be
# better than the student can become by itself: larger, trained for longer, or
# on more pictures. What such a teacher adds here was not measured.
#
# By hand
# -------
# The same in a short run: sixty steps of 64 pictures for each of three losses,
# from the shared model. The lines are those of chapter 07, with one more for
# the teacher.


def fine_tune(loss_of, steps=10 if FAST else 60, size=64):
    student = trained_model()
    tv.quantize(student, "ternary")
    params = student.named_params()
    optimizer = tv.AdamW(params, lr=5e-4, weight_decay=0.05)
    order = np.random.default_rng(SEED).permutation(len(data.train))
    for i in range(steps):
        optimizer.lr = tv.train.warmup_cosine(i, steps, 5e-4, 0.1, 0.01)
        batch = data.train.take(order[i * size : (i + 1) * size])
        x = normalise(batch.images, batch.mean, batch.std)
        s, cache = student.forward(x)
        z, _ = teacher.forward(x, keep_cache=False)
        ds = loss_of(s, batch.labels, z)
        student.zero_grad()
        student.backward(ds, cache, input_grad=False)
        tv.clip_grad_norm(params, 1.0)
        optimizer.step()
    return tv.train.evaluate(student, test, threads=2)


def labels_alone(s, labels, z):
    return cross_entropy(s, labels, 0.1)[1]


def half_and_half(s, labels, z):
    return 0.5 * labels_alone(s, labels, z) + 0.5 * distillation(s, z, 4)[1]


def teacher_alone(s, labels, z):
    return distillation(s, z, 1)[1]


test = data.test.take(np.arange(250 if FAST else 1000))
untrained = trained_model()
tv.quantize(untrained, "ternary")
runs = {"rounded, not trained": tv.train.evaluate(untrained, test, threads=2)}
for loss_of in (labels_alone, half_and_half, teacher_alone):
    runs[loss_of.__name__] = fine_tune(loss_of)
for name, result in runs.items():
    print(f"{name:22}{100 * result.accuracy:5.1f} %  loss {result.loss:.3f}")
for name, value in (
    ("labels_alone", 0.811),
    ("half_and_half", 0.778),
    ("teacher_alone", 0.780),
):
    quote(f"loss, {name}", runs[name].loss, value, 0.0005, True, 0.1)
taught = max(runs["half_and_half"].loss, runs["teacher_alone"].loss)
below = taught < runs["labels_alone"].loss
claim("both students of the teacher have the lower loss", below, True)

# %%
# Here the students of the teacher are *ahead*: 0.778 and 0.780 against 0.811,
# and so they are with two other seeds. A likely reason: sixty steps after
# rounding the student is still worse than the float model, and the teacher's
# answers are a good aim; later they hold it back. So before you compare two
# tables of distillation, look at how long each student was trained.
#
# A hard teacher
# --------------
# *Hard* distillation takes the teacher's answer for a label: cross-entropy
# with its largest class. It is the soft loss in the limit of a teacher with
# temperature 0 and a student with temperature 1.

hard, dhard = hard_distillation(s, z[few])
answers = z[few].argmax(axis=1)
off = np.abs(dhard - cross_entropy(s, answers)[1]).max()
quote("hard distillation against cross-entropy", off, 0, 0)
cold = (softmax(s) - softmax(z[few] / 1e-4)) / len(s)
quote("distance from a cold teacher", np.abs(dhard - cold).max(), 0, 1e-3)

# %%
# Where the teacher has the picture right, this says what the label says. It
# says something new only of the pictures that it has wrong:

predict("percent of the training pictures with news from a hard teacher?")
news = 100 * (t.argmax(axis=1) != labels).mean()
quote("pictures with news, percent", news, 24.6, 0.05, True, 10)

# %%
# One in four, and of these it says "this square is a disk". That can help: if
# an augmented picture looks like a disk (the teacher sees what the student
# sees), the label is the worse answer. DeiT's authors, whose teacher was a
# convolutional network, prefer the hard teacher (Touvron et al. 2021). In the
# record above no gain is visible.
#
# DeiT's distillation token
# -------------------------
# DeiT gives the teacher a token of its own. Next to the class token goes a
# second one with a second head, ``head_dist``; the labels train the first
# head, the teacher the second, and for a prediction the logits are averaged
# (in its code and here; the paper adds the heads' probabilities).

student = tv.create_model(
    "deit_shapes", seed=SEED, pool="cls", distilled=True, dtype="float64"
)
x = normalise(train.images[few], train.mean, train.std).astype(np.float64)
(by_class_token, by_dist_token), cache = student.forward(x)
tokens = cache.shape[1]
quote("tokens: 16 patches and two", tokens, 18, 0)

_, dclass = cross_entropy(by_class_token, labels[few])
_, ddist = hard_distillation(by_dist_token, z[few])

predict("the teacher is silent (ddist = 0): which parts get no gradient?")
student.zero_grad()
student.backward((dclass, 0 * ddist), cache)
length = {n: np.linalg.norm(p.grad) for n, p in student.named_params()}
print("gradients from the labels alone:")
for name in ("head.weight", "head_dist.weight", "cls_token", "dist_token"):
    print(f"  {name:18}{length[name]:.2e}")
quote("head_dist, labels alone", length["head_dist.weight"], 0, 0)
claim("dist_token gets a gradient", length["dist_token"] > 0)

# %%
# Only the second head. The second *token* gets a gradient from the labels as
# well, since the class token attends to it: all tokens are mixed in every
# block, and only the heads are separate. What the token adds to a model of our
# size was not measured.
#
# On your own
# -----------
# * Write the soft loss and its gradient: ``tervit exercise start
#   distillation``.
# * Compute the soft loss as ``log(softmax(z))`` with logits of size 1000. What
#   happens, and what does ``tv.losses.log_softmax`` do instead?
# * In ``fine_tune``, let the student learn from the teacher's answers to
#   random noise in place of pictures. How far does it get?
# * Shift all of the teacher's logits by 5, then multiply them by 5. Which of
#   the two changes the loss?
# * Sharpen the teacher: T = 0.5 for both. Is the gradient longer or shorter?
# * Copy ``distillation.toml``, set ``label_smoothing = 0`` in a ``[recipe]``
#   and run it. (Müller, Kornblith and Hinton found in 2019 that a teacher
#   trained with smoothed labels teaches less.)
#
# In practice
# -----------
# * DeiT's own code divides the soft loss by batch and classes, this library by
#   the batch. Compare such conventions before you copy a temperature.
# * TernaryBERT (2020) also compares hidden states and attention scores.
# * NVIDIA's Model Optimizer calls it quantization-aware distillation if the
#   teacher is the float model of its quantized student, as here.
#
# Further reading
# ---------------
# * `losses.py <../tervit_np/losses.py>`_,
#   `train/objective.py <../tervit_np/train/objective.py>`_ and
#   `models/deit.py <../tervit_np/models/deit.py>`_.
# * Hinton, Vinyals, Dean: Distilling the knowledge in a neural network (2015).
# * Touvron, Cord, Douze, Massa, Sablayrolles, Jégou: Training data-efficient
#   image transformers and distillation through attention (2021).
# * Müller, Kornblith, Hinton: When does label smoothing help? (2019).
# * Chapter 15 looks at the loss surface between teacher and student.
