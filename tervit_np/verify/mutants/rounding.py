"""Quantizers that round to wrong numbers, while backward and convention agree."""

from tervit_np.verify.mutation import mutant

_TERNARIZE = ("quant.ternarize", "ternarize_rows")
_MINMAX = ("quant.uniform", "minmax_codes")

ROUNDING = [
    mutant("golden", name, about, *edits)
    for name, about, *edits in [
        (
            "threshold-maximum",
            "the threshold is a fraction of the largest weight, not of the mean",
            (*_TERNARIZE, "delta = factor * mean", "delta = factor * magnitude.max(axis=1)"),
        ),
        (
            "threshold-inclusive",
            "a weight equal to the threshold does not become zero",
            (
                *_TERNARIZE,
                "delta = factor * mean\n        support = magnitude > delta",
                "delta = factor * mean\n        support = magnitude >= delta",
            ),
        ),
        (
            "scale-all",
            "the scale is a mean over all weights, those that become zero included",
            (*_TERNARIZE, "np.maximum(support.sum(axis=1), 1)", "magnitude.shape[1]"),
        ),
        (
            "scale-tensor",
            "one threshold and scale for the whole tensor where every channel has its own",
            (
                "quant.ternary",
                "Ternary._fit",
                "granularity=self.granularity",
                "granularity='tensor'",
            ),
        ),
        (
            "exact-root",
            "the exact interval maximises S_k / k instead of S_k^2 / k",
            ("quant.ternarize", "exact_interval", "sums * sums / k", "sums / k"),
        ),
        (
            "group-interleaved",
            "the scales of groups are dealt out input by input",
            (
                "quant.channels",
                "broadcast_scale",
                "np.repeat(scale, repeats, axis=1)",
                "np.tile(scale, repeats)",
            ),
        ),
        (
            "quest-mean",
            "the level comes from the mean magnitude, not from the root mean square",
            (
                "quant.quest",
                "Quest.encode",
                "root_mean_square(matrix)",
                "np.abs(matrix).mean(axis=1)",
            ),
        ),
        (
            "quest-act-mean",
            "the end comes from the mean magnitude of a token, not from its root mean square",
            ("quant.quest_act", "QuestAct.encode", "root_mean_square(x)", "np.abs(x).mean(axis=1)"),
        ),
        (
            "hadamard-cyclic",
            "sums and differences are those of neighbours in every step",
            ("quant.hadamard", "hadamard", "(-1, 2, half)", "(-1, 2, 1)"),
        ),
        (
            "sherry-largest",
            "the largest of four magnitudes becomes zero, not the smallest",
            ("quant.sherry", "largest_three", "argmin", "argmax"),
        ),
        (
            "sherry-scale-all",
            "the scale is a mean over all weights, those that become zero included",
            ("quant.sherry", "Sherry.encode", "0.75 * matrix.shape[1]", "matrix.shape[1]"),
        ),
        (
            "seq-half",
            "of four levels, no half is subtracted before rounding",
            ("quant.seq", "SEQ.round", "2 * v - v.dtype.type(0.5)", "2 * v"),
        ),
        (
            "seq-threshold",
            "thresholds of three levels are at half of the end",
            ("quant.seq", "SEQ.round", "v * v.dtype.type(1.5)", "v"),
        ),
        (
            "seq-start",
            "the scale starts at the mean magnitude, not at the largest",
            ("quant.seq", "SEQ.first_ends", ".max(axis=1)", ".mean(axis=1)"),
        ),
        (
            "lsq-start",
            "the first step is not divided by the root of Q",
            ("quant.lsq", "LSQ.first_ends", "2 * math.sqrt(q_max)", "2 * q_max"),
        ),
        (
            "lsq-deviation",
            "the first step reaches three deviations around 0, not around the mean",
            ("quant.lsq", "LSQ.first_ends", "np.abs(mean[:, 0]) + 3", "3"),
        ),
        (
            "ttq-threshold",
            "the threshold is a fraction of the mean magnitude, not of the largest",
            ("quant.ttq", "_codes", "magnitude.max(", "magnitude.mean("),
        ),
        (
            "ttq-one-scale",
            "both signs start at the mean of all that are not 0",
            ("quant.ttq", "_mean_magnitude", "_codes(matrix) == sign", "_codes(matrix) != 0"),
        ),
        (
            "lat-equal",
            "all weights count alike",
            ("quant.lat", "LAT._importance", "if self._squares is None", "if True"),
        ),
        (
            "lat-squares",
            "weights count as their squared gradients, without the root",
            ("quant.lat", "LAT._importance", "np.sqrt(as_rows(", "np.abs(as_rows("),
        ),
        (
            "qema-weight",
            "the weight decides, not its average",
            ("quant.qema", "QEMA.encode", "if self._average is None", "if True"),
        ),
        (
            "qema-beyond",
            "the average decides beyond the last level, too",
            ("quant.qema", "QEMA.encode", ">= alpha[:, None]", ">= np.inf"),
        ),
        (
            "dorefa-scale",
            "the fitted scale is a mean of ratios, not least squares",
            (
                "quant.dorefa",
                "DoReFa._c",
                "row_sums(matrix / row_sums(v * v) * v)",
                "np.abs(matrix).mean(axis=1, keepdims=True)",
            ),
        ),
        (
            "halves-up",
            "halves are rounded up instead of to even",
            (
                "quant.uniform",
                "symmetric_codes",
                "np.rint(x / safe)",
                "np.floor(x / safe + 0.5)",
            ),
        ),
        (
            "code-128",
            "128 levels on each side: the largest code overflows int8",
            ("quant.uniform", "largest_code", "- 1)) - 1", "- 1))"),
        ),
        (
            "range-without-zero",
            "the min-max range is not extended to zero",
            (
                *_MINMAX,
                "np.minimum(x.min(axis=1, keepdims=True, initial=0), 0)",
                "x.min(axis=1, keepdims=True)",
            ),
        ),
        (
            "zero-point-real",
            "the zero point is not rounded",
            (*_MINMAX, "np.rint(-low / safe)", "-low / safe"),
        ),
        (
            "static-halves-up",
            "halves of a static step are rounded up instead of to even",
            ("quant.static", "StaticAct.forward", "np.rint(v)", "np.floor(v + 0.5)"),
        ),
        (
            "percentile-signed",
            "the percentile is that of the values, not of their magnitudes",
            (
                "quant.calibration",
                "percentile_scale",
                "np.percentile(np.abs(x), percent)",
                "np.percentile(x, percent)",
            ),
        ),
        (
            "calibration-levels",
            "the calibrated range is divided by the number of levels on both sides",
            (
                "quant.calibration",
                "minmax_scale",
                "/ largest_code(bits)",
                "/ (2 * largest_code(bits))",
            ),
        ),
        (
            "least-squares-signed",
            "least squares adds the differences up without squaring them",
            ("quant.calibration", "squared_error", "difference * difference", "difference"),
        ),
        (
            "blend-turned",
            "the blend runs from quantized to float",
            (
                "quant.blend",
                "Blend.forward",
                "(1 - q) * w + q * w_hat, BlendCache(q, inner)",
                "q * w + (1 - q) * w_hat, BlendCache(1 - q, inner)",
            ),
        ),
    ]
]

ROUNDING.append(
    mutant(
        "golden",
        "dorefa-linear",
        "weights are divided by the largest, without tanh",
        ("quant.dorefa", "_tanh", "elementary.tanh(matrix)", "matrix"),
        ("quant.dorefa", "DoReFa.backward", "((1 - t * t) * dt)", "dt"),
    )
)
