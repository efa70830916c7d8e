"""Right numbers, wrong manners: memory written that belongs to others, sums that replace."""

from tervit_np.verify.mutation import mutant

_SOFTMAX = ("ops.softmax", "softmax_backward")
_GELU = ("ops.gelu", "gelu_backward")

MANNERS = [
    mutant("structure", name, about, edit)
    for name, about, edit in [
        (
            "overwrite",
            "the gradient is assigned, so a second backward erases the first",
            (
                "nn.layernorm",
                "LayerNorm.backward",
                "self.weight.grad += dgamma",
                "self.weight.grad[...] = dgamma",
            ),
        ),
        (
            "rebound",
            "the gradient becomes a new array, and whoever holds the old one misses it",
            (
                "nn.linear",
                "Linear.backward",
                "self.bias.grad += db",
                "self.bias.grad = self.bias.grad + db",
            ),
        ),
        (
            "skip-in-place",
            "the block adds its branch onto its input, which is not its own",
            ("nn.block", "Block.forward", "branch += x  #", "x += branch; branch = x  #"),
        ),
        (
            "latent-written",
            "the clip overwrites the latent weights",
            (
                "quant.ternary",
                "Ternary._clipped",
                "np.clip(w, -self.clip, self.clip)",
                "np.clip(w, -self.clip, self.clip, out=w)",
            ),
        ),
        (
            "mask-in-place",
            "the clip's mask is multiplied into the gradient that was handed in",
            (
                "quant.ternary",
                "Ternary.backward",
                "dw_hat * cache.inside",
                "np.multiply(dw_hat, cache.inside, out=dw_hat)",
            ),
        ),
        (
            "in-place",
            "softmax's backward writes on the gradient it was given",
            (
                *_SOFTMAX,
                "dx = scale * y * (dy - along_y)",
                "dy -= along_y; dy *= scale * y; dx = dy",
            ),
        ),
        (
            "cache-written",
            "GELU's backward writes on the input that the forward remembered",
            (
                *_GELU,
                "return dy * (_gaussian_cdf(x) + x * density)",
                "value = dy * (_gaussian_cdf(x) + x * density); x.flags.writeable = True; "
                "x *= density; return value",
            ),
        ),
        (
            "float64",
            "drop path's factor turns float32 into float64",
            ("ops.drop_path", "drop_path", ".astype(x.dtype)", ""),
        ),
        (
            "scale-float64",
            "scales summed in float64 stay float64, and so do the weights",
            (
                "quant.ternarize",
                "ternarize",
                "a.astype(matrix.dtype).reshape(shape)",
                "a.reshape(shape)",
            ),
        ),
    ]
]
