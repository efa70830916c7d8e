r"""
Training a vision transformer
=============================

:You will do: put the whole model together, forward and backward, know its
  first loss before it is printed, write the optimizer AdamW, pass three tests
  that cost seconds, and then train from scratch.
:You will learn: what the first loss tells and what it does not; why AdamW
  needs its corrections; a common mistake in training loops; how to read
  a training curve, and how a smoothed curve misleads.
:You need: chapters 02 (cross-entropy), 04 (tokens), 06 (the block).
:Time: 30 minutes to read, about a minute to run.
:In the paper: the model before quantization, trained in float. Ours is small
  enough to train here: 4 blocks instead of the 12 of a DeiT, pictures of 32
  pixels instead of 224.
"""

# %%
from tervit_lesson import FAST, SEED, claim, predict, quote, shapes

import numpy as np

import tervit_np as tv
from data_tools import normalise
from tervit_lesson.figures import training as draw
from tervit_np import ops
from tervit_np.train import evaluate

rng = np.random.default_rng(SEED)
data = shapes()
train, val, test = data.train, data.val, data.test


def pixels(images):
    """Bytes (B, 32, 32, 3) to numbers around 0, channels first."""
    return normalise(images, train.mean, train.std)


# %%
# The whole model
# ---------------
# Patches, a linear layer, positions; four blocks; a last LayerNorm; the mean
# of all tokens; a linear layer to one number for each class, the *logits*. The
# library's ``net`` owns the weights (``Param`` objects with ``data`` and
# ``grad``); chapter 06 wrote blocks such as its four.


def forward(net, x):  # (B, 3, S, S) -> logits (B, 10)
    embed = net.patch_embed.proj
    rows = ops.patchify(x, net.config.patch_size)  # (B, T, 3 P P)
    flat = embed.weight.data.reshape(net.config.dim, -1)  # (D, 3 P P)
    z, c_embed = ops.linear(rows, flat, embed.bias.data)
    z = z + net.pos_embed.data
    c_blocks = []
    for block in net.blocks:
        z, c = block.forward(z)
        c_blocks.append(c)
    z, c_norm = ops.layernorm(z, net.norm.weight.data, net.norm.bias.data)
    pooled, tokens = z.mean(axis=1), z.shape[1]
    head = net.head.weight.data, net.head.bias.data
    logits, c_head = ops.linear(pooled, *head)
    return logits, (c_embed, c_blocks, c_norm, tokens, c_head)


def add(layer, dweight, dbias):
    """Add gradients to what is there (chapter 01 said why)."""
    layer.weight.grad += dweight.reshape(layer.weight.shape)
    layer.bias.grad += dbias


def backward(net, dlogits, cache):
    """The same lines from the last to the first."""
    c_embed, c_blocks, c_norm, tokens, c_head = cache
    dpooled, *grads = ops.linear_backward(dlogits, c_head)
    add(net.head, *grads)
    dz = np.repeat(dpooled[:, None] / tokens, tokens, axis=1)  # undo the mean
    dz, *grads = ops.layernorm_backward(dz, c_norm)
    add(net.norm, *grads)
    for block, c in zip(net.blocks[::-1], c_blocks[::-1], strict=True):
        dz = block.backward(dz, c)  # adds into the block's own gradients
    net.pos_embed.grad += dz.sum(axis=0)
    _, *grads = ops.linear_backward(dz, c_embed)
    add(net.patch_embed.proj, *grads)


few, labels = pixels(train.images[:64]), train.labels[:64]
net = tv.create_model("deit_shapes", seed=SEED, dtype="float64")
logits, cache = forward(net, few.astype(np.float64))
loss, dlogits = tv.losses.cross_entropy(logits, labels)
backward(net, dlogits, cache)
ours = {name: param.grad.copy() for name, param in net.named_params()}

net.zero_grad()
library_logits, library_cache = net.forward(few.astype(np.float64))
net.backward(dlogits, library_cache)
quote("library's logits", np.abs(logits - library_logits).max(), 0, 1e-12)
worst = max(np.abs(ours[n] - p.grad).max() for n, p in net.named_params())
quote("library's gradients", worst, 0, 1e-12)

# %%
# From here on we use ``net.forward`` and ``net.backward``, which do this.
#
# TerViT rounds the matrices inside the blocks to three values. How much of the
# model are they?

params = dict(net.named_params())
in_blocks = [p for name, p in params.items() if name.startswith("blocks")]
matrices = sum(p.size for p in in_blocks if p.data.ndim == 2)
parameters = sum(p.size for p in params.values())
quote("parameters", parameters, 214_090, 0)
percent = 100 * matrices / parameters
quote("percent in matrices of blocks", percent, 91.8, 0.05)

# %%
# Test 1: the first loss
# ----------------------
# Long training should not start before some short tests have passed. The first
# needs one forward pass of a fresh model.

net = tv.create_model("deit_shapes", seed=SEED)
many, answers = pixels(train.images[:512]), train.labels[:512]
predict("the first loss, ten classes?")
first, _ = tv.losses.cross_entropy(net.predict(many), answers)
quote("first loss", first, 2.308, 0.0005, elsewhere=0.002)
quote("ln 10", np.log(10), 2.303, 0.0005)
claim("the first loss is ln 10", abs(first - np.log(10)) < 0.02)

# %%
# The head starts with small weights, so all logits are near 0, all ten
# probabilities near 1/10, and the loss near -ln(1/10) = 2.303. If another
# number appears, something is wrong: a sum in place of the mean over the
# batch, a wrong number of classes, or a head that starts too large.
#
# Does the test also see wrong labels, or pixels that nobody normalised?

rolled, _ = tv.losses.cross_entropy(net.predict(many), np.roll(answers, 1))
raw = train.images[:512].transpose(0, 3, 1, 2).astype(np.float32)
bytewise, _ = tv.losses.cross_entropy(net.predict(raw), answers)
bound = np.sqrt(6 / (10 + 64))  # Xavier's, right for the layers inside
net.head.weight.data[...] = rng.uniform(-bound, bound, (10, 64))
large, _ = tv.losses.cross_entropy(net.predict(many), answers)
print(f"other labels {rolled:.3f}, bytes {bytewise:.3f}, head {large:.2f}")
off = max(abs(rolled - np.log(10)), abs(bytewise - np.log(10)))
claim("wrong labels and raw pixels pass the test", off < 0.02)
claim("a large head does not", large > 2.5)

# %%
# No. With logits near 0 any label costs ln 10. To find wrong labels, look at
# some pictures, and later at the accuracy on pictures that were not trained
# on.
#
# The optimizer
# -------------
# The plain step downhill (*gradient descent*) takes lr * g away from a weight,
# with its gradient g and a learning rate lr. But gradients of different arrays
# differ in size, and a rate that suits the largest is too small for others:

net = tv.create_model("deit_shapes", seed=SEED)
logits, cache = net.forward(few)
loss, dlogits = tv.losses.cross_entropy(logits, labels)
net.backward(dlogits, cache)
sizes = {n: np.sqrt((p.grad**2).mean()) for n, p in net.named_params()}
smallest, largest = min(sizes, key=sizes.get), max(sizes, key=sizes.get)
ratio = sizes[largest] / sizes[smallest]
print(f"largest gradients: {largest}, smallest: {smallest}, {ratio:.0f} times")
claim("sizes differ more than a hundredfold", ratio > 100)

# %%
# *AdamW* (Kingma and Ba 2015; Loshchilov and Hutter 2019) keeps two running
# means for each weight: m of its gradient and v of the square. It divides m by
# the root of v, so that all weights move by about the learning rate in a step.


class AdamW:
    """For each array w: a step against m / sqrt(v), and some decay."""

    def __init__(self, params, lr, betas=(0.9, 0.999), decay=0.05, eps=1e-8):
        self.params = dict(params)
        self.lr, self.betas, self.decay, self.eps = lr, betas, decay, eps
        self.m = {n: np.zeros_like(p.data) for n, p in self.params.items()}
        self.v = {n: np.zeros_like(p.data) for n, p in self.params.items()}
        self.rest = [1.0, 1.0]  # what the running means still lack

    def step(self):
        b1, b2 = self.betas
        self.rest = [self.rest[0] * b1, self.rest[1] * b2]
        for name, p in self.params.items():
            m, v, g = self.m[name], self.v[name], p.grad
            m[...] = b1 * m + (1 - b1) * g
            v[...] = b2 * v + (1 - b2) * g * g
            m_hat = m / (1 - self.rest[0])
            v_hat = v / (1 - self.rest[1])
            if p.data.ndim > 1 and name != "pos_embed":
                p.data *= 1 - self.lr * self.decay
            p.data -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


# %%
# *The hats.* Both means start at 0, so at first they are too small: after one
# step m is 0.1 g and v is 0.001 g^2. The hats divide by what the weights of
# the mean sum to so far.

g = rng.normal(size=1000)
m, v = 0.1 * g, 0.001 * g * g
predict("without hats, the first step is how many times the right one?")
too_large = np.abs(m / np.sqrt(v)).mean()
quote("first step without hats", too_large, np.sqrt(10), 1e-9)
with_hats = np.abs((m / 0.1) / np.sqrt(v / 0.001)).mean()
quote("first step with hats", with_hats, 1, 1e-9)

# %%
# 3.16 times too large, at the moment when the means are worth least.
#
# *The decay* shrinks the matrices a little in each step, apart from the
# gradient (the W in AdamW). As a part of the gradient, lr * decay * w would be
# divided by the root of v, and weights with large gradients would hardly
# decay. (Biases, norms and positions do not decay.)
#
# Ours and the library's, ten steps in float64 with a gradient that changes:

how = {"seed": SEED, "dtype": "float64"}
mine, theirs = (
    dict(tv.create_model("deit_shapes", **how).named_params()) for _ in "ab"
)
optimizers = AdamW(mine, lr=2e-3), tv.AdamW(theirs.items(), lr=2e-3)
for _ in range(10):
    for name, p in mine.items():
        p.grad[...] = theirs[name].grad[...] = rng.normal(size=p.shape)
    for optimizer in optimizers:
        optimizer.step()
worst = max(np.abs(p.data - theirs[n].data).max() for n, p in mine.items())
quote("library's AdamW after ten steps", worst, 0, 1e-13)

# %%
# Test 2: every array learns
# --------------------------
# One step of training, and then: did every array get a gradient, and did it
# move? An array that was left out gives no error and no warning. (Ask both:
# decay moves a matrix even where its gradient is 0.)

before = {name: param.data.copy() for name, param in net.named_params()}
AdamW(net.named_params(), lr=2e-3).step()  # the gradient is from above
silent = [n for n, p in net.named_params() if not p.grad.any()]
still = [n for n, p in net.named_params() if (p.data == before[n]).all()]
quote("arrays in the model", len(before), 55, 0)
quote("arrays without a gradient", len(silent), 0, 0)
quote("arrays that did not move", len(still), 0, 0)

# %%
# Test 3: overfit 16 pictures
# ---------------------------
# Can the model learn 16 pictures to loss 0? If it cannot, then gradients,
# optimizer or model are broken. Together with it, a common mistake: backward
# passes *add* into ``grad``, and somebody has to set it to zero before each
# step.


def overfit(zero_grad, steps=150):
    net = tv.create_model("deit_shapes", seed=SEED)
    optimizer = AdamW(net.named_params(), lr=2e-3)
    losses = []
    for _ in range(steps):
        if zero_grad:
            net.zero_grad()
        logits, cache = net.forward(few[:16])
        loss, dlogits = tv.losses.cross_entropy(logits, labels[:16])
        net.backward(dlogits, cache)
        optimizer.step()
        losses.append(loss)
    return np.array(losses)


predict("without zero_grad: does the loss fall at all?")
right, wrong = overfit(zero_grad=True), overfit(zero_grad=False)
draw.overfitting(right, wrong)
quote("loss after 150 steps", right[-1], 0.007, 0.0005, elsewhere=0.005)
lowest, highest = wrong[:50].min(), wrong[50:].max()
quote("never set to 0, lowest of 50", lowest, 1.02, 0.005, elsewhere=0.5)
quote("never set to 0, highest later", highest, 3.13, 0.005, elsewhere=3)
claim("16 pictures are learned by heart", right[-1] < 0.05)
claim("without zero_grad the loss falls at first", lowest < 1.5)
claim("and rises above ln 10 again", highest > np.log(10))

# %%
# The wrong loss falls as well, to 1.02, because at first the old gradients
# still point in useful directions. Later the sum of all gradients since the
# start hides the newest one, and the loss rises to 3.13, more than by
# guessing. Tests of a few steps do not find this mistake.
#
# Train it
# --------
# Now all pictures: each epoch in another order, in batches of 64.
#
# * *Warm-up*: the learning rate rises over the first twentieth of the steps,
#   while AdamW's means are still of few gradients.
# * *Cosine*: then it falls along half a cosine to almost nothing, so that the
#   noise of single batches averages out at the end.
# * *Clipping*: if all gradients, taken as one vector, are longer than 1, they
#   are scaled to length 1.
# * ``betas=(0.9, 0.98)``: v is a mean over some 50 steps and not 1000, since
#   there are few steps in all.
#
# (Such numbers, chosen and not learned, are *hyperparameters*.) Neither
# validation nor test pictures are trained on. Validation pictures may steer
# decisions. Test pictures are touched once, at the end.

EPOCHS, BATCH, PEAK = (1 if FAST else 5), 64, 2e-3
per_epoch = len(train) // BATCH
steps = EPOCHS * per_epoch


def rate(step):
    """Learning rate: a rise over 5 % of the steps, then half a cosine."""
    warm = steps // 20
    if step < warm:
        return PEAK * (step + 1) / warm
    progress = (step - warm) / (steps - warm)
    return PEAK * (0.01 + 0.99 * (1 + np.cos(np.pi * progress)) / 2)


net = tv.create_model("deit_shapes", seed=SEED)
optimizer = tv.AdamW(net.named_params(), lr=PEAK, betas=(0.9, 0.98))
losses, norms, checks = [], [], []
for step in range(steps):
    if step % per_epoch == 0:
        order = rng.permutation(len(train))
    batch = order[BATCH * (step % per_epoch) :][:BATCH]
    net.zero_grad()
    logits, cache = net.forward(pixels(train.images[batch]))
    loss, dlogits = tv.losses.cross_entropy(logits, train.labels[batch])
    net.backward(dlogits, cache, input_grad=False)  # pixels do not learn
    norms.append(tv.clip_grad_norm(net.named_params(), 1.0))
    optimizer.lr = rate(step)
    optimizer.step()
    losses.append(loss)
    if (step + 1) % (per_epoch // 2) == 0:
        now = evaluate(net, val)
        checks.append((step + 1, now.loss, now.accuracy))
        print(f"step {step + 1}: validation loss {now.loss:.2f}", flush=True)
end = evaluate(net, test)

# %%
# Read the curves
# ---------------
# The loss of single batches is noisy, so one draws a mean over 50 steps. There
# are two ways: of the 50 steps *before* each point, as most programs print it,
# or of 25 steps on either side. Look at the first check, after half an epoch.

losses = np.array(losses)
at = np.array([step for step, _, _ in checks])
val_loss, val_accuracy = np.array([c[1:] for c in checks]).T
rates = [rate(i) for i in range(steps)]
draw.curves(losses, per_epoch, rates, at, val_loss, 100 * val_accuracy)
quote("loss of the first step", losses[0], 2.32, 0.005, True, 0.05)
trailing = losses[max(at[0] - 50, 0) : at[0]].mean() - val_loss[0]
centred = losses[at[0] - 25 : at[0] + 25].mean() - val_loss[0]
quote("50 steps before, above val.", trailing, 0.12, 0.005, True, 0.08)
quote("25 on either side, above val.", centred, 0.03, 0.005, True, 0.08)
claim("the mean of the past lies too high", trailing > 0.05, True)
claim("centring takes 40 % of it away", centred < 0.6 * trailing, True)
gap = val_loss[-1] - losses[-100:].mean()
quote("validation above training, end", gap, 0.12, 0.005, True, 0.08)
claim("validation ends above training", gap > 0.05, full_only=True)
gain = 100 * (val_accuracy[-1] - val_accuracy[-2])
quote("points in the last half epoch", gain, 1.2, 0.05, True, 1.5)
clipped = 100 * (np.array(norms) > 1).mean()
quote("percent of steps clipped", clipped, 96, 0.5, True, 5)
quote("test, percent right", 100 * end.accuracy, 59, 0.5, True, 6)
quote("test loss", end.loss, 1.08, 0.005, True, 0.15)

# %%
# * The curve starts at 2.32, near ln 10, as it must.
# * After half an epoch the mean of the past 50 steps lies 0.12 *above* the
#   validation loss. Are pictures that the model has never seen easier? No: the
#   mean lags while the loss falls. With 25 steps on either side only 0.03 is
#   left. A mean of the past makes training look worse than it is.
# * At the end validation lies 0.12 above training. This is the beginning of
#   *overfitting*: the model knows the training pictures better than others.
#   *Augmentation*, pictures moved and mirrored at random, is the usual remedy.
# * The accuracy rises by only 1.2 points in the last half epoch. Is this the
#   limit of the model? No: the learning rate is almost 0 there, and chapter 00
#   trained the same model for eight epochs to 77 %.
# * The gradients were longer than 1 in 96 % of the steps: clipping gives
#   nearly all batches the same weight in m and v.
#
# 59 % of the test pictures are right. ``tervit train`` gives the model twenty
# epochs with some augmentation.
#
# What it confuses
# ----------------
# A *confusion matrix* counts what was taken for what: a row for each class, a
# column for each answer, in percent of the row.

said = end.logits.argmax(axis=1)
confusion = np.zeros((10, 10))
np.add.at(confusion, (test.labels, said), 1)
confusion *= 100 / confusion.sum(axis=1, keepdims=True)
draw.confusion(confusion, test.classes)

predict("which two shapes are taken for each other most?")
off = confusion - np.diag(confusion.diagonal())
was, taken_for = np.unravel_index(off.argmax(), off.shape)
names = test.classes
print(f"{off.max():.0f} % of {names[was]} are taken for {names[taken_for]}")
pair = {names[was], names[taken_for]}
best = {names[i] for i in confusion.diagonal().argsort()[-3:]}
star = names[off[names.index("star")].argmax()]
claim("disk and square most", pair == {"disk", "square"}, True)
claim("ring, crescent, pair best", best == {"ring", "crescent", "pair"}, True)
claim("a star for a cross or triangle", star in ("cross", "triangle"), True)

# %%
# On the diagonal are right answers. Disk and square are taken for each other
# most, compact filled shapes of much the same size. A star is taken for a
# cross or a triangle, which have corners, too. Ring, crescent and pair are
# known best; each has a hole, a hollow or a gap. (This holds with seeds 0, 1
# and 2. Most cells change by several points from seed to seed.)
#
# On your own
# -----------
# * Write the optimizer's step from memory: ``tervit exercise start adamw``.
# * Shuffle the labels of the 16 pictures. Are they still learned by heart?
#   What does that say about a low training loss?
# * Train without positions: set ``net.pos_embed.data`` to 0 after each step.
#   Chapter 04 took them away from a trained model and lost three points. Does
#   a model that never had them lose more, or less?
# * Take the warm-up away (``warm = 0``), with ``PEAK`` at 2e-3 and at 1e-2.
#   (Shorten the training to two epochs.) When is it needed?
# * Put plain gradient descent in place of AdamW in test 3, ``w -= lr * g``. Is
#   there a rate with which it passes? Does that show that AdamW is not needed?
#
# In practice
# -----------
# * Frameworks do the backward pass for you (*automatic differentiation*).
#   Where a custom operator is needed, such as a quantizer, it is written by
#   hand.
# * timm's ``vit_tiny_patch16_224`` is this model with D = 192, 12 blocks, 3
#   heads and a class token. ``tv.create_model`` builds it under DeiT's name,
#   and ``tv.pretrained`` reads its weights.
# * DeiT's recipe is 300 epochs of ImageNet with strong augmentation. The three
#   tests cost the same there and save more.
#
# Further reading
# ---------------
# * `train/adamw.py <../tervit_np/train/adamw.py>`_ and
#   `train/stage_loop.py <../tervit_np/train/stage_loop.py>`_.
# * Kingma, Ba: Adam: a method for stochastic optimization (2015).
# * Loshchilov, Hutter: Decoupled weight decay regularization (2019).
# * Touvron et al.: Training data-efficient image transformers (2021).
# * Andrej Karpathy: A recipe for training neural networks (2019).
