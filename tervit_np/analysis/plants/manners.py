"""Right numbers, wrong manners: memory written that belongs to others, sums that replace."""

from tervit_np.analysis.planting import plant

_SOFTMAX = ("ops.softmax", "softmax_backward")
_GELU = ("ops.gelu", "gelu_backward")

MANNERS = [
    plant("structure", name, about, edit)
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
    ]
]
