r"""
Your own pictures
=================

:You will do: put pictures into class folders, adapt trained weights from a
  file to them, ask each layer how much three values would hurt it, give the
  most sensitive layers more bits, train, and pack everything into one file
  that classifies a picture.
:You will learn: fine-tuning against training from scratch with 400 pictures;
  what must agree between weights and pictures; how to measure the sensitivity
  of layers and make a mixed plan from it; and when such a plan is worth its
  bytes.
:You need: chapters 10 and 12 (8 bits, three values). Chapter 17 says what is
  in the file.
:Time: 25 minutes to read, 1 minute to run.
:In the paper: the start of its training from a float model, and its choice of
  what does not become ternary: patch embedding and head (chapter 20).
"""

# %%
from tervit_lesson import FAST, OUT, SEED, claim, fresh_folder, predict, quote
from tervit_lesson import shapes, trained_model
from tervit_lesson.figures import your_own as draw

import re
from dataclasses import replace

import numpy as np
import tervit_np as tv
from PIL import Image

rng = np.random.default_rng(SEED)

# %%
# A folder of pictures
# --------------------
# Your pictures may come from a camera; ours must come from this repository,
# since the chapter runs offline. The task is a new one for the model: *in
# which direction does an arrow point?* We take the arrows of the embedded set,
# all of which point to the right, and turn them. One folder for each split,
# and in it one folder for each class:
#
# .. code-block:: text
#
#    19_arrows/train/down/0002.png
#    19_arrows/train/left/0001.png
#    ...
#
# Only 100 pictures of each class are for training: few, as one's own pictures
# usually are. The other two splits contain every arrow in all four directions.

folder = fresh_folder("19_arrows")
names = ("right", "up", "left", "down")  # after 0, 1, 2, 3 quarter turns


def write(split, images, turns):
    """Save pictures as PNG files in the folders of their classes."""
    for i, (image, turn) in enumerate(zip(images, turns, strict=True)):
        place = folder / split / names[turn]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rot90(image, turn)).save(place / f"{i:04}.png")


def arrows(images):
    return images.images[images.labels == images.classes.index("arrow")]


source = shapes()
count = 80 if FAST else 400
some = rng.permutation(arrows(source.train))[:count]
write("train", some, np.arange(count) % 4)
for split in ("val", "test"):
    each = arrows(getattr(source, split))
    write(split, np.repeat(each, 4, axis=0), np.tile(range(4), len(each)))

# %%
# ``tervit data show folder:PATH`` prints what the library reads in such a
# folder, and what it leaves out. In Python, ``load`` reads a split:

from data_tools import Augment, load

train, val, test = (
    load(f"folder:{folder}", s) for s in ("train", "val", "test")
)
print("classes:", ", ".join(train.classes), "| pictures:", len(train))
quote("pictures in train", len(train), 400, 0, full_only=True)
quote("pictures in val", len(val), 400, 0, full_only=True)
quote("pictures in test", len(test), 800, 0, full_only=True)
draw.pictures(train)

# %%
# Classes get their numbers in alphabetical order: down is 0, whatever the
# order in which we wrote them. (Numbers of classes that differ between
# training and use are a common cause of "it predicts nonsense".)
#
# Weights in an official format
# -----------------------------
# Official weights of DeiT are a ``.pth`` or a ``.safetensors`` file with the
# names of timm: ``blocks.0.attn.qkv.weight`` and so on. We write such a file
# from the model that several chapters share, so that the rest of the chapter
# is the same as with ``deit_small_patch16_224.pth``, only faster.

file = OUT / "19_pretrained.safetensors"
tv.save_safetensors(trained_model().state_dict(), file)
model, changes = tv.pretrained(file, num_classes=4, seed=SEED)
for change in changes:
    print("changed:", change)
quote("changes", len(changes), 1, 0)

# %%
# The architecture was recognised from the shapes of the tensors. The head had
# ten outputs, ours has four; so it was drawn anew, and the library says so.
#
# One more thing must agree: the *preprocessing*. A model expects pictures with
# the mean and standard deviation of its training. ``folder:`` assumes those
# of ImageNet, which is right for official weights. Ours were trained with
# others:

print(f"folder: mean {train.mean}, std {train.std}")
print(f"shapes: mean {source.test.mean}, std {source.test.std}")
own = {"mean": source.test.mean, "std": source.test.std}
train, val, test = (replace(split, **own) for split in (train, val, test))
data = tv.train.Data(train, val, test)

# %%
# Fine-tuning
# -----------
# *Fine-tuning* is training that starts from trained weights. To see what the
# start is worth, we train the same model from scratch as well, on the same
# 400 pictures for as long. Horizontal flips are switched off: a flip turns a
# left arrow into a right one and keeps the label. *Predict* both accuracies;
# by chance it would be 25 %.

recipe = tv.train.Recipe(
    batch_size=32, augment=Augment(crop_padding=2, flip=False)
)
EPOCHS = 2 if FAST else 20


def fit(model, plan, name):
    """Train with the quantizers of a plan.  -> what the stage reports."""
    stage = tv.train.Stage(name, plan, EPOCHS, lr=1e-3)
    out = fresh_folder(f"19_{name}")
    options = {"recipe": recipe, "seed": SEED, "threads": 2, "quiet": True}
    return tv.train.run(model, [stage], data, out, **options)[0]


predict("test accuracy from scratch, and from trained weights?")
fresh = tv.create_model("deit_shapes", num_classes=4, seed=SEED)
scratch = fit(fresh, "float", "scratch")
tuned = fit(model, "float", "tuned")
quote("from scratch, %", 100 * scratch.accuracy, 31.6, 0.05, True, 8)
quote("fine-tuned, %", 100 * tuned.accuracy, 77.5, 0.05, True, 6)
better = tuned.accuracy - scratch.accuracy
claim("trained weights are worth over 20 points", better > 0.2, full_only=True)

# %%
# From scratch the model is hardly better than chance after 20 epochs, because
# 400 pictures show too little of what a picture is. The trained weights
# already find edges and shapes, although no arrow that they were trained with
# ever pointed up.
#
# How far can one trust these numbers? The test split has 200 arrows, each in
# four directions. An accuracy of 77 % of 800 pictures has a standard error of
# 1.5 points, and more if the four turns of an arrow succeed or fail together.
# Differences of two points mean little here.
#
# Break it: use the mean and standard deviation of ImageNet after all.

imagenet = load(f"folder:{folder}", "test")
wrong = tv.train.evaluate(model, imagenet, threads=2)
quote("wrong preprocessing, %", 100 * wrong.accuracy, 70.75, 0.005, True, 8)
lost = tuned.accuracy - wrong.accuracy
claim("wrong preprocessing costs over one point", lost > 0.01, full_only=True)

# %%
# 7 points are lost, and no warning appears. If your accuracy is below what you
# expect, look here first.
#
# Which layers are sensitive?
# ---------------------------
# Now three values. The paper does not give them to patch embedding and head.
# Is this right for our model? Measure it: quantize *one layer at a time*,
# leave all others float, and look how much the loss on the validation split
# rises. We do this with three values, with 4 and with 8 bits. Inputs of the
# layer get 8 bits each time. *Predict* which of the 18 layers is the most
# sensitive to three values.

from tervit_np.quant import Plan, Ternary, UniformAct, UniformWeight

layers = [
    name for name, layer in model.quantizable() if layer.weight is not None
]
kinds = {
    "ternary": Ternary(),
    "4 bits": UniformWeight(4),
    "8 bits": UniformWeight(8),
}


def loss(split, plan="float"):
    tv.quantize(model, plan)
    return tv.train.evaluate(model, split, threads=2).loss


def only(names, weights):
    """Rule for some layers: (pattern, quantizer of weights, of inputs)."""
    pattern = "|".join(re.escape(name) for name in names)
    return (pattern, weights, UniformAct(8))


predict("which layer suffers most from three values?")
base = loss(val)
rise = {
    kind: {n: loss(val, Plan([only([n], w)])) - base for n in layers}
    for kind, w in kinds.items()
}
for name in layers:
    print(f"{name:18}" + "".join(f"{rise[k][name]:9.4f} {k:8}" for k in kinds))
draw.sensitivity(rise)


def mean_of(kind, first, second):
    """Mean rise of the layers of two blocks."""
    blocks = f"blocks.{first}.", f"blocks.{second}."
    return np.mean([r for n, r in rise[kind].items() if n.startswith(blocks)])


worst = {kind: max(map(abs, of.values())) for kind, of in rise.items()}
quote("largest rise, ternary", worst["ternary"], 0.053, 5e-4, True, 0.1)
quote("largest rise, 4 bits", worst["4 bits"], 0.005, 5e-4, True, 0.02)
order = sorted(layers, key=rise["ternary"].get, reverse=True)
rank = 1 + order.index("blocks.0.mlp.fc1")
quote("rank of blocks.0.mlp.fc1", rank, 1, 0, True, elsewhere=17)
claim("8 bits cost less than 0.002 in any layer", worst["8 bits"] < 0.002)
early, late = mean_of("ternary", 0, 1), mean_of("ternary", 2, 3)
claim("ternary: blocks 0 and 1 suffer more than 2 and 3", early > late, True)

# %%
# 8 bits cost nothing in any layer, 4 bits hardly anything. Three values cost
# more, on average most in the first two blocks. A likely reason is that all
# later layers work with what the first ones get wrong. (A rise below zero is
# chance: the split has 400 pictures.)
#
# Which single layer is the worst differs from one training to the next. Here
# it is fc1 of block 0. Other float models (``TERVIT_SEED=1``) have another
# one, so measure yours; there is no list to learn by heart.
#
# A mixed plan
# ------------
# A plan is a list of rules, and the first one that matches a layer's name
# decides. We give 8 bits to the four layers that suffer most and three values
# to all others. For comparison: everything ternary, and 8 bits for the four
# layers that suffer *least*. (4 bits would be enough, by the figure, and take
# half of the bytes.)

rest = only(layers, Ternary())
plans = {
    "all ternary": Plan([rest]),
    "least sensitive in 8 bits": Plan(
        [only(order[-4:], UniformWeight(8)), rest]
    ),
    "most sensitive in 8 bits": Plan(
        [only(order[:4], UniformWeight(8)), rest]
    ),
    "all in 8 bits": Plan([only(layers, UniformWeight(8))]),
}
print("most sensitive:", ", ".join(order[:4]))
predict("how much of the ternary loss do four layers in 8 bits remove?")
float_loss = loss(test)
untrained, sizes = {}, {}
for name, plan in plans.items():
    untrained[name] = loss(test, plan) - float_loss
    tv.export(model, OUT / "19_size.safetensors")
    sizes[name] = (OUT / "19_size.safetensors").stat().st_size / 1e3
    print(f"{name:26} {sizes[name]:6.1f} kB  loss {untrained[name]:+.3f}")
total = untrained["all ternary"]
removed = 1 - untrained["most sensitive in 8 bits"] / total
useless = 1 - untrained["least sensitive in 8 bits"] / total
quote("removed by the most sensitive four", removed, 0.29, 5e-3, True, 0.5)
quote("removed by the least sensitive four", useless, 0.13, 5e-3, True, 0.5)
claim("the most sensitive remove more", removed > useless, full_only=True)
alone = sum(rise["ternary"][name] for name in order[4:])
together = untrained["most sensitive in 8 bits"]
quote("the other 14 layers, rises added", alone, 0.0255, 5e-5, True, 0.2)
quote("the other 14 layers, together", together, 0.110, 5e-4, True, 0.2)
claim("together they cost more than alone", together > alone, full_only=True)

# %%
# The test split confirms the choice that was made on the validation split: 8
# bits for the four most sensitive layers remove 29 % of what three values add
# to the loss, for the four least sensitive ones 13 %.
#
# But 29 % is less than the single rises promised. The other 14 layers cost
# 0.0255 if one adds their single rises, and 0.110 when all of them are ternary
# at once: each makes it harder for the next. A sensitivity is measured around
# the float model, and says less the further the plan is from it.
#
# Then train
# ----------
# But we do train, with the quantizers in place and the straight-through
# estimator of chapter 08. *Predict* how much better the mixed plan ends.

state = {name: array.copy() for name, array in model.state_dict().items()}
predict("how many points better is the mixed plan after training?")
ended = {}
for name, plan in (
    ("float", "float"),
    ("ternary", plans["all ternary"]),
    ("mixed", plans["most sensitive in 8 bits"]),
):
    model.load_state_dict(state)
    ended[name] = fit(model, plan, name)
    start, end = ended[name].start_accuracy, ended[name].accuracy
    print(f"{name:8} {100 * start:5.1f} % before, {100 * end:5.1f} % after")
draw.recovery(ended)
for name, expected in (("float", 77.1), ("ternary", 78.1), ("mixed", 80.4)):
    accuracy = 100 * ended[name].accuracy
    quote(f"after training, {name}, %", accuracy, expected, 0.05, True, 6)
dropped = ended["float"].start_accuracy - ended["ternary"].start_accuracy
left = ended["float"].accuracy - ended["ternary"].accuracy
gain = ended["mixed"].accuracy - ended["ternary"].accuracy
quote("before training, ternary costs, points", 100 * dropped, 9, 0.5, True, 6)
claim("training removes over half of the drop", left < dropped / 2, True)
claim("mixed and ternary end within 3 points", abs(gain) < 0.03, True)

# %%
# Before training three values everywhere cost 9 points, afterwards nothing
# that can be seen: the ternary model ends 1 point above the float model that
# was trained as long. The mixed plan ends 2.3 points above the ternary one.
# With a standard error of 1.5 points for each of them, one run does not show
# that its bytes bought anything.
#
# So the advice is: if you cannot train, measure the sensitivity and spend
# bytes where it is highest. If you can, train the smallest plan first, and add
# bits only if the result is not good enough. (This was one small model. On
# ImageNet, another paper reports, a ternary patch embedding and head cost
# TerViT 22.4 points even after training; chapter 20.)
#
# One file
# --------
# The last model has the mixed plan. ``extra`` is stored with it: with the
# names of the classes and the preprocessing, the file is all that one needs to
# classify a picture.

packed = OUT / "19_arrows.safetensors"
extra = {
    "data": f"folder:{folder.name}",
    "classes": list(train.classes),
    "mean": list(train.mean),
    "std": list(train.std),
}
tv.export(model, packed, precision="float16", extra=extra)
kilobytes = packed.stat().st_size / 1e3
quote("kB of the file", kilobytes, 102.4, 0.05, True, 30)

from data_tools import normalise

loaded, stored = tv.load_packed(packed)
some = sorted((folder / "test" / "up").iterdir())[:3]
images = np.stack([np.asarray(Image.open(path)) for path in some])
images = normalise(images, tuple(stored["mean"]), tuple(stored["std"]))
for path, best in zip(some, loaded.predict(images).argmax(1), strict=True):
    print(f"an arrow up, {path.name}: {stored['classes'][best]}")

subset = test.take(np.arange(0, len(test), 4))
answers = loaded.predict(normalise(subset.images, test.mean, test.std))
unpacked = tv.train.evaluate(model, subset).logits
same = (answers.argmax(axis=1) == unpacked.argmax(axis=1)).mean()
claim("the file answers as the model, but for at most 2 %", same >= 0.98)

# %%
# (One answer in five is wrong, so one of these may be.) On the command line,
# ``tervit predict`` does the same:

from tervit_np.cli import main

main(["predict", str(packed), str(some[0])])

# %%
# The same model as an ONNX graph, for onnxruntime and other programs, if the
# packages for it are installed (``pip install '.[export]'``):

from importlib.util import find_spec

if find_spec("onnx"):
    from tervit_np.deploy.onnx_file import export_onnx

    export_onnx(model, OUT / "19_arrows.onnx", extra=extra)
    size = (OUT / "19_arrows.onnx").stat().st_size / 1e3
    print(f"19_arrows.onnx: {size:.1f} kB")
else:
    print("onnx is not installed: no graph is written")

# %%
# With a real DeiT-Small
# ----------------------
# The steps are the same. On the command line:
#
# .. code-block:: sh
#
#    tervit data get-weights deit_small_patch16_224    # or --from FILE
#    tervit data show imagenet:~/photos                # what is read
#    tervit train --data imagenet:~/photos --weights deit_small_patch16_224 \
#        --stages float:5@1e-4,ternary:10@1e-4 --recompute --out runs/photos
#    tervit export runs/photos --out photos.safetensors --precision float16
#    tervit predict photos.safetensors photo.jpg
#
# ``imagenet:`` crops pictures of any size to 224 pixels and decodes them when
# they are needed. In Python, ``tv.pretrained(FILE, num_classes=N)`` gives the
# model, and the sensitivity needs no change; with 50 layers and 224 pixels
# take 200 pictures and half an hour. On two cores an epoch of training takes
# a DeiT-Small a quarter of a minute for each hundred pictures: fast enough for
# some thousands of pictures, and too slow for ImageNet.
#
# On your own
# -----------
# * Point ``folder`` at pictures of yours, 20 of each class or more. What
#   accuracy do 10 of a class give?
# * Train only the head and the last norm: give the stage
#   ``freeze="patch_embed|pos_embed|blocks"``. What accuracy remains?
# * Leave ``flip=False`` away. Which classes are confused then?
# * Make a plan with 2 bits (``UniformWeight(2)``) in place of three values.
#   Both have three levels, -1, 0 and 1. Why is the result so different?
# * ``tervit exercise start adamw``: the steps that adapted the model.
#
# In practice
# -----------
# * timm: ``create_model(name, pretrained=True, num_classes=N)`` and
#   ``resolve_data_config`` for the preprocessing that belongs to the weights.
# * torchao gives each layer a configuration by its name (``quantize_`` with a
#   filter), as a plan does here.
# * Sensitivity by single layers is a standard step of deployment tools, such
#   as TensorRT, AIMET and Intel's Neural Compressor. HAWQ (2019) estimates it
#   from the curvature of the loss (chapter 15) instead of trying each layer.
#   Here ``tervit sensitivity RUN --share 0.25`` does it for the model of a
#   run, and writes a mixed plan that ``tervit train --stages plan.toml:8``
#   takes (`docs/sensitivity.md <../docs/sensitivity.md>`_).
# * On Hugging Face, class names and preprocessing are files beside the
#   weights, and forgetting them has the effect of our break.
#
# Further reading
# ---------------
# * `docs/data.md <../docs/data.md>`_ for folders, and
#   `docs/weights.md <../docs/weights.md>`_ for files of weights.
# * Kornblith, Shlens, Le: Do better ImageNet models transfer better? (2019).
# * Dong and others: HAWQ: Hessian aware quantization of neural networks with
#   mixed precision (2019).
