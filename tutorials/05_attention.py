r"""
Attention
=========

:You will do: compute attention with loops, split it into heads and see the
  famous way to do that wrong, derive its backward pass one step at a time,
  and look where a trained model looks.
:You will learn: why scores are divided by :math:`\sqrt K`; why softmax's
  matrix of derivatives is never built; a mistake that no gradient check can
  find, and a check that finds it; how far to trust an attention map.
:You need: chapters 01 to 04: upstream gradients, checks by finite differences,
  softmax, reshape and transpose.
:Time: 35 minutes to read; it trains a small model the first time (under a
  minute on two cores) and runs in seconds after that.
:In the paper: :math:`\mathrm{softmax}(q k^\top / \sqrt K)\, v`. The matrices
  that make q, k and v, and the one behind, are among those that TerViT makes
  ternary; attention itself has no weights.
"""

# %%
from tervit_lesson import SEED, claim, predict, quote, shapes, trained_model

import numpy as np

from tervit_lesson.figures import attention as draw

rng = np.random.default_rng(SEED)

# %%
# Mixing tokens
# -------------
# A picture is a list of :math:`T` tokens (chapter 04). Linear layers and
# LayerNorm treat each token by itself. Attention is the one place where tokens
# exchange information. Each token :math:`i` has
#
# * a query :math:`q_i`: what it looks for,
# * a key :math:`k_i`: what it can be found by,
# * a value :math:`v_i`: what it hands over when found,
#
# all three rows of :math:`K` numbers, made from the token by linear layers.
# (In this chapter the capital :math:`K` is always this number. The arrays of
# all queries, keys and values are q, k and v.) Token :math:`i` compares its
# query with all keys. Softmax turns these scores into numbers between 0 and 1
# that sum to one, the *attention weights*, and the output is the mean of the
# values with these weights (Vaswani et al. 2017, eq. 1):
#
# .. math::
#    s_{ij} = \frac{q_i \cdot k_j}{\sqrt K}, \qquad
#    a_{ij} = \frac{e^{s_{ij}}}{\sum_l e^{s_{il}}}, \qquad
#    o_i = \sum_j a_{ij} v_j
#
# (They are called weights and are not learned. The learned weights are in the
# linear layers around.)

T, K = 5, 4
q, k, v = rng.normal(size=(3, T, K))

by_loops = np.zeros((T, K))
for i in range(T):
    scores = [sum(q[i] * k[j]) / np.sqrt(K) for j in range(T)]
    weights = [np.exp(s) / sum(np.exp(scores)) for s in scores]
    for j in range(T):
        by_loops[i] += weights[j] * v[j]


def softmax(x):
    """Of each row; the maximum is taken away first (chapter 02)."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(q, k, v):  # (..., T, K) three times -> (..., T, K)
    s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    a = softmax(s)
    return a @ v, a


o, a = attention(q, k, v)
quote("products against loops", np.abs(o - by_loops).max(), 0, 1e-13)
quote("sum of the weights of a token", a.sum(axis=1)[0], 1, 1e-14)

# %%
# Nothing in the formula depends on the position of a token. *Predict* what
# happens to the output if the tokens come in another order.

order = rng.permutation(T)
moved, _ = attention(q[order], k[order], v[order])
predict("the same tokens in another order: what changes in the output?")
quote("reordered tokens", np.abs(moved - o[order]).max(), 0, 1e-13)

# %%
# The outputs come in that order, and are the same: attention is *permutation
# equivariant*. (Hence the position embeddings of chapter 04.) This property
# will catch a mistake below.
#
# Why the root of K
# -----------------
# If the entries of :math:`q` and :math:`k` are independent with mean 0 and
# variance 1, each product :math:`q_c k_c` has mean 0 and variance 1, and the
# variance of a sum of :math:`K` of them is :math:`K`. So scores grow like
# :math:`\sqrt K`. Softmax of large scores gives one weight near 1 and the
# others near 0, and there its derivative is almost 0: little can be learned.
# *Predict* the largest of 16 weights at K = 256, with and without the root.

heads_of = [4, 16, 64, 256]  # values of K
largest = {"divided": [], "as they are": []}
for width in heads_of:
    raw = rng.normal(size=(200, 1, width)) @ rng.normal(size=(200, width, 16))
    if width == 64:
        quote("standard deviation of scores, K = 64", raw.std(), 8, 0.5)
    for scores, name in zip((raw / np.sqrt(width), raw), largest, strict=True):
        largest[name].append(softmax(scores).max(axis=-1).mean())
draw.largest_weights(heads_of, largest)

divided, undivided = largest["divided"][-1], largest["as they are"][-1]
predict("K = 256, undivided: the largest of 16 weights?")
quote("largest weight, K = 256, undivided", undivided, 0.92, 0.005)
quote("largest weight, K = 256, divided", divided, 0.24, 0.005)
claim("undivided one weight takes nearly all", undivided > 0.85)
claim("divided it takes less than a third", divided < 1 / 3)
ratio = max(largest["divided"]) / min(largest["divided"])
claim("divided, it differs by less than 15 % from K to K", ratio < 1.15)

# %%
# Divided, the largest of 16 weights is about 0.24 at each K. Undivided it is
# 0.92 at K = 256, and the other 15 tokens are hardly seen.
#
# Heads
# -----
# One mean for each token is little. So the width :math:`D` of a token is cut
# into :math:`H` heads of :math:`K = D / H` numbers, and each head attends by
# itself. All queries, keys and values come out of one linear layer, as one row
# of :math:`3D` numbers a token: first all of q, then all of k, then all of v,
# and within each, head after head.
#
# To see where numbers go, give each a colour and a name instead of a value:
# the colour is its head, the number its token. Here is q of four tokens and
# three heads, a (T, D) array:

T, H, K = 4, 3, 2
D = H * K
token = np.repeat(np.arange(T)[:, None], D, axis=1)  # (T, D)
head = np.repeat(np.arange(H), K) + 0 * token  # (T, D)

# %%
# What we want is (H, T, K): for each head, its own :math:`K` columns of all
# tokens. Two lines of code have that shape:


def right_split(x):
    return x.reshape(T, H, K).transpose(1, 0, 2)


def wrong_split(x):
    return x.reshape(H, T, K)


draw.heads(token, head, right_split, wrong_split)
predict("reshape only: how many heads are in the first part?")
heads_inside = len(np.unique(wrong_split(head)[0]))
tokens_inside = len(np.unique(wrong_split(token)[0]))
quote("heads inside the first wrong head", heads_inside, 3, 0)
quote("tokens inside the first wrong head", tokens_inside, 2, 0)

# %%
# Above, each head holds one colour and all four tokens, a row each. Below, the
# first "head" holds three colours and two of the four tokens. Both arrays have
# the shape (3, 4, 2). As with the patches of chapter 04, a reshape reads the
# numbers in the order of memory, which is token 0 head 0, token 0 head 1,
# token 0 head 2, token 1 head 0, ... To break each row into heads, (T, D) to
# (T, H, K), it may do that. To put all tokens of head 0 first it would have to
# jump, and that is a transpose.
#
# The whole split, for a batch and for q, k, v at once, and its inverse:


def split(qkv):  # (B, T, 3 D) -> three of (B, H, T, K)
    B, T, width = qkv.shape
    parts = qkv.reshape(B, T, 3, H, width // (3 * H))
    return parts.transpose(2, 0, 3, 1, 4)


def merge(x):  # (B, H, T, K) -> (B, T, D)
    B, H, T, K = x.shape
    return x.swapaxes(1, 2).reshape(B, T, H * K)


B = 2
qkv = rng.normal(size=(B, T, 3 * D))
q, k, v = split(qkv)
quote("merge undoes split", np.abs(merge(q) - qkv[..., :D]).max(), 0, 0)

# %%
# The backward pass of softmax
# ----------------------------
# Only softmax is new in the backward pass. Take one row,
# :math:`y_i = e^{x_i} / Z` with the sum :math:`Z = \sum_l e^{x_l}`. Every
# output depends on every input, through :math:`Z`, so there is a matrix of
# derivatives, the *Jacobian* :math:`J_{ij} = \partial y_i / \partial x_j`.
# The quotient rule gives, for the input of the same index and for another,
#
# .. math::
#    J_{ii} = \frac{e^{x_i} Z - e^{x_i} e^{x_i}}{Z^2} = y_i - y_i y_i, \qquad
#    J_{ij} = \frac{0 - e^{x_i} e^{x_j}}{Z^2} = - y_i y_j
#
# so J is the matrix with y on its diagonal, minus all products of two y.

row = np.array([1.0, 3.0, 0.5, 2.0, 0.0, -1.0])
y = softmax(row)
J = np.diag(y) - np.outer(y, y)

h = 1e-5
numeric = np.zeros_like(J)
for j in range(len(row)):
    shift = np.zeros_like(row)
    shift[j] = h
    numeric[:, j] = (softmax(row + shift) - softmax(row - shift)) / (2 * h)
quote("Jacobian by hand", np.abs(J - numeric).max(), 0, 1e-10)
quote("rows of the Jacobian sum to", np.abs(J.sum(axis=1)).max(), 0, 1e-15)

draw.jacobian(y, J)

# %%
# Red on the diagonal: raising a score raises its own weight. Blue elsewhere:
# the other weights fall, each in proportion to its size. A row sums to zero
# because adding a constant to all scores changes no weight.
#
# The backward pass multiplies the upstream by this matrix. Written out for one
# input j, the matrix is not needed:
#
# .. math::
#    \mathrm{dx}_j = \sum_i \mathrm{dy}_i J_{ij}
#    = y_j \mathrm{dy}_j - y_j \sum_i \mathrm{dy}_i y_i
#    = y_j ( \mathrm{dy}_j - m ), \qquad m = \sum_i \mathrm{dy}_i y_i
#
# :math:`m` is the mean of the upstream, weighted by y. Scores whose upstream
# is above this mean get a positive gradient, the others a negative one. (In
# general a backward pass multiplies by the *transpose* of the Jacobian. This
# one is its own transpose.)


def softmax_backward(dy, y):  # (..., T), (..., T) -> (..., T)
    m = (dy * y).sum(axis=-1, keepdims=True)
    return y * (dy - m)


upstream = rng.normal(size=row.shape)
without_matrix = softmax_backward(upstream, y)
deviation = np.abs(J.T @ upstream - without_matrix).max()
quote("with and without J", deviation, 0, 1e-14)

# %%
# For the 197 tokens of DeiT that is two passes over a row of 197 numbers
# instead of a matrix of 38,809.
#
# The backward pass of attention
# ------------------------------
# Three lines make the forward pass of a head: scores, softmax, mean of values.
# Undo them from the last to the first. To check each step we need the rest of
# the forward pass as a function of one array: ``differences`` (chapter 01,
# from the library) moves that array and compares.

from tervit_np.verify.gradcheck import numerical_gradient as differences


def error(analytic, numeric):
    """Largest deviation, relative to the largest entry."""
    return np.abs(analytic - numeric).max() / np.abs(numeric).max()


def check(name, analytic, f, x):
    """Compare a gradient with finite differences of f at x."""
    quote(f"error of {name}", error(analytic, differences(f, x, do)), 0, 1e-8)


root = np.sqrt(K)
s = q @ k.swapaxes(-1, -2) / root  # (B, H, T, T)
a = softmax(s)  # (B, H, T, T)
o = a @ v  # (B, H, T, K)
do = rng.normal(size=o.shape)  # the upstream

# %%
# **Line 3**, o = a v, is a matrix product, o_ic = sum over j of a_ij v_jc. The
# value v_jc takes part in the outputs of all tokens i, so its gradient is a
# sum over i: dv_jc = sum of a_ij do_ic. The weight a_ij takes part in all
# columns c of token i: da_ij = sum over c of do_ic v_jc.

dv = a.swapaxes(-1, -2) @ do
da = do @ v.swapaxes(-1, -2)
check("dv", dv, lambda v: a @ v, v)
check("da", da, lambda a: a @ v, a)

# %%
# **Line 2**, a = softmax(s), row by row, as just derived.

ds = softmax_backward(da, a)
check("ds", ds, lambda s: softmax(s) @ v, s)

# %%
# **Line 1**, s_ij = (sum over c of q_ic k_jc) / sqrt(K). The query q_ic takes
# part in the scores of token i with all j. The key k_jc takes part in the
# scores of all i with token j, and the sum over i is the transpose of ds. The
# factor 1 / sqrt(K) is in the forward pass, so it is in both gradients.

dq = ds @ k / root
dk = ds.swapaxes(-1, -2) @ q / root
check("dq", dq, lambda q: attention(q, k, v)[0], q)
check("dk", dk, lambda k: attention(q, k, v)[0], k)

# %%
# That is all. Splitting and merging heads only move numbers, so the backward
# pass moves the gradients back. Together, for all heads of a batch:


def multi_head(qkv):  # (B, T, 3 D) -> (B, T, D)
    q, k, v = split(qkv)
    o, a = attention(q, k, v)
    return merge(o), (q, k, v, a)


def multi_head_backward(dout, cache):  # (B, T, D) -> (B, T, 3 D)
    q, k, v, a = cache
    root = np.sqrt(q.shape[-1])
    B, T, D = dout.shape
    do = dout.reshape(B, T, H, D // H).swapaxes(1, 2)  # undo merge
    dv = a.swapaxes(-1, -2) @ do
    da = do @ v.swapaxes(-1, -2)
    ds = softmax_backward(da, a)
    dq = ds @ k / root
    dk = ds.swapaxes(-1, -2) @ q / root
    return np.concatenate([merge(dq), merge(dk), merge(dv)], axis=-1)


out, cache = multi_head(qkv)
dout = rng.normal(size=out.shape)
analytic = multi_head_backward(dout, cache)
truth = differences(lambda x: multi_head(x)[0], qkv, dout)
quote("error of dqkv", error(analytic, truth), 0, 1e-8)

from tervit_np import ops

library_out, library_cache = ops.attention(qkv, H)
quote("library, out", np.abs(library_out - out).max(), 0, 1e-13)
library_dqkv = ops.attention_backward(dout, library_cache)
quote("library, dqkv", np.abs(library_dqkv - analytic).max(), 0, 1e-13)

# %%
# Break it
# --------
# Take the mistake from above: heads split by a reshape only, in the forward
# pass, and put back the same way in the backward pass. *Predict* what a
# gradient check in float64 with a random upstream will say.


def mixed_up(qkv):
    B, T, width = qkv.shape
    parts = np.split(qkv, 3, axis=-1)
    q, k, v = (p.reshape(B, H, T, width // (3 * H)) for p in parts)
    o, a = attention(q, k, v)
    return o.reshape(B, T, width // 3), (q, k, v, a)


def mixed_up_backward(dout, cache):
    q, k, v, a = cache
    do = dout.reshape(q.shape)
    ds = softmax_backward(do @ v.swapaxes(-1, -2), a)
    root = np.sqrt(q.shape[-1])
    dq, dk = ds @ k / root, ds.swapaxes(-1, -2) @ q / root
    dv = a.swapaxes(-1, -2) @ do
    back = [d.reshape(dout.shape) for d in (dq, dk, dv)]
    return np.concatenate(back, axis=-1)


predict("does it pass a strict gradient check?")
mixed_out, cache = mixed_up(qkv)
analytic = mixed_up_backward(dout, cache)
truth = differences(lambda x: mixed_up(x)[0], qkv, dout)
quote("mixed-up heads, gradient check", error(analytic, truth), 0, 1e-8)
off = np.abs(mixed_out - out).max()
print(f"yet the outputs differ by {off:.2f}")
claim("the outputs differ", off > 0.1)

# %%
# It passes, with the usual digits. Forward and backward are wrong *together*,
# and the gradient is that of the wrong function. Two things find it: the
# numbers of an independent program (with official weights the answers are
# nonsense), and the property from the top of this chapter: reordered tokens
# must give reordered outputs.

order = np.array([2, 0, 3, 1])
changes = [
    np.abs(f(qkv[:, order])[0] - f(qkv)[0][:, order]).max()
    for f in (multi_head, mixed_up)
]
quote("reordered tokens, right heads", changes[0], 0, 1e-12)
print(f"reordered tokens, mixed-up heads: off by {changes[1]:.2f}")
claim("reordering catches mixed-up heads", changes[1] > 0.1)

# %%
# Where a trained model looks
# ---------------------------
# Back to pictures. The course's small model has four blocks with two heads
# each and sees 16 patches of 8 x 8 pixels. (A block is an attention and an
# MLP; chapter 06 builds it. The model is trained here and now if no chapter
# has done it yet.)

from data_tools import normalise

model, test = trained_model(), shapes().test
test = test.take(np.arange(min(1000, len(test))))
pixels = normalise(test.images, test.mean, test.std)
logits, cache = model.forward(pixels)
accuracy = 100 * (logits.argmax(axis=1) == test.labels).mean()
quote("percent right", accuracy, 76.8, 0.05, full_only=True, elsewhere=6)

maps = np.stack([b.attn.products[0].probs for b in cache.blocks])
print("maps (block, B, H, T, T):", maps.shape)

# %%
# Each map (*attention map*) is the T x T matrix of attention weights, and one
# row of it is a picture of T patches: where one patch looks. We take the
# brightest patch, which is mostly on the object, and draw its row in every
# block and head.

side = 4
by_patch = test.images.reshape(-1, side, 8, side, 8, 3).mean(axis=(2, 4, 5))
by_patch = by_patch.reshape(-1, side * side)  # (pictures, T)
brightest = by_patch.argmax(axis=1)
chosen = [int(np.flatnonzero(test.labels == c)[0]) for c in (3, 4, 7)]
draw.maps(test, maps, chosen, brightest)

# %%
# The first block looks at many patches, the last one at a few. A number says
# it better than three pictures: the *entropy* of a row, minus the sum of
# a ln a over its weights. It is ln 16 = 2.77 if all 16 weights are equal, and
# 0 if one of them is 1. And e to the entropy is the number of patches that,
# with equal weights, have the same entropy.

entropy = -(maps * np.log(np.maximum(maps, 1e-30))).sum(axis=-1)
by_head = entropy.mean(axis=(1, 3))  # (blocks, heads)
for block, values in enumerate(by_head):
    words = ", ".join(f"{e:.2f} ({np.exp(e):.1f} patches)" for e in values)
    print(f"block {block}: entropy {words}")
first, last = by_head[0].mean(), by_head[-1].mean()
quote("entropy, first block", first, 2.29, 0.005, True, elsewhere=0.3)
quote("entropy, last block", last, 0.96, 0.005, True, elsewhere=0.4)
claim("the last block looks at fewer patches", last < first - 0.5, True)

# %%
# How far to trust a map
# ----------------------
# A map looks convincing, and that proves nothing. If the patches that receive
# most attention matter, then the model must fail without them. Hide n patches
# of each picture (*occlusion*: set them to the mean colour, which is 0 after
# normalisation) and classify again. Which n? Those that the last block looks
# at most, those that it looks at least, random ones, and, for comparison, the
# brightest ones, which no model is needed to find. *Predict* which of the four
# orders hurts most.

received = maps[-1].mean(axis=(1, 2))  # (pictures, T): of all heads, queries
orders = {
    "most attention": np.argsort(-received, axis=1),
    "random": np.argsort(rng.random(received.shape), axis=1),
    "least attention": np.argsort(received, axis=1),
    "brightest": np.argsort(-by_patch, axis=1),
}
counts = [0, 1, 2, 4, 8]


def without(patches):
    """Accuracy in percent with some patches of each picture hidden."""
    vectors = ops.patchify(pixels, 8).copy()
    np.put_along_axis(vectors, patches[..., None], 0, axis=1)
    hidden = ops.unpatchify(vectors, pixels.shape)
    return 100 * (model.predict(hidden).argmax(axis=1) == test.labels).mean()


curves = {
    name: [without(order[:, :n]) for n in counts]
    for name, order in orders.items()
}
draw.hidden_patches(counts, curves)

predict("percent right without the 4 patches of most attention?")
hidden = {name: values[3] for name, values in curves.items()}
for name, expected in (
    ("most attention", 12.9),
    ("random", 60.1),
    ("least attention", 73.5),
    ("brightest", 13.9),
):
    quote(
        f"4 hidden, {name}", hidden[name], expected, 0.05, True, elsewhere=12
    )
most, brightest_4 = hidden["most attention"], hidden["brightest"]
claim("attention finds what matters", most < hidden["random"] - 20, True)
claim("brightness does so, too", brightest_4 < hidden["random"] - 20, True)

# %%
# Without the four patches that receive most attention 12.9 percent are right,
# little more than by guessing (10). Without four random ones it is 60.1, and
# without the four that receive least 73.5 of 76.8. So the map does find what
# matters.
#
# And a simpler rule does it as well: without the four *brightest* patches 13.9
# percent are left. In these pictures the object is bright. The map says where
# the model looks. It does not say what the model makes of it, nor whether it
# looks for more than brightness. One more caution: no picture in training had
# hidden patches, so hiding itself may do harm. That is why the curve to
# compare with is the random one, and not the accuracy of whole pictures.
#
# On your own
# -----------
# * ``tervit exercise start split_heads``, then ``softmax_backward`` and
#   ``attention_backward``.
# * Forbid each token to look at later ones: add :math:`-\infty` to their
#   scores. What do the first rows of a look like, and what is ds there? (That
#   is a language model's mask. Swin masks other pairs, chapter 16.)
# * In DeiT, T = 197 and H = 3, 6 or 12. Which arrays of the backward pass grow
#   like T squared? How much memory is that for one picture and block of
#   DeiT-Small (H = 6)?
# * Leave the 1 / sqrt(K) out of dq and dk, and give the two gradients to
#   ``likely_mistake`` (in ``verify/diagnosis.py``), with the lengths {"K": K}.
#   What does it say?
# * Chapter 00 has trained a ternary model. Load it with
#   ``tv.load_model("runs/tutorials/00_ternary/ternary.npz")[0]`` and draw its
#   maps. Are they like those of the float model?
#
# In practice
# -----------
# * timm's attention is this code, with the same ``reshape(B, N, 3, H, K)`` and
#   transpose; official DeiT weights depend on that order.
# * PyTorch's ``scaled_dot_product_attention`` picks one of several ways. The
#   fused ones never store a: they go through keys in tiles and keep a running
#   maximum and sum (FlashAttention). The backward pass then computes a again,
#   tile by tile.
# * Most quantized transformers leave softmax in float; I-BERT (2021) and
#   FQ-ViT (2022) compute it in integers. Whether q, k, v and a are rounded too
#   differs; here it is a line of the plan (``Products`` in
#   `nn/attention.py <../tervit_np/nn/attention.py>`_).
#
# Further reading
# ---------------
# * `ops/attention.py <../tervit_np/ops/attention.py>`_ and
#   `ops/softmax.py <../tervit_np/ops/softmax.py>`_.
# * Vaswani et al.: Attention is all you need (2017).
# * Dao, Fu, Ermon, Rudra, Ré: FlashAttention (2022).
# * Jain, Wallace: Attention is not explanation (2019), and Wiegreffe, Pinter:
#   Attention is not not explanation (2019).
