r"""
The loss surface
================

:You will do: measure the gap that the paper's argument stands on, in four
  ways: at one point, on a plane, along the way that training takes, and from
  the curvature. And break the third dimension of a pretty picture.
:You will learn: what a loss surface is and how one is drawn; why the gap is
  not a property of three values alone; why a surface of rounded weights has no
  curvature, and which surface has; how far off an estimate from the steepest
  curvature can be.
:You need: chapters 03 (LayerNorm), 08 (latent weights) and 12 (channels), and
  for the fourth way what an eigenvalue is.
:Time: 30 minutes to read; about two minutes to run on two cores, the training
  of the common model included.
:In the paper: the obstacle that progressive training is to overcome, "the
  large loss surface gap between real-valued and ternary parameters".

With :math:`L(w)` the loss of the network that uses the latent weights
:math:`w` as they are, and :math:`L(\hat w)` that of the network that rounds
them:

.. math:: \mathrm{gap} = L(\hat w) - L(w)

The words "loss surface gap" leave open where, between which weights and along
which axes. So we try what they can mean.
"""

# %%
from tervit_lesson.figures import loss_surface as draw
from tervit_lesson import FAST, ROOT, SEED, claim, predict, quote
from tervit_lesson import shapes, trained_model

import json
import tempfile

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_np.analysis import surfaces
from tervit_np.analysis.surfaces.affine_models import difference
from tervit_np.analysis.surfaces.planes import value_shifts
from tervit_np.analysis.surfaces.stairs import stairs, ternary_codes
from tervit_np.train import PRESETS, Stage, evaluate

# %%
# A loss surface
# --------------
# Fix the images. Then the loss is a function of the weights alone, of 200,000
# numbers; its graph is the loss surface. Nobody can draw it, but it can be
# asked for its height anywhere, here always on the same 256 test images.

data = shapes()
COUNT = 64 if FAST else 256
images = normalise(data.test.images[:COUNT], data.test.mean, data.test.std)
labels = data.test.labels[:COUNT]
model = trained_model()

# %%
# 1. The gap at one point
# -----------------------
# Take the float model's weights, round them, and subtract. ``surfaces.gaps``
# does this for 8 bits and for three values, with one rule for each matrix
# (*layer-wise*) and one for each row (*channel-wise*, chapter 12).
#
# It adds an error: what other images would change. Draw 256 of the 256 images
# with replacement, take the mean again, do it many times, and see how much the
# result varies (the *bootstrap*). It does not cover other trainings.

predict("gap of three values? The float loss is about 0.7")
gaps = surfaces.gaps(model, images, labels)
for gap in gaps.gaps:
    print(f"{gap.name:22} gap {gap.gap:7.4f} ± {gap.error:.4f}")
draw.gaps(gaps)
eight, layer, channel = gaps.gaps
quote("float loss", gaps.loss, 0.722, 0.0005, True, elsewhere=0.1)
quote("gap of three values", channel.gap, 0.681, 0.0005, True, elsewhere=0.35)
saved, saved_error = channel.saved, channel.saved_error
quote("channel-wise below layer-wise by", saved, 0.012, 0.0005, True, 0.1)
quote("give or take", saved_error, 0.014, 0.0005, True, elsewhere=0.01)
stored = json.loads((ROOT / "docs" / "surface_cifar10.json").read_text())
on_cifar = stored["gaps"][0]["gaps"][2]
quote("the same, stored CIFAR-10 model", on_cifar["saved"], 0.004, 0.0005)
quote("give or take, stored", on_cifar["saved_error"], 0.009, 0.0005)
claim("three values have a gap", channel.gap > 10 * channel.error, True)
small = abs(eight.gap) < channel.gap / 50
claim("the gap of 8 bits is less than a fiftieth of it", small, True)
small = abs(saved) < channel.gap / 7
claim("what channels save is less than a seventh of it", small, True)

# %%
# Three values have a gap of 0.68, about as much as the float loss itself; 8
# bits have none worth mentioning: here the paper's picture is right. A
# threshold for each channel saves little of it, 0.012 ± 0.014 here and 0.004 ±
# 0.009 for the stored CIFAR-10 model.
#
# 2. Surfaces over one another
# ----------------------------
# A picture needs two axes out of 200,000. BinaryBERT (Bai et al. 2021) chose
# two matrices and added a constant to all of their entries: x and y times
# their mean size. We take the value rows of the first two blocks (those of
# ``qkv`` that make v). At each point the shifted weights are used as they are,
# rounded to 8 bits and rounded to three values: three surfaces.

plane = surfaces.plane(model, images, labels, steps=5 if FAST else 11)
draw.stacked(plane)
floats, _, ternary = (grid.loss for grid in plane.grids)
above, span = plane.heights[2].distance, np.ptp(floats)
quote("ternary above float", above, 0.67, 0.005, True, elsewhere=0.35)
quote("float, highest less lowest", span, 0.002, 0.0005, True, 0.008)
claim("ternary is above float everywhere", np.all(ternary > floats), True)
claim("float varies by under a twentieth of that", span < above / 20, True)

# %%
# (The number next to a name is the loss in the centre.) As the paper's
# argument has it, the ternary surface is high above the two others. But look
# at the float surface. Its weights move by their own mean size, and its loss
# by *nothing*: 0.002 from the lowest point to the highest. Is the network so
# robust? Move the same weights by the same amounts, but up or down at random.

predict("rise of the loss now? What has chapter 03 to do with it?")
constant, _ = value_shifts(model)
both = {**constant[0], **constant[1]}
rng = np.random.default_rng(SEED)
at_random = {n: d * rng.choice([-1, 1], d.shape) for n, d in both.items()}
ends = np.array([-1.0, 0.0, 1.0])
flat = surfaces.line(model, images, labels, both, ends).loss
steep = surfaces.line(model, images, labels, at_random, ends).loss
by_constant = flat[[0, 2]].mean() - flat[1]
by_random = steep[[0, 2]].mean() - steep[1]
quote("rise, random", by_random, 0.053, 0.0005, True, elsewhere=0.05)
ratio = by_random / abs(by_constant)
claim("random signs raise it ten times as much", ratio > 10, True)

x, _ = model.patch_embed.forward(images)
normed, _ = model.blocks[0].norm1.forward(x + model.pos_embed.data)
total = np.sqrt(np.mean(normed.sum(axis=-1) ** 2))
usual = np.sqrt(np.mean(np.square(normed).sum(axis=-1)))
ratio = total / usual
quote("sum of a token, over random signs", ratio, 0.09, 0.005, True, 0.06)
claim("LayerNorm makes the sums small", ratio < 1 / 5, True)

# %%
# **Broken.** A LayerNorm comes before these weights, and it makes the numbers
# of each token sum to almost zero (its gamma and beta spoil that a little).
# Add a constant c to a row of weights, and its output changes by c times that
# sum. So on this plane the float network hardly moves at all, whatever its
# loss surface is like. (The ternary one has waves, because shifted rows are
# rounded anew.) The heights can be read; the flatness says nothing.
#
# And the network *is* robust along these rows: moved at random they raise the
# loss by only 0.05. To see a bowl, one must move more weights.
#
# **Repair:** random directions, made comparable between models by giving every
# row the length of the weights' own row (Li et al. 2018). At x = 0.1, each row
# moves by a tenth of itself.

direction = surfaces.random_direction(model)
x = surfaces.around_zero(0.6, 7 if FAST else 25)
plans = [surfaces.quantized(model, p) for p in ("float", "int8", "ternary")]
bowls = [surfaces.line(m, images, labels, direction, x).loss for m in plans]
draw.bowls(x, *bowls)
above = (bowls[2] > bowls[0])[abs(x) < 0.31]
claim("ternary is above float near the middle", all(above), True)

# %%
# Now there is a bowl, and the ternary surface is a bowl above it, not smooth
# close to its bottom.
#
# 3. The way that training takes
# ------------------------------
# The gap was measured at weights that had been trained *as float*. Train them
# as ternary, two epochs, and look again.

taught = trained_model()
with tempfile.TemporaryDirectory() as folder:
    tv.train.run(
        taught,
        [Stage("ternary", "ternary", 0.3 if FAST else 2, lr=1e-3)],
        data,
        f"{folder}/run",
        recipe=PRESETS["shapes"].recipe,
        threads=2,
        seed=SEED,
        quiet=True,
    )
accuracy = 100 * evaluate(taught, data.test, threads=2).accuracy
quote("accuracy after ternary training", accuracy, 78.3, 0.05, True, 3)
predict("sign of the gap after ternary training?")
later = surfaces.gaps(taught, images, labels, latent="ternary").gaps[2]
quote("gap after ternary training", later.gap, -0.44, 0.005, True, 0.25)
quote("its error, on other images", later.error, 0.06, 0.005, True, 0.03)
negative = later.gap < -2 * later.error
claim("it is negative, by more than twice its error", negative, True)
on_cifar = stored["gaps"][2]["gaps"][2]
quote("gap of the ternary solution, stored", on_cifar["gap"], -0.126, 0.0005)

# %%
# *Negative*, -0.44 ± 0.06 (other images; it is one run), and -0.126 for the
# stored CIFAR-10 model. **So the gap is not a property of three values alone:
# at weights trained for three values it has the other sign.**
#
# Walk straight from the float solution to the ternary one (*linear
# interpolation*), and measure both losses on the way:

along = np.linspace(-0.5, 1.5, 9 if FAST else 21).round(12)
way = surfaces.interpolation(model, taught, images, labels, along)
as_float, as_ternary = way.curves
draw.crossing(along, as_float, as_ternary)
crossing = way.crossings[0] if way.crossings else np.nan
quote("the losses are equal at x", crossing, 0.57, 0.005, True, elsewhere=0.15)
lowest = stored["interpolation"]["minima"][0]
quote("lowest unrounded loss at x, stored model", lowest, 0.70, 0.005)
claim("they are equal between the solutions", 0 < crossing < 1, True)
unrounded, rounded = way.minima
claim("rounded: lowest nearer to the ternary solution", rounded > 0.5, True)
claim("unrounded: lowest nearer to the float one", unrounded < 0.5, True)
rises = np.diff(as_ternary.loss[(along >= 0) & (along <= 1)])
claim("rounded: the loss falls all the way", all(rises < 0.01), True)

# %%
# The curves cross. Each has its minimum nearer to its own solution, and on
# this line there is no *loss barrier*: the loss of the rounded network falls
# all the way. So a single step from float to ternary is not too large here,
# and chapter 13, too, saw no gain from a detour. For the stored CIFAR-10 model
# the unrounded loss is lowest at 0.70, nearer to the ternary solution: ternary
# training helps both.
#
# 4. From the curvature
# ---------------------
# A gap can also be predicted by calculus. With the rounding error
# :math:`\varepsilon = \hat w - w`, the gradient g and the matrix of second
# derivatives H (the *Hessian*), Taylor's theorem says
#
# .. math:: \mathrm{gap} = g^\top \varepsilon
#    + \tfrac12 \varepsilon^\top H \varepsilon + \dots
#
# An *eigenvector* of H is a direction v in which H only stretches,
# :math:`Hv = \lambda v`, and its *eigenvalue* :math:`\lambda` is the curvature
# in that direction. Take the largest eigenvalue, drop g (zero at a minimum)
# and everything beyond second order, and you have an estimate that is often
# quoted (BinaryBERT has it without the half):
#
# .. math:: \mathrm{gap} \lesssim
#    \tfrac12 \lambda_{\max} \lVert \varepsilon \rVert^2
#
# It bounds one term of the series, not the gap.
#
# Which surface has a curvature?
# ------------------------------
# Measure one by a second difference along one direction d, with a step h. For
# the ternary model there are two surfaces, and both are sometimes meant: move
# the *latent* weights and round them again, or move the *rounded* weights.

predict("latent weights moved: what does the curvature do as h shrinks?")
near = surfaces.random_direction(taught)
smooth = surfaces.smooth(taught)  # float64, rounded weights, float inputs
wide = {name: d.astype(float) for name, d in near.items()}


def curvature_along(model, d, h):
    """Second difference of the loss along d."""
    loss = surfaces.line(model, images, labels, d, [-h, 0, h]).loss
    return (loss[0] - 2 * loss[1] + loss[2]) / h**2


print("h        latent, rounded again    rounded, moved")
curvatures = {}
for h in 0.1, 0.03, 0.01, 0.003, 0.001:
    of_latent = curvature_along(taught, near, h)
    curvatures[h] = of_latent, curvature_along(smooth, wide, h)
    print("{:<7g} {:20.1f} {:18.3f}".format(h, *curvatures[h]))
quote("rounded, moved, h = 0.1", curvatures[0.1][1], 2.70, 0.005, True, 1.5)
change = curvatures[0.003][1] / curvatures[0.01][1] - 1
quote("rounded, moved, change from h = 0.01 to 0.003", change, 0, 0.02)
growth = abs(curvatures[0.001][0] / curvatures[0.1][0])
claim("latent: more than 20 times larger at h = 0.001", growth > 20, True)

# %%
# The second column settles; the first grows without end. Zoom in on both, and
# then on the first alone, until single codes can be told apart:

tiny = surfaces.around_zero(0.05, 9 if FAST else 41)
rough = surfaces.line(taught, images, labels, near, tiny).loss
even = surfaces.line(smooth, images, labels, wide, tiny).loss
close = stairs(taught, images, labels, near, steps=21 if FAST else 81)
draw.stairs(tiny, rough, even, close.curve)
step = float(tiny[1] - tiny[0])
moved = surfaces.AffineModels(taught, (near,)).at((step,))
flips = np.count_nonzero(ternary_codes(moved) != ternary_codes(taught))
quote("codes flipped between two points, left", flips, 413, 0.5, True, 150)
claim("hundreds of codes flip between two points", flips > 200, True)

# %%
# Over the latent weights the loss is a staircase, nearly. That is chapter 08
# again: on the right, hardly anything changes between two flips of a code, and
# at a flip the loss jumps. On the left hundreds of codes flip between two
# points. Stairs have no second derivative: what the difference returns depends
# on h alone.
#
# Curvature exists where no rounding follows the move, with float activations.
# The prediction of the gap starts at the float weights of our first model, so
# all that follows is measured there, in float64.
#
# The largest eigenvalue, without the matrix
# ------------------------------------------
# H has 200,000 rows, too many to store. But a product H v is only how the
# gradient changes along v, two forward and backward passes:
#
# .. math:: H v \approx (g(w + h v) - g(w - h v)) / 2h
#
# Check one against plain losses, as chapter 01 would:

few = slice(0, COUNT // 2)  # images, since float64 is slow
exact = surfaces.smooth(model)  # float weights, float64
hessian = surfaces.LossHessian(exact, images[few], labels[few])
v = rng.normal(size=hessian.size)
v /= np.linalg.norm(v)
by_product = v @ hessian.product(v)
by_losses = hessian.loss(0.1 * v) - 2 * hessian.loss() + hessian.loss(-0.1 * v)
by_losses /= 0.1**2
quote("weights", hessian.size, 209_536, 0)
quote("v'Hv by losses / by products", by_losses / by_product, 1, 0.01)

# %%
# Multiply a random vector by H again and again, and it turns into the steepest
# eigenvector (*power iteration*), because that part of it grows fastest.
# Lanczos' method keeps all the vectors v, Hv, HHv, ... on the way and solves
# the small problem, here 12 x 12, within their span. Its extreme eigenvalues
# approach those of H, from inside. The sum of all eigenvalues, the trace, is
# the mean of v'Hv over random vectors of signs (Hutchinson).

effort = {"steps": 4, "probes": 2} if FAST else {"steps": 12, "probes": 4}
bent = surfaces.curvature(model, images[few], labels[few], **effort)
largest, smallest = bent.spectrum.largest, bent.spectrum.smallest
average = bent.trace.mean / bent.size
print(f"eigenvalues from {smallest:.2f} to {largest:.2f}")
print(f"trace {bent.trace.mean:.0f} ± {bent.trace.error:.0f}")
quote("largest eigenvalue", largest, 17.4, 0.05, True, elsewhere=8)
quote("average eigenvalue", average, 0.0014, 0.00005, True, elsewhere=0.001)
claim("the largest is a thousand times that", largest > 1000 * average, True)
claim("some are negative", smallest < 0, True)

# %%
# One direction in 200,000 is curved thousands of times as much as the average
# one. (Some are curved downwards: these are test images, without label
# smoothing and shifts, so nobody minimised this function.) Now the
# predictions, compared with the gap with float activations. "Slope" and
# "curvature" are the first and the second term:

found = surfaces.predictions(model, images[few], labels[few], largest)
head = "measured", "slope", "curvature", "sum", "1/2 lambda |eps|^2"
print("{:22} {:>9} {:>9} {:>9} {:>9} {:>19}".format("", *head))
for p in found:
    terms = p.gap, p.slope, p.second - p.slope, p.second
    numbers = "".join(f"{term:10.5f}" for term in terms)
    print(f"{p.name:22}{numbers}{p.bound:20.2f}")
eight, _, three = found
quote("ternary, measured", three.gap, 0.705, 0.0005, True, elsewhere=0.4)
quote("ternary, second order", three.second, 0.523, 0.0005, True, 0.3)
quadratic = three.second - three.slope
quote("ternary, curvature", quadratic, 0.522, 0.0005, True, elsewhere=0.3)
quote("ternary, the estimate", three.bound, 2386, 0.5, True, elsewhere=2500)
length = 100 * np.sqrt(three.relative)
quote("ternary, |eps| / |w|, %", length, 38.8, 0.05, True, elsewhere=1.5)
typical = average * three.eps_squared / 2
quote("ternary, 1/2 average |eps|^2", typical, 0.197, 0.0005, True, 0.12)
off = abs(eight.second / eight.gap - 1)
claim("8 bits: second order is right within 5 %", off < 0.05, True)
short = three.second < 0.9 * three.gap
claim("ternary: it is below nine tenths of the gap", short, True)
far = three.bound > 1000 * three.gap
claim("the estimate is a thousand times too large", far, True)
near = 1 / 4 < quadratic / typical < 4
claim("the average curvature is right within a factor of 4", near, True)
predicted = stored["predictions"][2]
part = predicted["second"] / predicted["gap"]
quote("second order / measured, stored CIFAR-10 model", part, 0.65, 0.005)

eps = difference(exact, surfaces.smooth(surfaces.quantized(model, "ternary")))
weights = {
    f"{name}.weight": layer.weight.data
    for name, layer in model.quantizable()
    if layer.weight is not None
}
along_w = sum((eps[name] * w).sum() for name, w in weights.items())
squares = sum(np.square(w.astype(float)).sum() for w in weights.values())
cosine = along_w / np.sqrt(squares * three.eps_squared)
quote("cosine between eps and w", cosine, -0.39, 0.005, True, elsewhere=0.02)
shorter = 100 * (1 - np.sqrt(1 - three.relative))
quote("rows shorter, %", shorter, 8, 0.5, True, elsewhere=0.7)

# %%
# * At 8 bits the second order is right within 5 %. With three values it gives
#   0.523 of a gap of 0.705, three quarters (0.65 of it for the stored CIFAR-10
#   model). The rounding error is 39 % of the weights' length, and a Taylor
#   series does not reach that far: the figure below follows the loss on its
#   way.
# * The estimate says 2386 where 0.705 was measured. It supposes that the whole
#   rounding error points into the one direction that is curved most.
# * The *average* curvature gives 0.197 where the curvature term is 0.522: the
#   right order of magnitude. So rounding errors do not seek the steepest
#   direction. But they have a direction: the best scale leaves
#   :math:`\varepsilon` at a right angle to :math:`\hat w`, so rows become 8 %
#   shorter, and :math:`\varepsilon` has a cosine of -0.39 with :math:`w`.

fraction = np.linspace(0, 1.2, 7 if FAST else 13)
measured = surfaces.line(exact, images[few], labels[few], eps, fraction).loss
parabola = measured[0] + three.slope * fraction + quadratic * fraction**2
draw.taylor(fraction, measured, parabola)

# %%
# What to take home
# -----------------
# * There is a gap: 0.7 in the loss at weights trained as float, and next to
#   none with 8 bits. Train the same latent weights as ternary and its sign
#   turns around, and no wall is seen on the straight line between.
# * A plane is a choice of two directions. Ask what the layers before and after
#   do to them.
# * An estimate from the top eigenvalue is off by orders of magnitude, because
#   rounding does not seek the steepest direction.
#
# ``tervit surface runs/shapes`` does all this for a run of yours, with a
# report.
#
# On your own
# -----------
# * Interpolate from the float solution to what two more *float* epochs make of
#   it (with ``tv.quantize(end, "ternary")`` for the rounded curve). Do the
#   curves cross?
# * Make ``constant`` move the key rows (64 to 128 of qkv), then all of
#   ``proj``, which has no LayerNorm before it. Which is flat, and why?
# * Try ``threshold="exact"`` in ``kinds`` of ``surfaces.gaps``. Does a smaller
#   weight error make a smaller gap?
# * ``tervit exercise start numerical_gradient``: slopes from losses alone.
#
# In practice
# -----------
# * Curvature is of use where it compares: HAWQ gives more bits to layers of
#   larger eigenvalues and trains the rounded model, GPTQ rounds each layer by
#   the Hessian of its own output, without training. Neither predicts a gap
#   from one eigenvalue.
# * BitNet has no such gap: it starts from no float solution.
#
# Further reading
# ---------------
# * Li et al. 2018, *Visualizing the loss landscape of neural nets*.
# * Bai et al. 2021, *BinaryBERT*: the stacked surfaces, and the estimate.
# * Dong et al. 2019, *HAWQ*; Yao et al. 2020, *PyHessian*.
# * ``tervit_np/analysis/surfaces``: one file for each of the four ways.
