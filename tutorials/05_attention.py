r"""
Attention
=========

:You will do: compute attention with loops, split it into heads and see the
  famous way to do that wrong, derive its backward pass one step at a time,
  and look where a trained model looks.
:You will learn: why scores are divided by :math:`\sqrt K`; why softmax's
  matrix of derivatives is never built; a mistake that no gradient check can
  find, and a check that finds it; how far to trust an attention map.
:You need: chapters 01 to 04.
:Time: 35 minutes to read; it trains a small model the first time (under a
  minute on two cores) and runs in seconds after that.
:In the paper: :math:`\mathrm{softmax}(q k^\top / \sqrt K)\, v`. The matrices
  that make q, k and v, and the one behind, are among those that TerViT makes
  ternary; attention itself has no weights.
"""

# %%
from tervit_lesson import SEED, claim, predict, quote, shapes, trained_model

import numpy as np

from data_tools import normalise
from tervit_lesson.figures import attention as draw
from tervit_np import ops
from tervit_np.verify.gradcheck import numerical_gradient as differences

rng = np.random.default_rng(SEED)

# %%
# Mixing tokens
# -------------
# A picture is a list of :math:`T` tokens (chapter 04). Attention is the one
# place where they exchange information. Each token :math:`i` has
#
# * a query :math:`q_i`: what it looks for,
# * a key :math:`k_i`: what it can be found by,
# * a value :math:`v_i`: what it hands over when found,
#
# all three rows of :math:`K` numbers, made from the token by linear layers.
# Token :math:`i` compares its query with all keys. Softmax turns these scores
# into numbers that sum to one, the *attention weights*, and the output is the
# mean of the values with these weights (Vaswani et al. 2017, eq. 1):
#
# .. math::
#    s_{ij} = \frac{q_i \cdot k_j}{\sqrt K}, \qquad
#    a_{ij} = \frac{e^{s_{ij}}}{\sum_l e^{s_{il}}}, \qquad
#    o_i = \sum_j a_{ij} v_j
#
# (They are called weights and are not learned.) Nothing in the formula depends
# on the position of a token.

T, K = 5, 4
q, k, v = rng.normal(size=(3, T, K))

by_loops = np.zeros((T, K))
for i in range(T):
    scores = [sum(q[i] * k[j]) / np.sqrt(K) for j in range(T)]
    weights = [np.exp(s) / sum(np.exp(scores)) for s in scores]
    by_loops[i] = sum(weights[j] * v[j] for j in range(T))


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

order = rng.permutation(T)
moved, _ = attention(q[order], k[order], v[order])
predict("the same tokens in another order: what changes in the output?")
quote("reordered tokens", np.abs(moved - o[order]).max(), 0, 1e-13)

# %%
# The outputs come in that order: attention is *permutation equivariant*.
# (Hence the position embeddings of chapter 04.) This will catch a mistake
# below.
#
# Why the root of K
# -----------------
# If the entries of :math:`q` and :math:`k` are independent with mean 0 and
# variance 1, each product :math:`q_c k_c` has mean 0 and variance 1, and the
# variance of a sum of :math:`K` of them is :math:`K`. So scores grow like
# :math:`\sqrt K`. Softmax of large scores gives one weight near 1 and the
# others near 0, and there its derivative is almost 0: little can be learned.

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
# Divided, the largest of 16 weights is about 0.24 at each K. Undivided, at K =
# 256, the other 15 tokens are hardly seen.
#
# Heads
# -----
# One mean for each token is little. So the width :math:`D` of a token is cut
# into :math:`H` heads of :math:`K = D / H` numbers, and each head attends by
# itself. All queries, keys and values come out of one linear layer, as one row
# of :math:`3D` numbers a token: first all of q, then all of k, then all of v,
# and within each, head after head.
#
# What we want of q is (H, T, K): for each head, its own :math:`K` columns of
# all tokens. Two lines of code have that shape. To see where numbers go, give
# each a colour, its head, and a number, its token:

B, T, H, K = 2, 4, 3, 2
D = H * K
token = np.repeat(np.arange(T)[:, None], D, axis=1)  # (T, D)
head = np.repeat(np.arange(H), K) + 0 * token  # (T, D)
right_split, wrong_split = (
    lambda x: x.reshape(T, H, K).transpose(1, 0, 2),
    lambda x: x.reshape(H, T, K),
)
draw.heads(token, head, right_split, wrong_split)
predict("reshape only: how many heads are in the first part?")
inside = [len(np.unique(wrong_split(x)[0])) for x in (head, token)]
quote("heads inside the first wrong head", inside[0], 3, 0)
quote("tokens inside the first wrong head", inside[1], 2, 0)

# %%
# Above, each head holds one colour and all four tokens. Below, the first
# "head" holds three colours and two tokens. As with the patches of chapter 04,
# a reshape reads the numbers in the order of memory: token 0 head 0, token 0
# head 1, token 0 head 2, token 1 head 0, ... It can break each row into heads,
# (T, D) to (T, H, K). To put all tokens of head 0 first it would have to jump,
# and that is a transpose.
#
# The whole split, for a batch and for q, k, v at once, and its inverse:


def split(qkv):  # (B, T, 3 D) -> three of (B, H, T, K)
    return qkv.reshape(B, T, 3, H, K).transpose(2, 0, 3, 1, 4)


def merge(x):  # (B, H, T, K) -> (B, T, D)
    return x.swapaxes(1, 2).reshape(B, T, D)


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

shifts = 1e-5 * np.eye(len(row))  # each moves one input
numeric = (softmax(row + shifts) - softmax(row - shifts)).T / 2e-5
quote("Jacobian by hand", np.abs(J - numeric).max(), 0, 1e-10)
quote("rows of the Jacobian sum to", np.abs(J.sum(axis=1)).max(), 0, 1e-15)
draw.jacobian(y, J)

# %%
# Red on the diagonal: raising a score raises its own weight; blue: the others
# fall. A row sums to zero: adding a constant to all scores changes no weight.
#
# The backward pass multiplies the upstream by this matrix. Written out for one
# input j, the matrix is not needed:
#
# .. math::
#    \mathrm{dx}_j = \sum_i \mathrm{dy}_i J_{ij}
#    = y_j \mathrm{dy}_j - y_j \sum_i \mathrm{dy}_i y_i
#    = y_j ( \mathrm{dy}_j - m ), \qquad m = \sum_i \mathrm{dy}_i y_i
#
# :math:`m` is the mean of the upstream, weighted by y. For DeiT that is a row
# of 197 numbers instead of a matrix of 38,809. (In general a backward pass
# multiplies by the *transpose* of the Jacobian. This one is its own.)


def softmax_backward(dy, y):  # (..., T), (..., T) -> (..., T)
    m = (dy * y).sum(axis=-1, keepdims=True)
    return y * (dy - m)


upstream = rng.normal(size=row.shape)
deviation = np.abs(J.T @ upstream - softmax_backward(upstream, y)).max()
quote("with and without J", deviation, 0, 1e-14)

# %%
# The backward pass of attention
# ------------------------------
# Three lines make the forward pass of a head: scores, softmax, mean of values.
# Undo them from the last to the first, and check each step by ``differences``
# (of chapter 01) of the lines that follow.
#
# **Line 3**, o = a v, is a matrix product, o_ic = sum over j of a_ij v_jc. The
# value v_jc takes part in the outputs of all tokens i, so its gradient is a
# sum over i: dv_jc = sum of a_ij do_ic. The weight a_ij takes part in all
# columns c of token i: da_ij = sum over c of do_ic v_jc.
#
# **Line 2**, a = softmax(s), was derived above. **Line 1**, s_ij = (sum over c
# of q_ic k_jc) / sqrt(K). The query q_ic takes part in the scores of token i
# with all j. The key k_jc takes part in the scores of all i with token j, and
# the sum over i is the transpose of ds. The factor 1 / sqrt(K) is in the
# forward pass, so it is in both gradients. Splitting and merging heads only
# move numbers, so the backward pass moves the gradients back.


def check(name, analytic, f, x, upstream):
    """Compare a gradient with finite differences of f at x."""
    numeric = differences(f, x, upstream)
    error = np.abs(analytic - numeric).max() / np.abs(numeric).max()
    quote(name, error, 0, 1e-8)


s = q @ k.swapaxes(-1, -2) / np.sqrt(K)  # (B, H, T, T)
a = softmax(s)  # (B, H, T, T)
o = a @ v  # (B, H, T, K)
do = rng.normal(size=o.shape)  # the upstream
dv = a.swapaxes(-1, -2) @ do
da = do @ v.swapaxes(-1, -2)
check("error of dv", dv, lambda v: a @ v, v, do)
check("error of da", da, lambda a: a @ v, a, do)
ds = softmax_backward(da, a)
check("error of ds", ds, lambda s: softmax(s) @ v, s, do)
dq = ds @ k / np.sqrt(K)
dk = ds.swapaxes(-1, -2) @ q / np.sqrt(K)
check("error of dq", dq, lambda q: attention(q, k, v)[0], q, do)
check("error of dk", dk, lambda k: attention(q, k, v)[0], k, do)


def multi_head(qkv):  # (B, T, 3 D) -> (B, T, D)
    q, k, v = split(qkv)
    o, a = attention(q, k, v)
    return merge(o), (q, k, v, a)


def one_head_backward(do, cache):  # (..., T, K) -> three of (..., T, K)
    q, k, v, a = cache
    ds = softmax_backward(do @ v.swapaxes(-1, -2), a) / np.sqrt(q.shape[-1])
    return ds @ k, ds.swapaxes(-1, -2) @ q, a.swapaxes(-1, -2) @ do


def multi_head_backward(dout, cache):  # (B, T, D) -> (B, T, 3 D)
    do = dout.reshape(B, T, H, K).swapaxes(1, 2)  # undo merge
    back = one_head_backward(do, cache)
    return np.concatenate([merge(d) for d in back], axis=-1)


out, cache = multi_head(qkv)
dout = rng.normal(size=out.shape)
analytic = multi_head_backward(dout, cache)
check("error of dqkv", analytic, lambda x: multi_head(x)[0], qkv, dout)
library_out, library_cache = ops.attention(qkv, H)
quote("library, out", np.abs(library_out - out).max(), 0, 1e-13)
library_dqkv = ops.attention_backward(dout, library_cache)
quote("library, dqkv", np.abs(library_dqkv - analytic).max(), 0, 1e-13)

# %%
# Break it
# --------
# Take the mistake from above: heads split by a reshape only, in the forward
# pass, and put back the same way in the backward pass.


def mixed_up(qkv):
    parts = np.split(qkv, 3, axis=-1)
    q, k, v = (p.reshape(B, H, T, K) for p in parts)
    o, a = attention(q, k, v)
    return o.reshape(B, T, D), (q, k, v, a)


def mixed_up_backward(dout, cache):
    back = one_head_backward(dout.reshape(cache[0].shape), cache)
    return np.concatenate([d.reshape(dout.shape) for d in back], axis=-1)


predict("does it pass a strict gradient check?")
mixed_out, cache = mixed_up(qkv)
name = "mixed-up heads, gradient check"
wrong = mixed_up_backward(dout, cache)
check(name, wrong, lambda x: mixed_up(x)[0], qkv, dout)
claim("the outputs differ", np.abs(mixed_out - out).max() > 0.1)

# %%
# Forward and backward are wrong *together*, and the gradient is that of the
# wrong function. Two things find it: the numbers of an independent program
# (with official weights the answers are nonsense), and the property from
# above: reordered tokens must give reordered outputs.

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
# The course's small model has four blocks (an attention and an MLP each,
# chapter 06) with two heads and sees 16 patches of 8 x 8 pixels. It is trained
# now if no chapter has done it yet. A matrix of attention weights is called an
# *attention map*; one row says where one patch looks. We draw the row of the
# brightest patch, which is mostly on the object, in every block and head.

model, test = trained_model(), shapes().test
test = test.take(np.arange(min(1000, len(test))))
pixels = normalise(test.images, test.mean, test.std)
logits, cache = model.forward(pixels)
accuracy = 100 * (logits.argmax(axis=1) == test.labels).mean()
quote("percent right", accuracy, 76.8, 0.05, full_only=True, elsewhere=6)

# (block, B, H, T, T)
maps = np.stack([b.attn.products[0].probs for b in cache.blocks])
by_patch = test.images.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4, 5))
by_patch = by_patch.reshape(-1, 16)  # (pictures, T)
brightest = by_patch.argmax(axis=1)
chosen = [int(np.flatnonzero(test.labels == c)[0]) for c in (3, 4, 7)]
draw.maps(test, maps, chosen, brightest)

# %%
# The first block looks at many patches, the last one at a few. The *entropy*
# of a row, minus the sum of a ln a over its weights, is ln 16 = 2.77 if all 16
# weights are equal, and 0 if one of them is 1. And e to the entropy is the
# number of patches that, with equal weights, have the same entropy.

entropy = -(maps * np.log(np.maximum(maps, 1e-30))).sum(axis=-1)
by_head = entropy.mean(axis=(1, 3))  # (blocks, heads)
print("patches, block by block:", np.exp(by_head), sep="\n")
first, last = by_head[0].mean(), by_head[-1].mean()
quote("entropy, first block", first, 2.29, 0.005, True, elsewhere=0.3)
quote("entropy, last block", last, 0.96, 0.005, True, elsewhere=0.4)
claim("the last block looks at fewer patches", last < first - 0.5, True)

# %%
# How far to trust a map
# ----------------------
# If the patches that receive most attention matter, then the model must fail
# without them. Hide n patches of each picture (*occlusion*: set them to the
# mean colour, which is 0 after normalisation) and classify again: those that
# the last block looks at most, or least, random ones, and the brightest ones,
# which no model is needed to find.

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


curves = {n: [without(o[:, :c]) for c in counts] for n, o in orders.items()}
draw.hidden_patches(counts, curves)
predict("percent right without the 4 patches of most attention?")
hidden = {name: values[3] for name, values in curves.items()}
for name, expected in zip(hidden, (12.9, 60.1, 73.5, 13.9), strict=True):
    quote(f"4 hidden, {name}", hidden[name], expected, 0.05, True, 12)
most, brightest_4 = hidden["most attention"], hidden["brightest"]
claim("attention finds what matters", most < hidden["random"] - 20, True)
claim("brightness does so, too", brightest_4 < hidden["random"] - 20, True)

# %%
# Without the four patches that receive most attention 12.9 percent are right,
# little more than by guessing (10). Without four random ones it is 60.1, and
# without the four that receive least 73.5 of 76.8. So the map does find what
# matters.
#
# And so does a simpler rule: without the four *brightest* patches 13.9 percent
# are left. The map says where the model looks, not what it makes of it, nor
# whether it looks for more than brightness. One more caution: no picture in
# training had hidden patches, so hiding itself may do harm. That is why we
# compare with random ones, and not with whole pictures.
#
# On your own
# -----------
# * ``tervit exercise start split_heads``, then ``softmax_backward`` and
#   ``attention_backward``.
# * Forbid each token to look at later ones: add :math:`-\infty` to their
#   scores. What do the first rows of a look like, and what is ds there? (That
#   is a language model's mask. Swin masks other pairs, chapter 16.)
# * Which arrays of the backward pass grow like T squared? How much memory is
#   that for one picture and block of DeiT-Small (T = 197, H = 6)?
# * Leave the 1 / sqrt(K) out of dq and dk, and give the two gradients to
#   ``likely_mistake`` (in ``verify/diagnosis.py``), with the lengths {"K": K}.
#   What does it say?
# * Load ``runs/tutorials/00_ternary/ternary.npz`` of chapter 00 with
#   ``tv.load_model(...)[0]``. Are its maps like those of the float model?
#
# In practice
# -----------
# * timm's attention is this code, with the same ``reshape(B, N, 3, H, K)`` and
#   transpose; official DeiT weights depend on that order.
# * PyTorch's ``scaled_dot_product_attention`` may never store a: it goes
#   through keys in tiles and keeps a running maximum and sum (FlashAttention).
#   The backward pass then computes a again.
# * Most quantized transformers leave softmax in float; I-BERT (2021) and
#   FQ-ViT (2022) compute it in integers.
#
# Further reading
# ---------------
# * `ops/attention.py <../tervit_np/ops/attention.py>`_, the library's.
# * Vaswani et al.: Attention is all you need (2017). Dao, Fu, Ermon, Rudra,
#   Ré: FlashAttention (2022).
# * Jain, Wallace: Attention is not explanation (2019). Wiegreffe, Pinter:
#   Attention is not not explanation (2019).
