"""Divergence names stage, step and operator, and advice that exists."""

import copy
import json
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tervit_np as tv
from tervit_np import losses, ops
from tervit_np.models.quantization import set_precision
from tervit_np.quant import UniformAct, named_plan
from tervit_np.train import ParallelModel, Recipe, Stage, run
from tervit_np.train.divergence import (
    Diverged,
    exploded,
    has_exploded,
    high_loss,
    origin,
    unusable,
)
from tervit_np.train.folder import RunFolder
from tervit_np.train.lower_lr import lower_lr
from tervit_np.train.overflow import overflowing_operator

RNG = np.random.default_rng(1)


def images(count=4):
    return np.random.default_rng(0).normal(size=(count, 3, 8, 8)).astype(np.float32)


def loss(logits, part):
    return losses.cross_entropy(logits, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]][part])


def blamed(model, pixels=None, loss=loss):
    return origin(model, images() if pixels is None else pixels, loss, np.random.default_rng(1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e36])
def test_an_unusable_weight_is_named(model, value):
    model.blocks[1].mlp.fc1.weight.data[3, 2] = value
    assert blamed(model) == "the weight blocks.1.mlp.fc1.weight"


@pytest.mark.parametrize("plan", ["float", "int8", "ternary"])
def test_the_first_operator_that_overflows_is_named(model, plan):
    tv.quantize(model, plan)
    model.blocks[0].attn.qkv.weight.data[...] = 1e20
    model.blocks[0].attn.proj.weight.data[...] = 1e29
    model.blocks[1].mlp.fc1.weight.data[...] = 1e29
    model.blocks[0].norm1.bias.data[...] = 1
    before = {name: vars(ops)[name] for name in ops.__all__}
    methods = dict(vars(UniformAct))
    name = blamed(model)
    assert re.fullmatch(r"the output of \w+ in blocks\.0\.attn\.\w+", name), name
    assert {name: vars(ops)[name] for name in ops.__all__} == before
    assert dict(vars(UniformAct)) == methods
    assert "forward" not in vars(model.blocks[0].attn.qkv)


def test_two_trainings_that_diverge_at_once_leave_the_operators_as_they_were(model):
    """The first watch would end while the second one, which had begun after it, goes on."""
    before = {name: vars(ops)[name] for name in ops.__all__}
    second_began, first_ended = threading.Event(), threading.Event()

    def first_loss(logits, part):
        second.start()
        second_began.wait(0.5)  # in vain, as it waits for the first watch
        return loss(logits, part)

    def second_loss(logits, part):
        second_began.set()
        assert first_ended.wait(300)
        return loss(logits, part)

    twin = copy.deepcopy(model)
    second = threading.Thread(target=overflowing_operator, args=(twin, images(1), second_loss, RNG))
    assert overflowing_operator(model, images(1), first_loss, RNG) == ""
    first_ended.set()
    second.join()
    assert {name: vars(ops)[name] for name in ops.__all__} == before


def test_the_numbers_of_another_training_are_not_blamed(model):
    def meanwhile(logits, part):
        with ThreadPoolExecutor(1) as other, np.errstate(all="ignore"):
            other.submit(ops.linear, np.full((2, 3), np.inf), np.ones((4, 3)), None).exception()
        return loss(logits, part)

    assert overflowing_operator(model, images(1), meanwhile, RNG) == ""


@pytest.mark.parametrize("plan", ["float", "ternary"])
def test_an_operator_of_the_backward_pass_is_named(model, plan):
    """A gradient of the loss that is NaN, and one that a large weight makes too large."""
    tv.quantize(model, plan)

    def wrong(dlogits):
        return lambda logits, part: (0.0, dlogits * loss(logits, part)[1])

    unharmed = model.head.weight.data.copy()
    for precision, name in (("float32", "linear_backward"), ("bf16", "linear_backward_bf16")):
        set_precision(model, precision)
        model.head.weight.data[...] = unharmed
        assert blamed(model, loss=wrong(np.float32(np.nan))) == f"the input of {name} in head"
        model.head.weight.data[...] *= np.float32(1e10)
        assert blamed(model, loss=wrong(np.float32(1e25))) == f"the output of {name} in head"


def test_the_module_is_named_whichever_part_of_the_batch_fails(model):
    def wrong_in_the_second(logits, part):
        dlogits = loss(logits, part)[1]
        return 0.0, dlogits * np.float32(np.nan) if part.start else dlogits

    assert blamed(model, loss=wrong_in_the_second) == "the input of linear_backward in head"


def test_the_step_is_repeated_with_its_random_numbers(model):
    """Drop path is drawn again as it was, so the operator is the one that failed."""
    rng, seen = np.random.default_rng(3), []

    def record(logits, part):
        seen.append(logits.copy())
        return loss(logits, part)

    ParallelModel(model, 1).gradients(images(), record, rng)
    assert origin(model, images(), record, rng) == ""
    half = len(seen) // 2
    np.testing.assert_array_equal(seen[:half], seen[half:])


def test_images_are_blamed_first_and_nothing_if_all_is_finite(model):
    model.head.weight.data[...] = np.nan
    pixels = images()
    pixels[0, 0, 0, 0] = np.nan
    assert blamed(model, pixels) == "the images"
    model.head.weight.data[...] = 0
    assert blamed(model) == ""


@pytest.mark.parametrize("plan", ["float", "ternary-layer", named_plan("int4")])
@pytest.mark.parametrize(("lr", "lower"), [(3e-2, "0.002"), (1e-3, "0.0001")])
def test_the_advice_is_a_lower_rate_for_any_plan(plan, lr, lower):
    """No list of stages: a name is no plan file, and one stage would replace all of a run."""
    text = str(unusable(Stage("a", plan, 2.5, lr=lr), 6, 100, "the output of linear in head"))
    assert text == (
        "stage a, step 7 of 100: the output of linear in head became NaN, infinite or too large, "
        f"at a peak learning rate of {lr:g}; a lower one, such as lr = {lower}, usually helps"
    )
    assert "rate" not in str(unusable(Stage("a", plan, 1), 0, 9, "the images"))
    assert "exploded to 1e+04" in str(exploded(Stage("a", plan, 1), 0, 9, 1e4, 10))


@pytest.mark.parametrize(("value", "classes", "is_too_much"), [(200, 10, False), (300, 10, True)])
def test_a_loss_of_a_hundred_times_guessing_is_an_explosion(value, classes, is_too_much):
    assert has_exploded(value, classes) == is_too_much


@pytest.mark.parametrize("lr", [1e4, 1e30, 1e300])
@pytest.mark.parametrize("stages", [("float",), ("ternary",), ("int8",), ("float", "ternary")])
def test_a_run_that_diverges_says_where(model, data, tmp_path, lr, stages):
    rates = [1e-3] * (len(stages) - 1) + [lr]
    plans = [Stage(plan, plan, 3, lr=rate) for plan, rate in zip(stages, rates, strict=True)]
    what = "the (output|input|weight|gradient|loss exploded)"
    words = rf"stage {stages[-1]}, step \d+ of 24: {what}.*such as lr = .*--lower-lr"
    with np.errstate(all="ignore"):
        try:
            run(model, plans, data, tmp_path / "run", recipe=Recipe(batch_size=8), quiet=True)
        except ValueError as error:
            assert re.match(words, str(error)), error
        else:
            assert lr == 1e4


def test_a_run_that_diverged_continues_at_lower_rates(model, data, tmp_path):
    """From the checkpoint after the first stage, as if the stage had had that rate."""
    out, recipe = tmp_path / "run", Recipe(batch_size=8)
    stages = [Stage("float", "float", 1), Stage("ternary", "ternary", 1, lr=1e30)]
    with pytest.raises(ValueError, match=f"--resume {out} --lower-lr"), np.errstate(all="ignore"):
        run(model, stages, data, out, recipe=recipe, quiet=True)
    folder = RunFolder(out)
    lower_lr(folder, 1e-33)
    run_config = folder.read_run_config()
    assert [stage["lr"] for stage in run_config["stages"]] == [Stage.lr, 1e30 * 1e-33]
    assert run_config["lr_changes"] == [{"stage": "ternary", "step": 0, "factor": 1e-33}]
    (out / "run.json").write_text("{")  # the checkpoints have the new rates too
    assert folder.read_run_config() == run_config
    stages[1] = Stage("ternary", "ternary", 1, lr=1e30 * 1e-33)
    run(model, stages, data, out, True, recipe=recipe, quiet=True)
    for factor in (0, 1, -1, float("nan")):
        with pytest.raises(ValueError, match="expected 0 to 1"):
            lower_lr(folder, factor)
    with pytest.raises(ValueError, match="all stages are finished"):
        lower_lr(folder, 0.5)
    assert json.loads((out / "run.json").read_text())["lr_changes"] == run_config["lr_changes"]


def test_ctrl_c_saves_no_weights_that_are_not_finite(model, data, tmp_path):
    """The newest checkpoint stays the one from before, from which the run continues."""
    out, options = tmp_path / "run", {"recipe": Recipe(batch_size=8), "quiet": True}
    stages = [Stage("float", "float", 2)]

    def damage_and_stop(done):
        if done == 11:  # of 16; an epoch has 8
            model.head.weight.data[0, 0] = np.nan
            os.kill(os.getpid(), signal.SIGINT)

    words = "stage float, step 11 of 16: the weight head.weight became NaN.*--lower-lr"
    with pytest.raises(Diverged, match=words):
        run(model, stages, data, out, on_step=damage_and_stop, **options)
    assert RunFolder(out).load().position["step"] == 8
    run(model, stages, data, out, True, **options)


@pytest.mark.parametrize(("loss", "said"), [(2.3, False), (11, False), (2.6e7, True)])
def test_a_loss_far_above_guessing_is_said(loss, said):
    text = high_loss(Stage("float", "float", 1, lr=100), loss, 10)
    assert bool(text) == said
    if said:
        assert "2.6e+07" in text and "learning rate of 100 is probably too high" in text


def test_an_input_that_layernorm_refuses_is_named(model):
    """Its numbers are finite and below what is huge elsewhere, but not their squares."""
    model.blocks[0].mlp.fc2.bias.data[...] = np.resize([1e20, -1e20], 16).astype(np.float32)
    assert blamed(model) == "the input of layernorm in blocks.1.norm1"
