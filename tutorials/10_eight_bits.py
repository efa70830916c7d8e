r"""
8 bits
======

:You will do: round numbers to 8 bits and to fewer, symmetrically and between
  minimum and maximum; predict the error from the step; choose who shares a
  scale; and multiply integers, with a zero point, to the same result.
:You will learn: what a scale, a code and a zero point are; why each bit is
  worth 6 decibels; when a grid should be asymmetric; why an 8-bit model is
  almost the float model.
:You need: chapter 08 (code, scale). The network is that of chapter 07, but
  nothing here depends on how it works.
:Time: 20 minutes to read. It uses the model that several chapters share,
  trained once in under a minute, and then runs in seconds.
:In the paper: activations have 8 bits in all of TerViT's models, and
  progressive training passes through a model whose weights have 8 bits, too.
"""

# %%
from tervit_lesson import SEED, claim, predict, quote, shapes, trained_model

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_lesson.figures import eight_bits as draw
from tervit_np.quant import Plan, UniformAct, UniformWeight
from tervit_np.quant.plan import ENCODER, FIRST_AND_LAST

rng = np.random.default_rng(SEED)

# %%
# The symmetric grid
# ------------------
# A *uniform* quantizer has equal steps. The *symmetric* one has 0 in the
# middle and lets the largest magnitude decide the step (the *scale*):
#
# .. math::
#
#     Q = 2^{b-1} - 1 \qquad s = \max|w| / Q \qquad
#     q = \mathrm{round}(w / s) \in [-Q, Q] \qquad \hat w = s q
#
# For 8 bits :math:`Q` is 127. (The code -128 would fit in 8 bits as well. It
# is left out so that the grid is symmetric and negation is exact.)


def symmetric(w, bits):
    """Round to a symmetric grid.  -> codes, step."""
    Q = 2 ** (bits - 1) - 1
    step = np.abs(w).max() / Q
    return np.rint(w / step).astype(int), step


def relative_error(w, w_hat):
    """Squared error as a fraction of the squared weights."""
    return np.square(w - w_hat).sum() / np.square(w).sum()


row = rng.normal(size=1000)
q, step = symmetric(row, 8)
print("w     ", row[:6].round(4))
print("codes ", q[:6])
print("w_hat ", (q * step)[:6].round(4))
ours = UniformWeight(8, "tensor").forward(row[None])[0][0]
quote("difference from the library", np.abs(q * step - ours).max(), 0, 1e-15)

# %%
# How large is the error?
# -----------------------
# The error of a weight is at most half a step, and if the steps are small it
# is anywhere within that with equal chance. The mean square of a number that
# is uniform on :math:`[-s/2, s/2]` is
#
# .. math:: \frac1s \int_{-s/2}^{s/2} e^2 \, de = \frac{s^2}{12}
#
# One bit less doubles the step, or a little more, since Q is 127, 63, 31, 15,
# 7, 3, 1. Twice the step is four times the squared error. Engineers count the
# *signal-to-quantization-noise ratio* (SQNR) in decibels, ten times the
# logarithm of signal over error; a factor of four is 6.02 dB.

predict("the relative squared error at 8 bits: 0.01, 0.001, 0.0001?")
errors, rules = {}, {}
print("bits      error     s^2/12    SQNR")
for bits in range(8, 1, -1):
    q, step = symmetric(row, bits)
    errors[bits] = relative_error(row, q * step)
    rules[bits] = step**2 / 12 / np.mean(row**2)  # relative, too
    decibels = -10 * np.log10(errors[bits])
    print(f"{bits:4} {errors[bits]:10.6f} {rules[bits]:10.6f}", end="")
    print(f" {decibels:7.1f} dB")
sqnr = -10 * np.log10(errors[8])
per_bit = 10 * np.log10(errors[5] / errors[8]) / 3
quote("error at 8 bits", errors[8], 8.3e-5, 0.05e-5)
quote("SQNR at 8 bits, dB", sqnr, 40.8, 0.05)
quote("dB per bit, from 8 to 5", per_bit, 6.15, 0.005)
quote("error at 7 bits over error at 8", errors[7] / errors[8], 4.06, 0.005)
quote("error at 2 bits", errors[2], 0.834, 0.0005)
quote("s^2/12 at 2 bits", rules[2], 1.32, 0.005)
close = [abs(rules[b] / errors[b] - 1) < 0.1 for b in (8, 7, 6, 5)]
claim("s^2/12 is within a tenth, from 8 to 5 bits", all(close))
claim("at 2 bits it is not", abs(rules[2] / errors[2] - 1) > 0.1)
claim("2 bits keep less than half of the row", errors[2] > 0.5)
draw.bits(errors, rules)

# %%
# At 8 bits less than one part in ten thousand is lost. From 8 to 5 bits each
# bit is worth 6.15 dB, a little more than 6.02, because 127, 63, 31 and 15 are
# each a little less than half of the one before. And :math:`s^2 / 12` predicts
# the error, as long as steps are small. At 2 bits it does not: Q is 1, the
# grid is {-s, 0, s}, the error is 0.83, where a row of zeros would have 1.
# When few values are left, the largest weight is a bad choice for the step;
# chapter 12 has a better one.
#
# Who shares a scale?
# -------------------
# One scale for a whole matrix is simple (*per tensor*). One for each row, that
# is, for each output, costs one more number a row (*per channel*). It helps if
# the rows differ. Here are 384 rows. Two thirds of them have sizes between 0.6
# and 1.65, and the largest is four times as large as the median row:

sizes = np.exp(0.5 * rng.normal(size=(384, 1)))
matrix = sizes * rng.normal(size=(384, 384))
of_matrix = {
    per: relative_error(matrix, UniformWeight(8, per).forward(matrix)[0])
    for per in ("tensor", "channel")
}
ratio = of_matrix["tensor"] / of_matrix["channel"]
print({per: f"{e:.1e}" for per, e in of_matrix.items()})
loudest = sizes.max() / np.median(sizes)
quote("largest row over the median row", loudest, 3.99, 0.005)
quote("per tensor over per channel", ratio, 15.25, 0.005)
claim("a scale per channel has a smaller error", ratio > 2)

# %%
# With one scale, the whole matrix has the step of its loudest row, and the
# error is 15 times as large. For activations the same question reads: one
# scale for the batch, or one for each *token*, which is a row of the input of
# a matrix product?
#
# Activations, and the min-max grid
# ---------------------------------
# To see some, give one layer of a trained model a quantizer that rounds
# nothing and only takes notes. (In PyTorch one would use a *forward hook*.)


class Observer(tv.quant.Identity):
    """Pass everything on, and keep a copy."""

    def forward(self, x, keep_residual=False):
        self.seen = x.copy()
        return super().forward(x, keep_residual)


model = trained_model()
data = shapes()
pictures = data.val.images[:64]
pictures = normalise(pictures, data.val.mean, data.val.std)
layer = dict(model.quantizable())["blocks.3.mlp.fc2"]
layer.act_quant = Observer()
model.forward(pictures)
seen = layer.act_quant.seen.astype(float)
print("inputs of blocks.3.mlp.fc2: (images, tokens, width) =", seen.shape)
quote("smallest value", seen.min(), -0.17, 0.0005)
quote("largest value", seen.max(), 5.2, 0.005, True, 0.8)

# %%
# The MLP's second layer reads what GELU wrote, and GELU is never below -0.17.
# Almost half of a symmetric grid has no values. The *min-max* grid
# (*asymmetric* or *affine* quantization) goes from the lowest value to the
# highest. Its 0 is at a code z that need not be the middle, the *zero point*:
#
# .. math::
#
#     s = \frac{\mathrm{hi} - \mathrm{lo}}{2^b - 1} \qquad
#     z = \mathrm{round}(-\mathrm{lo} / s) \qquad
#     q = \mathrm{round}(x / s) + z \qquad \hat x = s (q - z)


def min_max(x, bits):
    """Round to a grid from lowest to highest.  -> codes, step, zero point."""
    low, high = min(x.min(), 0), max(x.max(), 0)
    step = (high - low) / (2**bits - 1)
    zero = np.rint(-low / step)
    q = np.clip(np.rint(x / step) + zero, 0, 2**bits - 1)
    return q, step, zero


q, step, zero = min_max(seen, 8)
ours = UniformAct(8, "minmax", "tensor").forward(seen)[0]
gap = np.abs((q - zero) * step - ours).max()
quote("min-max, difference from the library", gap, 0, 0)
quote("zero point at 8 bits", zero, 8, 0, True, 2)

# %%
# Two details matter. The range is extended to contain 0, and z is a whole
# number; so 0, of which padding, masks and dropped tokens consist, stays
# exactly 0. And the codes run from 0 to 255, which is another integer type
# than -127 to 127. Confuse them, and large codes become negative:

quote("code 200 read as a signed byte", np.uint8(200).view(np.int8), -56, 0)

# %%
# At 4 bits one can see the grids, but look closely at the lowest values.

_, coarse, coarse_zero = min_max(seen, 4)
top = np.abs(seen).max()
grids = {
    "symmetric": np.arange(-7, 8) * top / 7,
    "min-max": (np.arange(16) - coarse_zero) * coarse,
}
lowest, highest = grids["min-max"][[0, -1]]
predict("how many values of the 4-bit min-max grid are below 0?")
print(f"data from {seen.min():.3f} to {seen.max():.3f}", end="")
print(f", 4-bit grid from {lowest:.3f} to {highest:.3f}")
quote("-lo / s", -seen.min() / coarse, 0.475, 0.0005, True, 0.1)
quote("values below 0", np.count_nonzero(grids["min-max"] < 0), 0, 0, True, 1)
draw.two_grids(seen, grids)

# %%
# None. A step is 0.36, the values reach 0.17 below 0, and z is whole: 0.475 is
# rounded to 0. So "from the lowest value to the highest" is true only up to
# half a step at each end. Here all negative values become 0, and the grid ends
# above the data. (Were it just above a half, z would be 1: the grid would
# begin below the data and end before the largest value.) At 8 bits half a step
# is small, and z is 8.
#
# Now four errors at 8 bits: two grids, and two ways to share a scale.

predict("which is best: symmetric or min-max, per tensor or per token?")
print("8-bit activations, relative squared error")
act_errors = {}
for kind in "symmetric", "minmax":
    for per in "tensor", "token":
        seen_hat = UniformAct(8, kind, per).forward(seen)[0]
        act_errors[kind, per] = relative_error(seen, seen_hat)
        print(f"  {kind:9} per {per:6} {act_errors[kind, per]:.2e}")
gain = act_errors["symmetric", "tensor"] / act_errors["minmax", "tensor"]
quote("symmetric over min-max, per tensor", gain, 3.6, 0.05, True, 1.0)
claim("min-max is better for this input", gain > 2)
gain = act_errors["symmetric", "tensor"] / act_errors["symmetric", "token"]
quote("per tensor over per token, symmetric", gain, 2.8, 0.05, True, 0.8)
claim("a scale for each token is better", gain > 1.3)
claim("all four are below 0.001", max(act_errors.values()) < 1e-3)

# %%
# Min-max has about half the step, so about a quarter of the error; scales per
# token gain a factor of 2.8, for this batch. A token with large values
# (*outliers*) then no longer decides the step of all others. Chapter 11 looks
# for the inputs where such choices decide about accuracy. Here all four errors
# are small.
#
# Integer products
# ----------------
# The reason for all this: :math:`\hat x` and :math:`\hat w` are never formed
# at *inference*. For one output, with an asymmetric x and a symmetric w,
#
# .. math::
#
#     y = \sum_i s_x (q_i - z)\, s_w t_i
#       = s_x s_w \Bigl( \sum_i q_i t_i - z \sum_i t_i \Bigr)
#
# The first sum is a product of integers. The second is one number for each
# row of the weight, known before any input comes. The sums need 32 bits: 256
# products of 255 times 127 make 8.3 million.

x, w = seen[0], layer.weight.data.astype(float)
qx, x_step, z = min_max(x, 8)
weight = UniformWeight(8).encode(w)
t = weight.codes.astype(np.int32)  # (out, in), and a scale for each row
scales = weight.scale

floats = ((qx - z) * x_step) @ weight.dequantize().T
sums = qx.astype(np.int32) @ t.T
corrected = x_step * scales * (sums - int(z) * t.sum(axis=1))
forgotten = x_step * scales * sums


def off(y):
    """Largest difference from the float product, relative to its largest."""
    return np.abs(y - floats).max() / np.abs(floats).max()


quote("largest sum possible", 256 * 255 * 127, 8_290_560, 0)
quote("integer product against float", off(corrected), 0, 1e-13)
print(f"without the correction: {off(forgotten):.2f}")
claim("without the zero point's sum it is wrong", off(forgotten) > 0.01)

# %%
# With a zero point for each token, the correction is an outer product: the
# zero points of all tokens times the sums of all rows of the weight. A
# symmetric grid needs none of it. That is why symmetric per token is the
# default here: a token's scale is multiplied in at the end, and there is
# nothing to subtract. The paper describes both grids and does not say which it
# uses where.
#
# What accuracy costs
# -------------------
# Round the trained model, without training (*post-training quantization*):
# weights and activations to 8 bits; then the weights of its blocks to 4, with
# a scale per channel and with one per tensor.


def encoder(quantizer):
    """Plan: this quantizer in the blocks, 8 bits elsewhere."""
    return Plan(
        [
            (ENCODER, quantizer, UniformAct(8)),
            (FIRST_AND_LAST, UniformWeight(8), UniformAct(8)),
        ]
    )


plans = {
    "float": "float",
    "8 bits": "int8",
    "4 bits": encoder(UniformWeight(4)),
    "2 bits, channel": encoder(UniformWeight(2)),
    "2 bits, tensor": encoder(UniformWeight(2, "tensor")),
}
predict("float has 77 %. And 8 bits, 4 bits, 2 bits?")
accuracy, correct = {}, {}
for name, plan in plans.items():
    found = tv.train.evaluate(tv.quantize(model, plan), data.test, threads=2)
    accuracy[name] = 100 * found.accuracy
    correct[name] = found.logits.argmax(axis=1) == data.test.labels
    print(f"{name:16} {accuracy[name]:6.2f} %   loss {found.loss:.3f}")
tv.quantize(model, "float")
low = accuracy["2 bits, channel"]
quote("float", accuracy["float"], 77.0, 0.005, True, 3)
quote("8 bits", accuracy["8 bits"], 76.6, 0.005, True, 3)
quote("4 bits", accuracy["4 bits"], 76.05, 0.005, True, 3)
quote("2 bits, channel", low, 50.1, 0.005, True, 15)
quote("2 bits, tensor", accuracy["2 bits, tensor"], 22.9, 0.005, True, 10)
lost = {name: accuracy["float"] - a for name, a in accuracy.items()}
margin = {}
for name in "8 bits", "4 bits":
    change = correct[name].astype(float) - correct["float"]  # 1, 0 or -1
    margin[name] = 200 * change.std() / np.sqrt(len(change))
    print(f"{name} minus float: {-lost[name]:.2f} ± {margin[name]:.2f} points")
quote("8 bits, two standard errors", margin["8 bits"], 0.32, 0.005, True, 0.3)
quote("4 bits, two standard errors", margin["4 bits"], 0.99, 0.005, True, 0.4)
most = lost["8 bits"] + margin["8 bits"]
claim("8 bits cost less than a point, bad luck included", most < 1, True)
claim("4 bits cost less than two points", abs(lost["4 bits"]) < 2, True)
claim("2 bits cost more than ten", lost["2 bits, channel"] > 10, True)

# %%
# Float has 77.0 %, 8 bits 76.6 %, 4 bits 76.05 %. Are these losses, or the
# luck of 2,000 test pictures? All models see the same ones, so subtract
# picture by picture: +1 where only the rounded model is right, -1 where only
# the float model is. The means are -0.40 ± 0.32 and -0.95 ± 0.99 points, with
# two standard errors. So 8 bits may cost a little, and hardly as much as a
# point: an 8-bit model is *almost* the float model. Remember this for chapter
# 13, where training passes through 8 bits on its way to three values. At 2
# bits the same rule breaks the model: 50.1 % with a scale per channel and
# 22.9 % per tensor. Chapter 12 begins there.
#
# On your own
# -----------
# * Write both grids, with a scale for each row: ``tervit exercise start
#   quantize_symmetric``, then ``quantize_minmax``.
# * Put one weight of 30 into ``row``. What happens to the error at 8 bits?
#   Then clip it to 4 before rounding.
# * Replace ``np.rint`` by ``np.floor`` in ``symmetric``. By how much is the
#   error larger, and what is its mean?
# * Draw ``row`` from a uniform distribution on [-1, 1]. What is the SQNR at 8
#   bits now, and why is it higher?
#
# In practice
# -----------
# * timm has float models only. torchao quantizes weights to 8 bits by the
#   symmetric rule, one scale a channel, and activations per token.
# * BitNet b1.58: activations symmetric, 8 bits, per token.
# * llama.cpp's 8-bit format has one scale for each 32 weights of a row.
# * ONNX and onnxruntime write the min-max grid with a zero point as above.
# * Many tools do not take the extremes but clip a small fraction of the values
#   (*percentile calibration*).
#
# Further reading
# ---------------
# * Jacob et al. 2018, *Quantization and training of neural networks for
#   efficient integer-arithmetic-only inference*: the zero point, and products
#   with it.
# * Nagel et al. 2021, *A white paper on neural network quantization*: grids,
#   zero points and calibration at length.
# * ``tervit_np/quant/uniform.py``: both grids of this chapter.
