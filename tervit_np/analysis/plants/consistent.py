"""Mistakes of both passes together: differences agree, only another implementation objects."""

from tervit_np.analysis.planting import plant

CONSISTENT = [
    plant(
        "golden",
        "wrong-eps",
        "LayerNorm adds 1e-5 where DeiT adds 1e-6",
        ("ops.layernorm", "layernorm", "+ eps)", "+ 10 * eps)"),
    ),
    plant(
        "golden",
        "tanh-gelu",
        "the tanh approximation where the exact GELU is meant",
        ("ops.gelu", "gelu", 'if form == "erf":', "if False:"),
        ("ops.gelu", "gelu_backward", 'if form == "erf":', "if False:"),
    ),
    plant(
        "golden",
        "no-scale",
        "1/sqrt(K) is missing in both passes",
        ("ops.attention", "attention", "scale=q.shape[-1] ** -0.5", "scale=1.0"),
        ("ops.attention", "attention_backward", "scale=q.shape[-1] ** -0.5", "scale=1.0"),
    ),
    plant(
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
    plant(
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
    plant(
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
    plant(
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
    plant(
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
    plant(
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
    plant(
        "golden",
        "one-norm",
        "the second branch is normalised with the first norm",
        ("nn.block", "Block.forward", "self.norm2.forward(x)", "self.norm1.forward(x)"),
        ("nn.block", "Block.backward", "self.norm2.backward", "self.norm1.backward"),
    ),
]
