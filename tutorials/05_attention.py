r"""
Attention
=========

:You will do: compute attention with loops, split it into heads and see the
  famous way to do that wrong, derive softmax's Jacobian and then the whole
  backward pass, and look where a trained model looks.
:You will learn: why a reshape is not a transpose; why scores are divided by
  :math:`\sqrt K`; why softmax's Jacobian is never built; a mistake that no
  gradient check can find, and a check that finds it; how far to trust a map.
:You need: chapters 01 and 03 (upstream gradients, checks by differences).
:Time: 30 minutes to read; it trains a small model the first time (under a
  minute on two cores) and runs in seconds after that.
:In the paper: :math:`\mathrm{softmax}(Q K^\top / \sqrt K)\, V`. The matrices
  that make Q, K and V, and the one behind, are among those that TerViT makes
  ternary; attention itself has no weights.
"""

# %%
from lesson import COLOURS, figure, quote, shapes, show, trained_model

import numpy as np

rng = np.random.default_rng(0)

# %%
# Mixing tokens
# -------------
# A picture reaches the transformer as :math:`T` tokens, rows of numbers that
# each describe one patch. Linear layers and LayerNorm treat each token by
# itself. Attention is the one place where tokens exchange information. Each
# token :math:`i` has
#
# * a query :math:`q_i`: what it looks for,
# * a key :math:`k_i`: what it can be found by,
# * a value :math:`v_i`: what it hands over when found,
#
# all three rows of :math:`K` numbers, made from the token by linear layers.
# Token :math:`i` compares its query with all keys, turns the scores into
# shares that sum to one (the *attention weights*), and takes the mixture of
# values in those shares (Vaswani et al. 2017, eq. 1):
#
# .. math::
#    S_{ij} = \frac{q_i \cdot k_j}{\sqrt K}, \qquad
#    A_{ij} = \frac{e^{S_{ij}}}{\sum_l e^{S_{il}}}, \qquad
#    o_i = \sum_j A_{ij} v_j

T, K = 5, 4
q, k, v = rng.normal(size=(3, T, K))

by_loops = np.zeros((T, K))
for i in range(T):
    scores = [sum(q[i] * k[j]) / np.sqrt(K) for j in range(T)]
    shares = [np.exp(s) / sum(np.exp(scores)) for s in scores]
    for j in range(T):
        by_loops[i] += shares[j] * v[j]


def softmax(x):
    """Shares of each row; the maximum goes first, so exp cannot overflow."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(q, k, v):  # (..., T, K) three times -> (..., T, K)
    A = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return A @ v, A


out, A = attention(q, k, v)
quote("products against loops", np.abs(out - by_loops).max(), 0, 1e-14)
quote("shares of a row, sum", A.sum(axis=1)[0], 1, 1e-14)

# %%
# Nothing in the formula depends on the position of a token. *Predict* what
# happens to the output if the tokens come in another order.

order = rng.permutation(T)
moved, _ = attention(q[order], k[order], v[order])
quote("reordered tokens", np.abs(moved - out[order]).max(), 0, 1e-14)

# %%
# The outputs come in that order, and are the same: attention is *permutation
# equivariant*. (Hence the position embeddings of chapter 07.) Keep this
# property in mind: it will catch a mistake.
#
# Why the root of K
# -----------------
# If the entries of :math:`q` and :math:`k` are independent with mean 0 and
# variance 1, each product :math:`q_c k_c` has mean 0 and variance 1, and the
# variance of a sum of :math:`K` of them is :math:`K`. So scores grow like
# :math:`\sqrt K`. Softmax of large scores gives one share near 1 and the
# others near 0, and there it is flat: nothing can be learned.

widths = [4, 16, 64, 256]
winner = {"divided by $\\sqrt{K}$": [], "as they are": []}
for width in widths:
    raw = rng.normal(size=(200, 1, width)) @ rng.normal(size=(200, width, 16))
    for scores, name in zip((raw / np.sqrt(width), raw), winner, strict=True):
        winner[name].append(softmax(scores).max(axis=-1).mean())
    if width == 64:
        quote("spread of the scores, K = 64", raw.std(), 8, 0.5)

with figure(5.4, 3.2) as fig:
    ax = fig.subplots()
    for i, (name, values) in enumerate(winner.items()):
        ax.plot(widths, values, "o-", color=COLOURS[i])
        ax.text(20, values[1] - 0.09, name, color=COLOURS[i])
    ax.set_xscale("log", base=2)
    ax.set_xticks(widths, widths)
    ax.axhline(1 / 16, color="#B8B8B8", zorder=0)
    ax.text(256, 0.01, "even shares", ha="right", fontsize=9, color="#666666")
    ax.set_ylim(0, 1)
    ax.set_xlabel("K")
    ax.set_ylabel("largest share among 16 tokens")
    show(fig, "05_scale")

quote("largest share, K = 256, as is", winner["as they are"][-1], 0.92, 0.03)
divided = winner["divided by $\\sqrt{K}$"][-1]
quote("largest share, K = 256, divided", divided, 0.24, 0.03)

# %%
# Divided, the best of 16 tokens takes about 24 % at any width. Undivided it
# takes 92 % at K = 256, and the other 15 are hardly seen.
#
# Heads
# -----
# One mixture for each token is little. So the width :math:`D` is cut into
# :math:`H` heads of :math:`K = D / H` numbers, and each head attends by
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

right = {
    "token": token.reshape(T, H, K).transpose(1, 0, 2),
    "head": head.reshape(T, H, K).transpose(1, 0, 2),
}
wrong = {"token": token.reshape(H, T, K), "head": head.reshape(H, T, K)}
assert right["head"].shape == wrong["head"].shape == (H, T, K)

HEADS = np.array([(86, 180, 233), (213, 94, 0), (204, 121, 167)])


def draw(ax, tokens, heads, title):
    """Cells coloured by head, with the number of the token in each."""
    ax.imshow(HEADS[heads], alpha=0.75)
    for (row, column), number in np.ndenumerate(tokens):
        ax.text(column, row, number, ha="center", va="center")
    ax.set_title(title, loc="center", fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)


with figure(6.8, 4.6) as fig:
    axes = fig.subplots(2, 4, width_ratios=[D, K, K, K])
    for row, (split, name) in enumerate(
        ((right, "reshape, transpose"), (wrong, "reshape only"))
    ):
        draw(axes[row, 0], token, head, "q, a row is a token")
        axes[row, 0].set_ylabel(name, fontweight="bold")
        for h in range(H):
            draw(
                axes[row, 1 + h],
                split["token"][h],
                split["head"][h],
                f"head {h}",
            )
    show(fig, "05_heads")

mixed = [len(np.unique(h)) for h in wrong["head"]]
quote("heads inside the first wrong head", mixed[0], 3, 0)
tokens_inside = len(np.unique(wrong["token"][0]))
quote("tokens inside the first wrong head", tokens_inside, 2, 0)

# %%
# Above, each head holds one colour and all four tokens, a row each. Below, the
# first "head" holds three colours and two of the four tokens. Both arrays have
# the shape (3, 4, 2). Why?
#
# A **reshape** does not move numbers: it reads them in the order in which they
# lie in memory, row by row, and breaks that one long line elsewhere. A
# **transpose** changes which axis is walked first. The line in memory is
# token 0 head 0, token 0 head 1, token 0 head 2, token 1 head 0, ... and to
# walk it as head 0 token 0, head 0 token 1, ... one has to jump. ``(T, D) ->
# (T, H, K)`` only breaks each row into pieces, so a reshape may do it. ``(T,
# H, K) -> (H, T, K)`` jumps, so a transpose has to.

apart = token.reshape(T, H, K)
print("steps in memory, (T, H, K):", np.array(apart.strides) // 8)
print("after the transpose:      ", np.array(right["token"].strides) // 8)

# %%
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
# :math:`y_i = e^{x_i} / Z` with :math:`Z = \sum_l e^{x_l}`. Every output
# depends on every input, through :math:`Z`; so there is a matrix of
# derivatives, the Jacobian. First :math:`\partial Z / \partial x_j = e^{x_j}`.
# Then, by the quotient rule, with :math:`\delta_{ij} = 1` if :math:`i = j` and
# 0 otherwise,
#
# .. math::
#    \frac{\partial y_i}{\partial x_j}
#    &= \frac{\delta_{ij}\, e^{x_i}\, Z - e^{x_i} e^{x_j}}{Z^2} \\
#    &= \delta_{ij} \frac{e^{x_i}}{Z} - \frac{e^{x_i}}{Z} \frac{e^{x_j}}{Z} \\
#    &= \delta_{ij}\, y_i - y_i y_j
#
# or, as a matrix, :math:`J = \mathrm{diag}(y) - y y^\top`.

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

with figure(6.4, 2.9) as fig:
    bars, matrix = fig.subplots(1, 2)
    bars.bar(range(len(y)), y, color="#7F7F7F")
    bars.set_xticks(range(len(y)))
    bars.set_xlabel("i")
    bars.set_ylabel("share")
    bars.set_title("softmax $y$", loc="center")
    shown = matrix.imshow(J, cmap="RdBu_r", vmin=-0.25, vmax=0.25)
    matrix.set_xticks(range(len(y)))
    matrix.set_xlabel("input j")
    matrix.set_ylabel("output i")
    matrix.set_title("Jacobian $J$", loc="center")
    fig.colorbar(shown, ax=matrix)
    show(fig, "05_jacobian")

# %%
# Red on the diagonal: raising a score raises its own share. Blue elsewhere:
# the others pay for it, each in proportion to what it has. A row sums to zero
# because adding a constant to all scores changes no share.
#
# The backward pass multiplies the upstream by this matrix, and then it turns
# out that the matrix is not needed:
#
# .. math::
#    \mathrm{dx}_j = \sum_i \mathrm{dy}_i \frac{\partial y_i}{\partial x_j}
#    = \sum_i \mathrm{dy}_i (\delta_{ij} y_i - y_i y_j)
#    = y_j \mathrm{dy}_j - y_j \sum_i \mathrm{dy}_i y_i
#    = y_j ( \mathrm{dy}_j - s ), \quad s = \sum_i \mathrm{dy}_i y_i
#
# :math:`s` is a mean of the upstream, weighted by the shares. What lies above
# the mean is raised at the cost of what lies below. (The sum over the outputs
# :math:`i` is the product :math:`J^\top \mathrm{dy}`: in general a backward
# pass multiplies by the *transpose*. This J is its own transpose.)


def softmax_backward(dy, y):  # (..., T), (..., T) -> (..., T)
    s = (dy * y).sum(axis=-1, keepdims=True)
    return y * (dy - s)


upstream = rng.normal(size=row.shape)
without_matrix = softmax_backward(upstream, y)
deviation = np.abs(J.T @ upstream - without_matrix).max()
quote("with and without J", deviation, 0, 1e-15)

# %%
# For the 197 tokens of DeiT that is two passes over a row of 197 numbers
# instead of a matrix of 38,809.
#
# The backward pass of attention
# ------------------------------
# Undo the three lines of the forward pass from the last to the first, one
# index at a time as in chapter 01. For one head, with scaled scores
# :math:`S = Q K^\top / \sqrt K`:
#
# .. math::
#    \mathrm{dV}_{jc} &= \sum_i A_{ij}\, \mathrm{dO}_{ic}
#    \quad\Rightarrow\quad \mathrm{dV} = A^\top \mathrm{dO} \\
#    \mathrm{dA}_{ij} &= \sum_c \mathrm{dO}_{ic} V_{jc}
#    \quad\Rightarrow\quad \mathrm{dA} = \mathrm{dO}\, V^\top
#
# from :math:`O_{ic} = \sum_j A_{ij} V_{jc}`, where :math:`V_{jc}` takes part
# in the outputs of all tokens :math:`i`, and :math:`A_{ij}` in all columns
# :math:`c` of one. Then softmax, row by row, as just derived,
#
# .. math::
#    \mathrm{dS}_{ij} = A_{ij} \left( \mathrm{dA}_{ij}
#    - \sum_l \mathrm{dA}_{il} A_{il} \right)
#
# and from :math:`S_{ij} = \sum_c Q_{ic} K_{jc} / \sqrt K`
#
# .. math::
#    \mathrm{dQ}_{ic} &= \tfrac{1}{\sqrt K} \sum_j \mathrm{dS}_{ij} K_{jc}
#    \quad\Rightarrow\quad \mathrm{dQ} = \mathrm{dS}\, K / \sqrt K \\
#    \mathrm{dK}_{jc} &= \tfrac{1}{\sqrt K} \sum_i \mathrm{dS}_{ij} Q_{ic}
#    \quad\Rightarrow\quad \mathrm{dK} = \mathrm{dS}^\top Q / \sqrt K
#
# (The matrix :math:`K` and the number :math:`K` have the same letter. Under a
# root it is the number.) Splitting and merging heads only move numbers, so the
# backward pass moves them back.


from tervit_np.verify.gradcheck import numerical_gradient as differences


def multi_head(qkv):  # (B, T, 3 D) -> (B, T, D)
    q, k, v = split(qkv)
    o, A = attention(q, k, v)
    return merge(o), (q, k, v, A)


def multi_head_backward(dout, cache):  # (B, T, D) -> (B, T, 3 D)
    q, k, v, A = cache
    root = np.sqrt(q.shape[-1])
    B, T, D = dout.shape
    dO = dout.reshape(B, T, H, D // H).swapaxes(1, 2)  # undo merge
    dV = A.swapaxes(-1, -2) @ dO
    dA = dO @ v.swapaxes(-1, -2)
    dS = softmax_backward(dA, A)
    dQ = dS @ k / root
    dK = dS.swapaxes(-1, -2) @ q / root
    return np.concatenate([merge(dQ), merge(dK), merge(dV)], axis=-1)


def error(analytic, numeric):
    """Largest deviation, as a share of the largest entry."""
    largest = np.abs(numeric).max()
    return np.abs(analytic - numeric).max() / largest


out, cache = multi_head(qkv)
dout = rng.normal(size=out.shape)
analytic = multi_head_backward(dout, cache)
truth = differences(lambda x: multi_head(x)[0], qkv, dout)
quote("error of dqkv", error(analytic, truth), 0, 1e-8)

from tervit_np import ops

library_out, library_cache = ops.attention(qkv, H)
quote("library, out", np.abs(library_out - out).max(), 0, 1e-14)
library_dqkv = ops.attention_backward(dout, library_cache)
quote("library, dqkv", np.abs(library_dqkv - analytic).max(), 0, 1e-14)

# %%
# Break it
# --------
# Leave the :math:`1 / \sqrt K` out of the backward pass, a classic. With
# :math:`K = 2` the gradients of q and k should come out too large by a factor
# :math:`\sqrt 2`, and the library's checker knows to look for such factors:

from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.gradcheck import GradientCheck

too_large = analytic[..., :D] * np.sqrt(K)
broken = GradientCheck("dq", too_large, truth[..., :D])
print(likely_mistake(broken, {"K": K}))
off = error(too_large, truth[..., :D])
quote("forgotten root, error of dq", off, np.sqrt(K) - 1, 1e-6)

# %%
# Now the mistake from above: heads split by a reshape only, in the forward
# pass, and put back the same way in the backward pass. *Predict* what a
# gradient check in float64 with a random upstream will say.


def mixed_up(qkv):
    B, T, width = qkv.shape
    parts = np.split(qkv, 3, axis=-1)
    q, k, v = (p.reshape(B, H, T, width // (3 * H)) for p in parts)
    o, A = attention(q, k, v)
    return o.reshape(B, T, width // 3), (q, k, v, A)


def mixed_up_backward(dout, cache):
    q, k, v, A = cache
    dO = dout.reshape(q.shape)
    dS = softmax_backward(dO @ v.swapaxes(-1, -2), A)
    root = np.sqrt(q.shape[-1])
    dQ, dK = dS @ k / root, dS.swapaxes(-1, -2) @ q / root
    dV = A.swapaxes(-1, -2) @ dO
    back = [d.reshape(dout.shape) for d in (dQ, dK, dV)]
    return np.concatenate(back, axis=-1)


mixed_out, cache = mixed_up(qkv)
analytic = mixed_up_backward(dout, cache)
truth = differences(lambda x: mixed_up(x)[0], qkv, dout)
quote("mixed-up heads, gradient check", error(analytic, truth), 0, 1e-8)
print(f"yet the outputs differ by {np.abs(mixed_out - out).max():.2f}")

# %%
# It passes, with the usual digits. Forward and backward are wrong *together*,
# and the gradient is that of the wrong function. Two things find it: the
# numbers of an independent program (official weights make nonsense of the
# pictures), and the property from the top of this chapter. Whatever attention
# does, reordered tokens must give reordered outputs.

order = np.array([2, 0, 3, 1])
for name, f in (("right", multi_head), ("mixed up", mixed_up)):
    change = np.abs(f(qkv[:, order])[0] - f(qkv)[0][:, order]).max()
    print(f"{name:9} heads, reordered tokens: off by {change:.2g}")
    assert (change < 1e-12) == (name == "right")

# %%
# Where a trained model looks
# ---------------------------
# Back to pictures. The model has four blocks with two heads each and sees 16
# patches of 8 x 8 pixels. (Trained here and now if no chapter has done it
# yet.)

from matplotlib.patches import Rectangle

from data_tools import normalise

model, test = trained_model(), shapes().test
test = test.take(np.arange(min(1000, len(test))))
pixels = normalise(test.images, test.mean, test.std)
logits, cache = model.forward(pixels)
accuracy = (logits.argmax(axis=1) == test.labels).mean()
quote("accuracy", accuracy, 0.78, 0.08, full_only=True)

maps = np.stack([b.attn.products[0].probs for b in cache.blocks])
print("maps (block, B, H, T, T):", maps.shape)

# %%
# Each map (*attention map*) is a T x T matrix, and one row of it is a picture
# of T patches: where one patch looks. We take the brightest patch, which lies
# on the object, and draw its row in every block and head.

side = 4
by_patch = test.images.reshape(-1, side, 8, side, 8, 3).mean(axis=(2, 4, 5))
brightest = by_patch.reshape(-1, side * side).argmax(axis=1)
chosen = [int(np.flatnonzero(test.labels == c)[0]) for c in (3, 4, 7)]

with figure(7.4, 2.9) as fig:
    axes = fig.subplots(len(chosen), 9)
    for line, i in zip(axes, chosen, strict=True):
        line[0].imshow(test.images[i])
        corner = 8 * (brightest[i] % side), 8 * (brightest[i] // side)
        box = {"fill": False, "edgecolor": "white", "linewidth": 1.5}
        line[0].add_patch(Rectangle(corner, 7.5, 7.5, **box))
        line[0].set_ylabel(test.classes[test.labels[i]], fontsize=9)
        for m in range(8):
            looks = maps[m // 2, i, m % 2, brightest[i]].reshape(side, side)
            shown = line[1 + m].imshow(looks, cmap="cividis", vmin=0, vmax=0.6)
    for m in range(8):
        words = f"block {m // 2}\nhead {m % 2}"
        axes[0, 1 + m].set_title(words, fontsize=8, loc="center")
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
    bar = fig.colorbar(shown, ax=axes, shrink=0.8, pad=0.01)
    bar.set_label("share", fontsize=9)
    show(fig, "05_maps")

# %%
# The first block looks everywhere, the later ones at a few patches. A number
# says it better than three pictures: the entropy of a row, :math:`-\sum_j
# A_{ij} \ln A_{ij}`, is :math:`\ln 16 = 2.77` for even shares and 0 for one
# patch only. And :math:`e` to the entropy is the number of patches that, with
# even shares, have the same entropy.

entropy = -(maps * np.log(np.maximum(maps, 1e-30))).sum(axis=-1)
by_head = entropy.mean(axis=(1, 3))  # (blocks, heads)
for block, values in enumerate(by_head):
    words = ", ".join(f"{e:.2f} ({np.exp(e):.1f} patches)" for e in values)
    print(f"block {block}: entropy {words}")
quote("entropy, first block", by_head[0].mean(), 2.44, 0.25, full_only=True)
quote("entropy, last block", by_head[-1].mean(), 1.10, 0.4, full_only=True)

# %%
# How far to trust a map
# ----------------------
# Maps are pretty, and a pretty picture is not a proof. If the patches that
# receive most attention matter, then the model must fail without them. Hide
# :math:`n` patches (*occlusion*: set them to the mean colour, which is 0 after
# normalisation) and classify again: those that the last block looks at most,
# those that it looks at least, and random ones. *Predict* the three curves.

received = maps[-1].mean(
    axis=(1, 2)
)  # (B, T): averaged over heads and queries
orders = {
    "most attention": np.argsort(-received, axis=1),
    "random": np.argsort(rng.random(received.shape), axis=1),
    "least attention": np.argsort(received, axis=1),
    "brightest": np.argsort(-by_patch.reshape(received.shape), axis=1),
}
counts = [0, 1, 2, 4, 8]


def without(patches):
    """Accuracy with some patches of each picture hidden."""
    vectors = ops.patchify(pixels, 8).copy()
    np.put_along_axis(vectors, patches[..., None], 0, axis=1)
    hidden = ops.unpatchify(vectors, pixels.shape)
    return (model.predict(hidden).argmax(axis=1) == test.labels).mean()


curves = {
    name: [without(order[:, :n]) for n in counts]
    for name, order in orders.items()
}
with figure(6.0, 3.6) as fig:
    ax = fig.subplots()
    for i, (name, values) in enumerate(curves.items()):
        line = ":" if name == "brightest" else "-"
        colour = COLOURS[i]
        ax.plot(counts, 100 * np.array(values), "o" + line, color=colour)
        ax.text(8.2, 100 * values[-1], name, color=colour, va="center")
    clear = 0.0
    for text in sorted(ax.texts, key=lambda text: text.get_position()[1]):
        text.set_y(max(clear, text.get_position()[1]))
        clear = text.get_position()[1] + 6  # of the word below
    ax.set_xlim(-0.2, 11)
    ax.set_xticks(counts)
    ax.set_ylim(0, 100)
    ax.set_xlabel("patches hidden, of 16")
    ax.set_ylabel("accuracy (%)")
    show(fig, "05_hidden")

for name, expected in (
    ("most attention", 0.13),
    ("random", 0.58),
    ("least attention", 0.76),
    ("brightest", 0.14),
):
    quote(f"4 hidden, {name}", curves[name][3], expected, 0.1, full_only=True)

# %%
# Without the four patches that receive most attention little more than
# guessing is left (13 %, ten classes); without four random ones 58 %; without
# the four that receive least, 76 % of the original 78. So the map does find
# what matters.
#
# And a simpler rule does it just as well: hide the four *brightest* patches,
# no model asked, and 14 % are left. In this data the object is bright. The map
# says where the model looks. It does not say what the model makes of it, nor
# whether it looks for more than brightness. Nor are hidden patches innocent:
# no picture in training had any, which is why the curve to compare with is the
# random one, and not 78 %.
#
# On your own
# -----------
# * Give ``softmax`` the row [1000, 999, 0], with and without the line that
#   subtracts the maximum. Why does subtracting change nothing else?
# * Forbid each token to look at later ones: add :math:`-\infty` to their
#   scores. What do the first rows of A look like, and what must dS be there?
#   (That is a language model's mask. Swin masks by adding, too, but other
#   pairs: tokens that share a shifted window but are not neighbours in the
#   picture.)
# * In DeiT, T = 197. Which arrays of the backward pass grow like T squared?
# * Draw the maps of chapter 13's ternary model and compare them with these.
#
# In practice
# -----------
# * timm's attention is this code, with the same ``reshape(B, N, 3, H, K)`` and
#   transpose; official DeiT weights depend on that order.
# * PyTorch's ``scaled_dot_product_attention`` picks one of several ways. The
#   fused ones never store A: they go through keys in tiles and keep a running
#   maximum and sum (FlashAttention). The backward pass then computes A again,
#   tile by tile.
# * Most quantized transformers leave softmax in float; I-BERT (2021) and
#   FQ-ViT (2022) compute it in integers. Whether q, k, v and A are rounded too
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
