r"""
Swin: attention in windows
==========================

:You will do: cut a map of tokens into windows, shift them, mask the pairs that
  only look like neighbours, and give each pair a bias for its relative
  position; write the forward and the backward pass in NumPy, and compare both
  with the library's. Then plant five mistakes and find which check sees them.
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

rng = np.random.default_rng(SEED)

# %%
# What attention costs
# --------------------
# Count the operations of one attention layer, each a multiplication with an
# addition (a *multiply-accumulate*), for a map of H times W tokens with C
# numbers each. The four matrices (q, k, v and the projection) are applied to
# each token by itself: :math:`4\,HW\,C^2`. The scores compare each token with
# each of the HW tokens, and the mix of the values takes as many operations:
# together :math:`2\,(HW)^2\,C`. If a token attends only to the :math:`w^2`
# tokens of its window, that becomes :math:`2\,w^2\,HW\,C`.


def operations(side, channels, window=None):
    """Operations of the matrices, and of scores and mix."""
    tokens = side * side
    seen = tokens if window is None else window * window
    return 4 * tokens * channels**2, 2 * seen * tokens * channels


# %%
# The first stage of Swin-T has a map of 56 x 56 tokens (a picture of 224
# pixels in patches of 4), C = 96, windows of 7 x 7.

predict("scores and mix: how many times cheaper are windows of 7 in 56 x 56?")
matrices, everywhere = operations(56, 96)
_, in_windows = operations(56, 96, window=7)
quote("scores and mix, global / windows", everywhere / in_windows, 64, 0)
quote("matrices, million", matrices / 1e6, 115.6, 0.05)
quote("scores and mix of all pairs, million", everywhere / 1e6, 1888.2, 0.05)
quote("scores and mix in windows, million", in_windows / 1e6, 29.5, 0.05)

# %%
# 64 is the number of windows. Without windows, scores and mix cost sixteen
# times as much as the matrices; with them, a quarter. Twice the side of the
# picture means four times the tokens: windows then cost four times as much
# (they are linear in the number of tokens), global attention sixteen times.

sides = np.array([7, 14, 28, 56, 112, 224])
costs = np.array(
    [[*operations(s, 96), operations(s, 96, window=7)[1]] for s in sides]
)
draw.costs(sides, costs / 1e6)

# %%
# Windows
# -------
# A map has the shape (B, H, W, C). Windows are to become a batch: (B nW, w w,
# C), with the tokens of one window next to each other, so that attention runs
# as before. Take a map of 8 x 8 whose tokens are numbered, and windows of 4.

side, w = 8, 4
numbers = np.arange(side * side).reshape(1, side, side, 1)

predict("numbers.reshape(4, 16): which tokens are in the first 'window'?")
hasty = numbers.reshape(-1, w * w)
print("reshape alone:", hasty[0])
rows_seen = len(np.unique(hasty[0] // side))
quote("rows of the map in the first 'window'", rows_seen, 2, 0)

# %%
# Two full rows of the map: memory runs along rows, and a window is 4 tokens,
# then a jump to the next row. So break both axes, (H, W) -> (H/w, w, W/w, w),
# and bring the two inner ones together.


def partition(x, w):  # (B, H, W, C) -> (B nW, w w, C)
    B, H, W, C = x.shape
    x = x.reshape(B, H // w, w, W // w, w, C).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, w * w, C)


def reverse(windows, shape, w):  # (B nW, w w, C) -> (B, H, W, C)
    B, H, W, C = shape
    x = windows.reshape(B, H // w, W // w, w, w, C)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(shape)


print("with the axes exchanged:", partition(numbers, w)[0, :, 0])
maps = rng.normal(size=(2, side, side, 6))
off = np.abs(partition(maps, w) - ops.window_partition(maps, w)).max()
quote("partition against the library", off, 0, 0)
off = np.abs(reverse(partition(maps, w), maps.shape, w) - maps).max()
quote("reverse undoes partition", off, 0, 0)

# %%
# Across the borders: shift
# -------------------------
# With the same windows in every block, nothing ever leaves a window: the model
# would classify four quarters of the picture, each by itself. Swin moves the
# windows by half their side, s = w // 2, in every second block. Moving windows
# over a fixed map leaves windows of 2 x 4 and 2 x 2 at the edges. Rolling the
# map under fixed windows keeps all windows alike: ``np.roll`` by -s in both
# axes. What leaves at the top comes in at the bottom (a *cyclic shift*).

s = w // 2
rolled = np.roll(numbers, (-s, -s), axis=(1, 2))
draw.shift(numbers[0, ..., 0], rolled[0, ..., 0], w)
last = partition(rolled, w)[-1, :, 0].reshape(w, w)
print(f"the last window after the roll:\n{last}")

# %%
# The last window holds tokens of all four corners of the map. Token 63 (bottom
# right) sits beside token 56 (bottom left), seven columns away in the picture.
# They share a window and must not attend to each other.
#
# The mask
# --------
# Which pairs may? Those that are as far from each other on the map as they are
# in the window. That is a definition which can be computed with no thought
# about regions: compare the two differences.


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
print("masked in each window:", masked)
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
# first stage. The library builds the same mask in another way, as the authors
# do: it numbers nine regions and masks pairs of different regions. It adds
# -100 to their scores, which multiplies their share of the attention by about
# :math:`e^{-100}`, or 4e-44.
#
# The relative position bias
# --------------------------
# DeiT adds a vector for each position to the tokens. Swin adds a learned
# number to each *score*, which depends on where the key is as seen from the
# query: :math:`S_{ij} + b[\,y_i - y_j,\; x_i - x_j\,]`. Both differences run
# from -(w-1) to w-1, so each head has a table of :math:`(2w-1)^2` numbers. An
# *index table* says for each pair which of them it takes. By hand for windows
# of 2:


def index_table(w):  # -> (w w, w w), rows of the bias table
    index = np.zeros((w * w, w * w), int)
    for i in range(w * w):
        for j in range(w * w):
            dy, dx = i // w - j // w, i % w - j % w
            index[i, j] = (dy + w - 1) * (2 * w - 1) + (dx + w - 1)
    return index


print(index_table(2))
off = np.abs(index_table(7) - ops.relative_position_index(7)).max()
quote("index table against the library", off, 0, 0)
uses = np.bincount(index_table(w).ravel())
quote("numbers of a head's table", len(uses), 49, 0)
quote("pairs", index_table(w).size, 256, 0)
quote("pairs with the relative position 0, 0", uses.max(), 16, 0)
draw.index(index_table(2), uses.reshape(2 * w - 1, 2 * w - 1))

# %%
# 256 pairs share 49 numbers: all 16 tokens are at distance (0, 0) from
# themselves, and only one pair reaches from corner to opposite corner. A
# number that is used 16 times gets the *sum* of 16 gradients, as the weight
# that was used twice in chapter 01.
#
# Forward by hand
# ---------------
# Everything between the LayerNorm and the addition to the residual stream,
# with one head to keep the arrays small:


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def branch(x, p, w, s, mask):  # (B, H, W, C) -> (B, H, W, C)
    windows = partition(np.roll(x, (-s, -s), axis=(1, 2)), w)
    q, k, v = np.split(windows @ p["qkv"].T + p["qkv_b"], 3, axis=-1)
    C = x.shape[-1]
    scores = q @ k.swapaxes(1, 2) / np.sqrt(C)
    scores = scores + p["table"][index_table(w)]  # the same for all windows
    by_image = scores.reshape(-1, *mask.shape) + mask
    probs = softmax(by_image.reshape(scores.shape))
    mixed = probs @ v
    y = reverse(mixed @ p["proj"].T + p["proj_b"], x.shape, w)
    y = np.roll(y, (s, s), axis=(1, 2))
    return y, (windows, q, k, v, probs, mixed)


C = 6
p = {
    "qkv": rng.normal(size=(3 * C, C)) / 2,
    "qkv_b": rng.normal(size=3 * C) / 2,
    "table": rng.normal(size=(2 * w - 1) ** 2),
    "proj": rng.normal(size=(C, C)) / 2,
    "proj_b": rng.normal(size=C) / 2,
}
mask = np.where(allowed, 0.0, -100.0)
x = rng.normal(size=(2, side, side, C))
y, cache = branch(x, p, w, s, mask)

# %%
# The library's block has the same branch between ``norm1`` and its addition.
# Its MLP is switched off here (its last matrix is zero), and its LayerNorm
# passes on what it gets.

from tervit_np.nn import SwinBlock

block = SwinBlock(C, 1, side, w, True, 4 * C, 0.0, dtype=np.float64)
attn = block.attn
attn.qkv.weight.data[...], attn.qkv.bias.data[...] = p["qkv"], p["qkv_b"]
attn.proj.weight.data[...], attn.proj.bias.data[...] = p["proj"], p["proj_b"]
attn.relative_position_bias_table.data[:, 0] = p["table"]
block.norm1.forward = lambda x: (x, None)
block.norm1.backward = lambda dy, cache: dy

theirs, their_cache = block.forward(x)
quote("forward against the library", np.abs(x + y - theirs).max(), 0, 1e-13)

# %%
# Backward by hand
# ----------------
# Three steps are new since chapter 05, and none of them needs calculus.
#
# * *Roll and partition* move numbers to other places: as matrices they have
#   one 1 in each row and column. The backward pass of such a permutation is
#   its inverse: roll by +s, ``reverse``.
# * *The mask* is a constant that is added. Its gradient is not needed, and the
#   gradient of the scores passes it unchanged.
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
    return np.roll(dx, (s, s), axis=(1, 2)), d, dscores


dy = rng.normal(size=y.shape)
dx, d, dscores = branch_backward(dy, cache, p, w, s)


def numeric(f, start, direction, h=1e-5):
    """Slope of sum(dy * f) along a direction, by central differences."""
    above, below = (f(start + sign * h * direction) for sign in (1, -1))
    return (dy * (above - below)).sum() / (2 * h)


def off_by(analytic, slope):
    return abs(analytic - slope) / abs(slope)


direction = rng.normal(size=x.shape)
slope = numeric(lambda x: branch(x, p, w, s, mask)[0], x, direction)
errors = {"x": off_by((dx * direction).sum(), slope)}
for name, start in p.items():
    direction = rng.normal(size=start.shape)

    def f(a, name=name):
        return branch(x, p | {name: a}, w, s, mask)[0]

    slope = numeric(f, start, direction)
    errors[name] = off_by((d[name] * direction).sum(), slope)
quote("largest error of six gradients", max(errors.values()), 0, 1e-6)

block.zero_grad()
dx_theirs = block.backward(dy, their_cache)
quote("dx against the library", np.abs(dx + dy - dx_theirs).max(), 0, 1e-12)
their_table = attn.relative_position_bias_table.grad[:, 0]
off = np.abs(d["table"] - their_table).max()
quote("gradient of the table against the library", off, 0, 1e-12)

# %%
# **Break it.** ``np.add.at`` looks clumsy, and NumPy seems to have a shorter
# line for "add to these places":

predict("dtable[index] += dS: in how many of the 49 places is the sum right?")
short = np.zeros_like(p["table"])
short[index_table(w)] += dscores.sum(axis=0)
right = np.isclose(short, d["table"])
quote("places with the right sum", right.sum(), 4, 0)
claim("those are the places that one pair uses", (right == (uses == 1)).all())

# %%
# Four: the corners of the table, which a single pair uses. NumPy reads
# ``short[index]``, adds, and writes back; where an index occurs 16 times, the
# last of 16 writes remains. No error, no warning, and the right shape.
#
# What leaks
# ----------
# Five mistakes of the forward pass, each with a backward pass that fits it:
#
# * *no mask*;
# * *windows outermost*: the scores (B nW, T, T) get their mask as if they were
#   (nW B, T, T);
# * *rolled the other way*: by +s, and back by -s, with the mask for -s;
# * *roll not undone*: rolled by -s once more instead of back;
# * *bias from key to query*: the index table transposed.
#
# And five checks:
#
# * *gradient*: finite differences along a random direction;
# * *batch*: a picture alone gets what it gets in a batch;
# * *leak*: change one token, and no token changes that may not see it;
# * *seen*: ... and all tokens change that should see it;
# * *library*: the same numbers as a program that is known to be right.


def run(x, p=p, s=s, mask=mask, outermost=False, again=0):
    if outermost:
        mask = np.repeat(mask, len(x), axis=0)  # each window's for all images
    y, cache = branch(x, p, w, s, mask)
    return np.roll(y, (again, again), axis=(1, 2)), cache


def run_backward(dy, cache, p=p, s=s, again=0, **not_needed):
    dy = np.roll(dy, (-again, -again), axis=(1, 2))
    return branch_backward(dy, cache, p, w, s)[0]


turned = p | {"table": p["table"][::-1]}  # (dy, dx) -> (-dy, -dx)
mistakes = {
    "(right code)": {},
    "no mask": {"mask": 0 * mask},
    "windows outermost": {"outermost": True},
    "rolled the other way": {"s": -s},
    "roll not undone": {"again": -2 * s},
    "bias from key to query": {"p": turned},
}

# %%
# Which token may see which, on the map instead of in windows, and which one
# does: change token j of one picture, and look where the output moves.


def on_map(allowed, shape, w, s):  # (nW, T, T) -> (HW, HW)
    at = positions(shape, w, s) @ (shape[1], 1)  # numbers of the tokens
    see = np.zeros((shape[0] * shape[1],) * 2, bool)
    for tokens, pairs in zip(at, allowed, strict=True):
        see[np.ix_(tokens, tokens)] = pairs
    return see


def who_sees(changed):  # -> (HW, HW): row i, output; column j, changed token
    before, _ = run(x[:1], **changed)
    see = np.zeros((side * side, side * side), bool)
    for j in range(side * side):
        moved = x[:1].copy()
        moved[0, j // side, j % side] += 1
        change = np.abs(run(moved, **changed)[0] - before).max(axis=-1)
        see[:, j] = change.ravel() > 1e-9
    return see


should = on_map(allowed, (side, side), w, s)
direction = rng.normal(size=x.shape)


def verdicts(changed):
    """Tell which checks a version passes, in the order of the list."""
    out, cache = run(x, **changed)
    slope = numeric(lambda x: run(x, **changed)[0], x, direction)
    dx = run_backward(dy, cache, **changed)
    see = who_sees(changed)
    return (
        off_by((dx * direction).sum(), slope) < 1e-6,
        np.allclose(out[1], run(x[1:], **changed)[0]),
        not (see & ~should).any(),
        not (should & ~see).any(),
        np.allclose(x + out, theirs),
    )


predict("which check misses the most of these mistakes?")
checks = ["gradient", "batch", "leak", "seen", "library"]
passed = {name: verdicts(changed) for name, changed in mistakes.items()}
for name, row in passed.items():
    words = (f"{'passes' if ok else 'caught':9}" for ok in row)
    print(f"{name:24}", *words)
draw.checks(checks, passed)
caught = (~np.array(list(passed.values())[1:])).sum(axis=0)
claim("right code passes all checks", all(passed["(right code)"]))
quote("mistakes that the gradient check catches", caught[0], 0, 0)
quote("caught by batch", caught[1], 1, 0)
quote("caught by leak", caught[2], 3, 0)
quote("caught by the library's numbers", caught[4], 5, 0)

# %%
# The gradient check catches none: it compares a backward pass with its own
# forward pass (chapter 01). *Leak* and *seen* state what a mask is for, and
# catch what breaks it, but run a single picture, for which "windows outermost"
# is right: only a batch shows it. The turned bias passes every check but the
# last. A model that is trained with it learns a turned table and is as good;
# one that loads official weights computes something else. This is why the
# library compares itself with stored numbers of independent programs.
#
# How much attention leaks if the mask is forgotten?

_, (*_, probs, _) = branch(x, p, w, s, np.zeros_like(mask))
to_masked = probs.reshape(-1, *allowed.shape)[:, ~allowed].sum()
share = to_masked / probs.sum()
quote("attention that goes to masked pairs", share, 0.476, 0.0005)
claim("over a quarter of all attention leaks here", share > 1 / 4)

# %%
# With these random weights 48 % of all attention goes to tokens from the other
# side of the map, about the share of the pairs that are masked, 44 %. And the
# bias calls them neighbours: token 56 comes right after
# token 63 in the window, so the pair gets the number that was learned for "one
# to the right".
#
# Patch merging
# -------------
# A plain block and a shifted one let a token depend on its window and on the
# next ones, and not on a whole map of 56 x 56. (How many blocks that takes is
# a task below.) So Swin makes the map smaller on the way: between two stages 2
# x 2 tokens become one. Their C numbers are concatenated to 4C, normalised,
# and a matrix makes 2C of them. Half the height and width, twice the channels,
# so a block's matrices cost the same as in the stage before (a quarter of the
# tokens, four times the weights).


DOWN_FIRST = ((0, 0), (1, 0), (0, 1), (1, 1))  # (row, column)


def merge(x, order=DOWN_FIRST):  # (B, H, W, C) -> (B, H/2, W/2, 4 C)
    return np.concatenate([x[:, r::2, c::2] for r, c in order], axis=-1)


def merge_backward(dy):  # (B, H/2, W/2, 4 C) -> (B, H, W, C)
    B, H, W, C = dy.shape
    dx = np.empty((B, 2 * H, 2 * W, C // 4))
    parts = np.split(dy, 4, axis=-1)
    for part, (r, c) in zip(parts, DOWN_FIRST, strict=True):
        dx[:, r::2, c::2] = part
    return dx


from tervit_np.ops.merging import merge as library_merge

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
# **Break it** once more: concatenate in the order that everybody would write,
# across first.

predict("the four tokens in another order: can training tell the difference?")
reduction = rng.normal(size=(2 * C, 4 * C))
across = merge(x, ((0, 0), (0, 1), (1, 0), (1, 1)))
columns = np.arange(4 * C).reshape(4, C)[[0, 2, 1, 3]].ravel()
off = np.abs(merged @ reduction.T - across @ reduction[:, columns].T).max()
quote("another order, columns of the matrix moved along", off, 0, 1e-12)
wrong = np.abs(merged @ reduction.T - across @ reduction.T).mean()
claim("with the same matrix the output is another", wrong > 0.1)

# %%
# Training cannot tell: a matrix with its columns in another order does the
# same. Official weights can, like the turned bias. The order of the authors is
# a convention that no derivation gives.
#
# The whole model
# ---------------

import tervit_np as tv

config = tv.models.CONFIGS["swin_tiny_patch4_window7_224"]
total = np.zeros(3)
print("million operations in each stage")
print("map       C   blocks   matrices   windows   (global)")
for stage, side_here in enumerate(config.sides):
    width, depth = config.dim * 2**stage, config.depths[stage]
    costs = *operations(side_here, width, 7), operations(side_here, width)[1]
    row = depth * np.array(costs) / 1e6
    total += row
    print(f"{side_here:3}{width:8}{depth:9}", end="")
    print("{:11.0f}{:10.0f}{:11.0f}".format(*row))
quote("Swin-T, attention matrices, million", total[0], 1387, 0.5)
quote("Swin-T, windows, million", total[1], 140, 0.5)
quote("Swin-T, if attention were global, million", total[2], 4433, 0.5)
quote("Swin-T, million parameters", config.parameters / 1e6, 28.29, 0.005)

# %%
# Global attention would cost most in the first stage, whose map is the
# largest; in the last one the window is the whole map, and there is no shift.
# TerViT's ternary weights are those of the matrices, patch merging's included;
# bias tables stay as they are. Scores and mix multiply activations with
# activations, so ternary weights do not make them cheaper; with windows they
# are a tenth of the matrices.
#
# On your own
# -----------
# * ``tervit exercise start attention_backward`` asks for the backward pass
#   that this chapter repeats, without windows.
# * Multiply the probabilities by ``allowed`` after the softmax instead of
#   adding -100 before it. What do the rows of the last window sum to?
# * Replace -100 by -5, then by -20. Which of the five checks notices?
# * Plain and shifted blocks alternate. A token depends, after two of them, on
#   those that are seen by a token that it sees: the product of two tables of
#   ``on_map``. After how many blocks does every token depend on every other,
#   on a map of 8 x 8 and of 16 x 16, for s = 1, 2, 3?
# * Time ``ops.attention`` and ``ops.window_attention`` in float32 on maps of
#   side 7, 14, 28 and 56. Do the times grow as the operations do?
# * Write the adjoint test of the lookup ``table[index]`` and its backward.
#
# In practice
# -----------
# * timm keeps index table and mask as buffers of each block, and pads maps
#   that windows do not divide. This library refuses them.
# * Official checkpoints contain the index tables and masks; they are computed,
#   not learned, and a reader may ignore them.
# * Swin V2 (2022) replaces the table by a small network of the logarithm of
#   the distance, so that weights fit windows of another size, and the scalar
#   product by a cosine.
# * FlashAttention made global attention cheap in memory, not in operations;
#   many later models use windows in most blocks and global attention in a few.
#
# Further reading
# ---------------
# * `ops/windows.py <../tervit_np/ops/windows.py>`_,
#   `ops/relative_bias.py <../tervit_np/ops/relative_bias.py>`_ and
#   `nn/swin_block.py <../tervit_np/nn/swin_block.py>`_.
# * Liu, Lin, Cao, Hu, Wei, Zhang, Lin, Guo: Swin Transformer: hierarchical
#   vision transformer using shifted windows (2021).
# * Shaw, Uszkoreit, Vaswani: Self-attention with relative position
#   representations (2018), where the bias comes from.
# * Chapter 17 packs ternary weights, and counts bytes.
