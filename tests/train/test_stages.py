import json
from dataclasses import replace

import pytest

from tervit_np.quant import Plan, Ternary, UniformAct
from tervit_np.train import PRESETS, AdamW, Recipe, Stage, float_twin
from tervit_np.train.resume import stage_from


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "a/b"}, "cannot name a file"),
        ({"name": "Checkpoint"}, "that of a checkpoint"),
        ({"name": "checkpoint-1"}, "that of a checkpoint"),
        ({"plan": "trinary"}, "trinary"),
        ({"epochs": 0}, "epochs must be positive"),
        ({"epochs": float("nan")}, "epochs must be positive"),
        ({"epochs": 1e308}, "epochs must be positive, and at most 1,000,000"),
        ({"temperature": 0}, "temperature must be between 1e-6 and 1e6"),
        ({"temperature": 1e300}, "temperature must be between 1e-6 and 1e6"),
        ({"lr": -1}, "must be positive"),
        ({"optimizer": "reset"}, "'fresh' or 'keep'"),
        ({"warmup": 1.5}, "between 0 and 1"),
        ({"ramp": -0.1}, "between 0 and 1"),
    ],
)
def test_a_wrong_field_is_named(change, words):
    with pytest.raises(ValueError, match=words):
        Stage(**{"name": "ternary", "plan": "ternary", "epochs": 1} | change)


def test_a_bit_schedule_is_a_list_of_plans():
    for name, bits in {"int8": 8, "int4": 4, "int2": 2}.items():
        weight, act = Stage("s", name, 1).quantizers.choose("blocks.0.mlp.fc1")
        assert (weight.bits, act.bits) == (bits, 8)
        assert Stage("s", name, 1).quantizers.choose("head")[0].bits == 8


@pytest.mark.parametrize("plan", ["int4", Plan([(r"blocks\..*", Ternary(), UniformAct(8))])])
def test_a_stage_survives_json(plan):
    stage = Stage("s", plan, 2.5, lr=1e-3, teacher="float", ramp=0.5)
    back = stage_from(json.loads(json.dumps(stage.describe())))
    assert back.describe() == stage.describe()
    assert repr(back.quantizers) == repr(stage.quantizers)


def test_a_recipe_is_json():
    assert json.loads(json.dumps(Recipe().describe()))["betas"] == [0.9, 0.98]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("batch_size", 0, "at least 1"),
        ("accumulate", 0, "at least 1"),
        ("clip_norm", 0.0, "a positive number"),
        ("muon_ratio", 0.0, "a positive number"),
        ("weight_decay", -1.0, "at least 0"),
        ("ema", 1.0, "at least 0 and below 1"),
        ("label_smoothing", 1.0, "at least 0 and below 1"),
    ],
)
def test_a_wrong_recipe_is_refused_by_the_one_name_that_is_wrong(name, value, expected):
    with pytest.raises(ValueError, match=rf"^recipe: {name} is {value}; expected {expected}$"):
        Recipe(**{name: value})


def test_a_float_twin_differs_in_plans_and_names_alone():
    stages = PRESETS["cifar10"].stages
    twin = float_twin([replace(stages[0]), *(replace(s, teacher="float") for s in stages[1:])])
    assert [stage.name for stage in twin] == ["float", "float-2", "float-3"]
    assert [stage.teacher for stage in twin] == [None, "float", "float"]
    for one, other in zip(stages, twin, strict=True):
        assert other.plan == "float"
        assert replace(other, name=one.name, plan=one.plan, teacher=None) == one


def test_a_twin_of_a_ramped_stage_has_nothing_to_ramp():
    twin = float_twin([Stage("first", "int4", 1), Stage("ramped", "ternary", 2, ramp=0.5)])
    assert twin == [Stage("float", "float", 1), Stage("float-2", "float", 2)]


@pytest.mark.parametrize(("epochs", "steps"), [(2, 12), (0.25, 2), (0.01, 1)])
def test_a_stage_has_at_least_one_step(epochs, steps):
    assert Stage("s", "float", epochs).steps(6) == steps


@pytest.mark.parametrize(
    "betas", [(1.0, 0.98), (0.9, 1.0), (-0.1, 0.9), (0.9, float("nan")), (0.9,)]
)
def test_betas_of_averages_that_forget_nothing_are_refused(betas):
    """With b = 1 the correction 1 - b^t is 0, and the first step makes every weight NaN."""
    with pytest.raises(ValueError, match="betas are .*; expected two numbers of at least 0"):
        Recipe(betas=betas)
    with pytest.raises(ValueError, match="betas are"):
        AdamW([], 1e-3, betas)
