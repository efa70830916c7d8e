"""Scales that quantizers learn: trained, saved, resumed, packed, evaluated to the same bits."""

import copy
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.reading import read_weights
from tervit_np.deploy.packing import packed_copy
from tervit_np.quant import LSQ, PACT, SEQ, LSQAct, Plan, UniformAct, UniformWeight
from tervit_np.quant.plan import ENCODER
from tervit_np.train import Interrupted, Stage, run
from tervit_np.train.trainer import StageTrainer
from tests.train.conftest import colours

LEARNED = Plan(  # scales of weights and of inputs
    [
        (ENCODER, SEQ(), LSQAct(8)),
        ("head", UniformWeight(8), PACT(3)),
        ("patch_embed.*", UniformWeight(8), LSQAct(4)),
    ]
)
STAGES = [
    Stage("float", "float", 0.5),
    Stage("seq", LEARNED, 1, optimizer="keep"),
    Stage("again", LEARNED, 1, lr=1e-3, ramp=0.5),
    Stage("four", "seq4", 0.5),
]
INPUTS = [f"blocks.0.{layer}.act_quant.end" for layer in ("attn.qkv", "mlp.fc2")]
INPUTS += ["patch_embed.proj.act_quant.end", "head.act_quant.end"]
SCALE = "blocks.0.attn.qkv.weight_quant.end"


def train(model, data, recipe, out, **options):
    model = copy.deepcopy(model)
    run(model, STAGES, data, out, recipe=recipe, quiet=True, seed=3, **options)
    return model


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One run through all stages.  -> its folder, its arguments."""
    config = tv.DeiTConfig(8, 4, 3, 16, 2, 2, pool="mean", init="xavier")
    model = tv.DeiT(config, np.random.default_rng(0))
    data = tv.train.Data(colours(64, "train", 0), None, colours(24, "test", 2))
    recipe = tv.train.Recipe(batch_size=8, ema=0.9)
    out = tmp_path_factory.mktemp("scales") / "run"
    train(model, data, recipe, out)
    return out, (model, data, recipe)


def stage(out, name):
    return tv.load_model(out / f"{name}.npz")


def test_scales_move_and_the_next_stage_continues_with_them(trained):
    out, (_, data, _) = trained
    start = stage(out, "float")[0]
    scales = [dict(tv.quantize(start, "seq").named_params())[SCALE].data]
    scales += [dict(stage(out, name)[0].named_params())[SCALE].data for name in ("seq", "again")]
    first, second = (np.abs(a - b).max() for a, b in zip(scales, scales[1:], strict=False))
    assert first > 1e-3
    assert 1e-4 < second < 0.1  # from the largest magnitudes anew it would be much more
    ends = [dict(stage(out, name)[0].named_params()) for name in ("seq", "again")]
    for name in INPUTS:
        assert ends[0][name].data > 0
        assert ends[0][name].data != ends[1][name].data, name
    model, extra = stage(out, "seq")
    assert tv.train.evaluate(model, data.test).accuracy == extra["test_accuracy"]


@pytest.mark.parametrize("granularities", [("channel", "tensor"), ("tensor", "channel")])
def test_moments_of_scales_that_others_share_start_at_0(model, recipe, granularities):
    stages = [
        Stage(granularity, Plan([(ENCODER, LSQ(2, granularity), UniformAct(8))]), 1)
        for granularity in granularities
    ]
    first, second = (
        StageTrainer(tv.quantize(copy.deepcopy(model), stage.quantizers), stage, recipe, 9, 1, None)
        for stage in stages
    )
    arrays, _ = first.state()
    ones = {name: np.ones_like(array) for name, array in arrays.items()}
    second.keep_optimizer(ones, {"optimizer_steps": 5})
    for trainer in (first, second):
        trainer.parallel.close()
    moments = second.optimizer.state_dict()
    assert (moments["first.blocks.0.attn.qkv.weight"] == 1).all()
    assert (moments[f"first.{SCALE}"] == 0).all()


@pytest.mark.parametrize("stop_after", [9, 21])
def test_a_run_resumes_to_the_same_bits(trained, tmp_path, stop_after):
    """From a checkpoint between two stages, too, which has the scales of the one before."""
    out, arguments = trained

    def stop(done):
        if done == stop_after == 9:  # in the middle of a stage
            os.kill(os.getpid(), signal.SIGINT)
        elif done == stop_after:  # in the first step of a stage, which is lost
            raise RuntimeError("power cut")

    with pytest.raises((Interrupted, RuntimeError)):
        train(*arguments, tmp_path / "run", on_step=stop)
    train(*arguments, tmp_path / "run", resume=True, threads=2)
    for name in ("seq", "again", "four"):
        one, two = (dict(stage(f, name)[0].named_params()) for f in (out, tmp_path / "run"))
        assert one.keys() == two.keys()
        for key, param in one.items():
            np.testing.assert_array_equal(param.data, two[key].data, err_msg=f"{name} {key}")


def test_a_run_starts_from_latent_weights_alone(trained, tmp_path):
    """What a quantizer had learned before could not be found again by a resumed run."""
    out, (_, data, recipe) = trained
    models = stage(out, "seq")[0], stage(out, "seq")[0]
    tv.quantize(models[1], "float")
    for model, folder in zip(models, ("one", "two"), strict=True):
        run(model, [Stage("a", "seq", 0.2)], data, tmp_path / folder, recipe=recipe, quiet=True)
    for (name, one), (_, two) in zip(*(m.named_params() for m in models), strict=True):
        np.testing.assert_array_equal(one.data, two.data, err_msg=name)


def test_packed_files_hold_learned_scales(trained, tmp_path):
    model = stage(trained[0], "again")[0]
    tv.export(model, tmp_path / "packed.safetensors")
    packed = tv.load_packed(tmp_path / "packed.safetensors").model
    images = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(packed.predict(images), packed_copy(model).predict(images))
    tv.quantize(tv.quantize(model, "float"), LEARNED)  # scales at their start
    tv.calibrate(model, images)
    assert not np.array_equal(packed.predict(images), packed_copy(model).predict(images))


def test_weights_are_taken_without_scales(trained):
    weights = read_weights(trained[0] / "seq.npz")
    assert weights.notes == ["left out what was learned by 18 quantizers"]
    assert list(weights.arrays) == [n for n, _ in stage(trained[0], "seq")[0].official_params()]


def test_scales_train_in_float64_and_under_muon(trained, tmp_path):
    _, (model, data, recipe) = trained
    model = tv.DeiT(model.config, np.random.default_rng(0), "float64")
    recipe = replace(recipe, optimizer="muon")
    run(model, STAGES[1:2], data, tmp_path, recipe=recipe, quiet=True)
    start = tv.quantize(stage(tmp_path, "seq")[0], "float")
    first = dict(tv.quantize(start, "seq").named_params())[SCALE]
    learned = dict(model.named_params())[SCALE]
    assert learned.data.dtype == np.float64
    assert not np.array_equal(first.data, learned.data)
