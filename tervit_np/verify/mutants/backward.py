"""Mistakes in the backward alone, which finite differences contradict."""

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
            "the bias gradient is that of the first row, not the sum over rows",
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
            "the derivative of the mean is missing",
            (*_LAYERNORM, "g - along_ones - xhat", "g - xhat"),
        ),
        (
            "layernorm-variance",
            "the derivative of the variance is missing",
            (*_LAYERNORM, " - xhat * along_xhat", ""),
        ),
        (
            "layernorm-gamma",
            "gamma is missing in dx",
            (*_LAYERNORM, "g = dy * gamma", "g = dy"),
        ),
        (
            "layernorm-rstd",
            "the division by the standard deviation is missing in dx",
            (*_LAYERNORM, "rstd * (g", "(g"),
        ),
        (
            "layernorm-dgamma",
            "dgamma sums dy without the normalised input",
            (*_LAYERNORM, "(dy * xhat).sum(axis=leading)", "dy.sum(axis=leading)"),
        ),
        (
            "softmax-diagonal",
            "dx uses only the diagonal of the Jacobian",
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
                "split_heads(dout, heads)",
                "dout.reshape(dout.shape[0], heads, dout.shape[1], -1)",
            ),
        ),
        (
            "attention-dk",
            "dK lacks the transpose of dS",
            (*_ATTENTION, "dscores.swapaxes(-1, -2) @ q", "dscores @ q"),
        ),
        (
            "attention-dv",
            "dV lacks the transpose of A",
            (*_ATTENTION, "probs_hat.swapaxes(-1, -2) @ do", "probs_hat @ do"),
        ),
        (
            "attention-dq",
            "dQ has the wrong sign",
            (*_ATTENTION, "dq = dscores @ k", "dq = -dscores @ k"),
        ),
        (
            "gelu-product",
            "the second term of the product rule is missing",
            (*_GELU, "gaussian_cdf(x) + x * density", "gaussian_cdf(x)"),
        ),
        (
            "gelu-density",
            "the density lacks its 1/sqrt(2 pi)",
            (*_GELU, " / math.sqrt(2 * math.pi)", ""),
        ),
        (
            "gelu-cubic",
            "the derivative of x^3 lacks its factor 3",
            (*_GELU, "3 * _TANH_CUBIC * x * x", "_TANH_CUBIC * x * x"),
        ),
        (
            "residual",
            "the gradient of the skip connection is not added",
            ("nn.block", "Block.backward", "dx += dy", "pass"),
        ),
        (
            "drop-path-scale",
            "the backward zeroes dropped images but does not scale the others up",
            ("ops.drop_path", "drop_path_backward", "dy * factor", "dy * (factor > 0)"),
        ),
        (
            "drop-path-branch",
            "the gradient of the second branch is masked as the first branch was",
            ("nn.block", "Block.backward", "cache.drop2", "cache.drop1"),
        ),
        (
            "mean-pool",
            "the gradient of the mean is not divided by the number of tokens",
            ("ops.pool", "mean_pool_backward", " / tokens", ""),
        ),
        (
            "positions-batch",
            "the gradient of the positions is not summed over the batch",
            ("ops.tokens", "add_tokens_backward", "dz.sum(axis=0, keepdims=True)", "dz[:1]"),
        ),
        (
            "second-head",
            "only the class token passes its gradient back",
            ("models.deit", "DeiT.backward", "enumerate(dpooled)", "enumerate(dpooled[:1])"),
        ),
        (
            "scatter",
            "overlapping patches are assigned where they must be added",
            ("ops.conv", "col2im", "] += d[", "] = d["),
        ),
        (
            "patch-order",
            "the gradient of each patch is transposed",
            ("ops.patches", "unpatchify", "(0, 3, 1, 4, 2, 5)", "(0, 3, 1, 5, 2, 4)"),
        ),
        (
            "loss-sum",
            "the loss is a mean over the batch, its gradient a sum",
            ("losses", "cross_entropy", "- targets) / batch", "- targets)"),
        ),
        (
            "loss-sign",
            "the gradient is targets minus probabilities",
            ("losses", "cross_entropy", "_exp(log_p) - targets", "targets - _exp(log_p)"),
        ),
        (
            "temperature",
            "the distillation gradient lacks a factor T",
            ("losses", "distillation", "(temperature / batch)", "(1 / batch)"),
        ),
    ]
]
