r"""
Quantizing activations
======================

:You will do: look at every array that a matrix of the trained model
  multiplies, round them to 8, 6 and 4 bits with scales found in five ways, and
  measure accuracy and loss. Then plant one large channel, which changes
  nothing in the float model and ruins the 8-bit one, and repair it.
:You will learn: what static and dynamic scales are; how to calibrate by
  minimum and maximum, by percentile and by least squares; why there is a scale
  for each token and not for each channel; what one large channel does.
:You need: chapter 10 (symmetric and min-max grids).
:Time: 30 minutes to read. It uses the model that the chapters share, trained
  once in under a minute, and then runs for half a minute.
:In the paper: TerViT's weights are ternary and its activations have 8 bits. It
  describes a symmetric and a min-max grid; which is used where, it does not
  say.
"""

# %%
from tervit_lesson import FAST, SEED, claim, predict, quote  # first
from tervit_lesson import shapes, trained_model

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_lesson.figures import activations as draw
from tervit_np.quant import IDENTITY, UniformAct

rng = np.random.default_rng(SEED)

# %%
# What is there
# -------------
# A weight is known before the model runs. An *activation*, what flows between
# layers, depends on the picture. To multiply in integers, both factors must be
# integers, so the inputs of all matrices are rounded as well. Here the weights
# stay float. As in chapter 10, an observer in place of a quantizer takes
# notes:


class Observer:
    """Pass the input on, and keep it."""

    def __init__(self):
        self.seen = []

    def forward(self, x, keep_residual=False):
        self.seen.append(x)
        return x, None


model, data = trained_model(), shapes()
matrices = {n: m for n, m in model.quantizable() if m.weight is not None}
pictures = data.train.take(np.arange(256))
pictures = normalise(pictures.images, pictures.mean, pictures.std)


def observe():
    """Run 256 training pictures.  -> {layer: its input (B, T, D)}"""
    observers = {name: Observer() for name in matrices}
    quantize_inputs(observers.get)
    model.predict(pictures)
    quantize_inputs(lambda name: IDENTITY)
    return {name: np.concatenate(o.seen) for name, o in observers.items()}


def quantize_inputs(choose):
    """Give each matrix the quantizer that `choose(name)` returns."""
    for name, layer in matrices.items():
        layer.act_quant = choose(name)


seen = observe()
far = {name: np.abs(x).max() / x.std() for name, x in seen.items()}

# %%
# ``qkv`` and ``fc1`` get the output of a LayerNorm, ``proj`` the values that
# attention has mixed, ``fc2`` the output of a GELU. The figure adds the
# attention weights, the probabilities that multiply v.

_, cache = model.forward(pictures)
probs = cache.blocks[1].attn.products[0].probs
kinds = {
    "LayerNorm output": seen["blocks.1.mlp.fc1"],
    "mixed values": seen["blocks.1.attn.proj"],
    "GELU output": seen["blocks.1.mlp.fc2"],
    "attention probabilities": probs,
}
draw.kinds(kinds)
gelu = kinds["GELU output"]
below = (gelu < 0).mean()
quote("smallest GELU output", gelu.min(), -0.17, 0.005)
quote("share of GELU outputs below 0", below, 0.74, 0.005, True, 0.02)
claim("most GELU outputs are below 0", below > 0.5)
in_blocks = min(r for name, r in far.items() if "blocks" in name)
claim("in the blocks every largest value is over 3 std", in_blocks > 3)

# %%
# Two shapes are symmetric, two are not: three quarters of a GELU's outputs are
# between -0.17 and 0. Everywhere most values are small and a few are many
# times larger, which set the *range* of a grid, and so its *steps*.
#
# A scale for what?
# -----------------
# A scale for each token is possible, one for each channel is not. With codes
# :math:`q` and :math:`x_{ni} = s_n q_{ni}`, token n and output o give
#
# .. math:: \sum_i x_{ni} w_{oi} = s_n \sum_i q_{ni} w_{oi}
#
# The sum is one of integers, and the scale multiplies its result. A scale
# :math:`s_i` for each input channel would stay inside the sum. (A weight's
# scale is one for each output channel o, and comes out of the sum as well.)
#
# The scales of chapter 10 are *dynamic*: computed from the token, or the whole
# tensor, when it comes. A scale for the whole tensor has a larger error, and a
# second fault: what a picture gets depends on the other pictures in its batch.
#
# Static scales
# -------------
# A dynamic scale needs a pass over the token before the product can begin.
# Hardware that cannot do that wants *static* scales, fixed beforehand. They
# come from a few pictures, *calibration*, and then a value can be outside of
# the grid, and is clipped.


def error(x, x_hat):
    """Squared error, as a fraction of the squares of x."""
    return np.square(x_hat - x, dtype=np.float64).sum() / np.square(x).sum()


class Static:
    """Round to a fixed symmetric grid, and clip what is beyond its ends."""

    def __init__(self, clip, bits):
        self.Q = 2 ** (bits - 1) - 1
        self.step = np.float32(clip / self.Q)

    def forward(self, x, keep_residual=False):
        codes = np.clip(np.rint(x / self.step), -self.Q, self.Q)
        return codes * self.step, None


x = seen["blocks.1.mlp.fc1"]
dynamic = UniformAct(8, per="tensor").forward(x)[0]
static = Static(np.abs(x).max(), 8).forward(x)[0]
off = np.abs(dynamic - static).max()
quote("static and dynamic, on the same data", off, 0, 1e-6)

# %%
# Where should the grid end? Three answers:
#
# * *min-max*: at the largest absolute value seen. Nothing is clipped.
# * *percentile*: at the size below which 99.9 % of the absolute values are.
# * *least squares*: where the squared error of the calibration data is
#   smallest, found by trying 40 places.


def by_minmax(x, bits):
    return np.abs(x).max()


def by_percentile(x, bits, percent=99.9):
    return np.percentile(np.abs(x), percent)


def by_least_squares(x, bits):
    x = x.ravel()[::7]  # a seventh is enough; 7 divides no axis of x
    clips = np.abs(x).max() * np.arange(1, 41) / 40
    errors = [error(x, Static(c, bits).forward(x)[0]) for c in clips]
    return clips[np.argmin(errors)]


CALIBRATIONS = {
    "min-max": by_minmax,
    "percentile": by_percentile,
    "least squares": by_least_squares,
}

# %%
# The error has two parts that pull in opposite directions. Inside, rounding
# moves a value by up to half a step s, evenly, which makes :math:`s^2 / 12` on
# average; the step grows with the range. Outside, clipping moves a value to
# the end. Here is the input of ``fc1`` in block 1, on a grid of 4 bits.

predict("4 bits: at which fraction of the largest value should the grid end?")
clips = np.linspace(0.1, 1, 91) * np.abs(x).max()
parts = []
for c in clips:
    squares = np.square(Static(c, 4).forward(x)[0] - x)
    outside = np.abs(x) > c
    parts.append([squares[~outside].sum(), squares[outside].sum()])
parts = np.array(parts) / np.square(x).sum()
ends = {name: f(x, 4) for name, f in CALIBRATIONS.items()}
draw.clipping(clips, parts, ends)
best = ends["least squares"] / ends["min-max"]
gain = parts[-1].sum() / parts.sum(axis=1).min()
quote("best end of the grid / largest value", best, 0.50, 0.005, True, 0.2)
quote("error, min-max / best", gain, 3.1, 0.05, True, 1.5)
claim("the best end is far inside the range", best < 0.8)
predicted = (clips[-1] / 7) ** 2 / 12 / np.square(x).mean()  # s^2 / 12
quote("error of min-max / predicted", parts[-1].sum() / predicted, 1, 0.05)

# %%
# Measure
# -------
# All inputs of all matrices, the first and the last layer included, with 1,000
# test pictures. Look at the loss, which is finer than the accuracy.

test = data.test.take(np.arange(250 if FAST else 1000))


def measure():
    result = tv.train.evaluate(model, test, threads=2)
    return 100 * result.accuracy, result.loss


def ways(bits, seen):
    """Yield (name, function from a layer's name to its quantizer)."""
    yield "dynamic, token", lambda name: UniformAct(bits, per="token")
    yield "dynamic, tensor", lambda name: UniformAct(bits, per="tensor")
    for way, calibrate in CALIBRATIONS.items():
        clips = {name: calibrate(x, bits) for name, x in seen.items()}
        static = {name: Static(clip, bits) for name, clip in clips.items()}
        yield f"static, {way}", static.get


predict("accuracy with 8-bit activations: how many points below float?")
at_float = measure()
print(f"{'float':24}{at_float[0]:6.1f} %   loss {at_float[1]:.3f}")
results = {}
for bits in (8, 6, 4):
    for way, choose in ways(bits, seen):
        quantize_inputs(choose)
        results[bits, way] = measure()
        accuracy, loss = results[bits, way]
        print(f"{bits} bits, {way:24}{accuracy:6.1f} %   loss {loss:.3f}")
draw.measured(results, at_float)
added = {key: loss - at_float[1] for key, (_, loss) in results.items()}
worst = {
    b: max(a for (bits, _), a in added.items() if bits == b) for b in (8, 6)
}
quote("8 bits, largest loss above float", worst[8], 0.001, 0.0005, True, 0.002)
claim("8 bits: no way adds over 0.003 of loss", worst[8] < 0.003, True)
claim("6 bits: no way adds over 0.02 of loss", worst[6] < 0.02, True)
four = {way: loss for (bits, way), (_, loss) in results.items() if bits == 4}
for way, value in (
    ("dynamic, token", 0.740),
    ("dynamic, tensor", 0.809),
    ("static, min-max", 0.796),
    ("static, least squares", 0.713),
):
    quote(f"4 bits, loss, {way}", four[way], value, 0.0005, True, 0.3)
first, second = sorted(four, key=four.get)[:2]
claim("4 bits: least squares is best", first == "static, least squares", True)
claim("4 bits: dynamic, token is second", second == "dynamic, token", True)

# %%
# With 8 bits all five ways are as good as float: TerViT's 8-bit activations
# cost this model nothing. With 4 bits a scale for each token (0.740) is better
# than one for the tensor (0.809) or min-max calibration (0.796), as one
# expects, and *static* scales by least squares are better still (0.713). They
# clip, and the dynamic scales here do not: each token's largest value sets its
# step. Where the grid ends matters more than whether it moves. (Models of
# three seeds agree.)
#
# Plant an outlier
# ----------------
# In large language models, and in some vision transformers, a few channels of
# the LayerNorm outputs are a hundred times larger than the others. Ours has
# none. But we can plant one without changing the model: multiply one channel
# of a LayerNorm (its :math:`\gamma_j` and :math:`\beta_j`) by k, and divide by
# k the column of the next matrix which this channel is multiplied by.

channel, three = int(rng.integers(64)), tv.quant.Ternary()


def ternary_loss():
    """Loss with 8-bit inputs, and three values in the four blocks."""
    quantize_inputs(lambda name: UniformAct(8))
    blocks = [m for name, m in matrices.items() if name.startswith("blocks")]
    for layer in blocks:
        layer.weight_quant = three
    _, loss = measure()
    for layer in blocks:
        layer.weight_quant = IDENTITY
    return loss


loss_of = {"before": ternary_loss()}
pairs = [
    pair
    for b in model.blocks
    for pair in ((b.norm1, b.attn.qkv), (b.norm2, b.mlp.fc1))
]


def rescale(norm, linear, factors):
    """Multiply the channels of a norm by factors, and undo it behind."""
    norm.weight.data *= factors
    norm.bias.data *= factors
    linear.weight.data /= factors


def plant(k):
    factors = np.ones(64, np.float32)
    factors[channel] = k
    for norm, linear in pairs:
        rescale(norm, linear, factors)


predict("k = 100: what do the float model and the 8-bit one lose?")
CALIBRATIONS["percentile 99"] = lambda x, bits: by_percentile(x, bits, 99)
factors, losses, planted = [1, 10, 100], {}, {}
for k in factors:
    plant(k)
    quantize_inputs(lambda name: IDENTITY)
    planted["float", k] = measure()
    seen = observe()
    for way, choose in ways(8, seen):
        quantize_inputs(choose)
        planted[way, k] = measure()
        if way != "dynamic, tensor":
            losses.setdefault(way, []).append(planted[way, k][1])
    if k < 100:
        plant(1 / k)
draw.outliers(factors, losses, at_float)

x = seen["blocks.1.mlp.fc1"]  # (B, T, C), with the channel planted
step, size = by_minmax(x, 8) / 127, np.abs(x[..., channel])
used = len(np.unique(np.rint(np.delete(x, channel, axis=-1) / step)))
typical = np.median(size) / size.max()
quote("min-max, codes of the other 63 channels", used, 5, 0, True, 2)
quote("the channel, median / largest", typical, 0.3, 0.05, True, 0.2)
for way, value in (
    ("float", 76.8),
    ("dynamic, token", 74.6),
    ("static, min-max", 35.6),
    ("static, least squares", 51.2),
    ("static, percentile 99", 74.8),
):
    name = f"k = 100, {way}, accuracy"
    quote(name, planted[way, 100][0], value, 0.05, True, 10)
lost = {w: r[1] - at_float[1] for (w, k), r in planted.items() if k == 100}
per_token, minmax = lost["dynamic, token"], lost["static, min-max"]
fit, cut = lost["static, least squares"], lost["static, percentile 99"]
claim("the float model has not changed", abs(lost["float"]) < 1e-5)
claim("min-max calibration is ruined", minmax > 0.5, True)
claim("a scale for each token loses something", per_token > 0.03, True)
claim("but less than a third of that", per_token < minmax / 3, True)
claim("least squares loses more than percentile 99", fit > 3 * cut, True)

# %%
# The float model is the same function. With 8 bits and min-max calibration the
# accuracy falls from 76.8 to 35.6 %: the channel takes the range, and the
# other 63 are left with five of 255 codes. A scale for each token helps (74.6
# %): in half of the tokens the channel is below a third of its largest value.
#
# *Predict*, then look again: why does least squares do so badly, 51.2 %, when
# percentile 99 has 74.8 %? The squared error of the *input* is nearly all in
# the planted channel, so least squares keeps that channel whole. But the
# matrix divides it by 100: what counts is the error of the *output*. One
# channel of 64 is 1.6 % of the values, and percentile 99 clips the larger
# part of it. That hurts one channel and saves 63. Had the channel been
# important, as those in language models are, to clip it would be the mistake.
#
# Repair it
# ---------
# The trick that planted the channel removes it: divide each channel by a
# factor, and multiply the column behind it. But weights are rounded as well,
# and factors that make all channels of the input equal may make the columns of
# the weight unequal. *SmoothQuant* (Xiao et al. 2023) takes the middle:
#
# .. math::
#    f_j = \sqrt{\max_n |x_{nj}| \;/\; \max_o |w_{oj}|}

codes = three.encode(model.blocks[1].mlp.fc1.weight.data).codes
kept = np.count_nonzero(codes[:, channel])
quote("codes of the planted column that are not 0", kept, 0, 0)
loss_of["planted"] = ternary_loss()
names = [name for name in matrices if "qkv" in name or "fc1" in name]
for (norm, linear), name in zip(pairs, names, strict=True):
    of_input = np.abs(seen[name]).max(axis=(0, 1))
    of_weight = np.abs(linear.weight.data).max(axis=0)
    rescale(norm, linear, 1 / np.sqrt(of_input / of_weight))
loss_of["repaired"] = ternary_loss()
seen = observe()
quantize_inputs(lambda name: Static(by_minmax(seen[name], 8), 8))
accuracy, loss = measure()
quote("min-max, repaired, accuracy", accuracy, 77.0, 0.05, True, 5)
same = abs(loss - at_float[1]) < 0.01
claim("the repaired loss is that of float", same, True)
for when, value in (
    ("before", 1.395),
    ("planted", 1.538),
    ("repaired", 1.425),
):
    name = f"ternary weights, loss, {when}"
    quote(name, loss_of[when], value, 0.0005, True, 0.3)
more = loss_of["planted"] > loss_of["before"]
claim("planting costs ternary weights, too", more, True)

# %%
# With activations of 8 bits and a static scale the accuracy is that of float
# again. Ternary weights, rounded and not trained, suffer from the planted
# channel as well: its column, divided by 100, falls below every row's
# threshold and becomes zero. SmoothQuant repairs most of that, too.
#
# 8 bits are enough for activations *unless* a channel is large: ranges show
# that, float accuracy does not. And a calibration that is best for an array
# need not be best for what is computed from it.
#
# On your own
# -----------
# * ``tervit exercise start quantize_minmax``: the grid of one-sided inputs.
# * Calibrate by min-max with 4, 16, 64 and 256 pictures. How does the end of
#   the grid of ``blocks.1.mlp.fc2`` grow? And by percentile?
# * Quantize q, k, v and the attention probabilities as well: give
#   ``attn.products`` of each block a ``UniformAct`` of 8 and of 4 bits.
# * Which input is the most sensitive at 4 bits? Quantize one layer at a time.
# * Give the inputs of ``fc2`` ``UniformAct(4, "minmax")`` and all others
#   ``UniformAct(4)``. How much of the 4-bit loss is due to the half of the
#   symmetric grid that a GELU does not use (chapter 10)?
# * Calibrate on pictures of random noise instead of training pictures.
# * Round a row of 197 equal probabilities with 255 steps from 0 to 1, and with
#   ``UniformAct(8, "minmax")``. What are the sums?
#
# In practice
# -----------
# * torchao's int8 dynamic activations, and BitNet's, have a symmetric scale
#   for each token, llama.cpp's one for each block of 32.
# * TensorRT and ONNX Runtime calibrate by minimum and maximum, by percentile,
#   or by the smallest KL divergence of histograms.
# * LLM.int8() keeps the large channels in 16 bits; SmoothQuant moves them into
#   the weights; rotations (QuaRot, 2024) spread them over all channels.
# * For vision transformers, PTQ4ViT (2022) gives softmax and GELU outputs two
#   steps each, FQ-ViT (2022) rounds probabilities to powers of two.
#
# Further reading
# ---------------
# * `quant/uniform.py <../tervit_np/quant/uniform.py>`_: both grids.
#   `quant/static.py <../tervit_np/quant/static.py>`_ and
#   `quant/calibration.py <../tervit_np/quant/calibration.py>`_: static scales
#   and the three rules, which ``tervit calibrate RUN`` applies to a model.
# * Nagel et al. 2021, *A white paper on neural network quantization*.
# * Banner et al. 2019, *Post training 4-bit quantization*: where to clip.
# * Dettmers et al. 2022, *LLM.int8()*, and Xiao et al. 2023, *SmoothQuant*, on
#   outlier channels.
