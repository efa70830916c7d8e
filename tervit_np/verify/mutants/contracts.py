"""Broken contracts: arguments overwritten, gradients replaced, float32 widened."""

from tervit_np.verify.mutation import mutant

_SOFTMAX = ("ops.softmax", "softmax_backward")
_GELU = ("ops.gelu", "gelu_backward")

CONTRACTS = [
    mutant("contracts", name, about, edit)
    for name, about, edit in [
        (
            "gradient-assigned",
            "the gradient is assigned, so a second backward erases the first",
            (
                "nn.layernorm",
                "LayerNorm.backward",
                "self.weight.grad += self",
                "self.weight.grad[...] = self",
            ),
        ),
        (
            "gradient-replaced",
            "the gradient becomes a new array, so that references to the old one are stale",
            (
                "nn.linear",
                "Linear.backward",
                "self.bias.grad += db",
                "self.bias.grad = self.bias.grad + db",
            ),
        ),
        (
            "skip-in-place",
            "the block adds its branch into its input array",
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
            "the clip's mask is multiplied into the gradient that is passed in",
            (
                "quant.ternary",
                "Ternary.backward",
                "dw_hat * cache.ste_mask",
                "np.multiply(dw_hat, cache.ste_mask, out=dw_hat)",
            ),
        ),
        (
            "dy-in-place",
            "softmax's backward overwrites dy",
            (
                *_SOFTMAX,
                "dx = scale * y * (dy - along_y)",
                "dy -= along_y; dy *= scale * y; dx = dy",
            ),
        ),
        (
            "cache-written",
            "GELU's backward overwrites the cached input",
            (
                *_GELU,
                "x = _bounded(x)",
                "bounded = _bounded(x); x.flags.writeable = True; x *= 0.5; x = bounded",
            ),
        ),
        (
            "float64",
            "drop path's factor turns float32 into float64",
            ("ops.drop_path", "drop_path", ".astype(x.dtype)", ""),
        ),
        (
            "scale-float64",
            "scales summed in float64 stay float64, so w_hat is float64 too",
            (
                "quant.ternarize",
                "ternarize",
                "alpha.astype(matrix.dtype).reshape(shape)",
                "alpha.reshape(shape)",
            ),
        ),
    ]
]
