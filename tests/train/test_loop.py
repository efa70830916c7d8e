import json
from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.quant import Ternary
from tervit_np.train import Recipe, Stage, evaluate, run

RECIPE = Recipe(batch_size=8)


def lines(out, kind):
    every = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line for line in every if line["kind"] == kind]


def test_float_8_bit_and_ternary_stages_train_and_are_logged(model, data, tmp_path):
    stages = [
        Stage("float", "float", 6),
        Stage("8-bit", "int8", 1),
        Stage("ternary", "ternary", 4),
    ]
    results = run(model, stages, data, tmp_path, recipe=RECIPE, quiet=True)
    assert [r.stage for r in results] == ["float", "8-bit", "ternary"]
    assert results[0].start_accuracy < 0.7 < results[0].accuracy
    assert results[2].accuracy > 0.7
    assert abs(results[1].start_loss - results[0].loss) < 0.05  # 8 bit changes little
    assert results[2].start_loss != results[1].loss

    assert [line["stage"] for line in lines(tmp_path, "stage")] == ["float", "8-bit", "ternary"]
    assert lines(tmp_path, "stage")[2]["end"]["test_accuracy"] == results[2].accuracy
    assert len(lines(tmp_path, "eval")) == 6 + 1 + 4
    steps = lines(tmp_path, "step")
    assert steps[-1]["step"] == 8 * 11
    assert all(np.isfinite(line["loss"]) and line["lr"] > 0 for line in steps)


def test_settings_may_be_of_numpy_and_the_splits_a_tuple(model, data, tmp_path):
    """As a study that varies them has them; run.json stores Python's numbers."""
    stages = [Stage("float", "float", np.float32(1), lr=np.float64(1e-3))]
    recipe = Recipe(batch_size=np.int64(8), ema=np.float32(0.5))
    numbers = {"seed": np.int64(3), "threads": np.int32(1), "workers": np.int8(1)}
    options = {"recipe": recipe, "quiet": True, **numbers}
    (first,) = run(model, stages, tuple(data), tmp_path, **options)
    stored = json.loads((tmp_path / "run.json").read_text())
    assert (stored["seed"], stored["threads"], stored["recipe"]["batch_size"]) == (3, 1, 8)
    assert run(model, stages, tuple(data), tmp_path, True, **options) == [first]


def test_on_record_gets_what_is_logged(model, data, tmp_path):
    """As soon as it is in the file; a resumed run that is finished logs nothing."""
    file, got = tmp_path / "metrics.jsonl", []

    def on_record(record):
        got.append(record)
        assert json.loads(file.read_text().splitlines()[-1]) == record

    stages = [Stage("float", "float", 2), Stage("ternary", "ternary", 1)]
    run(model, stages, data, tmp_path, recipe=RECIPE, quiet=True, on_record=on_record)
    assert got == [json.loads(line) for line in file.read_text().splitlines()]
    assert [record["kind"] for record in got].count("stage") == 2
    run(model, stages, data, tmp_path, True, recipe=RECIPE, quiet=True, on_record=pytest.fail)


def test_stage_files_contain_the_quantized_model(model, data, tmp_path):
    stages = [Stage("ternary", "ternary", 1)]
    results = run(model, stages, data, tmp_path, recipe=RECIPE, quiet=True)
    loaded, extra = tv.load_model(tmp_path / "ternary.npz")
    assert isinstance(dict(loaded.quantizable())["blocks.1.attn.qkv"].weight_quant, Ternary)
    assert evaluate(loaded, data.test).accuracy == results[0].accuracy == extra["test_accuracy"]
    assert tuple(extra["classes"]) == data.test.classes


def test_a_stage_starts_from_the_quantized_result_of_the_stage_before(model, data, tmp_path):
    stages = [Stage("float", "float", 2), Stage("ternary", "ternary", 1)]
    results = run(model, stages, data, tmp_path, recipe=RECIPE, quiet=True)
    before, _ = tv.load_model(tmp_path / "float.npz")
    start = evaluate(tv.quantize(before, "ternary"), data.test)
    assert (start.accuracy, start.loss) == (results[1].start_accuracy, results[1].start_loss)


def test_a_teacher_changes_the_result(model, data, tmp_path):
    def last(teacher, where):
        fresh = tv.DeiT(model.config, np.random.default_rng(0))
        second = Stage("ternary", "ternary", 1, teacher=teacher)
        run(fresh, [Stage("float", "float", 1), second], data, where, recipe=RECIPE, quiet=True)
        return fresh.state_dict()["head.weight"]

    assert not np.array_equal(last("float", tmp_path / "a"), last(None, tmp_path / "b"))


def test_training_runs_without_a_validation_split(model, data, tmp_path):
    run(model, [Stage("float", "float", 1)], data._replace(val=None), tmp_path, recipe=RECIPE,
        quiet=True)  # fmt: skip
    assert lines(tmp_path, "eval") == []


def test_the_distilled_model_trains(data, tmp_path):
    config = tv.DeiTConfig(8, 4, 3, 16, 2, 2, distilled=True, init="xavier")
    model = tv.DeiT(config, np.random.default_rng(0))
    stages = [Stage("float", "float", 3), Stage("ternary", "ternary", 2, teacher="float")]
    assert run(model, stages, data, tmp_path, recipe=RECIPE, quiet=True)[1].accuracy > 0.6


@pytest.mark.parametrize(
    ("stages", "batch", "threads", "words"),
    [
        ([], 8, 1, "list of stages is empty"),
        ([Stage("a", "float", 1), Stage("a", "int8", 1)], 8, 1, "names repeat"),
        ([Stage("a", "float", 1, teacher="b")], 8, 1, "not an earlier stage"),
        ([Stage("a", "float", 1, freeze="qvk")], 8, 1, "freeze 'qvk' occurs in no"),
        ([Stage("a", "float", 1)], 65, 1, "64 images cannot fill a batch of 65"),
        ([Stage("a", "float", 1)], 8, 0, "at least 1"),
    ],
)
def test_stages_that_cannot_be_trained_are_refused(
    model, data, tmp_path, stages, batch, threads, words
):
    with pytest.raises(ValueError, match=words):
        run(model, stages, data, tmp_path, recipe=Recipe(batch_size=batch), threads=threads)
    assert not any(tmp_path.iterdir())


def test_data_that_do_not_fit_the_model_are_refused(data, tmp_path):
    stages = [Stage("a", "float", 1)]
    with pytest.raises(ValueError, match="3 classes, the model 10"):
        run(tv.create_model("deit_shapes"), stages, data, tmp_path)
    with pytest.raises(ValueError, match="8-pixel images, the model expects 32"):
        run(tv.create_model("deit_shapes", num_classes=3), stages, data, tmp_path)


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.take(np.arange(0)), "the {} split of colours is empty"),
        (lambda s: s.relabel([0, 2, 1], ("red", "blue", "green")), "class 1 is 'blue' in the {}"),
        (lambda s: replace(s, classes=(*s.classes, "white")), "the {} split of .* has 4 classes"),
        (lambda s: replace(s, images=s.images[:, :4, :4]), "the {} split of .* has 4-pixel images"),
    ],
    ids=["empty", "order", "classes", "size"],
)
def test_every_split_is_checked_before_anything_is_trained(
    model, data, tmp_path, split, change, words
):
    """Classes in another order gave the accuracy of wrong answers; the others ended an epoch."""
    changed = data._replace(**{split: change(getattr(data, split))})
    with pytest.raises(ValueError, match=words.format(split)):
        run(model, [Stage("a", "float", 1)], changed, tmp_path, recipe=RECIPE, quiet=True)
    assert not any(tmp_path.iterdir())


def test_a_seed_may_come_from_an_array(model, data, tmp_path):
    run(
        model, [Stage("a", "float", 1)], data, tmp_path, recipe=RECIPE, seed=np.int64(3), quiet=True
    )
    assert json.loads((tmp_path / "run.json").read_text())["seed"] == 3


@pytest.mark.parametrize("seed", [-1, 1.0, None])
def test_a_seed_that_is_no_number_to_count_with_is_refused(model, data, tmp_path, seed):
    with pytest.raises(ValueError, match=f"seed is {seed}; expected a whole number of at least 0"):
        run(model, [Stage("a", "float", 1)], data, tmp_path, recipe=RECIPE, seed=seed)
