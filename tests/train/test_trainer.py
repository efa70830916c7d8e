import copy
import math

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.quant import LAT, Blend, Ternary, UniformAct
from tervit_np.train import Recipe, Stage
from tervit_np.train.trainer import StageTrainer, ramp_amount
from tests.checks import ROUNDOFF64, count_walks
from tests.rounding import SAME, clear_images, generator


def batch(seed=0, count=6):
    rng = generator(seed)
    return rng.normal(size=(count, 3, 8, 8)).astype(np.float32), np.eye(3)[
        rng.integers(0, 3, count)
    ]


def test_the_ramp_rises_from_0_to_1():
    """TeTRA's: half at three eighths of its length."""
    amounts = [ramp_amount(step, 10) for step in range(12)]
    logistic = [1 / (1 + math.exp(6 - 16 * step / 10)) for step in range(10)]
    assert amounts[:10] == pytest.approx(logistic, rel=ROUNDOFF64)
    assert ramp_amount(3, 8) == 0.5
    assert amounts[10:] == [1.0, 1.0]
    assert ramp_amount(0, 0) == 1.0


def test_quantizers_fade_in_and_are_plain_at_the_end(model):
    stage = Stage("ternary", "ternary", 1, ramp=0.5)
    tv.quantize(model, stage.quantizers)
    trainer = StageTrainer(model, stage, Recipe(), 10, 2, None)
    layer = dict(model.quantizable())["blocks.0.mlp.fc1"]
    assert isinstance(layer.weight_quant, Blend)
    assert isinstance(layer.act_quant, UniformAct)  # inputs do not fade in
    seen = []
    for step in range(10):
        trainer.step(step, *batch(step), np.random.default_rng(step))
        seen.append(layer.weight_quant.amount)
    assert seen[0] < 0.01
    assert seen[5:] == [1.0] * 5
    trainer.finish()
    assert isinstance(dict(model.quantizable())["blocks.0.mlp.fc1"].weight_quant, Ternary)


def test_a_layer_that_stands_in_two_places_fades_in_and_is_told_of_a_step_once():
    """Its quantizer was in two ramps, one in the other, and took note of each step twice."""
    model = tv.DeiT(tv.DeiTConfig(8, 4, 3, 8, 2, 2, pool="mean"), np.random.default_rng(0))
    model.blocks[1] = model.blocks[0]
    stage = Stage("lat", "lat", 1, ramp=0.5)
    tv.quantize(model, stage.quantizers)
    trainer = StageTrainer(model, stage, Recipe(), 4, 1, None)
    layer = model.blocks[0].mlp.fc1
    assert isinstance(layer.weight_quant.inner, LAT)
    trainer.step(0, *batch(), np.random.default_rng(0))
    squares = layer.weight_quant.buffers()["squares"]
    np.testing.assert_allclose(squares, 0.01 * np.square(layer.weight.grad), rtol=1e-5)
    trainer.finish()
    assert isinstance(layer.weight_quant, LAT)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_walks_the_modules_at_most_once(monkeypatch, model, threads):
    """Even with a teacher, an average, a ramp and parts of a batch."""
    teacher, stage = copy.deepcopy(model), Stage("ternary", "ternary", 1, ramp=0.5)
    tv.quantize(model, stage.quantizers)
    trainer = StageTrainer(model, stage, Recipe(ema=0.9, accumulate=2), 10, threads, teacher)
    walked = count_walks(monkeypatch)
    trainer.step(0, *batch(), np.random.default_rng(0))
    assert len(walked) <= 1


def test_averaged_weights_replace_the_weights_and_go_back(model):
    stage = Stage("float", "float", 1)
    trainer = StageTrainer(model, stage, Recipe(ema=0.9), 10, 1, None)
    for step in range(3):
        trainer.step(step, *batch(step), np.random.default_rng(step))
    now = {n: p.data.copy() for n, p in model.named_params()}
    average = {n: a.copy() for n, a in trainer.average.average.items()}
    with trainer.with_averaged_weights():
        for name, param in model.named_params():
            np.testing.assert_array_equal(param.data, average[name])
    for name, param in model.named_params():
        np.testing.assert_array_equal(param.data, now[name])
    trainer.finish()
    for name, param in model.named_params():
        np.testing.assert_array_equal(param.data, average[name])


def test_an_exploding_gradient_is_reported(model):
    images, targets = batch()
    trainer = StageTrainer(model, Stage("float", "float", 1), Recipe(), 10, 1, None)
    model.head.weight.data[0, 0] = np.inf
    words = "stage float, step 1 of 10: the weight head.weight became NaN.*such as lr = 0.0002"
    with pytest.raises(ValueError, match=words), np.errstate(all="ignore"):
        trainer.step(0, images, targets, np.random.default_rng(0))


def test_sixteen_images_are_learned_by_heart():
    model = tv.create_model("deit_shapes", seed=1)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(16, 3, 32, 32)).astype(np.float32)
    targets = np.eye(10)[rng.integers(0, 10, 16)]
    stage = Stage("float", "float", 1, lr=3e-3)
    trainer = StageTrainer(model, stage, Recipe(weight_decay=0), 120, 1, None)
    for step in range(120):
        loss, _ = trainer.step(step, images, targets, np.random.default_rng(step))
    assert loss < 0.01


def test_frozen_parameters_keep_their_values(model):
    """And everything else moves, weight decay included."""
    stage = Stage("float", "float", 1, freeze=r"^patch_embed|blocks\.0\.")
    before = {name: p.data.copy() for name, p in model.named_params()}
    trainer = StageTrainer(model, stage, Recipe(), 10, 1, None)
    for step in range(2):
        trainer.step(step, *batch(step), np.random.default_rng(step))
    for name, param in model.named_params():
        frozen = name.startswith(("patch_embed", "blocks.0."))
        assert (param.data == before[name]).all() == frozen, name
    arrays, _ = trainer.state()
    assert {f"model.{name}" for name in before} <= set(arrays)


def test_a_stage_that_freezes_everything_is_refused(model):
    with pytest.raises(ValueError, match="leaves nothing to train"):
        StageTrainer(model, Stage("float", "float", 1, freeze="."), Recipe(), 10, 1, None)


def trained(model, plan, recipe, batches):
    """Take a step on each batch with a copy of the model.  -> losses and gradient norms, weights"""
    model, stage = copy.deepcopy(model), Stage(plan, plan, 1)
    for block in model.blocks:
        block.drop_rate = 0.0  # drawn in another order where the parts are others
    tv.quantize(model, stage.quantizers)
    trainer = StageTrainer(model, stage, recipe, 10, 1, None)
    steps = [trainer.step(i, *b, np.random.default_rng(i)) for i, b in enumerate(batches)]
    return steps, [p.data for _, p in model.named_params()]


def test_recomputing_changes_no_bit(model):
    batches = [batch(seed) for seed in range(3)]
    plain, other = (
        trained(model, "ternary", recipe, batches) for recipe in (Recipe(), Recipe(recompute=True))
    )
    assert plain[0] == other[0]
    for one, two in zip(plain[1], other[1], strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.rounding
@pytest.mark.parametrize(("plan", "steps"), [("float", 3), ("ternary", 1)])
def test_accumulating_sums_in_another_order(model, plan, steps):
    """One step of ternary weights: of the second, no margin could be proven beforehand."""
    images = clear_images([tv.quantize(copy.deepcopy(model), plan)], 6 * steps, (3, 8, 8))
    batches = [(x, batch(i)[1]) for i, x in enumerate(np.split(images, steps))]
    plain, parts = (
        trained(model, plan, recipe, batches)[0] for recipe in (Recipe(), Recipe(accumulate=3))
    )
    np.testing.assert_allclose(parts, plain, rtol=SAME)


def test_the_precision_reaches_every_layer_and_changes_gradients_alone(model):
    """The forward pass, and with it the loss, stays as it is."""
    losses, grads = {}, {}
    for precision in ("float32", "bf16", "bf16x2"):
        trained, stage = copy.deepcopy(model), Stage("float", "float", 1)
        trainer = StageTrainer(trained, stage, Recipe(precision=precision), 10, 2, None)
        losses[precision] = trainer.step(0, *batch(), np.random.default_rng(0))[0]
        grads[precision] = {name: p.grad.copy() for name, p in trained.named_params()}
    assert losses["float32"] == losses["bf16"] == losses["bf16x2"]
    names = [name for name, _ in model.quantizable() if f"{name}.weight" in grads["bf16"]]
    assert {"patch_embed.proj", "blocks.1.mlp.fc2", "head"} <= set(names)
    for name in names:
        exact = grads["float32"][f"{name}.weight"]
        for precision, most in (("bf16", 3e-2), ("bf16x2", 1e-4)):
            error = np.abs(grads[precision][f"{name}.weight"] - exact).max()
            assert 0 < error < most * np.abs(exact).max(), (name, precision)
