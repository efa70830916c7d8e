"""Mistakes of the backward alone: finite differences see them, whatever the forward computes."""

from tervit_np.verify.mutation import mutant

_LAYERNORM = ("ops.layernorm", "layernorm_backward")
_SOFTMAX = ("ops.softmax", "softmax_backward")
_ATTENTION = ("ops.attention", "attention_backward")
_GELU = ("ops.gelu", "gelu_backward")

BACKWARD = [
    mutant("differences", name, about, edit)
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
            "bias-twice",
            "the bias gradient is added twice",
            ("nn.linear", "Linear.backward", "bias.grad += db", "bias.grad += 2 * db"),
        ),
        (
            "bias-forgotten",
            "the bias gradient is computed and never added",
            ("nn.linear", "Linear.backward", "self.bias.grad += db", "pass"),
        ),
        (
            "convolution-weight",
            "the weight gradient of a convolution is reshaped where it must be transposed",
            (
                "nn.linear",
                "Conv2d.backward",
                "reshape(out, kernel, kernel, channels).transpose(0, 3, 1, 2)",
                "reshape(out, channels, kernel, kernel)",
            ),
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
            "softmax-sign",
            "the row sum is added instead of subtracted",
            (*_SOFTMAX, "(dy - along_y)", "(dy + along_y)"),
        ),
        (
            "attention-heads",
            "the gradient is reshaped to heads where it must be transposed",
            (
                *_ATTENTION,
                "heads_apart(dout, heads)",
                "dout.reshape(dout.shape[0], heads, dout.shape[1], -1)",
            ),
        ),
        (
            "attention-dk",
            "dK without the transpose of dS",
            (*_ATTENTION, "dscores.swapaxes(-1, -2), q", "dscores, q"),
        ),
        (
            "attention-dv",
            "dV without the transpose of A",
            (*_ATTENTION, "used.swapaxes(-1, -2), do", "used, do"),
        ),
        (
            "attention-dq",
            "the sign of dQ",
            (*_ATTENTION, "matmul(dscores, k", "matmul(-dscores, k"),
        ),
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
            "drop-path-branch",
            "one branch's gradient is masked by the other branch's draw",
            ("nn.block", "Block.backward", "cache.drop2", "cache.drop1"),
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
            "second-head",
            "only the class token hands its gradient on",
            ("models.deit", "DeiT.backward", "enumerate(dpooled)", "enumerate(dpooled[:1])"),
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
