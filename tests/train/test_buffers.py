"""What quantizers remember is updated, saved, resumed and evaluated to the same bits."""

import copy
import os
import signal

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.packing import packed_copy
from tervit_np.quant import LAT, QEMA, Dampened, Freezing, Plan, UniformAct
from tervit_np.train import Interrupted, Stage, run
from tests.train.conftest import colours

REMEMBERING = Plan(
    [
        (".*qkv", LAT(), UniformAct()),
        (".*proj", QEMA(), UniformAct()),  # the patch embedding, too
        (".*fc1", Freezing(limit=0.015), UniformAct()),
        (".*fc2", Dampened(), UniformAct()),
    ]
)
STAGES = [
    Stage("one", REMEMBERING, 1.5, lr=2e-2),
    Stage("two", REMEMBERING, 0.5, lr=1e-3, ramp=0.5),
]


@pytest.fixture(scope="module")
def arguments():
    config = tv.DeiTConfig(8, 4, 3, 16, 1, 2, pool="mean", init="xavier")
    model = tv.DeiT(config, np.random.default_rng(0))
    data = tv.train.Data(colours(64, "train", 0), None, colours(24, "test", 2))
    return model, data, tv.train.Recipe(batch_size=8)


@pytest.fixture(scope="module")
def trained(arguments, tmp_path_factory):
    """Train through all stages.  -> the run's folder."""
    out = tmp_path_factory.mktemp("buffers") / "run"
    train(arguments, out)
    return out


def train(arguments, out, **options):
    model, data, recipe = arguments
    run(copy.deepcopy(model), STAGES, data, out, recipe=recipe, quiet=True, **options)


def buffers(out, stage):
    return dict(tv.load_model(out / f"{stage}.npz")[0].buffers())


def test_steps_change_what_is_remembered_and_the_next_stage_continues(trained, arguments):
    start = dict(tv.quantize(copy.deepcopy(arguments[0]), REMEMBERING).buffers())
    one, two = buffers(trained, "one"), buffers(trained, "two")
    assert start.keys() == one.keys() == two.keys()
    for name, array in one.items():
        assert not np.array_equal(array, start[name]), name
    squares = [b["blocks.0.attn.qkv.weight_quant.squares"].mean() for b in (one, two)]
    assert squares[1] > squares[0] / 2  # not from 0 anew
    assert (one["blocks.0.mlp.fc1.weight_quant.frequencies"] == 2).any()


def test_a_run_resumes_to_the_same_bits(trained, arguments, tmp_path):
    def stop(done):
        if done == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(arguments, tmp_path / "run", on_step=stop)
    train(arguments, tmp_path / "run", resume=True, threads=2)
    for stage in ("one", "two"):
        one, two = (tv.load_model(f / f"{stage}.npz")[0] for f in (trained, tmp_path / "run"))
        for name, array in one.named_arrays().items():
            np.testing.assert_array_equal(array, two.named_arrays()[name], err_msg=name)


def test_a_stored_model_answers_as_the_trained_one(trained, arguments, tmp_path):
    model, extra = tv.load_model(trained / "two.npz")
    assert tv.train.evaluate(model, arguments[1].test).accuracy == extra["test_accuracy"]
    tv.export(model, tmp_path / "packed.safetensors")
    packed = tv.load_packed(tmp_path / "packed.safetensors").model
    images = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(packed.predict(images), packed_copy(model).predict(images))


def test_an_optimizer_does_not_see_buffers(arguments):
    model = tv.quantize(copy.deepcopy(arguments[0]), REMEMBERING)
    assert not {name for name, _ in model.named_params()} & dict(model.buffers()).keys()
