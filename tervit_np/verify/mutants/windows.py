"""Mistakes in Swin: windows, shifts, relative positions and merging."""

from tervit_np.verify.mutation import mutant

_ATTENTION = ("ops.window_attention", "window_attention_backward")
_ROW_MAJOR = "in ((0, 0), (0, 1), (1, 0), (1, 1))"

WINDOWS = [
    mutant(
        "differences",
        "table-assigned",
        "pairs with one relative position assign the table's gradient where they must add",
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
        "the bias gradient is that of the first window, not the sum over windows",
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
            "ops.window_reverse(dwindows, dx.shape), -self.shift_size",
            "ops.window_reverse(dwindows, dx.shape), self.shift_size",
        ),
    ),
    mutant(
        "differences",
        "merge-scattered",
        "merging gathers column by column, its backward scatters row by row",
        ("ops.merging", "merge_backward", "_ORDER, strict", "sorted(_ORDER), strict"),
    ),
    mutant(
        "golden",
        "merge-order",
        "the four neighbours are gathered row by row",
        ("ops.merging", "merge", "in _ORDER", _ROW_MAJOR),
        ("ops.merging", "merge_backward", "_ORDER, strict", "sorted(_ORDER), strict"),
    ),
    mutant(
        "golden",
        "no-mask",
        "without the mask, windows at the border of a shifted map attend across it",
        ("ops.windows", "shift_mask", "if shift_size == 0:", "if True:"),
    ),
    mutant(
        "golden",
        "roll-direction",
        "the map rolls down and to the right",
        ("ops.windows", "cyclic_shift", "(-shift_size, -shift_size)", "(shift_size, shift_size)"),
    ),
    mutant(
        "golden",
        "relative-sign",
        "relative positions are key minus query",
        (
            "ops.relative_bias",
            "relative_position_index",
            "y[:, None] - y[None, :]",
            "y - y[:, None]",
        ),
        (
            "ops.relative_bias",
            "relative_position_index",
            "x[:, None] - x[None, :]",
            "x - x[:, None]",
        ),
    ),
    mutant(
        "golden",
        "relative-axes",
        "rows and columns of a relative position are exchanged",
        (
            "ops.relative_bias",
            "relative_position_index",
            "rows * (2 * window - 1) + columns",
            "columns * (2 * window - 1) + rows",
        ),
    ),
    mutant(
        "golden",
        "swin-eps",
        "LayerNorm of Swin adds 1e-6 as in DeiT, not 1e-5",
        ("ops.layernorm", "layernorm", "+ eps)", "+ min(eps, 1e-6))"),
    ),
]
