r"""
Mixed precision
===============

:You will do: round float32 to bfloat16 with three integer operations; predict
  what a matrix product loses, and buy the digits back with two numbers in
  place of one; watch an update vanish, and keep the copy that saves it.
:You will learn: why half of the bits is enough for a product and not for a
  sum; what master weights are, and why chapter 08 had them already.
:You need: chapter 08 (latent weights). Chapter 10 helps (error of rounding).
:Time: 25 minutes to read. It uses the model that several chapters share,
  trained once in under a minute, and then runs in seconds.
:In the paper: nothing that we know of. Such models are trained on GPUs, where
  products usually run in 16 bits, and papers seldom say what was rounded.

Everything here is emulated: NumPy has no bfloat16, but it has float32 and
integers, and a bfloat16 is a float32 whose last 16 bits are zero.
"""

# %%
from tervit_lesson import FAST, SEED, claim, predict, quote, shapes
from tervit_lesson import trained_model

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_lesson.figures import mixed_precision as draw
from tervit_np.quant import Identity, Plan, Ternary

rng = np.random.default_rng(SEED)

# %%
# Three formats
# -------------
# A float has a sign, an *exponent* that gives the two powers of two around it,
# and a *mantissa* that divides the way between them into equal steps.
#
# ========  ========  ========  ============  ============  ==============
# format    exponent  mantissa  largest       smallest      steps from 1
#                                             full [#]_     to 2
# ========  ========  ========  ============  ============  ==============
# float32   8 bits    23 bits   3.4e38        1.2e-38       8,388,608
# float16   5 bits    10 bits   65,504        6.1e-5        1,024
# bfloat16  8 bits    7 bits    3.4e38        1.2e-38       128
# ========  ========  ========  ============  ============  ==============
#
# .. [#] Smaller numbers exist, but they have fewer digits.
#
# float16 has more digits, bfloat16 has the range of float32. Gradients need
# range: many are below 1e-5. bfloat16 is simply the upper half of a float32.


def bit_string(x):
    """The 32 bits of a float32: sign, exponent, mantissa."""
    b = f"{np.float32(x).view(np.uint32):032b}"
    return f"{b[0]} {b[1:9]} {b[9:16]}|{b[16:]}"


for number in 1, 1 + 2**-7, 1 + 2**-8, 0.1, -3:
    print(f"{number:12.8f}  {bit_string(number)}")

# %%
# Round with integers
# -------------------
# To cut off the lower half would round toward 0 and make every number smaller.
# Better: to the nearest bfloat16, and from the middle between two to the one
# whose last bit is 0 (*to nearest, ties to even*, as ``np.rint`` does).
#
# Read the 32 bits as one integer. For positive floats, the next integer is the
# next float, also across a power of two: a mantissa of ones carries over into
# the exponent, where it should. So rounding a float is rounding an integer:
# add half of what is cut off, and cut. Half is 0x8000; to send the middle to
# the even neighbour, add 0x7FFF, and 1 more if the last bit that stays is 1.


def to_bfloat16(x):
    """Round float32 to bfloat16.  -> float32 whose lower half is zero."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    last = (bits >> 16) & 1
    return ((bits + 0x7FFF + last) & 0xFFFF0000).view(np.float32)


predict("1 + 1/256 is halfway between 1 and 1 + 2/256. Where does it go?")
quote("1 + 1/256", to_bfloat16(1 + 1 / 256), 1, 0)
quote("1 + 3/256", to_bfloat16(1 + 3 / 256), 1 + 4 / 256, 0)
quote("511/256, just below 2", to_bfloat16(511 / 256), 2, 0)

# %%
# Check it against something slow and obvious: the two neighbours of a number,
# and which of them is nearer.


def nearest(x):
    """Round to bfloat16 by comparing distances in float64."""
    lower = (x.view(np.uint32) & 0xFFFF0000).view(np.float32)
    upper = (lower.view(np.uint32) + 0x10000).view(np.float32)
    below, above = (np.abs(y - x.astype(float)) for y in (lower, upper))
    even = (lower.view(np.uint32) >> 16) & 1 == 0
    return np.where((below < above) | (below == above) & even, lower, upper)


sizes = np.exp(10 * rng.normal(size=200_000))
many = (sizes * rng.normal(size=200_000)).astype(np.float32)
middles = (many.view(np.uint32) & 0xFFFF0000 | 0x8000).view(np.float32)
agree = [np.array_equal(to_bfloat16(x), nearest(x)) for x in (many, middles)]
claim("both ways agree on 200,000 numbers and on 200,000 middles", all(agree))

# %%
# How large is the error? The steps between 1 and 2 are :math:`2^{-7}`, so at
# most half of that is lost: **1 in 256**. With chapter 10's rule, the error is
# uniform within a step of 1/128, and numbers of all sizes between 1 and 2
# occur (uniformly on a logarithmic scale, say); then its root mean square,
# relative to the number, is
#
# .. math::
#
#     u = \frac{2^{-8}}{\sqrt 3} \sqrt{\frac{3}{8 \ln 2}} = 0.00166

u = 2**-8 / np.sqrt(3) * np.sqrt(3 / 8 / np.log(2))
relative = np.abs(to_bfloat16(many) / many.astype(float) - 1)
rms = np.sqrt(np.mean(relative**2))
quote("largest relative error, times 256", 256 * relative.max(), 1, 0.01)
quote("root mean square of the relative error", rms, 0.00166, 5e-6)
claim("no error above 1/256", relative.max() <= 1 / 256)
magnitudes = np.logspace(-9, 6, 3001).astype(np.float32)
with np.errstate(over="ignore"):
    halves = magnitudes.astype(np.float16).astype(float)
draw.formats(magnitudes, to_bfloat16(magnitudes), halves)

# %%
# bfloat16 has the same error at every size. float16 has an eighth of it, but
# below 6e-5 it grows, everything below 3e-8 is 0, and above 65,520 there is
# only infinity. Training in float16 therefore multiplies the loss by a large
# number, so that no gradient is that small (*loss scaling*); training in
# bfloat16 does not.
#
# What a product loses
# --------------------
# A matrix unit multiplies bfloat16 and sums in float32. A product of two
# numbers of 8 bits has 16, and float32 has room for 24: each product is
# *exact*. Only the inputs were rounded. Every term of the sum has two errors
# of about u, with random signs; they add up as the terms do, so the result has
# a relative error of :math:`\sqrt 2\, u = 0.0023`, however long the sum is.


def error(y, exact):
    """Root mean square of the error, relative to that of the result."""
    return np.sqrt(np.square(y - exact).mean() / np.square(exact).mean())


def sum_in_bfloat16(x, w):
    """Product of which every partial sum is rounded, too."""
    y = np.zeros((len(x), w.shape[1]), np.float32)
    for k in range(len(w)):
        y = to_bfloat16(y + np.outer(x[:, k], w[k]))
    return y


def split(x):
    """Two bfloat16 whose sum is almost x."""
    high = to_bfloat16(x)
    return high, to_bfloat16(x - high)


def three_products(x, w):
    (x1, x2), (w1, w2) = split(x), split(w)
    return x1 @ w1 + (x1 @ w2 + x2 @ w1)


ways = {
    "bfloat16, sums in bfloat16": lambda x, w: sum_in_bfloat16(
        to_bfloat16(x), to_bfloat16(w)
    ),
    "bfloat16, sums in float32": lambda x, w: to_bfloat16(x) @ to_bfloat16(w),
    "two bfloat16 each": three_products,
    "float32": lambda x, w: x @ w,
}
lengths = (16, 64, 256, 1024) if FAST else (16, 64, 256, 1024, 4096)
errors = {name: [] for name in ways}
predict("and if the partial sums are rounded as well, with 1,024 terms?")
for length in lengths:
    x = rng.normal(size=(64, length)).astype(np.float32)
    w = rng.normal(size=(length, 64)).astype(np.float32)
    exact = x.astype(float) @ w.astype(float)
    for name, way in ways.items():
        errors[name].append(error(way(x, w), exact))
for name, found in errors.items():
    print(f"{name:27}", "  ".join(f"{e:.1e}" for e in found))
narrow, plain, twice, full = errors.values()
quote("sums of 256 in float32", plain[2], 0.0024, 5e-5)
quote("sums of 256 in bfloat16", narrow[2], 0.019, 0.0005)
order = "the processor's BLAS has its own order of the sum"
quote("two bfloat16 each, sums of 256", twice[2], 4.5e-6, 1e-7, wide=order)
steady = max(plain) < 1.1 * min(plain)
claim("with float32 sums the length does not matter", steady)
claim("with bfloat16 sums it does", narrow[3] > 5 * narrow[0])
claim("two numbers in place of one: 400 times less", plain[2] > 400 * twice[2])
draw.products(lengths, errors)

# %%
# 0.0024 or a little less, near the predicted 0.0023, for 16 terms as for
# 1,024. It is the *sums* that cannot be kept in bfloat16: there each addition
# rounds the whole partial sum, and the error grows like the square root of the
# length. The worst case is a sum that only grows. Add up ones:

total = np.float32(0)
for _ in range(1000):
    total = to_bfloat16(total + np.float32(1))
predict("a thousand ones, summed in bfloat16?")
quote("a thousand ones", total, 256, 0)

# %%
# From 256 on, the steps of bfloat16 are 2 wide. 256 + 1 is halfway between
# 256 and 258, and the last bit of 256 is 0: the sum stands still.
#
# Two numbers for one
# -------------------
# The table has a third row. Split each float32 into a bfloat16 and the
# bfloat16 of what is left,
#
# .. math:: x \approx x_1 + x_2 \qquad x_1 = \mathrm{bf}(x) \qquad
#           x_2 = \mathrm{bf}(x - x_1)
#
# The difference :math:`x - x_1` is exact in float32, and as small as the error
# was; so together they have 16 bits. Multiply out, and leave away the product
# of the two small ones, which is of the size :math:`u^2` like the errors of
# :math:`x_2` and :math:`w_2`:
#
# .. math:: x w \approx x_1 w_1 + (x_1 w_2 + x_2 w_1)
#
# Three products in place of one reduce the error from 0.0024 to 4.5e-6, more
# than 400 times. Where a matrix unit is sixteen times as fast as float32
# arithmetic, three products still save most of the time. (Sum the small ones
# first: added to the large one each by itself, they would lose digits.)
#
# And a whole network? Round the inputs and the weights of every layer of the
# trained model. To the library, bfloat16 is one more quantizer: another
# forward pass, and the straight-through backward pass of ``Identity``.


class BFloat16(Identity):
    """Round to bfloat16; the gradient passes straight through."""

    def forward(self, x, keep_residual=False):
        return super().forward(to_bfloat16(x), keep_residual)


data = shapes()
test = data.test.take(np.arange(100 if FAST else 2000))
everywhere = Plan([(".*", BFloat16(), BFloat16())])
answers, accuracy = {}, {}
for name, plan in (("float32", "float"), ("bfloat16", everywhere)):
    model = tv.quantize(trained_model(), plan)
    found = tv.train.evaluate(model, test, threads=2)
    answers[name] = found.logits.argmax(axis=1)
    accuracy[name] = 100 * found.accuracy
predict("how many of 2,000 answers does bfloat16 change?")
changed = np.count_nonzero(answers["float32"] != answers["bfloat16"])
part = changed / len(test)
quote("float32, %", accuracy["float32"], 77.0, 0.005, True, 3)
quote("bfloat16, %", accuracy["bfloat16"], 77.2, 0.005, True, 3)
quote("changed answers", changed, 4, 0, True, 12)
claim("fewer than 1 % of the answers change", part < 0.01, True)

# %%
# Four, and it so happens that these are right now. For inference bfloat16 is
# harmless. So it is for the backward pass: the gradient of a batch is an
# estimate, with an error much larger than 0.0024. Where it does harm is the
# step after that.
#
# An update that is lost
# ----------------------
# A weight of 1, and a thousand steps that each take 0.001 away:

weight = np.float32(1)
for _ in range(1000):
    weight = to_bfloat16(weight - np.float32(0.001))
predict("the weight after a thousand steps of -0.001?")
quote("after a thousand steps", weight, 1, 0)

# %%
# It has not moved. Below 1, the steps of bfloat16 are 1/256 wide; 0.999 is
# rounded back to 1, a thousand times. An update gets through only if it is
# larger than half a step, about 1/512 to 1/256 of the weight. A learning rate
# of 1e-4 changes a weight of 0.1 by a thousandth of itself (AdamW moves each
# weight by about the rate in a step), and late in a schedule by much less.
#
# The same happens to the optimizer's memory. Adam keeps a running mean of
# squared gradients, :math:`v \leftarrow 0.999\, v + 0.001\, g^2`. Let the
# gradients stop: in float32 v is down to 0.0067 after 5,000 steps.

v = to_bfloat16(np.exp(rng.normal(size=100)))
before = v.copy()
for _ in range(5000):
    v = to_bfloat16(np.float32(0.999) * v)
quote("0.999 to the power of 5,000", 0.999**5000, 0.0067, 5e-5)
quote("largest change of v in bfloat16", np.abs(v - before).max(), 0, 0)

# %%
# Master weights
# --------------
# The remedy is old, and you know it. Keep the weights in float32 for the
# optimizer (the *master weights*), and round a copy to bfloat16 for the
# products. Small updates add up in the master weights until they are enough to
# change the copy. Chapter 08 said the same of three values: the *latent*
# weight sums small steps until they change a code. A master weight is a latent
# weight, and a bfloat16 copy is a quantized weight with 65,536 codes.
#
# So what if the latent weights of a ternary network are kept in bfloat16? Here
# the shared model is trained with ternary weights, at a small learning rate,
# as at the end of a schedule. All is equal but for one line: after each step,
# the latent weights are rounded, or not.

STEPS = 5 if FAST else 100
batches = [rng.integers(0, len(data.train), 64) for _ in range(STEPS)]


def tune(lr, keep=lambda w: w):
    """Train with ternary weights.  -> losses, % of codes and weights moved."""
    model = tv.quantize(trained_model(), "ternary")
    params = dict(model.named_params())
    layers = [
        layer
        for _, layer in model.quantizable()
        if isinstance(layer.weight_quant, Ternary)
    ]

    def state():
        weights = [layer.weight.data for layer in layers]
        codes = [Ternary().encode(w).codes.ravel() for w in weights]
        together = np.concatenate([w.ravel() for w in weights])
        return np.concatenate(codes), together

    for p in params.values():
        p.data[...] = keep(p.data)
    first_codes, first_weights = state()
    optimizer = tv.AdamW(model.named_params(), lr=lr)
    losses = []
    for chosen in batches:
        batch = data.train.take(chosen)
        images = normalise(batch.images, batch.mean, batch.std)
        logits, cache = model.forward(images)
        loss, dlogits = tv.losses.cross_entropy(logits, batch.labels)
        model.zero_grad()
        model.backward(dlogits, cache)
        tv.clip_grad_norm(model.named_params(), 1.0)
        optimizer.step()
        for p in params.values():
            p.data[...] = keep(p.data)
        losses.append(loss)
    codes, weights = state()
    moved = 100 * np.mean(weights != first_weights)
    return losses, 100 * np.mean(codes != first_codes), moved


plain, master = tune(1e-4, to_bfloat16), tune(1e-4)
predict("how many of 100 latent weights never move in 100 steps of bfloat16?")
start, end = np.mean(master[0][:10]), np.mean(master[0][-10:])
still = 100 - plain[2]
quote("float32 latents, loss, last ten steps", end, 0.844, 0.0005, True, 0.1)
low = np.mean(plain[0][-10:])
quote("bfloat16 latents, loss, last ten steps", low, 1.123, 0.0005, True, 0.1)
quote("float32 latents, codes changed, %", master[1], 1.35, 0.005, True, 0.3)
quote("bfloat16 latents, codes changed, %", plain[1], 0.10, 0.005, True, 0.1)
quote("bfloat16 latents that never moved, %", still, 77.4, 0.05, True, 5)
claim("most latent weights in bfloat16 never move", still > 50)
claim("with float32 all of them do", master[2] > 99)
claim("float32 changes five times as many codes", master[1] > 5 * plain[1])
claim("and ends with the lower loss", end < low - 0.1, True)
draw.training(master[0], plain[0])

# %%
# Three of four latent weights did not move once in a hundred steps, and the
# loss ends at 1.12 in place of 0.84. At five times the rate there is hardly a
# difference (task 4). So training in pure bfloat16 seems to work, and stops
# improving when the schedule lowers the rate.
#
# So this is what *mixed* precision means: products in 16 bits, sums in 32,
# weights in both, and everything that adds up small numbers (the optimizer,
# the mean and variance of LayerNorm, the sum of softmax, the loss) in float32.
#
# On your own
# -----------
# 1. ``tervit exercise start bfloat16``: the rounding and the split, from an
#    empty body.
# 2. *Stochastic rounding*: add a random number from 0 to 65,535 to the bits,
#    in place of 0x7FFF, and cut. A number between two neighbours then goes up
#    with a chance equal to its position between them. Where does the weight of
#    1 end after a thousand steps of -0.001? Give it to ``tune`` as well.
# 3. Split into *three* bfloat16. Which of the nine products are needed, and
#    how small is the error?
# 4. Run ``tune`` with rates of 2e-4 and 5e-4, both ways. When does rounding
#    stop to matter?
# 5. ``to_bfloat16`` of a NaN whose only set mantissa bit is the last one
#    (``np.array([0x7F800001], np.uint32).view(np.float32)``)? Mend it.
# 6. Sum 4,096 random numbers of [0, 1] in bfloat16: one after the other, and
#    in pairs, pairs of pairs, and so on. What are the errors?
#
# In practice
# -----------
# * PyTorch's ``autocast`` runs matrix products in bfloat16 or float16, and
#   softmax, norms and losses in float32; parameters stay float32.
#   ``torch.set_float32_matmul_precision("high")`` allows the sum of two
#   bfloat16 of this chapter.
# * JAX names such products: ``BF16_BF16_F32`` rounds the inputs, and the
#   ending X3 or X6 splits them and takes three or six products.
# * AMX of Intel's server processors and the matrix units of GPUs and TPUs
#   multiply bfloat16 and sum in float32. AVX-512 BF16 (AMD since Zen 4) does
#   so in vector registers, twice as many products as in float32. ``tervit
#   train --precision bf16`` takes what there is.
# * FP8 training keeps master weights for the same reason, and needs scales
#   besides, as chapter 10's codes do.
#
# Further reading
# ---------------
# * Micikevicius et al. 2018, *Mixed precision training*: master weights and
#   loss scaling.
# * Kalamkar et al. 2019, *A study of BFLOAT16 for deep learning training*.
# * Henry, Tang, Heinecke 2019, *Leveraging the bfloat16 artificial
#   intelligence datatype for higher-precision computations*: splitting.
# * Gupta et al. 2015, *Deep learning with limited numerical precision*:
#   stochastic rounding.
# * Higham 2002, *Accuracy and stability of numerical algorithms*, chapter 2.
