r"""
Swin: attention in windows
==========================

:You will do: cut a map of tokens into windows, shift them, mask the pairs that
  only look like neighbours, and add a bias for relative positions, forward and
  backward in NumPy. Then plant five mistakes and find which check sees them.
:You will learn: why attention in windows costs a number of operations that
  grows linearly with the picture, how information still crosses the borders of
  windows, and what leaks where the mask is wrong.
:You need: chapters 03 and 05 (LayerNorm, attention and its backward pass).
:Time: 35 minutes to read, a few seconds to run.
:In the paper: TerViT makes two kinds of backbones ternary, DeiT and Swin. Its
  most quoted number, 13.1 MB at more than 79 % on ImageNet, is of Swin-S.
"""

# %%
from tervit_lesson import SEED, claim, predict, quote  # before the others

import numpy as np

from tervit_lesson.figures import swin as draw
from tervit_np import ops
from tervit_np.models import CONFIGS
from tervit_np.nn import SwinBlock
from tervit_np.ops.merging import merge as library_merge

rng = np.random.default_rng(SEED)

# %%
# What attention costs
# --------------------
# Count the multiply-accumulates of one attention layer, for a map of H times W
# tokens with C numbers each. The four matrices (q, k, v and the projection)
# are applied to each token by itself: :math:`4\,HW\,C^2`. The scores compare
# each token with each of the HW tokens, and the mix of the values takes as
# many: together :math:`2\,(HW)^2\,C`. If a token attends only to the
# :math:`w^2` tokens of its window, that becomes :math:`2\,w^2\,HW\,C`.


def operations(side, channels, window=None):
    """Operations of the matrices, and of scores and mix."""
    tokens = side * side
    seen = tokens if window is None else window * window
    return 4 * tokens * channels**2, 2 * seen * tokens * channels


# %%
# The smallest of the official models, Swin-T, begins with a map of 56 x 56
# tokens (a picture of 224 pixels in patches of 4) with C = 96. From stage to
# stage the map has half the side and twice the channels; windows are 7 x 7.

predict("scores and mix: how many times cheaper are windows of 7 in 56 x 56?")
config = CONFIGS["swin_tiny_patch4_window7_224"]
stages = []
print("map   blocks   million operations: matrices, windows, (global)")
for stage, side in enumerate(config.sides):
    width, depth = config.dim * 2**stage, config.depths[stage]
    costs = *operations(side, width, 7), operations(side, width)[1]
    stages.append(depth * np.array(costs) / 1e6)
    print(f"{side:3}{depth:9}", stages[-1].round())
total = np.sum(stages, axis=0)
quote("stage 1, global / windows", stages[0][2] / stages[0][1], 64, 0)
quote("Swin-T, matrices, million", total[0], 1387, 0.5)
quote("Swin-T, scores and mix in windows, million", total[1], 140, 0.5)
quote("Swin-T, if attention were global, million", total[2], 4433, 0.5)

# %%
# 64 is the number of windows of the first map. With windows, scores and mix
# cost a tenth of the matrices; without them three times as much, most of it in
# the first stage. Twice the side of the picture means four times the tokens:
# windows then cost four times as much (they are linear in the number of
# tokens), global attention sixteen times. In the last stage the window is the
# whole map.
#
# Windows
# -------
# A map has the shape (B, H, W, C). Windows are to become a batch: (B nW, w w,
# C), with the tokens of one window next to each other, so that attention runs
# as before. Memory runs along rows, so ``reshape`` alone would not do, as in
# chapter 04: break both axes, (H, W) -> (H/w, w, W/w, w), and bring the two
# inner ones together.


def partition(x, w):  # (B, H, W, C) -> (B nW, w w, C)
    B, H, W, C = x.shape
    x = x.reshape(B, H // w, w, W // w, w, C).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, w * w, C)


def reverse(windows, shape, w):  # (B nW, w w, C) -> (B, H, W, C)
    B, H, W, C = shape
    x = windows.reshape(B, H // w, W // w, w, w, C)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(shape)


side, w = 8, 4
maps = rng.normal(size=(2, side, side, 6))
windows = partition(maps, w)
off = np.abs(windows - ops.window_partition(maps, w)).max()
quote("partition against the library", off, 0, 0)
off = np.abs(reverse(windows, maps.shape, w) - maps).max()
quote("reverse undoes partition", off, 0, 0)

# %%
# Across the borders: shift
# -------------------------
# With the same windows in every block, nothing ever leaves one. Swin moves
# them by half their side, s = w // 2, in every second block. Over a fixed map
# that would leave windows of 2 x 4 and 2 x 2 at the edges. Rolling the map
# under fixed windows keeps all alike: ``np.roll`` by -s in both axes. What
# leaves at the top comes in at the bottom (a *cyclic shift*).

s = w // 2
numbers = np.arange(side * side).reshape(1, side, side, 1)
rolled = np.roll(numbers, (-s, -s), axis=(1, 2))
draw.shift(numbers[0, ..., 0], rolled[0, ..., 0], w)

# %%
# The last window holds tokens of all four corners of the map. Token 63 (bottom
# right) sits beside token 56 (bottom left), seven columns away in the picture.
# They share a window and must not attend to each other.
#
# The mask
# --------
# Which pairs may? Those that are as far from each other on the map as they are
# in the window: compare the two differences.


def positions(shape, w, s):
    """Original row and column of every token of every window after a roll."""
    grid = np.stack(np.indices(shape), axis=-1)[None]
    return partition(np.roll(grid, (-s, -s), axis=(1, 2)), w)  # (nW, w w, 2)


def may_attend(shape, w, s):  # -> (nW, T, T), True where they are neighbours
    at, inside = positions(shape, w, s), positions((w, w), w, 0)
    on_map = at[:, :, None] - at[:, None, :]
    in_window = inside[:, :, None] - inside[:, None, :]
    return (on_map == in_window).all(axis=-1)


predict("of all pairs in the four windows, how many percent are masked?")
allowed = may_attend((side, side), w, s)
masked = 1 - allowed.mean(axis=(1, 2))
quote("masked pairs, percent", 100 * masked.mean(), 43.75, 0)
quote("masked pairs of the last window, percent", 100 * masked[3], 75, 0)
library = ops.shift_mask(side, side, w, s)
claim("the library masks the same pairs", ((library == 0) == allowed).all())
swin_t = 100 * (1 - may_attend((56, 56), 7, 3).mean())
quote("masked pairs, 56 x 56 in windows of 7, percent", swin_t, 11.9, 0.05)
draw.masks(allowed)

# %%
# The first window is free, two are split into halves, the last one into
# quarters. On a larger map fewer windows are at the edge: 12 % in Swin-T's
# first stage. A mask adds -100 to the scores of these pairs, which multiplies
# their share of the attention by about :math:`e^{-100}`, or 4e-44.
#
# The relative position bias
# --------------------------
# DeiT adds a vector for each position to the tokens. Swin adds a learned
# number to each *score*, which depends on where the key is as seen from the
# query: :math:`S_{ij} + b[\,y_i - y_j,\; x_i - x_j\,]`. Both differences run
# from -(w-1) to w-1, so each head has a table of :math:`(2w-1)^2` numbers. An
# *index table* says for each pair which of them it takes.


def index_table(w):  # -> (w w, w w), rows of the bias table
    row, column = np.divmod(np.arange(w * w), w)
    dy, dx = row[:, None] - row, column[:, None] - column
    return (dy + w - 1) * (2 * w - 1) + (dx + w - 1)


off = np.abs(index_table(7) - ops.relative_position_index(7)).max()
quote("index table against the library", off, 0, 0)
uses = np.bincount(index_table(w).ravel())
quote("numbers of a head's table", len(uses), 49, 0)
quote("pairs with the relative position 0, 0", uses.max(), 16, 0)
draw.index(index_table(2), uses.reshape(2 * w - 1, 2 * w - 1))

# %%
# 256 pairs share 49 numbers: all 16 tokens are at distance (0, 0) from
# themselves, and one pair reaches from corner to opposite corner. A number
# that is used 16 times gets the *sum* of 16 gradients.
#
# Forward by hand
# ---------------
# Everything between the LayerNorm and the addition to the residual stream,
# with one head to keep the arrays small:


def branch(x, p, w, s, mask):  # (B, H, W, C) -> (B, H, W, C)
    windows = partition(np.roll(x, (-s, -s), axis=(1, 2)), w)
    q, k, v = np.split(windows @ p["qkv"].T + p["qkv_b"], 3, axis=-1)
    scores = q @ k.swapaxes(1, 2) / np.sqrt(x.shape[-1])
    scores = scores + p["table"][index_table(w)]  # the same for all windows
    by_image = scores.reshape(-1, *mask.shape) + mask
    probs, _ = ops.softmax(by_image.reshape(scores.shape))
    mixed = probs @ v
    y = reverse(mixed @ p["proj"].T + p["proj_b"], x.shape, w)
    y = np.roll(y, (s, s), axis=(1, 2))
    return y, (windows, q, k, v, probs, mixed)


C = 6
sizes = {"qkv": (3 * C, C), "qkv_b": 3 * C, "table": (2 * w - 1) ** 2}
sizes |= {"proj": (C, C), "proj_b": C}
p = {name: rng.normal(size=size) / 2 for name, size in sizes.items()}
mask = np.where(allowed, 0.0, -100.0)
x = rng.normal(size=(2, side, side, C))
y, cache = branch(x, p, w, s, mask)

# %%
# The library's block has the same branch. Here its LayerNorm passes on what it
# gets, and its MLP adds nothing (its last matrix is zero).

block = SwinBlock(C, 1, side, w, True, 4 * C, 0.0, dtype=np.float64)
attn = block.attn
attn.qkv.weight.data[...], attn.qkv.bias.data[...] = p["qkv"], p["qkv_b"]
attn.proj.weight.data[...], attn.proj.bias.data[...] = p["proj"], p["proj_b"]
attn.relative_position_bias_table.data[:, 0] = p["table"]
block.norm1.forward = lambda x: (x, None)
theirs, _ = block.forward(x)
quote("forward against the library", np.abs(x + y - theirs).max(), 0, 1e-13)

# %%
# Backward by hand
# ----------------
# Three steps are new since chapter 05, and none of them needs calculus.
#
# * *Roll and partition* move numbers to other places. The backward pass of
#   such a permutation is its inverse: roll by +s, ``reverse``.
# * *The mask* is a constant that is added: gradients pass it unchanged.
# * *The bias* is looked up. Each pair gives its dS back to the place in the
#   table that it took its number from, and all that one place gets is added:
#   over pairs, windows and images.


def into_table(dscores, w):  # (nW B, T, T) -> ((2w-1)^2)
    dtable = np.zeros((2 * w - 1) ** 2)
    np.add.at(dtable, index_table(w), dscores.sum(axis=0))
    return dtable


def branch_backward(dy, cache, p, w, s):
    windows, q, k, v, probs, mixed = cache
    d = {}
    dout = partition(np.roll(dy, (-s, -s), axis=(1, 2)), w)
    d["proj"] = np.einsum("nto,nti->oi", dout, mixed)
    d["proj_b"] = dout.sum(axis=(0, 1))
    dmixed = dout @ p["proj"]
    dprobs, dv = dmixed @ v.swapaxes(1, 2), probs.swapaxes(1, 2) @ dmixed
    dscores = probs * (dprobs - (dprobs * probs).sum(axis=-1, keepdims=True))
    d["table"] = into_table(dscores, w)
    scale = np.sqrt(q.shape[-1])
    dq, dk = dscores @ k / scale, dscores.swapaxes(1, 2) @ q / scale
    dqkv = np.concatenate([dq, dk, dv], axis=-1)
    d["qkv"] = np.einsum("nto,nti->oi", dqkv, windows)
    d["qkv_b"] = dqkv.sum(axis=(0, 1))
    dx = reverse(dqkv @ p["qkv"], dy.shape, w)
    return np.roll(dx, (s, s), axis=(1, 2)), d


dy = rng.normal(size=y.shape)
dx, d = branch_backward(dy, cache, p, w, s)


def off_by(gradient, f, start, h=1e-5):
    """Relative error along a random direction, by central differences."""
    direction = rng.normal(size=start.shape)
    above, below = (f(start + sign * h * direction) for sign in (1, -1))
    slope = (dy * (above - below)).sum() / (2 * h)
    return abs((gradient * direction).sum() - slope) / abs(slope)


errors = [off_by(dx, lambda x: branch(x, p, w, s, mask)[0], x)]
for name, a in p.items():
    f = lambda a, n=name: branch(x, p | {n: a}, w, s, mask)[0]  # noqa: E731
    errors.append(off_by(d[name], f, a))
quote("largest error of six gradients", max(errors), 0, 1e-6)

# %%
# What leaks
# ----------
# Five mistakes of the forward pass, each with a backward pass that fits it:


turned = p | {"table": p["table"][::-1]}  # (dy, dx) -> (-dy, -dx)
mistakes = {
    "(right code)": {},
    "no mask": {"mask": 0 * mask},
    "windows outermost": {"outermost": True},  # in the batch (B nW, T, T)
    "rolled the other way": {"s": -s},  # with the mask for -s
    "roll not undone": {"again": -2 * s},  # but done once more
    "bias from key to query": {"p": turned},
}


def run(x, p=p, s=s, mask=mask, outermost=False, again=0):  # -> y, dx
    if outermost:
        mask = np.repeat(mask, len(x), axis=0)  # each window's for all images
    y, cache = branch(x, p, w, s, mask)
    dbranch = np.roll(dy[: len(x)], (-again, -again), axis=(1, 2))
    dx, _ = branch_backward(dbranch, cache, p, w, s)
    return np.roll(y, (again, again), axis=(1, 2)), dx


# %%
# And four checks:
#
# * *gradient*: finite differences along a random direction;
# * *batch*: a picture alone gets what it gets in a batch;
# * *leak*: change a token, and those move that may see it, and no others;
# * *library*: the numbers of a program that is known to be right.


def on_map(allowed, shape, w, s):  # (nW, T, T) -> (HW, HW), who may see
    at = positions(shape, w, s) @ (shape[1], 1)  # numbers of the tokens
    see = np.zeros((shape[0] * shape[1],) * 2, bool)
    for tokens, pairs in zip(at, allowed, strict=True):
        see[np.ix_(tokens, tokens)] = pairs
    return see


def who_sees(changed):  # -> (HW, HW): column j, the tokens that see token j
    see = []
    for j in np.ndindex(side, side):
        moved = x[:1].copy()
        moved[0][j] += 1
        change = run(moved, **changed)[0] - run(x[:1], **changed)[0]
        see.append(np.abs(change).max(axis=-1).ravel() > 1e-9)
    return np.array(see).T


should = on_map(allowed, (side, side), w, s)


def verdicts(changed):
    """Tell which checks a version passes, in the order of the list."""
    out, dx = run(x, **changed)
    return (
        off_by(dx, lambda x: run(x, **changed)[0], x) < 1e-6,
        np.allclose(out[1], run(x[1:], **changed)[0]),
        (who_sees(changed) == should).all(),
        np.allclose(x + out, theirs),
    )


predict("which check misses the most of these mistakes?")
checks = ["gradient", "batch", "leak", "library"]
passed = {name: verdicts(changed) for name, changed in mistakes.items()}
draw.checks(checks, passed)
caught = (~np.array(list(passed.values())[1:])).sum(axis=0)
claim("right code passes all checks", all(passed["(right code)"]))
quote("mistakes that the gradient check catches", caught[0], 0, 0)
quote("caught by batch", caught[1], 1, 0)
quote("caught by leak", caught[2], 3, 0)
quote("caught by the library's numbers", caught[3], 5, 0)

# %%
# The gradient check catches none: it compares a backward pass with its own
# forward pass (chapter 01). *Leak* catches what breaks a mask, but runs a
# single picture, for which "windows outermost" is right: only a batch shows
# it. The turned bias passes every check but the last. A model that is trained
# with it is as good; one that loads official weights computes something else.
# This is why the library is compared with numbers of independent programs.
#
# How much attention leaks if the mask is forgotten?

_, (*_, probs, _) = branch(x, p, w, s, 0 * mask)
leaks = probs.reshape(-1, *allowed.shape)[:, ~allowed].sum() / probs.sum()
quote("attention that goes to masked pairs", leaks, 0.449, 0.0005)
claim("over a quarter of all attention leaks", leaks > 1 / 4)

# %%
# With these random weights 45 %, about as much as the pairs that are masked,
# 44 %. And the bias calls them neighbours: token 56 comes right after token 63
# in the window, so the pair gets the number learned for "one to the right".
#
# Patch merging
# -------------
# A plain block and a shifted one let a token depend on its window and on the
# next ones, and not on a whole map of 56 x 56. So Swin makes the map smaller
# on the way: between two stages 2 x 2 tokens become one. Their C numbers are
# concatenated to 4C, normalised, and a matrix makes 2C of them.


DOWN_FIRST = ((0, 0), (1, 0), (0, 1), (1, 1))  # (row, column)


def merge(x):  # (B, H, W, C) -> (B, H/2, W/2, 4 C)
    return np.concatenate([x[:, r::2, c::2] for r, c in DOWN_FIRST], axis=-1)


def merge_backward(dy):  # (B, H/2, W/2, 4 C) -> (B, H, W, C)
    B, H, W, C = dy.shape
    dx = np.empty((B, 2 * H, 2 * W, C // 4))
    parts = np.split(dy, 4, axis=-1)
    for part, (r, c) in zip(parts, DOWN_FIRST, strict=True):
        dx[:, r::2, c::2] = part
    return dx


merged = merge(x)
off = np.abs(merged - library_merge(x)).max()
quote("merge against the library", off, 0, 0)
upstream = rng.normal(size=merged.shape)
left, right = (merged * upstream).sum(), (x * merge_backward(upstream)).sum()
quote("<merge x, u> - <x, merge_backward u>", left - right, 0, 1e-12)

# %%
# The last line is a check without differences. For a linear map M and its
# backward pass, the transposed map, :math:`\langle Mx, u \rangle = \langle x,
# M^\top u \rangle` for all x and u (the *adjoint test*). It works for roll,
# partition and lookup as well.
#
# The order, down before across, is a convention, as the sign of the bias is.
# A ternary plan rounds the matrices, patch merging's included, as the paper's
# 13.1 MB suggest (chapter 20), and leaves bias tables in float. Scores and mix
# multiply activations with activations.
#
# On your own
# -----------
# * ``tervit exercise start attention_backward``: the same without windows.
# * Multiply the probabilities by ``allowed`` after the softmax instead of
#   adding -100 before it. What do the rows of the last window sum to?
# * Replace -100 by -5, then by -20. Which of the four checks notices?
# * Plain and shifted blocks alternate. After how many does every token depend
#   on every other (multiply tables of ``on_map``), on a map of 8 x 8?
# * Write the adjoint test of the lookup ``table[index]`` and its backward.
#   Then replace ``np.add.at`` by ``dtable[index_table(w)] += ...``. In how
#   many places is the sum still right, and why?
# * Let ``merge`` go across first. How must the columns of the matrix behind it
#   move, so that its output stays the same?
#
# In practice
# -----------
# * timm pads maps that windows do not divide; this library refuses them.
# * Official checkpoints contain index tables and masks, which are computed.
# * Swin V2 (2022) computes the table by a small network, so that weights fit
#   windows of another size.
# * FlashAttention made global attention cheap in memory, not in operations.
#
# Further reading
# ---------------
# * `ops/windows.py <../tervit_np/ops/windows.py>`_ and
#   `ops/relative_bias.py <../tervit_np/ops/relative_bias.py>`_.
# * Liu et al. 2021, *Swin Transformer*. Shaw et al. 2018, *Self-attention with
#   relative position representations*: where the bias comes from.
