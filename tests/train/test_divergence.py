"""Divergence names stage, step and layer, and advice that exists."""

import re

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.cli.new_run import parse_stages
from tervit_np.train import PRESETS, Recipe, Stage, run
from tervit_np.train.divergence import describe, high_loss, origin


def images(count=4):
    return np.random.default_rng(0).normal(size=(count, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e36])
def test_an_unusable_weight_is_named(model, value):
    model.blocks[1].mlp.fc1.weight.data[3, 2] = value
    assert origin(model, images()) == "the weight blocks.1.mlp.fc1.weight"


@pytest.mark.parametrize("plan", ["float", "int8", "ternary"])
def test_the_first_layer_that_overflows_is_named(model, plan):
    tv.quantize(model, plan)
    model.blocks[0].attn.proj.weight.data[...] = 1e29
    model.blocks[0].attn.qkv.weight.data[...] = 1e20
    model.blocks[1].mlp.fc1.weight.data[...] = 1e29
    name = origin(model, images())
    assert re.fullmatch(r"the output of blocks\.0\.\S+", name), name
    assert "forward" not in vars(model.blocks[0].attn.qkv)


def test_a_gradient_is_named_in_the_order_of_the_backward_pass(model):
    for name in ("blocks.0.mlp.fc2.weight", "blocks.1.attn.qkv.bias", "blocks.0.norm1.weight"):
        dict(model.named_params())[name].grad.flat[0] = np.nan
    assert origin(model, images()) == "the gradient of blocks.1.attn.qkv.bias"


def test_images_are_blamed_first_and_nothing_if_all_is_finite(model):
    model.head.weight.data[...] = np.nan
    pixels = images()
    pixels[0, 0, 0, 0] = np.nan
    assert origin(model, pixels) == "the images"
    model.head.weight.data[...] = 0
    assert origin(model, images()) == ""


@pytest.mark.parametrize("plan", ["float", "int4", "ternary-layer"])
def test_the_advice_is_an_option_that_exists(plan):
    text = describe(Stage("a", plan, 2.5, lr=3e-2), 6, 100, "the output of head")
    assert text.startswith("stage a, step 7 of 100: the output of head became NaN")
    (stage,) = parse_stages(re.search(r"--stages (\S+),", text)[1], PRESETS["shapes"])
    assert (stage.plan, stage.epochs, stage.lr) == (plan, 2.5, 2e-3)
    assert "rate" not in describe(Stage("a", plan, 1), 0, 9, "the images")


@pytest.mark.parametrize("lr", [1e4, 1e30, 1e300])
@pytest.mark.parametrize("stages", [("float",), ("ternary",), ("int8",), ("float", "ternary")])
def test_a_run_that_diverges_says_where(model, data, tmp_path, lr, stages):
    rates = [1e-3] * (len(stages) - 1) + [lr]
    plans = [Stage(plan, plan, 3, lr=rate) for plan, rate in zip(stages, rates, strict=True)]
    words = rf"stage {stages[-1]}, step \d+ of 24: the (output|weight|gradient).*{stages[-1]}:3@"
    with np.errstate(all="ignore"):
        try:
            run(model, plans, data, tmp_path / "run", recipe=Recipe(batch_size=8), quiet=True)
        except ValueError as error:
            assert re.match(words, str(error)), error
            assert ("--weights" in str(error)) == (len(stages) == 2)
        else:
            assert lr == 1e4


@pytest.mark.parametrize(("loss", "said"), [(2.3, False), (11, False), (2.6e7, True)])
def test_a_loss_far_above_guessing_is_said(loss, said):
    text = high_loss(Stage("float", "float", 1, lr=100), loss, 10)
    assert bool(text) == said
    if said:
        assert "2.6e+07" in text and "learning rate of 100 is probably too high" in text
