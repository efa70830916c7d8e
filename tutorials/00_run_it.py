r"""
Run the finished thing
======================

:You will do: train a vision transformer, round its weights to three values,
  watch it break, let it recover, and have it classify a picture of yours
  (*inference*).
:You will learn: what the other chapters take apart. Here everything is
  used and nothing is explained.
:You need: Python, and nothing to download.
:Time: 10 minutes to read, under two minutes to run on two cores.
:In the paper: the whole of it, in small. TerViT (Xu et al. 2022) claims that a
  vision transformer works with weights :math:`\hat w_{oi} = \alpha_o t_{oi}`,
  where :math:`t_{oi}` is -1, 0 or 1 and :math:`\alpha_o` is the scale of row
  o, one output channel.

With a picture of your own::

    python tutorials/00_run_it.py my_picture.jpg

Any picture will do, but the model knows ten shapes and nothing else: disk,
square, triangle, star, ring, cross, crescent, heart, arrow, pair. Draw one,
bright on a dark ground. Without a file, the script draws one itself.
"""

# %%
from lesson import FAST, figure, fresh_folder, quote, shapes, show
from lesson import stage_colour

import sys
from pathlib import Path

import numpy as np

import tervit_np as tv
from data_tools import DataError, normalise
from data_tools.pictures import decode, open_picture
from tervit_np.checkpoints.formats.safetensors import read_safetensors
from tervit_np.train import PRESETS, Stage, evaluate, run

given = None  # a picture named on the command line, read before the long part
if Path(sys.argv[0]).name == "00_run_it.py" and len(sys.argv) > 1:
    try:
        given = Path(sys.argv[1]).read_bytes()
        decode(given, sys.argv[1], 32)
    except FileNotFoundError:
        sys.exit(f"00_run_it: {sys.argv[1]}: no such file")
    except (OSError, DataError) as problem:
        sys.exit(f"00_run_it: {problem}")

# %%
# Pictures
# --------
# The data set is drawn by code: ten shapes, turned, stretched and striped, in
# front of noise. The first time this takes some seconds. Then it is cached.

print("Reading the pictures.", flush=True)
data = shapes()
print(f"{len(data.train)} pictures to learn from, {len(data.test)} to test on")

with figure(7.0, 3.0) as fig:
    axes = fig.subplots(2, 5)
    for label, ax in enumerate(axes.flat):
        i = np.flatnonzero(data.test.labels == label)[1]
        ax.imshow(data.test.images[i])
        ax.set_title(data.test.classes[label], loc="center", fontsize=10)
        ax.set_axis_off()
    show(fig, "00_pictures")

# %%
# A model
# -------
# A vision transformer (chapter 07 builds it): it sees 16 patches of 8 x 8
# pixels, in 4 blocks of attention and MLP. ``quote`` prints a number and stops
# the script if it is further from what this text says than a tolerance, its
# last argument.

model = tv.create_model("deit_shapes")
numbers = sum(param.size for _, param in model.named_params())
quote("numbers in the model", numbers, 214_090, 0)

# %%
# A first look: sixteen pictures forward to ten numbers each, one for each
# class, and the gradient of the loss back to every number in the model. The
# first time on a machine this compiles the code for it, which takes up to half
# a minute, and keeps it.

print("One forward and one backward pass.", flush=True)
few = data.train.take(np.arange(16))
logits, cache = model.forward(normalise(few.images, few.mean, few.std))
loss, dlogits = tv.losses.cross_entropy(logits, few.labels)
model.backward(dlogits, cache)
print("logits", logits.shape, "gradient of the head", model.head.weight.shape)

# %%
# Train it
# --------
# Eight epochs: every picture is seen eight times. *Predict*: there are ten
# classes. What is the accuracy before training? (The next line printed says.)

recipe = PRESETS["shapes"].recipe
stage = Stage("float", "float", epochs=2 if FAST else 8, lr=2e-3)
folder = fresh_folder("00_float")
run(model, [stage], data, folder, recipe=recipe, threads=2)

in_float = evaluate(model, data.test, threads=2)
quote("float accuracy", in_float.accuracy, 0.77, 0.07, full_only=True)

# %%
# About 77 % of pictures that it has never seen are right. (It has
# not learned all it can; ``tervit train`` gives it twenty epochs.)
#
# Round its weights
# -----------------
# One line changes how the model computes: every matrix inside the blocks is
# rounded to three values before it is used, a negative one, zero and a
# positive one, with a size of its own for each row (a *per-channel* scale).
# (It also rounds the first and the last layer to 8 bits, and what goes into
# all these layers. As the 8-bit model will show, that part costs nothing.)

before = model.blocks[0].mlp.fc1.weight.data.copy()
tv.quantize(model, "ternary")

layer = model.blocks[0].mlp.fc1
latent = layer.weight.data
ternary, _ = layer.weight_quant.forward(latent)
most = max(len(np.unique(row)) for row in ternary)
quote("different values in a row, at most", most, 3, 0)
quote("change of the stored weights", np.abs(latent - before).max(), 0, 0)
quote("share of zeros", (ternary == 0).mean(), 0.39, 0.06)

with figure(7.0, 2.9) as fig:
    axes = fig.subplots(1, 3, width_ratios=[1, 1, 1.25])
    limit = 2.2 * np.abs(latent).mean()
    for ax, matrix, name in (
        (axes[0], latent, "stored weights"),
        (axes[1], ternary, "what the layer uses"),
    ):
        ax.imshow(matrix[:16, :16], cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(name, loc="center", fontsize=10)
        ax.set_xlabel("16 x 16 of 256 x 64\nblue < 0 < red", fontsize=9)
        ax.set_xticks([])
        ax.set_yticks([])
    row = latent[0]
    bins = np.linspace(-1, 1, 25) * np.abs(row).max()
    axes[2].hist(row, bins, color=stage_colour("float"), alpha=0.55)
    for value in np.unique(ternary[0]):
        axes[2].axvline(value, color=stage_colour("ternary"), linewidth=2.5)
    to_zero = np.abs(row[ternary[0] == 0]).max()
    to_size = np.abs(row[ternary[0] != 0]).min()
    for sign in (-1, 1):  # between the weights that part
        middle = sign * (to_zero + to_size) / 2
        axes[2].axvline(middle, color="#222222", linestyle="--", linewidth=1)
    axes[2].set_title("one row, 64 weights", loc="center", fontsize=10)
    axes[2].set_yticks([])
    axes[2].set_xlabel(
        "weight\n(dashed: where it changes\nfrom one green value to another)",
        fontsize=9,
    )
    show(fig, "00_weights")

# %%
# (In the middle, red and blue are paler in some rows than in others: each row
# has its own size.) Note what did *not* change: the stored weights. They keep
# all their digits and are called *latent*. The three values are made from them
# each time the layer is used. (Where the ternary weights are is the question
# that newcomers ask most. They are not stored at all until the model is
# exported.)
#
# Watch it break
# --------------
# *Predict*: each weight keeps about 1.6 bits of its 32. What is left of the
# accuracy? For comparison, the same with 8 bits, 255 values.

tv.quantize(model, "int8")
in_8_bit = evaluate(model, data.test, threads=2)
tv.quantize(model, "ternary")
broken = evaluate(model, data.test, threads=2)
difference = in_8_bit.accuracy - in_float.accuracy
quote("8 bit against float", difference, 0, 0.015)
quote("ternary, untrained", broken.accuracy, 0.54, 0.15, full_only=True)
lost = 100 * (in_float.accuracy - broken.accuracy)
quote("points lost", lost, 24, 15, full_only=True)

# %%
# Eight bits cost nothing. Three values cost about 24 points, and yet the model
# is far from guessing, which would be 10 %.
#
# Let it recover
# --------------
# Train on, with ternary weights in the forward pass: this is *fine-tuning*,
# and because the forward pass rounds, *quantization-aware training*. The
# derivative of rounding is zero, so there should be nothing to learn from;
# chapter 08 is about the trick that makes it work all the same. Four epochs:

stage = Stage("ternary", "ternary", epochs=1 if FAST else 4, lr=1e-3)
run(model, [stage], data, fresh_folder("00_ternary"), recipe=recipe, threads=2)

recovered = evaluate(model, data.test, threads=2)
quote("ternary, trained", recovered.accuracy, 0.81, 0.06, full_only=True)
above = 100 * (recovered.accuracy - in_float.accuracy)
quote("points above float", above, 3.5, 2.5, full_only=True)

with figure(6.0, 3.6) as fig:
    ax = fig.subplots()
    heights = [
        100 * result.accuracy
        for result in (in_float, in_8_bit, broken, recovered)
    ]
    names = ["float", "8 bit", "ternary,\nuntrained", "ternary,\ntrained"]
    colours = [
        stage_colour(s) for s in ("float", "8-bit", "ternary", "ternary")
    ]
    bars = ax.bar(names, heights, color=colours, width=0.6)
    bars[2].set_alpha(0.4)
    ax.bar_label(bars, fmt="%.1f", padding=3)
    ax.axhline(10, color="#B8B8B8", linestyle=":")
    ax.set_xlim(-0.5, 4.0)
    ax.text(4, 11, "guessing", fontsize=9, color="#666666", ha="right")
    ax.set_ylim(0, 100)
    ax.set_ylabel("test accuracy (%)")
    ax.tick_params(axis="x", length=0)
    show(fig, "00_recovery")

# %%
# It is back, and a few points above the float model. *Do not conclude*
# that three values are better than float: the float model had eight epochs and
# was still learning, and this one has had four more. A fair comparison needs
# equal budgets and several seeds, and that is chapter 13.
#
# A picture of your own
# ---------------------
# If you named no file, here is a ring, drawn by seven lines of code.


def drawn():
    """A ring on dark noise, 256 x 256.  -> uint8 (256, 256, 3)."""
    line = np.linspace(-1.6, 1.6, 256)
    x, y = line[None, :], line[:, None]
    ring = np.abs(np.hypot(x, y) - 0.75) < 0.2
    ground = np.array([40, 60, 90]) + 25 * np.sin(4 * x + 3 * y)[..., None]
    picture = np.where(ring[..., None], (235, 200, 90), ground)
    picture = picture + np.random.default_rng(0).normal(0, 30, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


if given is not None:
    large = np.asarray(open_picture(given, sys.argv[1])[0])
    seen = decode(given, sys.argv[1], 32)
else:
    large = drawn()
    seen = large.reshape(32, 8, 32, 8, 3).mean(axis=(1, 3)).astype(np.uint8)

pixels = normalise(seen[None], data.test.mean, data.test.std)
answers = {}
in_floats, _ = tv.load_model(folder / "float.npz")
for name, each in (("float", in_floats), ("ternary", model)):
    logits = each.predict(pixels)[0]
    shares = np.exp(logits - logits.max())
    answers[name] = shares / shares.sum()
    best = np.argsort(-answers[name])[:3]
    words = ", ".join(
        f"{data.test.classes[i]} {100 * answers[name][i]:.0f} %" for i in best
    )
    print(f"{name:8} {words}")

with figure(7.2, 2.9) as fig:
    left, middle, right = fig.subplots(1, 3, width_ratios=[1, 1, 1.6])
    left.imshow(large)
    left.set_title("your picture", loc="center", fontsize=10)
    middle.imshow(seen)
    middle.set_title("what the model sees", loc="center", fontsize=10)
    for ax in (left, middle):
        ax.set_axis_off()
    places = np.arange(10)
    for shift, (name, shares) in zip(
        (-0.2, 0.2), answers.items(), strict=True
    ):
        colour = stage_colour(name)
        right.barh(places + shift, 100 * shares, 0.4, color=colour, label=name)
    right.set_yticks(places, data.test.classes, fontsize=9)
    right.tick_params(axis="y", length=0)
    right.invert_yaxis()
    right.set_xlim(0, 100)
    right.set_xlabel("probability (%)")
    right.legend(fontsize=9, loc="lower right")
    show(fig, "00_yours")

if given is None:
    ring = data.test.classes.index("ring")
    for name, shares in answers.items():
        percent = 100 * shares[ring]
        quote(f"ring, {name}, percent", percent, 93, 15, full_only=True)

# %%
# Both are sure, and right. Do not trust that: the model must name one of its
# ten shapes, whatever it is shown, and it may be very sure of a wrong one.
# (Give it a photo of a cat.)
#
# What it is good for
# -------------------
# Smaller files, and multiplications that become additions. On disk, five
# ternary weights fit into a byte, :math:`3^5 = 243 \leq 256`:

packed = folder / "packed.safetensors"
tv.export(model, packed)
stored, plain = packed.stat().st_size, 4 * numbers
print(f"float32 {plain:,} bytes, packed {stored:,} bytes")
quote("times smaller", plain / stored, 9.8, 0.1)
codes = [
    a for a in read_safetensors(packed)[0].values() if a.dtype == np.uint8
]
share = 100 * sum(a.nbytes for a in codes) / stored
quote("percent of it ternary weights", share, 45, 1)
same = tv.load_packed(packed).predict(pixels)[0].argmax()
assert same == answers["ternary"].argmax(), "the packed model says the same"

# %%
# Not twenty times, which is 32 bits / 1.6: only 45 % of these bytes are
# ternary weights. The others are the scales, biases, positions and norms in
# float32, the first and the last layer in 8 bits, and the file's list of
# names. The larger the model, the nearer to the limit.
#
# On your own
# -----------
# * Photograph a star drawn with chalk, or paint one. What goes wrong first,
#   the shape, the brightness or the background?
# * Change ``"ternary"`` in the second stage to ``"int4"`` or ``"int2"``.
#   (Numbers then leave the text: run with ``TERVIT_PLAY=1``.)
# * Train the ternary model from scratch, without the float stage, for twelve
#   epochs. Is the float model needed at all?
# * The same from the command line: ``tervit train``, then ``tervit predict
#   runs/shapes my_picture.jpg``.
#
# In practice
# -----------
# * TerViT rounds DeiT and Swin on ImageNet, starting from trained weights, as
#   here. All of this works for those:
#   ``tervit train --weights deit_small_patch16_224 --data imagenet:FOLDER``.
# * torchao, the quantization library of PyTorch, does the same with one call
#   (``quantize_``), mostly to 8 and 4 bits. Its quantization-aware training
#   also keeps latent weights and rounds them in each forward pass.
# * BitNet b1.58 trains language models with weights from {-a, 0, a}, from
#   scratch.
#
# Further reading
# ---------------
# * Xu et al.: TerViT: an efficient ternary vision transformer (2022).
# * Li, Liu: Ternary weight networks (2016), where threshold and scale come
#   from.
# * Chapter 01 begins to take it apart, with the layer that all of this is made
#   of.
