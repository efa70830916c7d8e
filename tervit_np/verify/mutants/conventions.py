"""Quantizers whose backward is not the derivative that their convention declares."""

from tervit_np.verify.mutation import mutant

CONVENTIONS = [
    mutant("frozen", name, about, edit)
    for name, about, edit in [
        (
            "ternary-half",
            "the backward halves the gradient",
            (
                "quant.ternary",
                "Ternary.backward",
                "return dw_hat if cache.ste_mask is None",
                "return dw_hat * 0.5 if cache.ste_mask is None",
            ),
        ),
        (
            "ternary-clip",
            "the clip does not stop the gradient",
            ("quant.ternary", "Ternary.backward", "dw_hat * cache.ste_mask", "dw_hat"),
        ),
        (
            "ternary-residual",
            "the residual is measured from the weight before the clip",
            (
                "quant.ternary",
                "Ternary.forward",
                "w_hat - clipped if keep_residual",
                "w_hat - w if keep_residual",
            ),
        ),
        (
            "ternary-one-side",
            "the clip stops the gradient of large positive weights only",
            ("quant.ternary", "Ternary.forward", "np.abs(w) < self.clip", "w < self.clip"),
        ),
        (
            "quest-trust-all",
            "outliers have a gradient, too",
            ("quant.quest", "Quest.backward", "dw_hat * cache.trusted", "dw_hat"),
        ),
        (
            "quest-trust",
            "the mask trusts twice the distance",
            ("quant.quest", "Quest.forward", "<= level / 2", "<= level"),
        ),
        (
            "hadamard-gradient",
            "the gradient is masked without being rotated",
            (
                "quant.hadamard",
                "_Rotated.backward",
                "self._rule.backward(self._rotate(dw_hat), cache)",
                "self._rule.backward(dw_hat, cache)",
            ),
        ),
        (
            "sherry-share",
            "the gradient is multiplied by the fraction of weights that are kept",
            ("quant.sherry", "Sherry.backward", "return dw_hat", "return dw_hat * 0.75"),
        ),
        (
            "lat-importance",
            "the gradient is multiplied by the importance of its weight",
            ("quant.lat", "LAT.backward", "return dw_hat", "return dw_hat * 0.5"),
        ),
        (
            "tequila-all",
            "all weights get the gradient of the bias, not those alone that are 0",
            ("quant.tequila", "Tequila.bias_backward", "* cache.is_zero", "* (cache.is_zero >= 0)"),
        ),
        (
            "gamma-scale",
            "the gradient of gamma is halved",
            ("quant.gamma", "TernaryGamma.backward", "return dw_hat", "return dw_hat * 0.5"),
        ),
        (
            "offset-inside",
            "values inside of the grid move its offset, too",
            ("quant.offset_act", "LSQPlusAct.backward", "dw_hat * ~cache.ste_mask", "dw_hat * 1"),
        ),
        (
            "qema-lag",
            "the gradient is multiplied by the share of a step in the average",
            ("quant.qema", "QEMA.backward", "return dw_hat", "return dw_hat * 0.01"),
        ),
        (
            "learned-clip",
            "the gradient of weights passes beyond the learned end",
            ("quant.learned_scale", "LearnedScale.backward", "dw_hat * cache.ste_mask", "dw_hat"),
        ),
        (
            "learned-beyond",
            "weights beyond the end move it by 1, whatever level they stand on",
            (
                "quant.learned_scale",
                "LearnedScale.forward",
                "np.where(ste_mask, 0, v)",
                "np.where(ste_mask, 0, 2 * v - codes * self.unit)",
            ),
        ),
        (
            "learned-inside",
            "weights inside count in the gradient of the end as if they stretched with it",
            ("quant.learned_scale", "LearnedScale.forward", "np.where(ste_mask, 0, v)", "v"),
        ),
        (
            "learned-factor",
            "the gradient of the end is divided by the number of its weights",
            (
                "quant.learned_scale",
                "LearnedScale.backward",
                "da.astype",
                "(da / dw_hat.size).astype",
            ),
        ),
        (
            "ttq-identity",
            "the gradient of weights is not multiplied by their scale",
            (
                "quant.ttq",
                "TTQ.backward",
                "dw_hat * self._units(codes).reshape(dw_hat.shape)",
                "dw_hat",
            ),
        ),
        (
            "ttq-sign",
            "the gradient of N has the sign of that of P",
            (
                "quant.ttq",
                "TTQ.backward",
                "dw_hat.reshape(codes.shape) * codes",
                "dw_hat.reshape(codes.shape)",
            ),
        ),
        (
            "dorefa-maximum",
            "the largest magnitude counts as a constant",
            ("quant.dorefa", "DoReFa.backward", " - sign * through_m", ""),
        ),
        (
            "dorefa-tanh",
            "the backward lacks the derivative of tanh",
            ("quant.dorefa", "DoReFa.backward", "((1 - t * t) * dt)", "dt"),
        ),
        (
            "uniform-sign",
            "the backward drops negative gradients",
            (
                "quant.uniform",
                "UniformWeight.backward",
                "return dw_hat",
                "return dw_hat * (dw_hat > 0)",
            ),
        ),
        (
            "activation-scale",
            "the activation's gradient is divided by the number of levels",
            ("quant.uniform", "UniformAct.backward", "return dw_hat", "return dw_hat / 255"),
        ),
        (
            "static-clip",
            "the gradient passes beyond the ends of the static grid",
            ("quant.static", "StaticAct.backward", "dw_hat * cache.ste_mask", "dw_hat"),
        ),
        (
            "static-residual",
            "the residual is measured from the value before the clip",
            ("quant.static", "StaticAct.forward", "q - v if", "q - w / scale if"),
        ),
        (
            "quest-act-trust-all",
            "clipped activations have a gradient, too",
            ("quant.quest_act", "QuestAct.backward", "dw_hat * cache.trusted", "dw_hat"),
        ),
        (
            "lsq-act-inside",
            "values inside do not move the end, as with PACT",
            ("quant.learned_act", "LSQAct.forward", "self.inside(residual) + ", ""),
        ),
        (
            "pact-inside",
            "values inside move PACT's end, as with LSQ",
            ("quant.learned_act", "PACT.inside", "np.zeros_like(residual)", "residual"),
        ),
        (
            "learned-act-beyond",
            "values beyond the end do not move it",
            ("quant.learned_act", "LSQAct.forward", "np.where(ste_mask, 0, x_hat)", "0"),
        ),
        (
            "blend-amount",
            "the gradient of the blend lacks its unquantized part",
            ("quant.blend", "Blend.backward", "(1 - q) * dw_hat + ", ""),
        ),
        (
            "blend-scale",
            "a learned scale gets the whole gradient from the beginning of a ramp",
            (
                "quant.blend",
                "Blend.backward",
                "self.inner.backward(q * dw_hat, cache.inner)",
                "q * self.inner.backward(dw_hat, cache.inner)",
            ),
        ),
    ]
]
