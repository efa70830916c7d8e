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
:You need: chapters 08 (latent weights), 06 (channel and matrix), for one
  surprise 02 (LayerNorm), and for the fourth way what an eigenvalue is.
:Time: 30 minutes to read; about two minutes to run on two cores, the training
  of the common model included.
:In the paper: the obstacle that progressive training is to overcome, "the
  large loss surface gap between real-valued and ternary parameters".

With :math:`L(w)` the loss of the float network and :math:`L(\hat w)` that of
the rounded one, with the latent weights :math:`w` held:

.. math:: \mathrm{gap} = L(\hat w) - L(w)

The words "loss surface gap" leave open where, between which weights and along
which axes. So we try what they can mean.
"""

# %%
from lesson import COLOURS, FAST, OUT, figure, quote, shapes, show
from lesson import stage_colour, trained_model

import tempfile

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_np.analysis import surfaces
from tervit_np.analysis.surfaces.figures.stacked import draw_stacked
from tervit_np.analysis.surfaces.affine_models import difference
from tervit_np.analysis.surfaces.planes import value_shifts
from tervit_np.analysis.surfaces.stairs import stairs, ternary_codes
from tervit_np.train import PRESETS, Stage, evaluate

FLOAT, EIGHT = stage_colour("float"), stage_colour("8-bit")
TERNARY, DARK = stage_colour("ternary"), "#444444"

# %%
# A loss surface
# --------------
# Fix the images. Then the loss is a function of the weights alone, of 200,000
# numbers; its graph is the loss surface. Nobody can draw it, but it can be
# asked for its height anywhere. We ask in evaluation mode, without
# augmentation, and always on the same 256 test images.

data = shapes()
COUNT = 64 if FAST else 256
images = normalise(data.test.images[:COUNT], data.test.mean, data.test.std)
labels = data.test.labels[:COUNT]
model = trained_model()

# %%
# 1. The gap at one point
# -----------------------
# The cleanest meaning needs no training: take the float model's weights, round
# them, and subtract. (*Layer-wise* is one rule for each matrix, *channel-wise*
# one for each row.) **Predict**, from chapter 12, the order of the three.

gaps = surfaces.gaps(model, images, labels)
print(f"float loss {gaps.loss:.3f}")
for gap in gaps.gaps:
    print(f"{gap.name:22} gap {gap.gap:7.4f} ± {gap.error:.4f}")
eight, layer, channel = gaps.gaps
quote("float loss", gaps.loss, 0.622, 0.08, True)
quote("gap of 8 bits", eight.gap, 0.0016, 0.003, True)
quote("gap, one rule for each matrix", layer.gap, 0.776, 0.3, True)
quote("gap, one rule for each channel", channel.gap, 0.683, 0.3, True)
quote("channel-wise below layer-wise by", channel.saved, 0.094, 0.12, True)
quote("give or take, on other images", channel.saved_error, 0.018, 0.01, True)

# %%
# The error is what other images would change: draw 256 of the 256 with
# replacement, take the mean again, do it many times, and see how the result
# spreads (the *bootstrap*). Both losses of a difference are taken on the same
# draw, so what makes an image hard for both cancels. This error does not cover
# other trainings.
#
# Eight bits have a gap of a thousandth, three values of 0.7, and channel-wise
# lies 0.094 ± 0.018 below layer-wise. For this one model that much of the
# paper's argument is there.

with figure(7.2, 2.6) as fig:
    ax = fig.subplots()
    for y, gap in enumerate(gaps.gaps[::-1]):
        colour = EIGHT if gap.name == "8-bit" else TERNARY
        ax.errorbar(gap.loss, y, xerr=gap.error, fmt="o", color=colour)
    ax.axvline(gaps.loss, color=FLOAT)
    ax.text(gaps.loss + 0.01, 1.4, "float", color=FLOAT)
    ax.set_yticks(range(3), [gap.name for gap in gaps.gaps[::-1]])
    ax.set_ylim(-0.5, 2.5)
    ax.set_xlabel("loss, same latent weights; bars: ± one error of the gap")
    show(fig, "15_gaps")

# %%
# 2. Surfaces over one another
# ----------------------------
# A picture needs two axes out of 200,000. BinaryBERT (Bai et al. 2021) chose
# two matrices, W1 and W2, and added a constant to all of their entries: x and
# y times their mean size. We take the value rows of the first two blocks. At
# each point of a grid the shifted weights are used as they are, rounded to 8
# bits and rounded to three values, which makes three surfaces.

plane = surfaces.plane(model, images, labels, steps=5 if FAST else 11)
path = draw_stacked({"shifted by a constant": plane}, OUT / "08_stacked.png")
print(f"figure: {path}")
for height in plane.heights:
    print(
        f"{height.name:8} centre {height.centre:.3f}, "
        f"above float {height.distance:.3f} ± {height.distance_error:.3f}"
    )
floats = plane.grids[0]
quote("8 bits above float", plane.heights[1].distance, 0.001, 0.003, True)
quote("ternary above float", plane.heights[2].distance, 0.67, 0.4, True)
quote("float surface, highest less lowest", np.ptp(floats.loss), 0, 0.02)

# %%
# (Axes: the value rows, v, of blocks 0 and 1; the number next to a name is the
# loss in the centre.) Just as promised: the ternary sheet floats high above
# the two others, which cannot be told apart. But look at the float sheet. Its
# weights move by their own mean size, and its loss by *nothing*: 0.003 from
# the lowest point to the highest. Is the network so robust?
#
# **Predict:** move the same weights by the same amounts, but up or down at
# random. Then say what chapter 03 has to do with it.

constant, _ = value_shifts(model)
both = {**constant[0], **constant[1]}
rng = np.random.default_rng(0)
at_random = {n: d * rng.choice([-1, 1], d.shape) for n, d in both.items()}
ends = np.array([-1.0, 0.0, 1.0])
flat = surfaces.line(model, images, labels, both, ends).loss
steep = surfaces.line(model, images, labels, at_random, ends).loss
print("shifted by a constant:", flat.round(3))
print("the same at random   :", steep.round(3))
quote("rise, constant", flat[[0, 2]].mean() - flat[1], 0, 0.01)
quote("rise, random", steep[[0, 2]].mean() - steep[1], 0.07, 0.04, True)


class Spy(tv.quant.Identity):
    """Passes everything on, and remembers it (chapter 12)."""

    def forward(self, x, keep_residual=False):
        self.seen = x.copy()
        return super().forward(x, keep_residual)


spy = dict(model.quantizable())["blocks.0.attn.qkv"].act_quant = Spy()
model.forward(images)
tv.quantize(model, "float")
total = np.sqrt(np.mean(spy.seen.sum(axis=-1) ** 2))
usual = np.sqrt(np.mean(np.square(spy.seen).sum(axis=-1)))
quote("sum of a token, over random signs", total / usual, 0.05, 0.05)

# %%
# **Broken.** A LayerNorm stands before these weights, and it makes the numbers
# of each token sum to almost zero (its :math:`\gamma` and :math:`\beta` spoil
# that a little). Add a constant c to a row of weights, and its output changes
# by c times that sum. So on this plane the float network hardly moves at all,
# and two sheets cannot bend. (The ternary one has waves, because shifted rows
# are rounded anew.) The heights can be read, 0.68 above float in the centre,
# 0.67 on average over the grid. The flatness says nothing about the loss.
#
# And the network *is* robust along these rows: the same weights moved at
# random by their own size raise the loss by only 0.07. A bowl needs other
# directions.
#
# **Repair:** random directions, made comparable between models by giving every
# row the length of the weights' own row (Li et al. 2018). At x = 0.1, each row
# moves by a tenth of itself.

direction = surfaces.random_direction(model)
x = surfaces.around_zero(0.6, 7 if FAST else 25)
curves = {
    plan: surfaces.line(
        surfaces.quantized(model, plan), images, labels, direction, x
    )
    for plan in ("float", "int8", "ternary")
}
with figure(7.2, 3.4) as fig:
    ax = fig.subplots()
    ax.plot(x, curves["float"].loss, color=FLOAT, linewidth=3, alpha=0.5)
    ax.plot(x, curves["int8"].loss, "--", color=EIGHT)
    ax.plot(x, curves["ternary"].loss, color=TERNARY)
    bottom, above = (curves[n].loss[len(x) // 2] for n in ("float", "ternary"))
    ax.text(0.0, bottom + 0.13, "float", color=FLOAT, ha="right")
    ax.text(0.02, bottom + 0.13, "and 8-bit", color=EIGHT)
    ax.text(0.0, above + 0.15, "ternary", color=TERNARY, ha="center")
    ax.set_xlabel("x, along a random direction, in lengths of each row")
    ax.set_ylabel("loss")
    ax.set_ylim(bottom=0)
    show(fig, "15_random")

# %%
# Now there is a bowl, and the ternary surface is a bowl above it. Close to its
# bottom it is not smooth; remember that for the fourth way.
#
# 3. The way that training takes
# ------------------------------
# The gap was measured at weights that had been trained *as float*. Why should
# they be good ternary weights? Train them as ternary, two epochs, and look
# again.

taught = trained_model()
with tempfile.TemporaryDirectory() as folder:
    tv.train.run(
        taught,
        [Stage("ternary", "ternary", 0.3 if FAST else 2, lr=1e-3)],
        data,
        f"{folder}/run",
        recipe=PRESETS["shapes"].recipe,
        threads=2,
        quiet=True,
    )
accuracy = 100 * evaluate(taught, data.test, threads=2).accuracy
quote("accuracy after ternary training", accuracy, 77.7, 5, True)

# %%
# 77.7 %, as much as the float model had. **Predict** the sign of the gap,
# :math:`L(\hat w) - L(w)`, at these latent weights.

later = surfaces.gaps(taught, images, labels, latent="ternary").gaps[2]
quote("gap at latents trained as ternary", later.gap, -0.34, 0.2, True)
quote("its error, on other images", later.error, 0.05, 0.03, True)

# %%
# It is *negative*, -0.34 ± 0.05 (other images; it is one run). The network
# that uses the latent weights as they are is worse than the one that rounds
# them. **So the gap is not a property of three values alone: at weights chosen
# for three values it has the other sign.**
#
# Walk in a straight line from the float solution to the ternary one (*linear
# interpolation*), and measure both losses on the way:

along = np.linspace(-0.5, 1.5, 9 if FAST else 21).round(12)
way = surfaces.interpolation(model, taught, images, labels, along)
as_float, as_ternary = way.curves

with figure(7.2, 3.6) as fig:
    ax = fig.subplots()
    for curve, colour in (as_float, FLOAT), (as_ternary, TERNARY):
        low, high = curve.loss - curve.error, curve.loss + curve.error
        ax.fill_between(along, low, high, color=colour, alpha=0.15, lw=0)
        ax.plot(along, curve.loss, color=colour)
    ax.text(
        1.3, as_float.loss[-1], "used as they are", color=FLOAT, ha="right"
    )
    ax.text(-0.3, as_ternary.loss[1], "rounded", color=TERNARY)
    for place, name in (0, "float solution"), (1, "ternary solution"):
        ax.axvline(place, color="#CCCCCC", linewidth=1, zorder=0)
        ax.text(place, 0.05, name, ha="center", color="#666666")
    ax.set_xlabel("x: latent weights (1 - x) float + x ternary")
    ax.set_ylabel("loss")
    ax.set_ylim(bottom=0)
    show(fig, "15_crossing")

crossing = way.crossings[0] if way.crossings else np.nan
quote("the losses are equal at x", crossing, 0.61, 0.15, True)
quote("lowest, used as they are, at x", way.minima[0], 0.1, 0.25, True)
quote("lowest, rounded, at x", way.minima[1], 1.1, 0.25, True)

# %%
# The curves cross. Each has its minimum near its own solution, and on this
# line, in steps of 0.1, no wall (*loss barrier*) is seen between the two: the
# loss of the rounded network falls all the way. Direct training has found the
# far end, so *some* way had to be passable; the straight one is. Chapter 13,
# too, saw no gain from a detour.
#
# 4. From the curvature
# ---------------------
# A gap can also be predicted by calculus. With the rounding error
# :math:`\varepsilon = \hat w - w`, the gradient g and the matrix of second
# derivatives H (the *Hessian*),
#
# .. math:: \mathrm{gap} = g^\top \varepsilon
#    + \tfrac12 \varepsilon^\top H \varepsilon + \dots
#
# An *eigenvector* of H is a direction v with :math:`H v = \lambda v`, and its
# eigenvalue :math:`\lambda` is the curvature in that direction. With
# :math:`\lambda_{\max}`, the steepest curvature that any direction has, and
# dropping g (zero at a minimum) and everything beyond second order, one gets
# the estimate
#
# .. math:: \mathrm{gap} \lesssim \tfrac12 \lambda_{\max} \|\varepsilon\|^2
#
# It bounds one term of the series, not the gap.
#
# Which surface has a curvature?
# ------------------------------
# Measure one the naive way, along one direction d, with a step h:
# :math:`(L(w + hd) - 2 L(w) + L(w - hd)) / h^2`. For the ternary model there
# are two surfaces, and both are sometimes meant: move the *latent* weights and
# round them again, or move the *rounded* weights. **Predict** what happens as
# h shrinks.

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
    curvatures[h] = (
        curvature_along(taught, near, h),
        curvature_along(smooth, wide, h),
    )
    print("{:<7g} {:20.1f} {:18.3f}".format(h, *curvatures[h]))
quote("moved, h = 0.1", curvatures[0.1][1], 3.4, 1.5, True)
change = curvatures[0.003][1] / curvatures[0.01][1] - 1
quote("moved, change from h = 0.01 to 0.003", change, 0, 0.02)
growth = abs(curvatures[0.001][0] / curvatures[0.1][0])
assert FAST or growth > 20

# %%
# The second column settles; the first grows without end. Zoom in on both, and
# then on the first alone, until single codes can be told apart:

tiny = surfaces.around_zero(0.05, 9 if FAST else 41)
rough = surfaces.line(taught, images, labels, near, tiny).loss
even = surfaces.line(smooth, images, labels, wide, tiny).loss
close = stairs(taught, images, labels, near, steps=21 if FAST else 81)
with figure(7.2, 3.4) as fig:
    left, right = fig.subplots(1, 2)
    left.plot(tiny, rough, ".-", color=TERNARY, linewidth=1)
    left.plot(tiny, even, color=DARK)
    left.margins(y=0.3)
    corner = {"transform": left.transAxes, "ha": "center"}
    left.text(
        0.5, 0.98, "latent moved,\nrounded", color=TERNARY, va="top", **corner
    )
    left.text(0.5, 0.04, "rounded, moved", color=DARK, **corner)
    left.set_ylabel("loss")
    right.step(close.curve.x, close.curve.loss, where="mid", color=TERNARY)
    right.ticklabel_format(axis="y", useOffset=False)
    for ax, x in (left, tiny), (right, close.curve.x):
        ax.set_title(f"within ±{x[-1]:.2g}")
        ax.set_xticks([x[0], 0, x[-1]], [f"{x[0]:.2g}", "0", f"{x[-1]:.2g}"])
        ax.set_xlabel("x, in lengths of each row")
    show(fig, "15_stairs")

step = float(tiny[1] - tiny[0])
family = surfaces.AffineModels(taught, (near,))
flips = np.count_nonzero(
    ternary_codes(family.at((step,))) != ternary_codes(taught)
)
quote("codes flipped between two points on the left", flips, 400, 200, True)
quote("codes flipped from the middle to an end", close.changed[-1], 20, 25)

# %%
# Over the latent weights the loss is a staircase (*piecewise constant*). That
# is chapter 08 again, in 200,000 dimensions: on the right, hardly anything
# changes between two flips of a code, and at a flip the loss jumps. On the
# left hundreds of flips lie between two points, and up and down they make a
# rough line that no smaller h makes smooth. Stairs have no second derivative:
# a number that somebody computes for one tells the h that was used.
#
# Curvature exists where no rounding follows the move: around float weights, or
# around rounded weights that are then moved. Activations must be float too,
# since 8-bit activations make stairs of their own. The prediction of the gap
# starts at the float weights of our first model, so all that follows is
# measured there, in float64.
#
# The largest eigenvalue, without the matrix
# ------------------------------------------
# H has 200,000 rows, too many to store. But a product H v is only how the
# gradient changes along v, two forward and backward passes:
#
# .. math:: H v \approx \frac{g(w + h v) - g(w - h v)}{2 h}
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
quote("v'Hv by losses / by products", by_losses / by_product, 1, 0.001)

# %%
# Multiply a random vector by H again and again, and it turns into the steepest
# eigenvector (*power iteration*), because that part of it grows fastest.
# Lanczos' method keeps all the vectors v, Hv, HHv, ... on the way and solves
# the small problem, here 12 x 12, within their span. Its extreme eigenvalues
# approach those of H, from inside. The sum of all eigenvalues, the trace, is
# the mean of v'Hv over random vectors of signs (Hutchinson).

bent = surfaces.curvature(
    model,
    images[few],
    labels[few],
    steps=4 if FAST else 12,
    probes=2 if FAST else 4,
)
largest, smallest = bent.spectrum.largest, bent.spectrum.smallest
average = bent.trace.mean / bent.size
print(f"eigenvalues from {smallest:.2f} to {largest:.2f}")
print(f"trace {bent.trace.mean:.0f} ± {bent.trace.error:.0f}")
quote("largest eigenvalue", largest, 19.1, 8, True)
quote("average eigenvalue", average, 0.0014, 0.001, True)
quote("largest over average", largest / average, 13_500, 9_000, True)

# %%
# One direction in 200,000 is bent ten thousand times as much as the average
# one. (And some are bent downwards. That does not mean that the training
# failed: these are test images, without the label smoothing and the shifts
# that training had, so nobody minimised this function.) Now the predictions,
# compared with the gap with float activations. "Slope" and "curvature" are the
# first and the second term:

found = surfaces.predictions(model, images[few], labels[few], largest)
head = "measured", "slope", "curvature", "sum", "1/2 lambda |eps|^2"
print("{:22} {:>9} {:>9} {:>9} {:>9} {:>19}".format("", *head))
for p in found:
    terms = p.gap, p.slope, p.second - p.slope, p.second
    print(
        "{:22} {:9.5f} {:9.5f} {:9.5f} {:9.5f}".format(p.name, *terms), end=""
    )
    print(f"{p.bound:20.2f}")
eight, _, three = found
quote("8 bits, second order / measured", eight.second / eight.gap, 1, 0.05)
quote("8 bits, slope / measured", eight.slope / eight.gap, 0.86, 0.8, True)
quote("ternary, measured", three.gap, 0.860, 0.55, True)
quote("ternary, second order", three.second, 0.571, 0.5, True)
quadratic = three.second - three.slope
quote("ternary, curvature", quadratic, 0.516, 0.5, True)
quote("ternary, the estimate", three.bound, 3275, 2_000, True)
length = 100 * np.sqrt(three.relative)
quote("ternary, |eps| / |w|, %", length, 38.9, 1.5, True)
typical = average * three.eps_squared / 2
quote("ternary, 1/2 average |eps|^2", typical, 0.234, 0.12, True)

eps = difference(exact, surfaces.smooth(surfaces.quantized(model, "ternary")))
weights = {
    f"{name}.weight": layer.weight.data
    for name, layer in model.quantizable()
    if layer.weight is not None
}
along_w = sum((eps[name] * w).sum() for name, w in weights.items())
squares = sum(np.square(w.astype(float)).sum() for w in weights.values())
cosine = along_w / np.sqrt(squares * three.eps_squared)
quote("cosine between eps and w", cosine, -0.39, 0.02, True)
shorter = 100 * (1 - np.sqrt(1 - three.relative))
quote("rows shorter, %", shorter, 8, 0.7, True)

# %%
# Three lessons in one table.
#
# * At 8 bits the rounding error is small, and calculus is exact. Most of that
#   tiny gap, 86 %, is the slope, which the estimate drops.
# * At three values the second order gives two thirds of the gap (one half with
#   another trained model). The rounding error is 39 % of the weights' length,
#   and a Taylor series does not reach that far: the figure below follows the
#   loss on its way.
# * The estimate says 3275 where 0.860 was measured: too large by four
#   thousand. It happens to lie above the gap, which nothing guarantees. It
#   supposes that the whole rounding error points into the one direction that
#   is curved most. The *average* curvature gives 0.234, the term is 0.516:
#   the right order. Rounding errors are not without direction: the best scale
#   leaves eps at a right angle to :math:`\hat w`, so rows become 8 % shorter,
#   and eps has a cosine of -0.39 with w. But they do not seek the steepest
#   one.

share = np.linspace(0, 1.2, 7 if FAST else 13)
measured = surfaces.line(exact, images[few], labels[few], eps, share).loss
parabola = measured[0] + three.slope * share + quadratic * share**2
with figure(7.2, 3.4) as fig:
    ax = fig.subplots()
    ax.plot(share, measured, color=DARK)
    ax.plot(share, parabola, "--", color=COLOURS[1])
    end = np.abs(share - 1).argmin()
    x, below = share[end], parabola[end] - 0.1
    ax.text(x - 0.02, measured[end], "measured", ha="right", color=DARK)
    ax.text(x + 0.02, below, "second order", color=COLOURS[1])
    for place, name in (0, "float"), (1, "ternary"):
        ax.axvline(place, color="#CCCCCC", linewidth=1, zorder=0)
        ax.text(place, 0.03, name, ha="center", color="#666666")
    ax.set_xlabel("share of the rounding error that is added")
    ax.set_ylabel("loss")
    ax.set_ylim(bottom=0)
    show(fig, "15_taylor")

# %%
# What to take home
# -----------------
# * There is a gap: 0.7 in the loss at weights trained as float, none with 8
#   bits. On this point the paper's picture is right at our scale.
# * It is not the distance between two kinds of network. Train the same latent
#   weights as ternary and its sign turns around, and no wall is seen on the
#   straight line between.
# * A plane is a choice of two directions. Ask what the layers before and after
#   do to them.
# * An estimate from the top eigenvalue is off by orders of magnitude, because
#   rounding does not seek the steepest direction.
#
# All this for a run of your own, with finer grids, more images and a report::
#
#     tervit surface runs/shapes
#
# On your own
# -----------
# * Interpolate from the float solution to what two more *float* epochs make of
#   it. Do the curves cross?
# * Make ``constant`` move the key rows, and then ``proj``, which has no
#   LayerNorm before it. Which surfaces are flat?
# * Try ``threshold="exact"`` in ``kinds`` of ``surfaces.gaps``. Does a smaller
#   weight error make a smaller gap?
# * Take the eigenvectors seriously: how large is :math:`\varepsilon` along the
#   steepest one? (Power iteration on ``hessian.product`` finds it.)
#
# In practice
# -----------
# * Neither timm nor torchao draws surfaces. Tools for quantization *after*
#   training do use curvature: HAWQ gives more bits to layers of larger
#   eigenvalues, GPTQ rounds each layer by the Hessian of its own output.
# * Those use eps' H eps layer by layer, at 8 or 4 bits, which is nearer to the
#   first line of our table than to the last.
# * BitNet does not have this gap: there is no float solution that it starts
#   from.
#
# Further reading
# ---------------
# * Li et al. 2018, *Visualizing the loss landscape of neural nets*.
# * Bai et al. 2021, *BinaryBERT*: the stacked surfaces.
# * Dong et al. 2019, *HAWQ*; Yao et al. 2020, *PyHessian*.
# * ``tervit_np/analysis/surfaces``: one file for each of the four ways.
