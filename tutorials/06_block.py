r"""
The transformer block
=====================

:You will do: write the MLP and its nonlinearity, put it together with
  attention into a block, forward and backward, check all thirteen gradients,
  and stack 24 blocks with and without residual connections and norms.
:You will learn: the derivative of the GELU; how large fresh weights should be;
  how a gradient passes a sum; what the residual connection and the LayerNorm
  in front of each branch are for, measured.
:You need: chapters 01, 03 and 05 (linear layer, LayerNorm, attention, each
  with its backward pass).
:Time: 25 minutes to read, a few seconds to run.
:In the paper: the block of DeiT, :math:`x + \mathrm{attention}(\mathrm{norm}
  (x))` and then :math:`x + \mathrm{MLP}(\mathrm{norm}(x))`. TerViT makes the
  four matrices of each block ternary. Sums, norms and GELU stay in float.
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
# Attention lets tokens exchange information. The other half of a block works
# on each token by itself: a linear layer to more numbers, a nonlinear function
# of each of them (the *activation function*), and a linear layer back. (Such a
# pair of layers is a *multi-layer perceptron*, an MLP.) Without the function
# in the middle, two layers are not more than one:

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
# below :math:`x`. It goes from 0 on the left to 1 on the right, so :math:`y`
# goes from 0 to :math:`x`. The derivative of :math:`\Phi` is the bell curve
# :math:`\varphi(x) = e^{-x^2/2} / \sqrt{2\pi}`, and the product rule gives
#
# .. math:: \frac{dy}{dx} = \Phi(x) + x\, \varphi(x)
#
# NumPy has no :math:`\Phi`, but the library has the error function ``erf``,
# from which it is made.


def Phi(x):  # of normally distributed numbers, the share below x
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
quote("lowest point of the GELU", x[gelu(x).argmin()], -0.75, 0.006)
quote("its value there", gelu(x).min(), -0.17, 0.0005)
draw.gelu(x, gelu(x), gelu_backward(np.ones_like(x), x))

# %%
# To the left of -0.75 the slope is negative: there a larger input gives a
# smaller output. A ReLU has slope 0 on the whole left side.
#
# Three mistakes people make in this derivative. The last is the derivative of
# a popular approximation of the GELU with tanh. (Official DeiT and Swin use
# the exact form; some other models use the approximation.)

wrong = {
    "second term forgotten": dy * Phi(x),
    "no 1/sqrt(2 pi)": dy * (Phi(x) + x * np.exp(-0.5 * x * x)),
    "of the tanh form": ops.gelu_backward(dy, x, "tanh"),
}
errors = {name: error(dx, true_dx) for name, dx in wrong.items()}
for name, e in errors.items():
    print(f"{name:22} off by {e:.2g}")
claim("each is off by more than 1e-4", min(errors.values()) > 1e-4)
claim("the tanh form by less than 1e-3", errors["of the tanh form"] < 1e-3)

# %%
# The first two are plainly wrong. The third is right to three digits, so a
# loose check would pass it. With a tolerance of 1e-7 it is caught.
#
# How large a fresh weight should be
# ----------------------------------
# We are about to stack many layers, so their outputs must not grow or shrink
# from layer to layer. An output is a sum over ``in`` products of a weight and
# an input. If all are independent with mean 0, variances multiply and add:
# var(y) = in var(w) var(x). To keep the variance, var(w) should be 1/in. The
# backward pass dx = dy W sums over ``out`` numbers, so there it should be
# 1/out. Glorot (whose first name is Xavier) and Bengio (2010) take the middle,
# var(w) = 2 / (in + out). Numbers drawn evenly between -a and a have the
# variance a^2/3, and that gives *Xavier's bound*, a = sqrt(6 / (in + out)).


def xavier(rng, rows, columns):  # out, in
    bound = np.sqrt(6 / (rows + columns))
    return rng.uniform(-bound, bound, (rows, columns))


many = rng.normal(size=(2000, 64))
for rows, up, down in ((64, 1.0, 1.0), (256, 0.4, 1.6)):
    W = xavier(rng, rows, 64)
    variance = (many @ W.T).var()
    quote(f"64 -> {rows}, variance of y", variance, up, 0.1)
    variance = (rng.normal(size=(2000, rows)) @ W).var()
    quote(f"64 -> {rows}, variance of dx", variance, down, 0.15)

# %%
# A square layer keeps both. From 64 to 256 numbers the forward pass loses and
# the backward pass gains, and the layer back from 256 to 64 does the opposite.
#
# The two branches
# ----------------
# A block has an attention branch and an MLP branch, and each begins with a
# LayerNorm. Every line below is an operator of an earlier chapter. The names
# are those of official checkpoints: ``qkv`` makes queries, keys and values,
# ``proj`` follows the attention, ``fc1`` and ``fc2`` are the layers of the
# MLP, which is four times as wide inside as outside.

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


def of(w, name):
    """Weight and bias of a layer."""
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


w = fresh(rng)
matrices = {name: a.size for name, a in w.items() if a.ndim == 2}
print(matrices)
share = (matrices["mlp.fc1.weight"] + matrices["mlp.fc2.weight"]) / sum(
    matrices.values()
)
quote("share of the MLP in the matrices", share, 2 / 3, 1e-12)

# %%
# Two thirds of a block's weights are in the MLP, at any width: 8 D^2 of
# 12 D^2.
#
# The backward passes are the same lines from the last to the first. Each
# operator gives back the gradient of its input, which goes to the line above,
# and the gradients of its own weight and bias, which are collected by name.


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
    dh = gelu_backward(dm, h)
    dm, *fc1 = ops.linear_backward(dh, c2)
    dm, *norm2 = ops.layernorm_backward(dm, c1)
    return dm, collect(**{"norm2": norm2, "mlp.fc1": fc1, "mlp.fc2": fc2})


# %%
# The block
# ---------
# What a branch computes is *added* to what came in (Dosovitskiy et al. 2021,
# eq. 2 and 3). The way around the branch is a *residual connection* or *skip
# connection*, because the branch only has to learn the rest, the residual. The
# tokens on their way from block to block are called the *residual stream*.


def block(x, w):  # (B, T, D) -> (B, T, D)
    a, c1 = attention_branch(x, w)
    x = x + a
    m, c2 = mlp_branch(x, w)
    return x + m, (c1, c2)


# %%
# One rule is new in the backward pass. In z = x + f(x), the input is used
# twice, directly and inside f, so its two gradients are added. The direct one
# is dz itself, because the derivative of x by x is 1:
#
#     dx = dz + f_backward(dz)


def block_backward(dy, cache):  # (B, T, D) -> dx, gradients by name
    c1, c2 = cache
    dm, in_mlp = mlp_branch_backward(dy, c2)
    dx = dy + dm
    da, in_attention = attention_branch_backward(dx, c1)
    return dx + da, in_attention | in_mlp


# %%
# Check it. A block has 12 arrays and an input, some 50,000 numbers, so we
# compare along one random direction for each array (chapter 01). Fresh norms
# have gain 1 and bias 0, and a backward pass that forgets a gain would pass:
# for the check all arrays are random.

checked = {name: a + 0.1 * rng.normal(size=a.shape) for name, a in w.items()}
x = rng.normal(size=(2, 16, D))
y, cache = block(x, checked)
dy = rng.normal(size=y.shape)
directions = {"x": rng.normal(size=x.shape)}
directions |= {name: rng.normal(size=a.shape) for name, a in checked.items()}
h = 1e-5


def output(name, step):
    """The block's output with one array moved along its direction."""
    if name == "x":
        return block(x + step * directions["x"], checked)[0]
    moved = checked[name] + step * directions[name]
    return block(x, checked | {name: moved})[0]


slopes = {
    name: (dy * (output(name, h) - output(name, -h))).sum() / (2 * h)
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
# Two backward passes with a mistake each. *Predict* for both which of the
# thirteen gradients come out wrong.


def first_sum_forgotten(dy, cache):
    dm, in_mlp = mlp_branch_backward(dy, cache[1])
    da, in_attention = attention_branch_backward(dm, cache[0])
    return dm + da, in_attention | in_mlp


def last_sum_forgotten(dy, cache):
    dm, in_mlp = mlp_branch_backward(dy, cache[1])
    dx = dy + dm
    da, in_attention = attention_branch_backward(dx, cache[0])
    return da, in_attention | in_mlp


predict("dx = dm in place of dy + dm: how many of the 13 are wrong?")
counts = {}
for mistake in (first_sum_forgotten, last_sum_forgotten):
    wrong, _ = wrong_arrays(mistake)
    counts[mistake.__name__] = len(wrong)
    print(f"{mistake.__name__}: {', '.join(sorted(wrong))}")
quote("first sum forgotten, wrong", counts["first_sum_forgotten"], 7, 0)
quote("last sum forgotten, wrong", counts["last_sum_forgotten"], 1, 0)

# %%
# The backward pass comes to the MLP first, so its six arrays are right. The
# mistake follows, and after it all is wrong: the six arrays of the attention
# branch, and dx. So *read the list of wrong arrays from the last layer to the
# first*: the mistake is just before the first wrong one. With the last sum
# forgotten all weights of this block are right and only dx is wrong. A check
# of one block that leaves dx out passes.
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
# Now stack 24 fresh blocks, as many as ViT-Large has, and send four pictures
# of 16 random tokens through. Watch two numbers after each block. The first
# is how different the tokens of a picture still are: take their mean away and
# compare the length of the rest with the whole, 1 for tokens with mean zero, 0
# if all are the same. The second is the size of their numbers (root of the
# mean square).
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


def token_difference(z):
    """How different the tokens of a picture are: 1 very, 0 not at all."""
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
first, fifth = (apart["no sums"][i] for i in (1, 5))
quote("difference after 1, no sums", first, 0.47, 0.005)
quote("difference after 5, no sums", fifth, 0, 1e-12)
quote("difference after 24, pre-norm", left["pre-norm"], 0.58, 0.005)
quote("difference after 24, post-norm", left["post-norm"], 0.042, 0.0005)
quote("size after 24, no norms", size["no norms"], 1300, 50)
quote("size after 24, pre-norm", size["pre-norm"], 3.4, 0.05)
claim("without sums all tokens are the same after 5 blocks", fifth < 1e-12)
claim("pre-norm keeps tokens different", left["pre-norm"] > 0.4)
claim(
    "post-norm keeps less than a tenth of that",
    left["post-norm"] < 0.1 * left["pre-norm"],
)
claim("without norms numbers grow beyond 500", size["no norms"] > 500)
claim("with pre-norm they stay below 6", size["pre-norm"] < 6)

# %%
# *Without the sums* each block replaces every token by a mixture of all
# tokens. The more alike tokens are, the more even are their attention weights,
# and the more alike the mixtures: 0.47 is left after one block, and after five
# the 16 tokens of a picture are the same to the last digit (*rank collapse*,
# Dong et al. 2021). What was where is lost, and no later layer can bring it
# back. *With the sums* a token stays in the stream, and the branches only add
# to it. After 24 blocks 0.58 is left.
#
# *Without the norms* each branch adds something of the size of what came in.
# The numbers grow by a third in a block, on average, to 1,300 times. *With
# the norm in front* a branch sees numbers of size 1 whatever size the stream
# has, so what it adds does not grow with the stream. The stream grows slowly,
# to 3.4 times its size, and late blocks change it relatively less.
#
# *Post-norm* scales the stream back to size 1 after each sum. So what the
# tokens had at the start shrinks by about an eighth in a block, on average,
# and 0.042 is left of their difference. (Without the norms it is much the
# same.) That speaks for the norm in front, at least in a deep model. (These
# are fresh blocks. Training can undo much, but it starts here.)
#
# On your own
# -----------
# * ``tervit exercise start gelu_backward``, then ``block_backward``: the sums
#   and the branches, backwards.
# * The branches see ``norm(x)``. Move the sum to the wrong place, ``x =
#   norm(x) + attention(norm(x))``, in the forward and in the backward pass.
#   Does the gradient check notice? Does the difference between tokens?
# * Send a random gradient back through 24 blocks, with and without the sums.
#   Textbooks say that it vanishes without them. Does it here? Which part of a
#   block keeps it from vanishing?
# * Replace the GELU by a ReLU, forward and backward. Which inputs make the
#   gradient check fail, and why is a random input almost never one of them?
#
# In practice
# -----------
# * timm's ``Block`` is this code with two additions to the branches: *drop
#   path* leaves branches out at random in training (``ops/drop_path.py``),
#   *layer scale* multiplies them by a small learned vector.
# * Language models of today are pre-norm, too, with RMSNorm in place of
#   LayerNorm and a gated MLP (SwiGLU), which has three matrices.
# * In a ternary model the four matrices of a block hold three values. The
#   stream, the sums, norms and the GELU stay in float, and each linear layer
#   rounds its input to 8 bits (chapter 11).
#
# Further reading
# ---------------
# * `nn/block.py <../tervit_np/nn/block.py>`_,
#   `nn/mlp.py <../tervit_np/nn/mlp.py>`_ and
#   `ops/gelu.py <../tervit_np/ops/gelu.py>`_.
# * Hendrycks, Gimpel: Gaussian error linear units (2016).
# * He, Zhang, Ren, Sun: Deep residual learning for image recognition (2016).
# * Glorot, Bengio: Understanding the difficulty of training deep feedforward
#   neural networks (2010).
# * Dong, Cordonnier, Loukas: Attention is not all you need: pure attention
#   loses rank doubly exponentially with depth (2021).
# * Xiong et al.: On layer normalization in the transformer architecture
#   (2020), for pre-norm and post-norm.
