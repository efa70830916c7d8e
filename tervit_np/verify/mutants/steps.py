"""Quantizers that remember, move or add to a bias the wrong number in a step of training."""

from tervit_np.verify.mutation import mutant

_PULL = ("quant.dampened", "Dampened.before_step")
_STOP = ("quant.freezing", "Freezing.after_step")

STEPS = [
    mutant("golden", name, about, edit)
    for name, about, edit in [
        (
            "dampened-push",
            "weights are pushed away from their levels",
            (*_PULL, "(w - w_hat)", "(w_hat - w)"),
        ),
        (
            "dampened-half",
            "the derivative of the square lacks its factor 2",
            (*_PULL, "2 * self.strength", "self.strength"),
        ),
        (
            "dampened-beyond",
            "weights beyond the last level are pulled back, too",
            (*_PULL, "<= self.levels(w_hat)", ">= 0"),
        ),
        (
            "dampened-alone",
            "the pull replaces the gradient of the batch",
            (*_PULL, "weight.grad += ", "weight.grad[...] = "),
        ),
        (
            "freezing-any-change",
            "every change of a code counts, whatever its direction",
            (*_STOP, "change * directions < 0", "change != 0"),
        ),
        (
            "freezing-sum",
            "frequencies add up and never fall",
            (*_STOP, "(oscillates - frequencies)", "oscillates"),
        ),
        (
            "freezing-last",
            "a weight stops at its last code, not at the one that it mostly has",
            (*_STOP, "np.rint(mean_codes[stops])", "codes[stops]"),
        ),
        (
            "freezing-once",
            "a weight is put to its code in one step, and free again in the next",
            (*_STOP, "where=frequencies == STOPPED", "where=stops"),
        ),
        (
            "freezing-code",
            "a frozen weight is set to its code, not to its code times alpha",
            (*_STOP, " * self.levels(w_hat)", " * np.sign(self.levels(w_hat))"),
        ),
        (
            "qema-fast",
            "the average keeps a hundredth of itself, not 99 hundredths",
            ("quant.qema", "QEMA.after_step", "(1 - KEPT)", "KEPT"),
        ),
        (
            "lat-gradients",
            "gradients are averaged without being squared",
            ("quant.lat", "LAT.after_step", "np.square(weight.grad)", "np.abs(weight.grad)"),
        ),
    ]
]

STEPS.append(
    mutant(
        "golden",
        "tequila-others",
        "the weights that are not 0 make up the bias",
        ("quant.tequila", "Tequila.bias", "* cache.is_zero", "* ~cache.is_zero"),
        ("quant.tequila", "Tequila.bias_backward", "* cache.is_zero", "* ~cache.is_zero"),
    )
)
