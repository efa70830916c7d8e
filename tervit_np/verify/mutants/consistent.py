"""Mistakes in both passes together: finite differences agree, golden values do not."""

from tervit_np.verify.mutation import mutant

_SIGMOID = "(1 / (1 + np.exp(-1.702 * x)))"

CONSISTENT = [
    mutant(
        "golden",
        "wrong-eps",
        "LayerNorm adds 1e-5 where DeiT adds 1e-6",
        ("ops.layernorm", "layernorm", "+ eps)", "+ 10 * eps)"),
    ),
    mutant(
        "golden",
        "tiny-eps",
        "LayerNorm adds 1e-12, which float32 tests cannot see",
        ("ops.layernorm", "layernorm", "+ eps)", "+ 1e-6 * eps)"),
    ),
    mutant(
        "golden",
        "quick-gelu",
        "x sigmoid(1.702 x) in place of the exact GELU",
        ("ops.gelu", "gelu", "return factor * gaussian_cdf(x), x", f"return x * {_SIGMOID}, x"),
        (
            "ops.gelu",
            "gelu_backward",
            "return dy * (gaussian_cdf(x) + x * density)",
            f"s = {_SIGMOID}; return dy * (s + 1.702 * x * s * (1 - s))",
        ),
    ),
    mutant(
        "golden",
        "no-bias",
        "linear layers ignore their bias",
        ("nn.linear", "Linear.forward", "weight.w_hat, bias,", "weight.w_hat, None,"),
        ("nn.linear", "Linear.backward", "self.bias.grad += db", "pass"),
    ),
    mutant(
        "golden",
        "tanh-gelu",
        "the tanh approximation in place of the exact GELU",
        ("ops.gelu", "gelu", 'if form == "erf":', "if False:"),
        ("ops.gelu", "gelu_backward", 'if form == "erf":', "if False:"),
    ),
    mutant(
        "golden",
        "no-scale",
        "1/sqrt(K) is missing in both passes",
        ("ops.attention", "attention", "scale=q.shape[-1] ** -0.5", "scale=1.0"),
        ("ops.attention", "attention_backward", "scale=q.shape[-1] ** -0.5", "scale=1.0"),
    ),
    mutant(
        "golden",
        "head-order",
        "heads are interleaved instead of contiguous",
        (
            "ops.attention",
            "split_qkv",
            "3, heads, head_dim).transpose(2, 0, 3, 1, 4)",
            "3, head_dim, heads).transpose(2, 0, 4, 1, 3)",
        ),
        ("ops.attention", "merge_heads", "out.swapaxes(1, 2)", "out.transpose(0, 2, 3, 1)"),
        (
            "ops.attention",
            "split_heads",
            "heads, dim // heads).swapaxes(1, 2)",
            "-1, heads).transpose(0, 3, 1, 2)",
        ),
    ),
    mutant(
        "golden",
        "qkv-order",
        "the fused projection is read as k, q, v",
        (
            "ops.attention",
            "split_qkv",
            "parts[0], parts[1], parts[2]",
            "parts[1], parts[0], parts[2]",
        ),
    ),
    mutant(
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
    mutant(
        "golden",
        "pixel-order",
        "patch vectors are ordered (row, column, channel), not (channel, row, column)",
        ("ops.patches", "patchify", "(0, 2, 4, 1, 3, 5)", "(0, 2, 4, 3, 5, 1)"),
        (
            "ops.patches",
            "unpatchify",
            "grid_h, grid_w, channels, patch, patch)",
            "grid_h, grid_w, patch, patch, channels)",
        ),
        ("ops.patches", "unpatchify", "(0, 3, 1, 4, 2, 5)", "(0, 5, 1, 3, 2, 4)"),
    ),
    mutant(
        "golden",
        "kernel-order",
        "rows and columns of a convolution kernel are exchanged",
        ("ops.conv", "im2col", "columns[:, :, :, r, c] =", "columns[:, :, :, c, r] ="),
        ("ops.conv", "col2im", "d[:, :, :, r, c]", "d[:, :, :, c, r]"),
    ),
    mutant(
        "golden",
        "late-positions",
        "the class token gets no position embedding",
        ("ops.tokens", "add_tokens", "token[0, 0] + pos[0, i]", "token[0, 0]"),
        (
            "ops.tokens",
            "add_tokens_backward",
            "return dz[:, extra:], dextra, dpos",
            "late = dpos.copy(); late[:, :extra] = 0; return dz[:, extra:], dextra, late",
        ),
    ),
    mutant(
        "golden",
        "pooled-tokens",
        "mean pooling skips the first patch, as if it were a class token",
        ("models.deit", "DeiT.forward", "mean_pool(normed)", "mean_pool(normed[:, 1:])"),
        (
            "models.deit",
            "DeiT.backward",
            "ops.mean_pool_backward(dpooled[0], cache.shape[1])",
            "ops.mean_pool_backward(dpooled[0], cache.shape[1] - 1); "
            "dnormed = np.pad(dnormed, ((0, 0), (1, 0), (0, 0)))",
        ),
    ),
    mutant(
        "golden",
        "divergence",
        "KL(student || teacher) in place of KL(teacher || student)",
        ("losses", "distillation", "(p_t * gap)", "(_exp(log_s) * (log_s - log_t))"),
        (
            "losses",
            "distillation",
            "(_exp(log_s) - p_t)",
            "((d := _exp(log_s) * (log_s - log_t)) - _exp(log_s) * d.sum(1, keepdims=True))",
        ),
    ),
    mutant(
        "golden",
        "per-class",
        "the distillation loss is divided by the number of classes too",
        ("losses", "distillation", "batch = student.shape[0]", "batch = student.size"),
    ),
    mutant(
        "golden",
        "smoothing",
        "label smoothing gives the true class no part of the uniform distribution",
        (
            "losses",
            "_targets",
            "(1 - smoothing) * targets + smoothing / classes",
            "(1 - smoothing) * targets + smoothing * (1 - targets) / (classes - 1)",
        ),
    ),
    mutant(
        "golden",
        "token-order",
        "each of the two heads reads the other's token",
        (
            "models.deit",
            "DeiT._heads",
            "[self.head, self.head_dist]",
            "[self.head_dist, self.head]",
        ),
    ),
    mutant(
        "golden",
        "one-norm",
        "the second branch is normalised by norm1",
        ("nn.block", "Block.forward", "self.norm2.forward(x)", "self.norm1.forward(x)"),
        ("nn.block", "Block.backward", "self.norm2.backward", "self.norm1.backward"),
    ),
]
