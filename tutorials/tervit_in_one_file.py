"""TerViT in one file: a ternary vision transformer, in NumPy alone.

    python tutorials/tervit_in_one_file.py          # two minutes on two cores
    python tutorials/tervit_in_one_file.py --fast   # seconds, to see it run

TerViT (Xu et al. 2022, arXiv 2201.08050) gives a vision transformer weights
of -1, 0 or 1, times a scale that each row of a matrix has to itself. It
trains in three stages: float, 8-bit and ternary weights. In the last two, the
inputs of all matrices have 8 bits. All stages train the same float weights,
called latent, and each forward pass rounds them anew. Test accuracy:

    seed                                 0       1       2
    float, 10 epochs                  87.5    88.1    86.6 %
    then 8-bit, 1 epoch, and rounded to ternary
                                      68.4    64.8    59.8 %
    ternary, 8 epochs more            92.8    93.2    92.8 %

Each operator returns its output y and a function backward, which turns dy,
the gradient by y (dA is dL/dA), into the gradients by the inputs; it reads
the variables of the function around it. Shapes in comments: B images, T
tokens in an image, N = B T rows, D width, H heads, K = D / H, I inputs and O
outputs of a matrix, C classes. The model is a small DeiT (Touvron et al.
2021). Size, initial values, epochs, rates and pictures are ours.
"""

import argparse
import math
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # two threads of ours are faster
sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import numpy as np

from data_tools import load, normalise
from data_tools.augment import crop_and_flip

SIZE, PATCH, CLASSES, BATCH = 32, 8, 10, 32
D, H, DEPTH, HIDDEN = 64, 2, 4, 256
K, GRID, T = D // H, SIZE // PATCH, (SIZE // PATCH) ** 2


# ---------------------------------------------------------------- rounding
def ternarize(w):  # (O, I) -> (O, I)
    """Round each row to three values, w_hat = alpha t.

    delta = 0.7 mean|w|                           threshold
    t     = sign(w) where |w| > delta, else 0
    alpha = mean of |w| where |w| > delta         makes |w - alpha t|^2 least
    """
    size = np.abs(w)
    delta = 0.7 * size.mean(axis=1, keepdims=True)  # (O, 1)
    kept = (size > delta).astype(w.dtype)  # (O, I), 1 where t is not 0
    count = np.maximum(kept.sum(axis=1, keepdims=True), 1)
    alpha = (size * kept).sum(axis=1, keepdims=True) / count  # (O, 1)
    return alpha * np.sign(w) * kept


def int8(x):  # (N, I) -> (N, I)
    """Round each row to 8 bits, x_hat = s q with whole q from -127 to 127.

    s = max|x| / 127        q = round(x / s)
    """
    s = np.maximum(np.abs(x).max(axis=1, keepdims=True), 1e-30) / 127
    return s * np.rint(x / s)


# --------------------------------------------------------------- operators
def linear(x, params, name, precision):  # (N, I) -> (N, O)
    """Multiply by a matrix and add a bias, both inputs rounded.

    y = x_hat w_hat^T + b
    dx_hat = dy w_hat       dw_hat = dy^T x_hat       db = sum of dy over rows

    Rounding is made of steps: its derivative is 0 almost everywhere, and no
    gradient would reach the latent w. The straight-through estimator (Bengio
    et al. 2013) takes 1 instead: dw = dw_hat and dx = dx_hat.
    """
    w_hat, x_hat = params[name + ".weight"], x  # (O, I), (N, I)
    if precision != "float":
        w_hat = ternarize(w_hat) if precision == "ternary" else int8(w_hat)
        x_hat = int8(x_hat)
    y = x_hat @ w_hat.T + params[name + ".bias"]

    def backward(dy, grads):  # (N, O) -> (N, I)
        grads[name + ".weight"] = dy.T @ x_hat
        grads[name + ".bias"] = dy.sum(axis=0)
        return dy @ w_hat

    return y, backward


def layernorm(x, params, name):  # (N, D) -> (N, D)
    """Give each row mean 0 and variance 1, then scale and shift.

    xhat = (x - mean(x)) / sqrt(var(x) + eps)        y = gamma xhat + beta
    dx = (g - mean(g) - xhat mean(g xhat)) / sqrt(var(x) + eps), g = gamma dy
    """
    gamma, beta = params[name + ".weight"], params[name + ".bias"]  # (D,)
    centred = x - x.mean(axis=1, keepdims=True)
    var = (centred * centred).mean(axis=1, keepdims=True)  # (N, 1)
    rstd = 1 / np.sqrt(var + 1e-6)
    xhat = centred * rstd
    y = gamma * xhat + beta

    def backward(dy, grads):  # (N, D) -> (N, D)
        grads[name + ".weight"] = (dy * xhat).sum(axis=0)
        grads[name + ".bias"] = dy.sum(axis=0)
        g = gamma * dy
        mean_g = g.mean(axis=1, keepdims=True)
        mean_gx = (g * xhat).mean(axis=1, keepdims=True)
        return rstd * (g - mean_g - xhat * mean_gx)

    return y, backward


def gelu(x):  # (N, I) -> (N, I)
    """Apply the nonlinearity, in its approximation by tanh.

    u = sqrt(2/pi) (x + a x^3), a = 0.044715        y = x (1 + tanh u) / 2
    dx = dy (1 + tanh u + x (1 - tanh^2 u) u') / 2
    u' = sqrt(2/pi) (1 + 3 a x^2)
    """
    c, a = math.sqrt(2 / math.pi), 0.044715
    t = np.tanh(c * (x + a * x * x * x))
    y = 0.5 * x * (1 + t)

    def backward(dy):  # (N, I) -> (N, I)
        du = c * (1 + 3 * a * x * x)
        return 0.5 * dy * (1 + t + x * (1 - t * t) * du)

    return y, backward


def attention(qkv):  # (N, 3 D) -> (N, D)
    """Let each token take a weighted mean of the tokens of its image.

    s = q k^T / sqrt(K)        a = softmax(s)         o = a v
    dv = a^T do     da = do v^T     ds = a (da - sum of a da) / sqrt(K)
    dq = ds k       dk = ds^T q     for each head by itself
    """
    q, k, v = qkv.reshape(-1, T, 3, H, K).transpose(2, 0, 3, 1, 4)
    s = q @ k.swapaxes(2, 3) / math.sqrt(K)  # (B, H, T, K) -> (B, H, T, T)
    e = np.exp(s - s.max(axis=3, keepdims=True))
    a = e / e.sum(axis=3, keepdims=True)  # attention weights: rows sum to 1
    y = (a @ v).transpose(0, 2, 1, 3).reshape(-1, D)

    def backward(dy):  # (N, D) -> (N, 3 D)
        do = dy.reshape(-1, T, H, K).transpose(0, 2, 1, 3)  # (B, H, T, K)
        dv = a.swapaxes(2, 3) @ do
        da = do @ v.swapaxes(2, 3)
        ds = a * (da - (a * da).sum(axis=3, keepdims=True)) / math.sqrt(K)
        dq, dk = ds @ k, ds.swapaxes(2, 3) @ q
        dqkv = np.stack([dq, dk, dv]).transpose(1, 3, 0, 2, 4)
        return dqkv.reshape(-1, 3 * D)  # from (B, T, 3, H, K)

    return y, backward


# ------------------------------------------------------------------- model
def block(x, params, name, precision):  # (N, D) -> (N, D)
    """Add the outputs of attention and of an MLP to the residual stream.

    x = x + attention(norm1(x))        x = x + mlp(norm2(x))

    In a sum dy goes to both terms, so dx is dy plus what the branch returns.
    """
    normed, norm1_backward = layernorm(x, params, f"{name}.norm1")
    qkv, qkv_backward = linear(normed, params, f"{name}.attn.qkv", precision)
    mixed, attention_backward = attention(qkv)
    y, proj_backward = linear(mixed, params, f"{name}.attn.proj", precision)
    x = x + y
    normed, norm2_backward = layernorm(x, params, f"{name}.norm2")
    hidden, fc1_backward = linear(normed, params, f"{name}.mlp.fc1", precision)
    active, gelu_backward = gelu(hidden)
    y, fc2_backward = linear(active, params, f"{name}.mlp.fc2", precision)

    def backward(dy, grads):  # (N, D) -> (N, D)
        dhidden = gelu_backward(fc2_backward(dy, grads))
        dx = dy + norm2_backward(fc1_backward(dhidden, grads), grads)
        dqkv = attention_backward(proj_backward(dx, grads))
        return dx + norm1_backward(qkv_backward(dqkv, grads), grads)

    return x + y, backward


def patchify(images):  # (B, 3, S, S) -> (N, 3 P P)
    """Cut each image into T patches and flatten each patch to a row."""
    x = images.reshape(-1, 3, GRID, PATCH, GRID, PATCH)
    return x.transpose(0, 2, 4, 1, 3, 5).reshape(-1, 3 * PATCH * PATCH)


def vit(images, params, precision):  # (B, 3, S, S) -> logits (B, C)
    """DeiT: patches -> tokens + positions -> blocks -> norm -> mean -> head.

    As in the paper, patch embedding and head never have fewer than 8 bits.
    The head reads the mean of all tokens instead of a class token.
    """
    ends = "8-bit" if precision == "ternary" else precision
    x = patchify(images)
    x, embed_backward = linear(x, params, "patch_embed.proj", ends)
    x = (x.reshape(-1, T, D) + params["pos_embed"]).reshape(-1, D)
    block_backwards = []
    for i in range(DEPTH):
        x, block_backward = block(x, params, f"blocks.{i}", precision)
        block_backwards.append(block_backward)
    x, norm_backward = layernorm(x, params, "norm")
    pooled = x.reshape(-1, T, D).mean(axis=1)  # (B, D)
    logits, head_backward = linear(pooled, params, "head", ends)

    def backward(dlogits):  # (B, C) -> gradient of each parameter, by name
        grads = {}
        dpooled = head_backward(dlogits, grads)
        dx = norm_backward(np.repeat(dpooled / T, T, axis=0), grads)
        for block_backward in reversed(block_backwards):
            dx = block_backward(dx, grads)
        grads["pos_embed"] = dx.reshape(-1, T, D).sum(axis=0)
        embed_backward(dx, grads)
        return grads

    return logits, backward


def new_params(rng):  # -> {name: array}, with the names of DeiT's checkpoints
    """Draw Xavier's initial values; biases are 0, gamma is 1."""
    shapes = {"patch_embed.proj": (D, 3 * PATCH * PATCH)}
    for i in range(DEPTH):
        shapes[f"blocks.{i}.norm1"] = shapes[f"blocks.{i}.norm2"] = (D,)
        shapes[f"blocks.{i}.attn.qkv"] = (3 * D, D)
        shapes[f"blocks.{i}.attn.proj"] = (D, D)
        shapes[f"blocks.{i}.mlp.fc1"] = (HIDDEN, D)
        shapes[f"blocks.{i}.mlp.fc2"] = (D, HIDDEN)
    shapes |= {"norm": (D,), "head": (CLASSES, D)}
    params = {"pos_embed": rng.normal(0, 0.02, (T, D))}
    for name, shape in shapes.items():
        bound = math.sqrt(6 / sum(shape))
        random = rng.uniform(-bound, bound, shape)
        params[name + ".weight"] = random if len(shape) == 2 else np.ones(D)
        params[name + ".bias"] = np.zeros(shape[0])
    params["head.weight"] *= 0.1  # all classes alike: the first loss is ln 10
    return {name: w.astype(np.float32) for name, w in params.items()}


# ---------------------------------------------------------------- training
def cross_entropy(logits, labels):  # (B, C), (B,) -> loss, dlogits (B, C)
    """Compare with labels that are smoothed; a mean over the batch.

    p = softmax(logits)      loss = - sum of q log p      dlogits = (p - q) / B
    q = 0.9 for the label + 0.1 / C for every class
    """
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    q = np.full_like(log_p, 0.1 / CLASSES)
    q[np.arange(len(labels)), labels] += 0.9
    loss = -(q * log_p).sum() / len(labels)
    return loss, (np.exp(log_p) - q) / len(labels)


def loss_and_grads(images, labels, params, precision, pool):
    """Return the loss of a batch and its gradient by each parameter."""

    def half(start):  # two threads take one half of the batch each
        logits, backward = vit(images[start::2], params, precision)
        loss, dlogits = cross_entropy(logits, labels[start::2])
        return loss, backward(dlogits)

    (loss0, grads0), (loss1, grads1) = pool.map(half, (0, 1))
    grads = {name: (grads0[name] + grads1[name]) / 2 for name in params}
    return (loss0 + loss1) / 2, grads


def adamw(params, grads, moments, t, lr, b1=0.9, b2=0.98, decay=0.05):
    """Take step t = 1, 2, ... in place (Loshchilov, Hutter 2019).

    m = b1 m + (1 - b1) g            v = b2 v + (1 - b2) g^2
    w = w - lr decay w - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + 1e-8)

    Clipping: gradients that together are longer than 1 are scaled to 1 before.
    """
    norm = math.sqrt(sum((g * g).sum() for g in grads.values()))
    for name, w in params.items():
        g, (m, v) = grads[name] * min(1, 1 / norm), moments[name]
        m += (1 - b1) * (g - m)
        v += (1 - b2) * (g * g - v)
        if w.ndim == 2 and name != "pos_embed":  # matrices alone decay
            w -= lr * decay * w
        w -= lr / (1 - b1**t) * m / (np.sqrt(v / (1 - b2**t)) + 1e-8)


def batches(data, epochs, rng):  # -> images (B, 3, S, S), labels (B,)
    """Yield the pictures in random order, shifted by up to 2 pixels."""
    for _ in range(epochs):
        order = rng.permutation(len(data))
        for i in range(0, len(data), BATCH):
            chosen = order[i : i + BATCH]
            shifted = crop_and_flip(data.images[chosen], 2, False, rng)
            yield normalise(shifted, data.mean, data.std), data.labels[chosen]


def accuracy(data, params, precision):
    """Return the percentage of pictures that are classified correctly."""
    right = 0
    for i in range(0, len(data), 250):
        images = normalise(data.images[i : i + 250], data.mean, data.std)
        logits, _ = vit(images, params, precision)
        right += (logits.argmax(axis=1) == data.labels[i : i + 250]).sum()
    return 100 * right / len(data)


def train(stages, data, test, seed):
    """Train through stages of (precision, epochs, highest learning rate)."""
    rng = np.random.default_rng(seed)
    params, pool = new_params(rng), ThreadPoolExecutor(2)
    start, done, total = time.monotonic(), 0, sum(s[1] for s in stages)
    for precision, epochs, peak in stages:
        before, losses = accuracy(test, params, precision), []
        moments = {n: np.zeros((2, *w.shape), "f4") for n, w in params.items()}
        steps = epochs * (len(data) // BATCH)
        for t, batch in enumerate(batches(data, epochs, rng), 1):
            # The rate rises in the first 5 % of the steps, then falls to 0.
            fall = (1 + math.cos(math.pi * t / steps)) / 2
            lr = peak * min(20 * t / steps, fall)
            loss, grads = loss_and_grads(*batch, params, precision, pool)
            adamw(params, grads, moments, t, lr)
            losses.append(loss)
            if t % (steps // epochs) == 0:
                done += 1
                left = (time.monotonic() - start) * (total / done - 1)
                loss, losses = np.mean(losses), []
                line = f"rate {lr:.5f}  loss {loss:.3f}  {left:.0f} s left"
                print(f"{precision:7}  {line}", flush=True)
        after = accuracy(test, params, precision)
        line = f"{before:.1f} % before this stage, {after:.1f} % after it"
        print(f"{precision:7}  test accuracy {line}", flush=True)
    return params


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fast", action="store_true", help="see it run")
    options = parser.parse_args()
    train_set, test_set = load("shapes", "train"), load("shapes", "test")
    if options.fast or os.environ.get("TERVIT_FAST", "0") != "0":
        train_set = train_set.take(np.arange(640))
    stages = [("float", 10, 2e-3), ("8-bit", 1, 5e-4), ("ternary", 8, 1.5e-3)]
    train(stages, train_set, test_set, options.seed)
