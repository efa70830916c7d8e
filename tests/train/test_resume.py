"""An interrupted and resumed run ends in the same bits as one that was never stopped."""

import copy
import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.npz import read_npz, write_npz
from tervit_np.environment import difference_of_bits
from tervit_np.train import Interrupted, Stage, run
from tervit_np.train.folder import RunFolder
from tervit_np.train.metrics import read_metrics
from tervit_np.train.resume import run_arguments_from
from tervit_np.train.run_config import machine_changes, make_run_config

STAGES = [
    Stage("float", "float", 2),
    Stage("8-bit", "int8", 1.5, optimizer="keep"),
    Stage("ternary", "ternary", 2, teacher="float", ramp=0.5),
]
EPOCH = 8  # steps


def train(model, data, recipe, out, *, resume=False, threads=1, on_step=None):
    model = copy.deepcopy(model)
    options = {"recipe": recipe, "seed": 5, "threads": threads, "quiet": True, "on_step": on_step}
    return run(model, STAGES, data, out, resume, **options)


def everything(out):
    """Return all weights of all stages and all metrics except measured times."""
    weights = {s.name: tv.load_checkpoint(out / f"{s.name}.npz") for s in STAGES}
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    times = ("rate", "seconds", "cpu_seconds")
    return weights, [{k: v for k, v in x.items() if k not in times} for x in lines]


def assert_same(one, two):
    assert one[1] == two[1]
    for stage, arrays in one[0].items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, two[0][stage][name], err_msg=f"{stage} {name}")


@pytest.fixture
def uninterrupted(model, data, recipe, tmp_path):
    results = train(model, data, recipe, tmp_path / "whole")
    return results, everything(tmp_path / "whole")


@pytest.mark.parametrize("stop_after", [5, 16, 21, 28, 33, 41])
def test_a_run_resumes_to_the_same_bits_after_ctrl_c(
    model, data, recipe, tmp_path, uninterrupted, stop_after
):
    def ctrl_c(done):
        if done == stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "stopped"
    with pytest.raises(Interrupted, match="everything is saved"):
        train(model, data, recipe, out, on_step=ctrl_c)
    results = train(model, data, recipe, out, resume=True, on_step=(steps := []).append)
    assert steps[0] == stop_after + 1
    assert results == uninterrupted[0]
    assert_same(everything(out), uninterrupted[1])


@pytest.mark.parametrize("crash_after", [3, 11, 26, 44])
def test_a_crash_loses_at_most_an_epoch(model, data, recipe, tmp_path, uninterrupted, crash_after):
    def crash(done):
        if done == crash_after:
            raise RuntimeError("power cut")

    out = tmp_path / "crashed"
    with pytest.raises(RuntimeError):
        train(model, data, recipe, out, on_step=crash)
    results = train(model, data, recipe, out, resume=True, on_step=(steps := []).append)
    assert steps[0] > crash_after - EPOCH
    assert results == uninterrupted[0]
    assert_same(everything(out), uninterrupted[1])


@pytest.mark.parametrize("crash_after", [11, 19, 27])
def test_a_damaged_checkpoint_costs_an_epoch_more(
    model, data, recipe, tmp_path, uninterrupted, crash_after
):
    """Also where the checkpoint before it belongs to the stage before, and run.json is lost."""

    def crash(done):
        if done == crash_after:
            raise RuntimeError("power cut")

    out = tmp_path / "crashed"
    with pytest.raises(RuntimeError):
        train(model, data, recipe, out, on_step=crash)
    os.truncate(out / "checkpoint.npz", 500)
    (out / "run.json").write_text("{")
    results = train(model, data, recipe, out, resume=True, on_step=(steps := []).append)
    assert steps[0] > crash_after - 2 * EPOCH
    assert results == uninterrupted[0]
    assert_same(everything(out), uninterrupted[1])


@pytest.mark.parametrize("before", [1000.0, None])
def test_the_cpu_time_goes_on_if_the_checkpoint_has_it(model, data, recipe, tmp_path, before):
    """Those of earlier versions lack it; the stages that follow have theirs."""

    def ctrl_c(done):
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(model, data, recipe, tmp_path, on_step=ctrl_c)
    arrays, position = read_npz(tmp_path / "checkpoint.npz")
    assert 0 < position.pop("cpu_seconds") < 1000
    position |= {} if before is None else {"cpu_seconds": before}
    write_npz(tmp_path / "checkpoint.npz", arrays, position)
    train(model, data, recipe, tmp_path, resume=True)
    records = read_metrics(tmp_path / "metrics.jsonl").records
    first, *others = [r["cpu_seconds"] for r in records if r["kind"] == "stage"]
    assert first is None if before is None else 1000 < first < 2000
    assert len(others) == 2 and all(0 < time < 1000 for time in others)


def test_muon_resumes_to_the_same_bits(model, data, recipe, tmp_path):
    recipe = replace(recipe, optimizer="muon")
    train(model, data, recipe, tmp_path / "whole")

    def ctrl_c(done):
        if done == 21:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(model, data, recipe, tmp_path / "stopped", on_step=ctrl_c)
    train(model, data, recipe, tmp_path / "stopped", resume=True, threads=2)
    assert_same(everything(tmp_path / "stopped"), everything(tmp_path / "whole"))


def test_a_finished_run_resumes_to_its_results(model, data, recipe, tmp_path, uninterrupted):
    results = train(model, data, recipe, tmp_path / "whole", resume=True)
    assert results == uninterrupted[0]
    assert_same(everything(tmp_path / "whole"), uninterrupted[1])


def test_other_threads_give_the_same_bits(model, data, recipe, tmp_path, uninterrupted):
    def ctrl_c(done):
        if done == 35:
            os.kill(os.getpid(), signal.SIGINT)

    for threads in (2, 3, 4):
        train(model, data, recipe, tmp_path / str(threads), threads=threads)
        assert_same(everything(tmp_path / str(threads)), uninterrupted[1])
    with pytest.raises(Interrupted):
        train(model, data, recipe, tmp_path / "stopped", threads=2, on_step=ctrl_c)
    train(model, data, recipe, tmp_path / "stopped", threads=3, resume=True)
    assert_same(everything(tmp_path / "stopped"), uninterrupted[1])


def test_resuming_with_other_settings_is_refused(model, data, recipe, tmp_path, uninterrupted):
    with pytest.raises(ValueError, match="seed was 5 .* now 6"):
        run(model, STAGES, data, tmp_path / "whole", True, recipe=recipe, seed=6, quiet=True)


def test_run_json_rebuilds_the_arguments(monkeypatch, model, data, recipe, tmp_path):
    monkeypatch.setattr("tervit_np.train.resume.load_data", lambda *_: data)
    run(model, STAGES[:1], data, tmp_path / "run", recipe=recipe, seed=5, quiet=True)
    arguments = run_arguments_from(RunFolder(tmp_path / "run").read_run_config())
    assert arguments.stages == STAGES[:1]
    assert arguments.recipe == recipe
    assert (arguments.seed, arguments.threads) == (5, 1)
    assert arguments.model.config == model.config
    with pytest.raises(ValueError, match="damaged"):
        run_arguments_from({"recipe": {}})


def test_a_run_of_mixed_precision_resumes_to_the_same_bits(
    model, data, recipe, tmp_path, monkeypatch
):
    """The precision is recorded, and a run that is resumed takes it from there."""
    recipe, stage = replace(recipe, precision="bf16"), Stage("ternary", "ternary", 1)
    options = {"seed": 5, "quiet": True}
    ends = []
    for name, precision in (("whole", "bf16"), ("float32", "float32")):
        trained = copy.deepcopy(model)
        own = replace(recipe, precision=precision)
        run(trained, [stage], data, tmp_path / name, recipe=own, **options)
        ends.append(trained.state_dict())

    def ctrl_c(done):
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "stopped"
    with pytest.raises(Interrupted):
        run(copy.deepcopy(model), [stage], data, out, recipe=recipe, on_step=ctrl_c, **options)
    stored = RunFolder(out).read_run_config()
    assert stored["recipe"]["precision"] == "bf16"
    monkeypatch.setattr("tervit_np.train.resume.load_data", lambda *args: data)
    resumed = run_arguments_from(stored)
    assert resumed.recipe == recipe
    run(resumed.model, resumed.stages, data, out, True, recipe=resumed.recipe, **options)
    for name, array in resumed.model.state_dict().items():
        np.testing.assert_array_equal(array, ends[0][name])
    assert any((ends[0][name] != ends[1][name]).any() for name in ends[0])
    with pytest.raises(ValueError, match='recipe.precision was "bf16" .* is now "float32"'):
        run(copy.deepcopy(model), [stage], data, out, True,
            recipe=replace(recipe, precision="float32"), **options)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_another_processor_is_named_where_products_are_left_to_blas(data, recipe, dtype):
    pytest.importorskip("numba")
    model = tv.DeiT(tv.DeiTConfig(8, 4, 3, 16, 1, 2), np.random.default_rng(0), dtype)
    with tv.backend("numba"):
        config = make_run_config(model, STAGES, recipe, data, 0, 1, "")
        here = difference_of_bits()
    if not here:
        assert ("BLAS" in config["environment"]["last bits"]) == (dtype == "float64")
        elsewhere = config["environment"] | {"processor": "Difference Engine"}
        changes = machine_changes(config | {"environment": elsewhere}, config)
        assert ("processor was Difference Engine" in changes) == (dtype == "float64")
