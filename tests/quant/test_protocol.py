import numpy as np
import pytest

import tervit_np as tv
from tervit_np.param import Param
from tervit_np.quant import (
    IDENTITY,
    LSQ,
    Blend,
    Convention,
    Dampened,
    Freezing,
    Hadamard,
    HadamardAct,
    Identity,
    LSQPlusAct,
    Plan,
    QuantizedTensor,
    Quantizer,
    Quest,
    QuestAct,
    Sherry,
    StaticAct,
    Tequila,
    Ternary,
    TernaryGamma,
    UniformWeight,
    conventions,
)
from tervit_np.quant.hadamard import hadamard
from tervit_np.quant.protocol import require_residual
from tervit_np.quant.weight_quantizer import WeightQuantizer
from tervit_np.verify.frozen import QUANTIZERS, prepared
from tests.checks import ROUNDOFF32, ROUNDOFF64, close

W = np.random.default_rng(0).normal(size=(3, 8))


def has_codes(quantizer):
    rule = getattr(quantizer, "inner", quantizer)
    return not isinstance(rule, Identity | LSQPlusAct | Hadamard | HadamardAct)


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_every_quantizer_keeps_shape_and_type(quantizer):
    for dtype in ("float32", "float64"):
        quantizer = prepared(quantizer, W.astype(dtype))
        w_hat, cache = quantizer.forward(W.astype(dtype), keep_residual=True)
        dw = quantizer.backward(W.astype(dtype), cache)
        frozen = quantizer.frozen(W.astype(dtype), cache)
        for result in (w_hat, dw, frozen):
            assert result.shape == W.shape
            assert result.dtype == dtype
        close(frozen, w_hat, ROUNDOFF32 if dtype == "float32" else ROUNDOFF64)


@pytest.mark.parametrize("quantizer", [q for q in QUANTIZERS if has_codes(q)], ids=repr)
def test_codes_dequantize_to_the_forward(quantizer):
    quantizer = prepared(quantizer, W)
    quantized = quantizer.inner if isinstance(quantizer, Blend) else quantizer
    encoded = quantizer.encode(W)
    assert encoded.codes.dtype in (np.int8, np.uint8)
    np.testing.assert_array_equal(encoded.dequantize(), quantized.forward(W)[0])
    assert len(np.unique(encoded.codes)) <= 2**quantizer.bits


def test_codes_dequantize_as_computed_by_hand():
    weight = QuantizedTensor(
        np.array([[1, -1], [0, 1]], np.int8), np.array([2.0, 3.0]), np.zeros((), int)
    )
    assert weight.dequantize().tolist() == [[2, -2], [0, 3]]
    tokens = QuantizedTensor(np.array([[255, 0]], np.uint8), np.array([[0.5]]), np.array([[5]]))
    assert tokens.dequantize().tolist() == [[125, -2.5]]


def test_a_missing_residual_is_explained():
    assert require_residual(W) is W
    with pytest.raises(ValueError, match=r"forward\(w, keep_residual=True\)"):
        require_residual(None)


def test_an_unfinished_quantizer_cannot_be_built():
    class Half(Quantizer):
        def forward(self, w, keep_residual=False):
            return w, None

    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_every_quantizer_answers_the_four_questions_for_itself():
    """No row is inherited: words about w or a clip do not fit a rule that has v or no clip."""
    table = conventions()
    assert set(table) == {type(quantizer).__name__ for quantizer in QUANTIZERS}
    for rule in {type(quantizer) for quantizer in QUANTIZERS}:
        assert isinstance(vars(rule).get("convention"), Convention), rule
        assert all(table[rule.__name__])


def contradictions(quantizer):
    """What the row of a quantizer says and the quantizer does not do, or the other way round."""
    w = np.random.default_rng(0).normal(size=(3, 16))
    w[0, 0], w[1, :4] = 8, 4  # beyond every clip, the four when they are rotated
    rule = prepared(quantizer, w)
    dw_hat = np.random.default_rng(1).normal(size=w.shape)
    _, cache = rule.forward(w)
    dw, row = rule.backward(dw_hat, cache), rule.convention
    is_rotated = hasattr(rule, "block")
    dv = hadamard(dw, rule.block) if is_rotated else dw
    needs_clip = "if one is given" in row.clip
    claims = {
        "a clip that can be given": (needs_clip, "clip" in rule.arguments()),
        "a gradient of 0": (
            not row.clip.startswith("nowhere") and (not needs_clip or rule.clip is not None),
            bool((np.abs(dv) < ROUNDOFF64).any()),
        ),
        "a learned scale": ("learned" in row.scale, bool(rule.params())),
        "a calibrated scale": ("calibra" in row.scale, isinstance(rule, StaticAct)),
        "a part of the bias": ("bias" in " ".join(row), rule.bias(w, cache) is not None),
        "a term before the step": (
            "before the step" in row.clip,
            type(rule).before_step is not Quantizer.before_step,
        ),
        "rotated values": ("|v|" in row.boundary + row.clip, is_rotated),
    }
    return [claim for claim, (said, is_so) in claims.items() if said != is_so]


def test_every_row_says_what_its_quantizer_does():
    rules = [q for q in QUANTIZERS if not isinstance(q, Blend)]  # whose row is that of another
    assert [(q, wrong) for q in rules if (wrong := contradictions(q))] == []


@pytest.mark.parametrize(
    ("quantizer", "row_of", "found"),
    [
        (Dampened(), Ternary, ["a clip that can be given", "a term before the step"]),
        (Freezing(), Ternary, ["a clip that can be given"]),
        (Tequila(), Ternary, ["a clip that can be given", "a part of the bias"]),
        (TernaryGamma(), Ternary, ["a clip that can be given"]),
        (Hadamard("channel", 4), Quest, ["rotated values"]),
        (HadamardAct(2, 8), QuestAct, ["rotated values"]),
        (LSQ(), Quest, ["a learned scale"]),
        (Ternary(), Sherry, ["a clip that can be given"]),
    ],
    ids=repr,
)
def test_the_row_of_another_rule_is_noticed(quantizer, row_of, found, monkeypatch):
    monkeypatch.setattr(type(quantizer), "convention", row_of.convention)
    assert contradictions(quantizer) == found


def test_weights_without_a_packed_form_say_why():
    for quantizer in QUANTIZERS:
        if isinstance(quantizer, WeightQuantizer | Blend) and not quantizer.packing:
            assert "no_packed_form" in vars(type(quantizer)), quantizer


def test_a_weight_on_the_threshold_becomes_0_as_the_rows_say():
    """Delta is 0.7 times a mean of exactly 1."""
    w = np.array([[0.7, 1.3]])
    for quantizer in (Ternary(), Dampened(), Freezing(), Tequila(), TernaryGamma()):
        assert "= Delta gives 0 (strict)" in quantizer.convention.boundary
        assert prepared(quantizer, w).encode(w).codes.tolist() == [[0, 1]], quantizer


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_integers_are_rounded_as_floats_or_refused(quantizer):
    """A scale cast to their type was 0, and so were the levels of QuEST and of static inputs."""
    integers = np.rint(4 * W).astype(np.int64)
    rule = prepared(quantizer, integers.astype(np.float64))
    try:
        w_hat, _ = rule.forward(integers)
    except ValueError as error:
        assert "int64, expected" in str(error)  # noqa: PT017  refusing is one of two right answers
    else:
        close(w_hat, rule.forward(integers.astype(np.float64))[0], ROUNDOFF64)


class Table(UniformWeight):
    """A rule of a user, with an array among its arguments."""

    def __init__(self, levels):
        super().__init__()
        self.levels = np.asarray(levels, float)
        self.learned = Param(np.ones(1))

    def params(self):
        return {"learned": self.learned}


def test_an_array_may_be_an_argument():
    """A second tv.quantize compared two arrays, and ended in NumPy's error on their truth."""
    rule = Table(np.arange(3.0))
    assert rule.arguments() == {"levels": [0.0, 1.0, 2.0]}
    plan = Plan([("head", rule, IDENTITY)])
    model = tv.quantize(tv.create_model("deit_shapes", depth=1), plan)
    learned = model.head.weight_quant
    assert tv.quantize(model, plan).head.weight_quant is learned
    tv.quantize(model, Plan([("head", Table([0.0, 1.0]), IDENTITY)]))
    assert model.head.weight_quant is not learned
