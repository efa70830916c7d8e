"""Mistakes of Swin: windows, shifts, offsets and merging."""

from tervit_np.verify.mutation import mutant

_ATTENTION = ("ops.window_attention", "window_attention_backward")
_ROW_MAJOR = "in ((0, 0), (0, 1), (1, 0), (1, 1))"

WINDOWS = [
    mutant(
        "differences",
        "table-assigned",
        "pairs of one offset assign the bias table's gradient where they should add",
        (
            "ops.relative_bias",
            "relative_bias_backward",
            "np.bincount(flat, d.ravel().astype(np.float64), rows)",
            "d.ravel()[[np.flatnonzero(flat == r)[-1] for r in range(rows)]]",
        ),
    ),
    mutant(
        "differences",
        "bias-one-window",
        "the bias gradient looks at the first window only",
        (*_ATTENTION, "dscores.sum(axis=0)", "dscores[0]"),
    ),
    mutant(
        "differences",
        "window-scale",
        "1/sqrt(K) is missing in the backward of window attention",
        (*_ATTENTION, "q.dtype.type(q.shape[-1] ** -0.5)", "1.0"),
    ),
    mutant(
        "differences",
        "shifted-back",
        "the gradient is rolled the same way as the activations",
        (
            "nn.swin_block",
            "SwinBlock.backward",
            "ops.unpartition(dwindows, dx.shape), -self.by",
            "ops.unpartition(dwindows, dx.shape), self.by",
        ),
    ),
    mutant(
        "differences",
        "merge-scattered",
        "the gradient of merging goes back row by row, the gather went column by column",
        ("ops.merging", "merge_backward", "_ORDER, strict", "sorted(_ORDER), strict"),
    ),
    mutant(
        "golden",
        "merge-order",
        "the four neighbours are gathered across first, then down",
        ("ops.merging", "merge", "in _ORDER", _ROW_MAJOR),
        ("ops.merging", "merge_backward", "_ORDER, strict", "sorted(_ORDER), strict"),
    ),
    mutant(
        "golden",
        "no-mask",
        "windows at the seam of a shifted map see strangers",
        ("ops.windows", "shift_mask", "if by == 0:", "if True:"),
    ),
    mutant(
        "golden",
        "roll-direction",
        "the map rolls down and to the right",
        ("ops.windows", "shift", "(-by, -by)", "(by, by)"),
    ),
    mutant(
        "golden",
        "offset-sign",
        "offsets are key minus query",
        ("ops.relative_bias", "relative_index", "y[:, None] - y[None, :]", "y - y[:, None]"),
        ("ops.relative_bias", "relative_index", "x[:, None] - x[None, :]", "x - x[:, None]"),
    ),
    mutant(
        "golden",
        "offset-axes",
        "rows and columns of an offset are exchanged",
        (
            "ops.relative_bias",
            "relative_index",
            "rows * (2 * window - 1) + columns",
            "columns * (2 * window - 1) + rows",
        ),
    ),
    mutant(
        "golden",
        "swin-eps",
        "LayerNorm of Swin adds the 1e-6 of DeiT, not 1e-5",
        ("ops.layernorm", "layernorm", "+ eps)", "+ min(eps, 1e-6))"),
    ),
]
