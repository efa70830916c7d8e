"""Mistakes to plant, each with the one kind of check that must catch it.

differences   the backward alone is wrong
golden        forward and backward are wrong together, so differences agree with each other
frozen        a quantizer's backward is not what its convention says
structure     the numbers of one pass are right, the manners are not
"""

import difflib

from tervit_np.analysis.planting import Edit, Plant


def _plant(caught_by: str, name: str, about: str, *edits: tuple[str, str, str, str]) -> Plant:
    return Plant(name, about, caught_by, tuple(Edit(*edit) for edit in edits))


_LAYERNORM = ("ops.layernorm", "layernorm_backward")
_SOFTMAX = ("ops.softmax", "softmax_backward")
_ATTENTION = ("ops.attention", "attention_backward")
_GELU = ("ops.gelu", "gelu_backward")

BACKWARD = [
    _plant("differences", name, about, edit)
    for name, about, edit in [
        (
            "linear-bias",
            "the bias gradient looks at the first row only",
            ("ops.linear", "linear_backward", "dy2.sum(axis=0)", "dy2[0]"),
        ),
        (
            "linear-mean",
            "the weight gradient is averaged over rows instead of summed",
            ("ops.linear", "linear_backward", "dy2.T @ x2", "dy2.T @ x2 / len(x2)"),
        ),
        (
            "layernorm-mean",
            "the mean's own derivative is forgotten",
            (*_LAYERNORM, "g - along_ones - xhat", "g - xhat"),
        ),
        (
            "layernorm-variance",
            "the variance's own derivative is forgotten",
            (*_LAYERNORM, " - xhat * along_xhat", ""),
        ),
        (
            "layernorm-gain",
            "the gain is left out on the way back",
            (*_LAYERNORM, "g = dy * gamma", "g = dy"),
        ),
        (
            "layernorm-rstd",
            "the division by the standard deviation is left out",
            (*_LAYERNORM, "rstd * (g", "(g"),
        ),
        (
            "layernorm-dgamma",
            "dgamma sums dy without the normalised input",
            (*_LAYERNORM, "(dy * xhat).sum(axis=leading)", "dy.sum(axis=leading)"),
        ),
        (
            "softmax-diagonal",
            "only the diagonal of the Jacobian",
            (*_SOFTMAX, "(dy - along_y)", "dy"),
        ),
        (
            "softmax-scale",
            "1/sqrt(K) is missing in the backward",
            (*_SOFTMAX, "scale * y * (dy", "y * (dy"),
        ),
        (
            "softmax-axis",
            "the row sum runs over the wrong axis",
            (*_SOFTMAX, "(dy * y).sum(axis=-1,", "(dy * y).sum(axis=-2,"),
        ),
        (
            "attention-dk",
            "dK without the transpose of dS",
            (*_ATTENTION, "dscores.swapaxes(-1, -2) @ q", "dscores @ q"),
        ),
        (
            "attention-dv",
            "dV without the transpose of A",
            (*_ATTENTION, "used.swapaxes(-1, -2) @ do", "used @ do"),
        ),
        ("attention-dq", "the sign of dQ", (*_ATTENTION, "= dscores @ k", "= -dscores @ k")),
        (
            "gelu-product",
            "the product rule's second term is forgotten",
            (*_GELU, "_gaussian_cdf(x) + x * density", "_gaussian_cdf(x)"),
        ),
        (
            "gelu-density",
            "the density lacks its 1/sqrt(2 pi)",
            (*_GELU, " / math.sqrt(2 * math.pi)", ""),
        ),
        (
            "gelu-cubic",
            "the derivative of x^3 without its 3",
            (*_GELU, "3 * _TANH_CUBIC * x * x", "_TANH_CUBIC * x * x"),
        ),
        (
            "residual",
            "the gradient takes the branch and not the skip",
            ("nn.block", "Block.backward", "dx += dy", "pass"),
        ),
        (
            "drop-path-scale",
            "dropped images are dropped on the way back, kept ones not scaled up",
            ("ops.drop_path", "drop_path_backward", "dy * factor", "dy * (factor > 0)"),
        ),
        (
            "mean-pool",
            "every token gets the whole gradient",
            ("ops.pool", "mean_pool_backward", " / tokens", ""),
        ),
        (
            "positions-batch",
            "the positions' gradient is not summed over the batch",
            ("ops.tokens", "add_tokens_backward", "dz.sum(axis=0, keepdims=True)", "dz[:1]"),
        ),
        (
            "scatter",
            "overlapping windows assign where they should add",
            ("ops.conv", "col2im", "] += d[", "] = d["),
        ),
        (
            "patch-order",
            "patches are put back transposed",
            ("ops.patches", "unpatchify", "(0, 3, 1, 4, 2, 5)", "(0, 3, 1, 5, 2, 4)"),
        ),
        (
            "loss-sum",
            "the loss is a mean, its gradient a sum over the batch",
            ("losses", "cross_entropy", "- targets) / batch", "- targets)"),
        ),
        (
            "loss-sign",
            "targets minus probabilities",
            ("losses", "cross_entropy", "np.exp(log_p) - targets", "targets - np.exp(log_p)"),
        ),
        (
            "temperature",
            "one T too few in the distillation gradient",
            ("losses", "distillation", "(temperature / batch)", "(1 / batch)"),
        ),
    ]
]

CONSISTENT = [
    _plant(
        "golden",
        "wrong-eps",
        "LayerNorm adds 1e-5 where DeiT adds 1e-6",
        ("ops.layernorm", "layernorm", "+ eps)", "+ 10 * eps)"),
    ),
    _plant(
        "golden",
        "tanh-gelu",
        "the tanh approximation where the exact GELU is meant",
        ("ops.gelu", "gelu", 'if form == "erf":', "if False:"),
        ("ops.gelu", "gelu_backward", 'if form == "erf":', "if False:"),
    ),
    _plant(
        "golden",
        "no-scale",
        "1/sqrt(K) is missing in both passes",
        ("ops.attention", "attention", "scale=q.shape[-1] ** -0.5", "scale=1.0"),
        ("ops.attention", "attention_backward", "scale=q.shape[-1] ** -0.5", "scale=1.0"),
    ),
    _plant(
        "golden",
        "head-order",
        "heads are interleaved instead of lying side by side",
        (
            "ops.attention",
            "split_heads",
            "3, heads, width // (3 * heads)).transpose(2, 0, 3, 1, 4)",
            "3, width // (3 * heads), heads).transpose(2, 0, 4, 1, 3)",
        ),
        ("ops.attention", "merge_heads", "out.swapaxes(1, 2)", "out.transpose(0, 2, 3, 1)"),
        (
            "ops.attention",
            "attention_backward",
            "heads, -1).swapaxes(1, 2)",
            "-1, heads).transpose(0, 3, 1, 2)",
        ),
    ),
    _plant(
        "golden",
        "qkv-order",
        "the fused projection is read as k, q, v",
        (
            "ops.attention",
            "split_heads",
            "parts[0], parts[1], parts[2]",
            "parts[1], parts[0], parts[2]",
        ),
    ),
    _plant(
        "golden",
        "sample-variance",
        "the variance is divided by D - 1",
        (
            "ops.layernorm",
            "layernorm",
            "(centred * centred).mean(axis=-1, keepdims=True)",
            "(centred * centred).sum(axis=-1, keepdims=True) / (x.shape[-1] - 1)",
        ),
        (
            "ops.layernorm",
            "layernorm_backward",
            "(g * xhat).mean(axis=-1, keepdims=True)",
            "(g * xhat).sum(axis=-1, keepdims=True) / (dy.shape[-1] - 1)",
        ),
    ),
    _plant(
        "golden",
        "pixel-order",
        "patch vectors run over (row, column, channel)",
        ("ops.patches", "patchify", "(0, 2, 4, 1, 3, 5)", "(0, 2, 4, 3, 5, 1)"),
        (
            "ops.patches",
            "unpatchify",
            "high, wide, channels, patch, patch)",
            "high, wide, patch, patch, channels)",
        ),
        ("ops.patches", "unpatchify", "(0, 3, 1, 4, 2, 5)", "(0, 5, 1, 3, 2, 4)"),
    ),
    _plant(
        "golden",
        "smoothing",
        "label smoothing leaves the true class out of the uniform part",
        (
            "losses",
            "_targets",
            "(1 - smoothing) * targets + smoothing / classes",
            "(1 - smoothing) * targets + smoothing * (1 - targets) / (classes - 1)",
        ),
    ),
    _plant(
        "golden",
        "token-order",
        "the heads read each other's token",
        (
            "models.deit",
            "DeiT._heads",
            "[self.head, self.head_dist]",
            "[self.head_dist, self.head]",
        ),
    ),
    _plant(
        "golden",
        "one-norm",
        "the second branch is normalised with the first norm",
        ("nn.block", "Block.forward", "self.norm2.forward(x)", "self.norm1.forward(x)"),
        ("nn.block", "Block.backward", "self.norm2.backward", "self.norm1.backward"),
    ),
]

CONVENTIONS = [
    _plant("frozen", name, about, edit)
    for name, about, edit in [
        (
            "ternary-half",
            "half of the gradient is lost on its way through the rounding",
            (
                "quant.ternary",
                "Ternary.backward",
                "return dw_hat if cache.inside is None",
                "return dw_hat * 0.5 if cache.inside is None",
            ),
        ),
        (
            "ternary-clip",
            "the clip does not stop the gradient",
            ("quant.ternary", "Ternary.backward", "dw_hat * cache.inside", "dw_hat"),
        ),
        (
            "uniform-sign",
            "the gradient passes only where it is positive",
            (
                "quant.uniform",
                "UniformWeight.backward",
                "return dw_hat",
                "return dw_hat * (dw_hat > 0)",
            ),
        ),
        (
            "activation-scale",
            "the activation's gradient is divided by the number of levels",
            ("quant.uniform", "UniformAct.backward", "return dw_hat", "return dw_hat / 255"),
        ),
        (
            "blend-amount",
            "the ramp's gradient forgets the unquantized part",
            ("quant.blend", "Blend.backward", "(1 - q) * dw_hat + ", ""),
        ),
    ]
]

MANNERS = [
    _plant("structure", name, about, edit)
    for name, about, edit in [
        (
            "overwrite",
            "the gradient is assigned, so a second backward erases the first",
            ("nn.layernorm", "LayerNorm.backward", "self.weight.grad += dgamma",
             "self.weight.grad[...] = dgamma"),
        ),
        (
            "in-place",
            "softmax's backward writes on the gradient it was given",
            (*_SOFTMAX, "return scale * y * (dy - along_y)",
             "dy -= along_y; dy *= scale * y; return dy"),
        ),
        (
            "cache-written",
            "GELU's backward writes on the input that the forward remembered",
            (*_GELU, "return dy * (_gaussian_cdf(x) + x * density)",
             "value = dy * (_gaussian_cdf(x) + x * density); x.flags.writeable = True; "
             "x *= density; return value"),
        ),
        (
            "float64",
            "drop path's factor turns float32 into float64",
            ("ops.drop_path", "drop_path", ".astype(x.dtype)", ""),
        ),
    ]
]  # fmt: skip

PLANTS = {plant.name: plant for plant in [*BACKWARD, *CONSISTENT, *CONVENTIONS, *MANNERS]}


def find_plant(name: str) -> Plant:
    """Look a plant up; ValueError suggests the nearest name."""
    if name not in PLANTS:
        near = difflib.get_close_matches(name, PLANTS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown plant {name!r}{hint} (`tervit check --list-plants` lists them)")
    return PLANTS[name]
