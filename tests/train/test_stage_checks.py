import re

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.quant import IDENTITY, HadamardAct, Plan, StaticAct
from tervit_np.train import Recipe, Stage, run
from tervit_np.train.stage_checks import check_freeze, check_plans

PRODUCTS = r".*\.products"


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            "ternary-group48",
            "the weights of blocks.0.attn.qkv: 16 inputs cannot be cut into groups of 48",
        ),
        (
            "ternary-int4-hadamard",
            "the inputs of blocks.0.attn.qkv: 16 inputs cannot be cut into blocks of 32",
        ),
        (Plan([(PRODUCTS, IDENTITY, StaticAct())]), "blocks.0.attn.products: q, k, v and the prob"),
        # The inputs of a layer without a weight are known when the model runs.
        (Plan([(PRODUCTS, IDENTITY, HadamardAct(block=16))]), "8 inputs cannot be cut into blocks"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_before_the_first_stage(
    model, data, tmp_path, plan, words
):
    before = {name: x.copy() for name, x in model.state_dict().items()}
    stages = [Stage("float", "float", 1), Stage("last", plan, 1)]
    error = re.escape(f"stage last: its plan does not fit the model: {words}")
    for resume in (False, True):
        with pytest.raises(ValueError, match=error):
            run(model, stages, data, tmp_path / "run", resume, recipe=Recipe(batch_size=8))
    assert not list(tmp_path.iterdir())
    assert all(np.array_equal(before[name], x) for name, x in model.state_dict().items())


def test_plans_are_tried_for_shapes_alone(model):
    """Whatever the weights are: those of a resumed run are read later. The model stays as it is."""
    tv.quantize(model, "lsq-int4-lsq")
    layer = dict(model.quantizable())["blocks.0.attn.qkv"]
    quantizers = layer.weight_quant, layer.act_quant
    for _, param in model.named_params():
        param.data.fill(np.inf)
    plans = ("lsq-int4-lsq", "int8-static", "ftervit", "qema", "seq4-int4-lsqplus", "float")
    check_plans(model, [Stage(plan, plan, 1) for plan in plans])
    assert (layer.weight_quant, layer.act_quant) == quantizers
    assert all(np.isposinf(param.data).all() for _, param in model.named_params())


@pytest.mark.parametrize(
    ("freeze", "words"),
    [
        ("patch_embd", "freeze 'patch_embd' occurs in no parameter's name; names are such as "),
        (".", "stage lsq: freeze '.' leaves nothing to train"),
        ("weight_quant", None),  # in the second stage alone
        ("norm|head", None),
    ],
)
def test_a_pattern_of_freeze_is_checked_before_the_first_stage(model, freeze, words):
    def check():
        stages = [Stage("float", "float", 1, freeze=freeze if words is None else ""),
                  Stage("lsq", "lsq", 1, freeze=freeze)]  # fmt: skip
        check_freeze(model, stages)

    if words is None:
        check()
    else:
        with pytest.raises(ValueError, match=re.escape(words)):
            check()
