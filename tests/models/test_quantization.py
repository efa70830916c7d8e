from pathlib import Path

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.models.quantization import plan_of
from tervit_np.quant import IDENTITY, Identity, Ternary, TernaryGamma, UniformAct, UniformWeight

IMAGES = np.random.default_rng(1).normal(size=(3, 3, 16, 16)).astype(np.float32)


@pytest.fixture
def model():
    config = tv.DeiTConfig(16, 8, 5, 16, 2, 2, stem="conv", distilled=True)
    return tv.DeiT(config, np.random.default_rng(0))


def test_float_restores_the_same_logits_and_params_keep_their_identity(model):
    before, arrays = model.predict(IMAGES), [p.data for _, p in model.named_params()]
    copies = [a.copy() for a in arrays]
    seen = [before]
    for plan in ("int8", "ternary"):
        assert tv.quantize(model, plan) is model
        seen.append(model.predict(IMAGES))
    assert 0 < np.abs(seen[1] - before).max() < np.abs(seen[2] - before).max()
    tv.quantize(model, "float")
    np.testing.assert_array_equal(model.predict(IMAGES), before)
    for (_, param), data, copy in zip(model.named_params(), arrays, copies, strict=True):
        assert param.data is data
        np.testing.assert_array_equal(data, copy)


def test_the_ternary_plan_covers_every_layer(model):
    tv.quantize(model, "ternary")
    for name, layer in model.quantizable():
        if name.endswith("products"):
            expected = Identity
        elif name.startswith("blocks"):
            expected = Ternary
        else:  # the stem, the patch embedding, both heads
            expected = UniformWeight
        assert type(layer.weight_quant) is expected, name
        if expected is not Identity:
            assert repr(layer.act_quant) == repr(UniformAct(8)), name


@pytest.mark.parametrize("plan", ["float", "int8", "ternary"])
def test_the_plan_of_a_model_makes_the_same_model(model, plan):
    tv.quantize(model, plan)
    expected = model.predict(IMAGES)
    plan_again = plan_of(model)
    assert (plan_again.rules == ()) == (plan == "float")
    tv.quantize(model, "float")
    tv.quantize(model, plan_again)
    np.testing.assert_array_equal(model.predict(IMAGES), expected)


def test_an_unknown_plan_is_refused(model):
    with pytest.raises(ValueError, match="binary"):
        tv.quantize(model, "binary")


@pytest.mark.parametrize("plan", [None, [("head", IDENTITY, IDENTITY)], Path("plan.toml")])
def test_what_is_no_plan_is_refused_with_what_makes_one(plan):
    with pytest.raises(ValueError, match="expected a name or a Plan: .*Plan takes a list"):
        tv.quantize(tv.create_model("deit_shapes"), plan)


def of_one_name(bits):
    class Own(UniformWeight):
        def __init__(self):
            super().__init__(bits)

    return Own()


def test_two_classes_of_one_name_stay_two_rules(model):
    """A function that makes classes gives them one name, and the plan had the first of them."""
    tv.quantize(
        model,
        tv.quant.Plan([("head", of_one_name(2), IDENTITY), (".*fc1", of_one_name(5), IDENTITY)]),
    )
    bits = {name: layer.weight_quant.bits for name, layer in model.quantizable()}
    assert (bits["head"], bits["blocks.0.mlp.fc1"]) == (2, 5)
    tv.quantize(model, plan_of(model))
    assert {name: layer.weight_quant.bits for name, layer in model.quantizable()} == bits


def test_the_plan_of_a_model_has_its_own_rule_for_gammas(model):
    class OwnGamma(TernaryGamma):
        pass

    tv.quantize(model, tv.quant.Plan([("blocks.*norm1", OwnGamma(), IDENTITY)]))
    (rule,) = plan_of(model).rules
    assert type(rule[1]) is OwnGamma
