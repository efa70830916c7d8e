r"""
From pixels to tokens
=====================

:You will do: cut pictures into patches with a reshape and a transpose, catch
  two mistakes that give the right shape, turn patches into tokens with one
  linear layer, show that it is a convolution, and tell each token where it
  comes from.
:You will learn: what a reshape can do and what needs a transpose; why the
  weight of a convolution has the shape (D, C, P, P); what a position embedding
  is worth, measured; two ways from many tokens to one row for the picture.
:You need: chapter 01 (the linear layer, checks by finite differences) and the
  LayerNorm of chapter 03, which is used once.
:Time: 20 minutes to read; it trains a small model the first time (under a
  minute on two cores) and runs in seconds after that.
:In the paper: the first lines of DeiT, patch embedding and position embedding.
  TerViT does not make the patch embedding ternary. Here its weights get 8
  bits, as the sizes of the paper count them (chapter 20).
"""

# %%
from tervit_lesson import SEED, claim, predict, quote, shapes, trained_model

import numpy as np

from data_tools import normalise
from tervit_lesson.figures import tokens as draw
from tervit_np import ops
from tervit_np.verify.gradcheck import numerical_gradient as differences

rng = np.random.default_rng(SEED)

# %%
# A picture as a list
# -------------------
# A transformer takes a list of tokens, each a row of :math:`D` numbers. It was
# made for text, where a token is a word or a part of one. A picture becomes
# such a list by cutting it into squares of :math:`P \times P` pixels, its
# *patches* (Dosovitskiy et al. 2021). The course has pictures of 32 x 32
# pixels in three colours, cut with :math:`P = 8`. (You can set P to 4 or 16.)

P = 8
data = shapes()
images = data.test.images[:8]  # bytes, (B, S, S, 3)
B, S, _, C = images.shape
n = S // P  # patches in a row of patches
T = n * n  # tokens
quote("tokens of a picture", T, 16, 0)
quote("numbers of a token", C * P * P, 192, 0)

star = np.flatnonzero(data.test.labels == data.test.classes.index("star"))[0]
draw.picture_and_tokens(data.test.images[star], P)

# %%
# Each of the 16 patches becomes one row of 3 x 8 x 8 = 192 numbers. No number
# is computed and none is lost; they only change their places.
#
# Reshape and transpose
# ---------------------
# How does one cut without loops? Look at a small picture: 4 x 4 pixels, one
# colour, patches of 2 x 2, and the numbers 0 to 15 in place of colours. We
# want four patches of four numbers, an array of shape (4, 4):

small = np.arange(16).reshape(4, 4)
print(small)
predict("which numbers are in the first row of small.reshape(4, 4)?")
attempt = small.reshape(4, 4)
print("attempt, first patch:", attempt[0])

# %%
# 0, 1, 2, 3: the first row of the picture, and not its first patch, which is
# 0, 1, 4, 5. The shape is right and the content is wrong. The reason is how
# arrays are stored.
#
# A **reshape** does not move numbers. It reads them in the order in which they
# lie in memory, row after row, and breaks this one long line at other places.
# A **transpose** changes the order in which the axes are read. In memory the
# patch 0, 1, 4, 5 is in two pieces, so a reshape alone can never make it. (The
# ``strides`` of an array say how far one walks in memory for one step along
# each axis. After a reshape they fall from left to right, after a transpose
# they do not.)
#
# It takes three steps: break both axes in two with a reshape, bring the two
# axes that count patches to the front with a transpose, and join axes with
# another reshape.

broken = small.reshape(2, 2, 2, 2)  # (patch row, row, patch column, column)
together = broken.transpose(0, 2, 1, 3)  # (patch row, patch column, row, col.)
right = together.reshape(4, 4)
print("patches:", *right)
draw.reshape_and_transpose(small, right, attempt)

# %%
# A batch of pictures with colours has two more axes. Networks store the
# colours first, as three pictures behind each other (*channels*): (B, C, S,
# S). And they want numbers around 0, so we take the mean of the data set away
# and divide by its standard deviation (``normalise``).

x = normalise(images, data.test.mean, data.test.std).astype(np.float64)


def patchify(x, P):  # (B, C, S, S) -> (B, T, C P P)
    B, C, S, _ = x.shape
    n = S // P
    broken = x.reshape(B, C, n, P, n, P)
    together = broken.transpose(0, 2, 4, 1, 3, 5)  # (B, n, n, C, P, P)
    return together.reshape(B, n * n, C * P * P)


def by_loops(x, P):
    """Cut every patch out with slices, row by row of the picture."""
    n = x.shape[-1] // P
    rows = [
        x[:, :, P * i : P * (i + 1), P * j : P * (j + 1)].reshape(len(x), -1)
        for i, j in np.ndindex(n, n)
    ]
    return np.stack(rows, axis=1)


patches = patchify(x, P)
quote("against loops", np.abs(patches - by_loops(x, P)).max(), 0, 0)
quote("against the library", np.abs(patches - ops.patchify(x, P)).max(), 0, 0)

# %%
# Tokens run over the picture row by row. Inside a token the order is (channel,
# row, column). The next section shows why.
#
# The linear layer is a convolution
# ---------------------------------
# A linear layer turns each patch into a token of :math:`D = 64` numbers. Most
# programs write it as a *convolution*, which slides a small block of weights
# (the *kernel*) over the picture, and at each stop takes the weighted sum of
# the pixels below it. The distance between two stops is the *stride*. With a
# kernel of :math:`P \times P` and a stride of :math:`P` the stops are our
# patches, one sum for each stop and output:

D = 64
weight = rng.normal(size=(D, C, P, P)) / P
bias = rng.normal(size=D)


def convolution(x, weight, bias):  # stride = kernel; (B, C, S, S) -> (B, T, D)
    P = weight.shape[-1]
    stops = []
    for i, j in np.ndindex(x.shape[2] // P, x.shape[3] // P):
        below = x[:, None, :, P * i : P * (i + 1), P * j : P * (j + 1)]
        stops.append((weight * below).sum(axis=(2, 3, 4)) + bias)
    return np.stack(stops, axis=1)


# %%
# The weight has the shape (D, C, P, P): for each output :math:`d` a small
# picture, channels first. For a linear layer, flatten each to a row. Row d of
# ``weight.reshape(D, -1)`` then runs over (channel, row, column), and so must
# the patches. Official weights are stored in this form.


def embed(patches, weight, bias):  # (B, T, C P P) -> (B, T, D)
    return patches @ weight.reshape(len(weight), -1).T + bias


tokens = embed(patches, weight, bias)
difference = np.abs(tokens - convolution(x, weight, bias)).max()
quote("linear layer against convolution", difference, 0, 1e-12)
quote("its parameters", weight.size + bias.size, 12_352, 0)

# %%
# Break it
# --------
# Suppose the patches come as (row, column, channel), the order of bytes in a
# picture file. The shape is the same, and so are the numbers of each patch.


def patchify_channels_last(x, P):
    B, C, S, _ = x.shape
    n = S // P
    broken = x.reshape(B, C, n, P, n, P)
    return broken.transpose(0, 2, 4, 3, 5, 1).reshape(B, n * n, C * P * P)


def error(analytic, numeric):
    """Largest deviation, relative to the largest entry."""
    return np.abs(analytic - numeric).max() / np.abs(numeric).max()


def checked_along_a_line(cut, h=1e-5):
    """Check dW as chapter 01 ends: along one random direction v."""
    dy, v = rng.normal(size=tokens.shape), rng.normal(size=weight.shape)
    rows = cut(x, P).reshape(B * T, -1)
    dW = (dy.reshape(B * T, D).T @ rows).reshape(weight.shape)
    above, below = (embed(cut(x, P), weight + s * v, bias) for s in (h, -h))
    return error((dW * v).sum(), (dy * (above - below)).sum() / (2 * h))


predict("does channels-last pass a gradient check?")
deviation = checked_along_a_line(patchify_channels_last)
quote("its gradient check", deviation, 0, 1e-7)
wrong = embed(patchify_channels_last(x, P), weight, bias)
off = error(wrong, tokens)
print(f"its tokens differ by up to {off:.2f} times the largest entry")
claim("channels last gives other tokens", off > 0.3)

# %%
# It passes: the right gradient of the wrong function, as at the end of chapter
# 01. Trained from scratch this layer would even learn as well. What tells the
# two apart is something independent: loops, as above, or official weights.
#
# The backward pass
# -----------------
# The bias and the weight are as in chapter 01, where each patch of each
# picture is one row. Cutting only moved numbers, so its backward pass moves
# the gradients back, with the same three operations in reverse order.


def unpatchify(patches, shape):  # (B, T, C P P) -> (B, C, S, S)
    B, C, S, _ = shape
    P = round(np.sqrt(patches.shape[-1] // C))
    n = S // P
    together = patches.reshape(B, n, n, C, P, P)
    broken = together.transpose(0, 3, 1, 4, 2, 5)  # undoes (0, 2, 4, 1, 3, 5)
    return broken.reshape(shape)


def embed_backward(dtokens, x, weight):  # (B, T, D) -> dx, dweight, dbias
    P, D = weight.shape[-1], len(weight)
    rows = patchify(x, P).reshape(-1, weight[0].size)  # (B T, C P P)
    dy = dtokens.reshape(-1, D)  # (B T, D)
    dpatches = dtokens @ weight.reshape(D, -1)
    dweight = (dy.T @ rows).reshape(weight.shape)
    return unpatchify(dpatches, x.shape), dweight, dy.sum(axis=0)


there_and_back = unpatchify(patches, x.shape)
quote("unpatchify undoes patchify", np.abs(there_and_back - x).max(), 0, 0)

few, small_weight = x[:2, :, : 2 * P, : 2 * P], weight[:3]
dtokens = rng.normal(size=(2, 4, 3))
dx, dweight, dbias = embed_backward(dtokens, few, small_weight)


def f(x, weight, bias):
    return embed(patchify(x, P), weight, bias)


numeric = differences(lambda x: f(x, small_weight, bias[:3]), few, dtokens)
quote("error of dx", error(dx, numeric), 0, 1e-8)
numeric = differences(lambda w: f(few, w, bias[:3]), small_weight, dtokens)
quote("error of dweight", error(dweight, numeric), 0, 1e-8)
numeric = differences(lambda b: f(few, small_weight, b), bias[:3], dtokens)
quote("error of dbias", error(dbias, numeric), 0, 1e-8)

# %%
# (Training does not need dx: pixels do not learn.)
#
# Where a token comes from
# ------------------------
# A token does not say where its patch was. Take the simplest model of all: the
# mean of the tokens, and then a linear layer to the classes. How does the mean
# change if the patches of a picture are shuffled?

order = rng.permutation(T)
shuffled = patches[:, order]


def pooled(patches, positions=0.0):
    """The mean of all tokens, after their positions were added."""
    return (embed(patches, weight, bias) + positions).mean(axis=1)


change = np.abs(pooled(shuffled) - pooled(patches)).max()
quote("shuffled patches", change, 0, 1e-12)

# %%
# Not at all: for a mean a picture is a bag of patches. The remedy is to add to
# each token a row of numbers for its place in the picture, the *position
# embedding*. It has the shape (T, D), all pictures share it, and it is learned
# like a weight.

positions = rng.normal(size=(T, D))
predict("positions added: does the mean change now if patches are shuffled?")
change = np.abs(pooled(shuffled, positions) - pooled(patches, positions))
quote("shuffled patches, with positions", change.max(), 0, 1e-12)

# %%
# It still does not change. The mean of sums is the sum of the means, and the
# mean of all positions is the same whatever patch stands where. Adding a
# position helps only if something *nonlinear* looks at content and position
# together. One LayerNorm on each token is enough:


def normed_and_pooled(patches, positions=0.0):
    tokens = embed(patches, weight, bias) + positions
    gamma, beta = np.ones(D), np.zeros(D)
    return ops.layernorm(tokens, gamma, beta)[0].mean(axis=1)


without = normed_and_pooled(shuffled) - normed_and_pooled(patches)
quote("LayerNorm, no positions", np.abs(without).max(), 0, 1e-12)
change = normed_and_pooled(shuffled, positions)
change = np.abs(change - normed_and_pooled(patches, positions)).max()
print(f"LayerNorm and positions: the mean changes by {change:.2f}")
claim("a nonlinearity sees positions", change > 0.01)

# %%
# In the backward pass a position gets the sum over the pictures that share it:
# ``dpositions = dtokens.sum(axis=0)``.
#
# What a trained model does with positions
# ----------------------------------------
# The course's small model has learned its positions on 16,000 pictures. (It is
# trained here and now if no chapter has done it yet.) We measure its accuracy
# on test pictures as they are; with the patches of all pictures shuffled in
# the same way; and with the positions set to 0.

model = trained_model()
trained_P = model.config.patch_size
test = data.test.take(np.arange(min(1000, len(data.test))))
pixels = normalise(test.images, test.mean, test.std)


def accuracy(pixels):
    return 100 * (model.predict(pixels).argmax(axis=1) == test.labels).mean()


places = ops.patchify(pixels, trained_P)
order = rng.permutation(places.shape[1])
moved = ops.unpatchify(places[:, order], pixels.shape)

predict("accuracy with shuffled patches, in percent?")
as_it_is, in_disorder = accuracy(pixels), accuracy(moved)
learned = model.pos_embed.data[0].copy()  # (T, D)
model.pos_embed.data[...] = 0
blind = accuracy(pixels)
quote("percent right", as_it_is, 76.8, 0.05, True, elsewhere=6)
quote("percent right, shuffled", in_disorder, 70.1, 0.05, True, elsewhere=9)
quote("percent right, no positions", blind, 73.7, 0.05, True, elsewhere=8)
claim("shuffling costs less than 15 points", as_it_is - in_disorder < 15)
claim("shuffling costs something", in_disorder < as_it_is, full_only=True)
claim("positions are worth something", blind < as_it_is, full_only=True)

# %%
# 76.8 percent as they are, 70.1 shuffled and 73.7 without positions, which is
# more than one may expect. A star in disorder still has its corners, each
# inside some patch, and that seems to be enough for most pictures: this model
# is close to a bag of patches. Do not conclude that positions never matter. In
# a task where the answer depends on *where* something is, nothing else could
# tell.
#
# The model has learned something about places all the same. Compare the
# position rows with each other by the cosine of the angle between them, 1 for
# the same direction. (Their mean says nothing about a place and is taken away
# first.)

centred = learned - learned.mean(axis=0)
unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
cosines = unit @ unit.T
draw.similar_positions(cosines)

side = S // trained_P
row, column = np.divmod(np.arange(side * side), side)
distance = np.abs(row[:, None] - row) + np.abs(column[:, None] - column)
from_edge = np.minimum.reduce([row, column, side - 1 - row, side - 1 - column])
edge, inner = from_edge == 0, from_edge > 0
near, far = cosines[distance == 1].mean(), cosines[distance >= 3].mean()
across = cosines[edge][:, inner].mean()
quote("cosine of neighbours", near, 0.35, 0.005, True, elsewhere=0.15)
quote("cosine three or more apart", far, -0.15, 0.005, True, elsewhere=0.15)
quote("cosine edge against inner", across, -0.31, 0.005, True, elsewhere=0.15)
claim("neighbours are more alike", near > far, full_only=True)
corners = np.ix_([0, side - 1, -side, -1], [0, side - 1, -side, -1])
alike = cosines[corners].min()
quote("cosine of two corners, at least", alike, 0.58, 0.005, True, 0.4)
claim("edge and inner places differ", across < 0, full_only=True)
claim("corners are like corners", alike > near, full_only=True)

# %%
# Nobody told it that the 16 places form a square. In the figure each small
# square is for one place, the one with the dot. Neighbours came out alike
# (0.35 on average, -0.15 for places three or more steps apart). The four
# corners are like each other although they are far apart (0.58 or more), and
# the places at the edge differ from the four in the middle (-0.31).
#
# From tokens to one answer
# -------------------------
# At the end a picture needs one row for the whole, not 16. There are two ways.
#
# *The mean* of all tokens after the last layer. In the backward pass each
# token gets the gradient divided by T.
#
# *A class token*, as in DeiT: before the first layer one more row is put in
# front of the list. It is a learned row, the same for every picture, with a
# position of its own. At the end only this row is read. It has seen no pixel
# when it starts, so the layers between have to bring it the content of the
# others; that is what attention does (chapter 05).

class_token = rng.normal(size=(1, 1, D))
every_position = rng.normal(size=(1, 1 + T, D))
z = ops.add_tokens(tokens, [class_token], every_position)  # (B, 1 + T, D)
difference = np.abs(z[0, 0] - z[1, 0]).max()
quote("class token of two pictures, difference", difference, 0, 0)
quote("tokens of DeiT, 224 pixels, P = 16", 1 + (224 // 16) ** 2, 197, 0)

dz = rng.normal(size=z.shape)
dtokens, (dclass,), dpositions = ops.add_tokens_backward(dz, 1)
numeric = differences(
    lambda t: ops.add_tokens(tokens, [t], every_position), class_token, dz
)
quote("error of dclass", error(dclass, numeric), 0, 1e-8)
quote("against a sum over pictures", error(dclass, dz[:, :1].sum(0)), 0, 1e-14)

# %%
# The small models of this course take the mean and have no class token;
# official DeiT has one, and Swin takes the mean. ``create_model(...,
# pool="cls")`` builds the other kind, and a task below compares them.
#
# On your own
# -----------
# * Write ``patchify`` from memory: ``tervit exercise start patchify``.
# * Set ``P = 4`` at the top (and run with ``TERVIT_PLAY=1``). How many tokens
#   are there, how many numbers has each, and how many parameters has the
#   linear layer? Which of the three grows when P gets smaller?
# * ``np.lib.stride_tricks.sliding_window_view(x, (P, P), axis=(2, 3))`` has
#   all windows of P x P pixels. Make ``patchify`` from it. What do its strides
#   look like, and how would you make patches that overlap by half?
# * Patches that overlap share pixels. What must ``unpatchify`` then do in the
#   backward pass that it need not do here?
# * Train both kinds of model for four epochs, as in chapter 00: the class
#   token is ``tv.create_model("deit_shapes", pool="cls")``. Is a difference of
#   one seed enough to choose?
#
# In practice
# -----------
# * timm's ``PatchEmbed`` is a ``Conv2d`` with kernel and stride P, followed by
#   ``flatten(2).transpose(1, 2)``, which gives our order of tokens.
# * For pictures of another size the learned positions are interpolated, as a
#   small picture of D channels. ``tv.pretrained`` does so and says so.
# * Early layers with overlapping windows (a *convolutional stem*) help small
#   models; ``deit_cifar`` has one. Many newer transformers rotate queries and
#   keys by an angle that depends on the place (RoPE).
# * Patch embedding and head are the layers that quantization papers often
#   leave at 8 bits: they have few weights and are said to be sensitive.
#
# Further reading
# ---------------
# * `ops/patches.py <../tervit_np/ops/patches.py>`_ and
#   `ops/tokens.py <../tervit_np/ops/tokens.py>`_.
# * Dosovitskiy et al.: An image is worth 16x16 words (2021).
# * Naseer et al.: Intriguing properties of vision transformers (2021), for
#   shuffled and hidden patches on ImageNet.
# * Xiao et al.: Early convolutions help transformers see better (2021).
