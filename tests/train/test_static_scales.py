"""Stages with static inputs: scales are found at the start, kept, and stored with the model."""

import copy
import os
import signal

import numpy as np
import pytest

import tervit_np as tv
from data_tools import normalise
from tervit_np.quant import StaticAct
from tervit_np.train import Interrupted, Recipe, Stage, run
from tervit_np.train.folder import RunFolder
from tervit_np.train.static_scales import calibration_images, set_static_scales
from tests.train.conftest import colours

STAGES = [
    Stage("float", "float", 1),
    Stage("static", "ternary-static", 2, ramp=0.3, optimizer="keep"),
]


def train(model, data, out, **options):
    model = copy.deepcopy(model)
    recipe = Recipe(batch_size=8, ema=0.9)
    return model, run(model, STAGES, data, out, recipe=recipe, quiet=True, seed=3, **options)


def scales(model):
    acts = [layer.act_quant for _, layer in model.quantizable()]
    return [act.scale for act in acts if isinstance(act, StaticAct)]


def test_a_stage_keeps_the_scales_of_its_start(model, data, tmp_path):
    trained, results = train(model, data, tmp_path / "run")
    begun = tv.load_model(tmp_path / "run" / "float.npz")[0]
    set_static_scales(tv.quantize(begun, "ternary-static"), data.train, 3, 1, None)
    assert scales(begun) == scales(trained)
    assert len(scales(trained)) == 10
    stored, extra = tv.load_model(tmp_path / "run" / "static.npz")
    assert scales(stored) == scales(trained)
    accuracy = tv.train.evaluate(stored, data.test).accuracy
    assert accuracy == results[1].accuracy == extra["test_accuracy"]


def test_scales_that_the_plan_gives_stay(model, data):
    plan = tv.quant.Plan([("head", tv.quant.UniformWeight(8), StaticAct(8, 0.5)),
                          *tv.quant.PLANS["ternary-static"].rules])  # fmt: skip
    set_static_scales(tv.quantize(model, plan), data.train, 3, 0, None)
    assert model.head.act_quant.scale == 0.5
    assert None not in scales(model)
    assert len(set(scales(model))) == 10
    found = tv.calibrate(model, calibration_images(data.train, 5, 0))
    assert len(found) == 10
    assert model.head.act_quant.scale != 0.5


@pytest.mark.parametrize("stop_after", [8, 9, 16, 20])
def test_a_run_resumes_to_the_same_bits(model, data, tmp_path, stop_after):
    """The weights have moved on by then, so other scales would be found."""
    whole, _ = train(model, data, tmp_path / "whole")

    def ctrl_c(done):
        if done == stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(model, data, tmp_path / "run", on_step=ctrl_c)
    resumed, _ = train(model, data, tmp_path / "run", resume=True)
    assert scales(resumed) == scales(whole)
    for (name, one), (_, two) in zip(whole.named_params(), resumed.named_params(), strict=True):
        np.testing.assert_array_equal(one.data, two.data, err_msg=name)


def test_a_checkpoint_without_its_scales_is_refused(model, data, tmp_path):
    def ctrl_c(done):
        if done == 10:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(model, data, tmp_path, on_step=ctrl_c)
    folder = RunFolder(tmp_path)
    saved = folder.load()
    del saved.arrays["static_scale.blocks.0.attn.qkv"]
    folder.save(saved)
    with pytest.raises(ValueError, match="lacks the static scale of blocks.0.attn.qkv: it is dama"):
        train(model, data, tmp_path, resume=True)


def test_pictures_are_drawn_without_augmentation():
    train = colours(20, "train", 0)
    images = calibration_images(train, 5, 1)
    every = normalise(train.images, train.mean, train.std)
    where = [np.flatnonzero((every == image).all(axis=(1, 2, 3))) for image in images]
    assert len({int(index[0]) for index in where}) == 5
    np.testing.assert_array_equal(images, calibration_images(train, 5, 1))
    assert not np.array_equal(images, calibration_images(train, 5, 2))
    assert len(calibration_images(train, 500, 1)) == 20


def test_unreadable_pictures_and_wrong_numbers_are_refused():
    class Unreadable:
        name, mean, std = "broken", (0.5,) * 3, (0.5,) * 3

        def __len__(self):
            return 9

        def pixels(self, indices):
            return np.zeros((len(indices), 8, 8, 3), np.uint8), np.zeros(len(indices), bool)

    with pytest.raises(ValueError, match="none of 4 pictures of broken can be read"):
        calibration_images(Unreadable(), 4, 0)
    with pytest.raises(ValueError, match="at least one picture, and the number is 0"):
        calibration_images(colours(4, "train", 0), 0, 0)
