r"""
The transformer block
=====================

:You will do: write the MLP and its nonlinearity, put it together with
  attention into a block, forward and backward, check all thirteen gradients,
  and stack 24 blocks with and without residual connections and norms.
:You will learn: the derivative of the GELU; how large fresh weights should be;
  how a gradient passes a sum; what the residual connection and the LayerNorm
  in front of each branch are for, measured.
:You need: chapters 01, 03 and 05.
:Time: 25 minutes to read, a few seconds to run.
:In the paper: the block of DeiT, :math:`x + \mathrm{attention}(\mathrm{norm}
  (x))` and then :math:`x + \mathrm{MLP}(\mathrm{norm}(x))`. TerViT makes the
  four matrices of each block ternary. Here sums, norms and GELU stay in float,
  which is our choice (chapter 20).
"""

# %%
from tervit_lesson import SEED, claim, predict, quote

import numpy as np

from tervit_lesson.figures import block as draw
from tervit_np import ops
from tervit_np.verify.gradcheck import numerical_gradient as differences

rng = np.random.default_rng(SEED)

# %%
# Why a nonlinearity
# ------------------
# The other half of a block works on each token by itself: a linear layer to
# more numbers, a nonlinear function of each of them (the *activation
# function*), and a linear layer back. (Such a pair of layers is a *multi-layer
# perceptron*, an MLP.) Without the function two layers are not more than one:

tokens = rng.normal(size=(5, 4))
W1, W2 = rng.normal(size=(16, 4)), rng.normal(size=(4, 16))
one_layer = tokens @ (W2 @ W1).T
two_layers = (tokens @ W1.T) @ W2.T
quote("two layers against one", np.abs(two_layers - one_layer).max(), 0, 1e-12)

# %%
# GELU and its derivative
# -----------------------
# The best-known activation function is the ReLU, ``max(x, 0)``. Transformers
# use a smooth relative of it, the GELU (Hendrycks, Gimpel 2016):
#
# .. math:: y = x\, \Phi(x)
#
# :math:`\Phi(x)` is the probability that a normally distributed number is
# below :math:`x`; so :math:`y` goes from 0 on the left to :math:`x`. The
# derivative of :math:`\Phi` is the bell curve
# :math:`\varphi(x) = e^{-x^2/2} / \sqrt{2\pi}`, and the product rule gives
#
# .. math:: \frac{dy}{dx} = \Phi(x) + x\, \varphi(x)
#
# (NumPy has no :math:`\Phi`; the library makes it from ``erf``.)


def Phi(x):
    return 0.5 * (1 + ops.erf(x / np.sqrt(2)))


def phi(x):  # its derivative
    return np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)


def gelu(x):
    return x * Phi(x)


def gelu_backward(dy, x):
    return dy * (Phi(x) + x * phi(x))


def error(analytic, numeric):
    """Largest deviation, relative to the largest entry."""
    return np.abs(analytic - numeric).max() / np.abs(numeric).max()


x = np.linspace(-4, 4, 1601)
dy = rng.normal(size=x.shape)
true_dx = differences(gelu, x, dy)
quote("error of dx", error(gelu_backward(dy, x), true_dx), 0, 1e-8)
predict("the GELU is not monotonic: at which x is its lowest point?")
quote("lowest point of the GELU", x[gelu(x).argmin()], -0.75, 0.005)
quote("its value there", gelu(x).min(), -0.17, 0.0005)
draw.gelu(x, gelu(x), gelu_backward(np.ones_like(x), x))

# %%
# To the left of -0.75 a larger input gives a smaller output.
#
# Three mistakes people make in this derivative. The last is the derivative of
# a popular approximation with tanh, which DeiT and Swin do not use.

wrong = {
    "second term forgotten": dy * Phi(x),
    "no 1/sqrt(2 pi)": dy * (Phi(x) + x * np.exp(-0.5 * x * x)),
    "of the tanh form": ops.gelu_backward(dy, x, "tanh"),
}
errors = {name: error(dx, true_dx) for name, dx in wrong.items()}
print("off by", {name: f"{e:.2g}" for name, e in errors.items()})
claim("each is off by more than 1e-4", min(errors.values()) > 1e-4)
claim("the tanh form by less than 1e-3", errors["of the tanh form"] < 1e-3)

# %%
# The third is right to three digits, so a loose check would pass it.
#
# How large a fresh weight should be
# ----------------------------------
# In a stack of layers outputs must not grow or shrink from layer to layer. An
# output is a sum over ``in`` products of a weight and an input. If all are
# independent with mean 0, variances multiply and add: var(y) = in var(w)
# var(x). To keep the variance, var(w) should be 1/in. The backward pass dx =
# dy W sums over ``out`` numbers, so there it should be 1/out. Xavier Glorot
# and Bengio (2010) take the middle, var(w) = 2 / (in + out). Numbers drawn
# evenly between -a and a have the variance a^2/3, and that gives *Xavier's
# bound*, a = sqrt(6 / (in + out)).


def xavier(rng, rows, columns):  # out, in
    bound = np.sqrt(6 / (rows + columns))
    return rng.uniform(-bound, bound, (rows, columns))


many = rng.normal(size=(2000, 64))
sampled = "the text has the expected variance, this is one sample"
for rows, up, down in ((64, 1.0, 1.0), (256, 0.4, 1.6)):
    W = xavier(rng, rows, 64)
    variance = (many @ W.T).var()
    quote(f"64 -> {rows}, variance of y", variance, up, 0.1, wide=sampled)
    variance = (rng.normal(size=(2000, rows)) @ W).var()
    quote(f"64 -> {rows}, variance of dx", variance, down, 0.15, wide=sampled)

# %%
# A square layer keeps both. From 64 to 256 numbers the forward pass loses and
# the backward pass gains; back from 256 to 64 it is the opposite.
#
# The two branches
# ----------------
# A block has an attention branch and an MLP branch, and each begins with a
# LayerNorm. The names are those of official checkpoints: ``qkv`` makes
# queries, keys and values, ``proj`` follows the attention, ``fc1`` and ``fc2``
# are the layers of the MLP, four times as wide inside as outside (so they have
# 8 D^2 of the 12 D^2 numbers in the matrices of a block). The backward passes
# are the same lines from the last to the first. Each operator gives back the
# gradient of its input, which goes to the line above, and those of its own
# weight and bias, which are collected by name.

D, HEADS = 64, 2
SHAPES = {
    "norm1": (D,),
    "attn.qkv": (3 * D, D),
    "attn.proj": (D, D),
    "norm2": (D,),
    "mlp.fc1": (4 * D, D),
    "mlp.fc2": (D, 4 * D),
}


def fresh(rng):
    """The arrays of one block as training starts: norms do nothing yet."""
    w = {}
    for name, shape in SHAPES.items():
        matrix = len(shape) == 2
        w[f"{name}.weight"] = xavier(rng, *shape) if matrix else np.ones(D)
        w[f"{name}.bias"] = np.zeros(shape[0])
    return w


def of(w, name):  # weight and bias of a layer
    return w[f"{name}.weight"], w[f"{name}.bias"]


def attention_branch(x, w):  # (B, T, D) -> (B, T, D)
    a, c1 = ops.layernorm(x, *of(w, "norm1"))
    a, c2 = ops.linear(a, *of(w, "attn.qkv"))
    a, c3 = ops.attention(a, HEADS)
    a, c4 = ops.linear(a, *of(w, "attn.proj"))
    return a, (c1, c2, c3, c4)


def mlp_branch(x, w):  # (B, T, D) -> (B, T, D)
    m, c1 = ops.layernorm(x, *of(w, "norm2"))
    h, c2 = ops.linear(m, *of(w, "mlp.fc1"))
    m, c3 = ops.linear(gelu(h), *of(w, "mlp.fc2"))
    return m, (c1, c2, h, c3)


def collect(**pairs):
    """(dweight, dbias) of each layer -> gradients by full name."""
    gradients = {}
    for name, (dweight, dbias) in pairs.items():
        gradients[f"{name}.weight"], gradients[f"{name}.bias"] = dweight, dbias
    return gradients


def attention_branch_backward(da, cache):  # (B, T, D) -> dx, gradients
    c1, c2, c3, c4 = cache
    da, *proj = ops.linear_backward(da, c4)
    da = ops.attention_backward(da, c3)
    da, *qkv = ops.linear_backward(da, c2)
    da, *norm1 = ops.layernorm_backward(da, c1)
    layers = {"norm1": norm1, "attn.qkv": qkv, "attn.proj": proj}
    return da, collect(**layers)


def mlp_branch_backward(dm, cache):  # (B, T, D) -> dx, gradients
    c1, c2, h, c3 = cache
    dm, *fc2 = ops.linear_backward(dm, c3)
    dm, *fc1 = ops.linear_backward(gelu_backward(dm, h), c2)
    dm, *norm2 = ops.layernorm_backward(dm, c1)
    return dm, collect(**{"norm2": norm2, "mlp.fc1": fc1, "mlp.fc2": fc2})


w = fresh(rng)
sizes = {name: a.size for name, a in w.items() if a.ndim == 2}
share = sizes["mlp.fc1.weight"] + sizes["mlp.fc2.weight"]
share /= sum(sizes.values())
quote("share of the MLP in the matrices", share, 2 / 3, 1e-12)

# %%
# The block
# ---------
# What a branch computes is *added* to what came in (Dosovitskiy et al. 2021,
# eq. 2 and 3). The way around the branch is a *residual connection*, because
# the branch only has to learn the rest, the residual. The tokens on their way
# from block to block are the *residual stream*.
#
# One rule is new in the backward pass. In z = x + f(x), the input is used
# twice, so its two gradients are added: dx = dz + f_backward(dz).


def block(x, w):  # (B, T, D) -> (B, T, D)
    a, c1 = attention_branch(x, w)
    x = x + a
    m, c2 = mlp_branch(x, w)
    return x + m, (c1, c2)


def block_backward(dy, cache):  # (B, T, D) -> dx, gradients by name
    c1, c2 = cache
    dm, in_mlp = mlp_branch_backward(dy, c2)
    dx = dy + dm
    da, in_attention = attention_branch_backward(dx, c1)
    return dx + da, in_attention | in_mlp


# %%
# Check it. A block has 12 arrays and an input, some 50,000 numbers, so we
# compare along one random direction for each array (chapter 01). A backward
# pass that forgets a norm's gain of 1 would pass: so all arrays are random.

checked = {name: a + 0.1 * rng.normal(size=a.shape) for name, a in w.items()}
x = rng.normal(size=(2, 16, D))
y, cache = block(x, checked)
dy = rng.normal(size=y.shape)
directions = {"x": rng.normal(size=x.shape)}
directions |= {name: rng.normal(size=a.shape) for name, a in checked.items()}


def output(name, step):
    """The block's output with one array moved along its direction."""
    arrays = checked | {"x": x}
    arrays[name] = arrays[name] + step * directions[name]
    return block(arrays["x"], arrays)[0]


slopes = {
    name: (dy * (output(name, 1e-5) - output(name, -1e-5))).sum() / 2e-5
    for name in directions
}


def wrong_arrays(backward, limit=1e-5):
    """Names of the arrays whose gradient is wrong, and the worst error."""
    dx, gradients = backward(dy, cache)
    errors = {
        name: abs((g * directions[name]).sum() / slopes[name] - 1)
        for name, g in (gradients | {"x": dx}).items()
    }
    wrong = {name for name, e in errors.items() if e > limit}
    return wrong, max(errors.values())


wrong, worst = wrong_arrays(block_backward)
quote("arrays checked", len(slopes), 13, 0)
quote("worst error of a block", worst, 0, 1e-6)

# %%
# Break it
# --------
# Leave out one of the two sums of the backward pass.


def forgetful(dy, cache, first=1, last=1):
    dm, in_mlp = mlp_branch_backward(dy, cache[1])
    dx = first * dy + dm
    da, in_attention = attention_branch_backward(dx, cache[0])
    return last * dx + da, in_attention | in_mlp


predict("dx = dm in place of dy + dm: how many of the 13 are wrong?")
wrong, _ = wrong_arrays(lambda dy, cache: forgetful(dy, cache, first=0))
print(", ".join(sorted(wrong)))
quote("first sum forgotten, wrong", len(wrong), 7, 0)
wrong, _ = wrong_arrays(lambda dy, cache: forgetful(dy, cache, last=0))
quote("last sum forgotten, wrong", len(wrong), 1, 0)

# %%
# The backward pass comes to the MLP first, so its six arrays are right. The
# mistake follows, and after it all is wrong: the six arrays of the attention
# branch, and dx. So *read the list of wrong arrays from the last layer to the
# first*: the mistake is just before the first wrong one. With the last sum
# forgotten only dx is wrong: a check of one block that leaves dx out passes.
#
# The library's block is the same, with classes that own their arrays:

from tervit_np.nn import Block

library = Block(D, HEADS, 4 * D, 0.0, dtype=np.float64)
for name, param in library.named_params():
    param.data[...] = checked[name]
library_y, library_cache = library.forward(x)
library_dx = library.backward(dy, library_cache)
dx, gradients = block_backward(dy, cache)
quote("library, y", error(y, library_y), 0, 1e-6)
quote("library, dx", error(dx, library_dx), 0, 1e-5)
worst = max(error(gradients[n], p.grad) for n, p in library.named_params())
quote("library, worst gradient", worst, 0, 1e-5)

# %%
# What the residual connection is for
# -----------------------------------
# Stack 24 fresh blocks, as many as ViT-Large has, and send four pictures of 16
# random tokens through. Watch how different the tokens of a picture still are
# (take their mean away and compare the length of the rest with the whole), and
# the size of their numbers (root of the mean square).
#
# Four ways to build a block: as above; without the two sums; without the two
# norms; and with the norm *after* each sum, as the first transformer had it
# (*post-norm*, Vaswani et al. 2017; ours is *pre-norm*).


def norm(z):
    return ops.layernorm(z, np.ones(D), np.zeros(D))[0]


def attend(z, w):
    a, _ = ops.linear(z, *of(w, "attn.qkv"))
    a, _ = ops.attention(a, HEADS)
    return ops.linear(a, *of(w, "attn.proj"))[0]


def mlp(z, w):
    h, _ = ops.linear(z, *of(w, "mlp.fc1"))
    return ops.linear(gelu(h), *of(w, "mlp.fc2"))[0]


step = {  # how one branch f changes the tokens z
    "pre-norm": lambda z, f: z + f(norm(z)),
    "post-norm": lambda z, f: norm(z + f(z)),
    "no sums": lambda z, f: f(norm(z)),
    "no norms": lambda z, f: z + f(z),
}


def token_difference(z):  # 1 very different, 0 alike
    rest = z - z.mean(axis=1, keepdims=True)
    return np.linalg.norm(rest) / np.linalg.norm(z)


DEPTH = 24
start = rng.normal(size=(4, 16, D))
stack = [fresh(rng) for _ in range(DEPTH)]
predict("without the sums, after how many blocks are all tokens alike?")
apart, sizes = {}, {}
for name, apply in step.items():
    z = start
    apart[name], sizes[name] = [token_difference(z)], [1.0]
    for w in stack:
        z = apply(z, lambda z, w=w: attend(z, w))
        z = apply(z, lambda z, w=w: mlp(z, w))
        apart[name].append(token_difference(z))
        sizes[name].append(np.sqrt((z * z).mean()))
draw.stacks(apart, sizes)
left = {name: values[-1] for name, values in apart.items()}
size = {name: values[-1] for name, values in sizes.items()}
fifth = apart["no sums"][5]
quote("difference after 1, no sums", apart["no sums"][1], 0.47, 0.005)
quote("difference after 5, no sums", fifth, 0, 1e-12)
quote("difference after 24, pre-norm", left["pre-norm"], 0.58, 0.005)
quote("difference after 24, post-norm", left["post-norm"], 0.042, 0.0005)
quote("size after 24, no norms", size["no norms"], 1336, 0.5)
quote("size after 24, pre-norm", size["pre-norm"], 3.4, 0.05)
claim("without sums all tokens are the same after 5 blocks", fifth < 1e-12)
claim("pre-norm keeps tokens different", left["pre-norm"] > 0.4)
post_norm = left["post-norm"] / left["pre-norm"]
claim("post-norm keeps less than a tenth of that", post_norm < 0.1)
claim("without norms numbers grow beyond 500", size["no norms"] > 500)
claim("with pre-norm they stay below 6", size["pre-norm"] < 6)

# %%
# *Without the sums* each block replaces every token by a mixture of all
# tokens. The more alike tokens are, the more even are their attention weights,
# and the more alike the mixtures: 0.47 is left after one block, and after five
# the 16 tokens of a picture are the same to the last digit (*rank collapse*,
# Dong et al. 2021). *With the sums* a token stays in the stream, and the
# branches only add to it. After 24 blocks 0.58 is left.
#
# *Without the norms* each branch adds something of the size of what came in.
# The numbers grow by a third in a block, on average, to 1,300 times. *With the
# norm in front* a branch sees numbers of size 1, so what it adds does not grow
# with the stream. That grows slowly, to 3.4 times its size.
#
# *Post-norm* scales the stream back to size 1 after each sum. So what the
# tokens had at the start shrinks by about an eighth in a block, and 0.042 is
# left of their difference. (These are fresh blocks. Training can undo much,
# but it starts here.)
#
# On your own
# -----------
# * ``tervit exercise start gelu_backward``, then ``block_backward``: the sums
#   and the branches, backwards.
# * The branches see ``norm(x)``. Move the sum to the wrong place, ``x =
#   norm(x) + attention(norm(x))``, in the forward and in the backward pass.
#   Does the gradient check notice? Does the difference between tokens?
# * Send a random gradient back through 24 blocks, with and without the sums.
#   Does it vanish without them, as textbooks say? What keeps it from that?
# * Replace the GELU by a ReLU, forward and backward. Which inputs make the
#   gradient check fail, and why is a random input almost never one of them?
#
# In practice
# -----------
# * timm's ``Block`` is this code with two additions to the branches: *drop
#   path* leaves them out at random in training, *layer scale* multiplies them
#   by a small learned vector.
# * Language models are pre-norm, too, with RMSNorm in place of LayerNorm and a
#   gated MLP (SwiGLU), which has three matrices.
# * In a ternary model each linear layer also rounds its input to 8 bits
#   (chapter 11).
#
# Further reading
# ---------------
# * `nn/block.py <../tervit_np/nn/block.py>`_.
# * Hendrycks, Gimpel: Gaussian error linear units (2016).
# * He, Zhang, Ren, Sun: Deep residual learning for image recognition (2016).
# * Dong, Cordonnier, Loukas: Attention is not all you need (2021).
# * Xiong et al.: On layer normalization in the transformer architecture
#   (2020).
