"""Arguments of a wrong type are refused in one sentence, where they are given."""

import numpy as np
import pytest

import tervit_np as tv
from data_tools import ImageSet
from tervit_np.deploy.onnx_file import export_onnx
from tervit_np.train import ParallelModel, Recipe, Stage, load_data

IMAGES = np.zeros((1, 3, 32, 32), np.float32)


@pytest.fixture(scope="module")
def model():
    return tv.create_model("deit_shapes", depth=1)


@pytest.fixture
def images():
    pixels, labels = np.zeros((10, 32, 32, 3), np.uint8), np.arange(10)
    return ImageSet("zeros", "train", pixels, labels, tuple("abcdefghij"), (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("value", ["2", None, 1.5, True, [1], 0])
@pytest.mark.parametrize("name", ["threads", "batch_size"])
def test_predict_counts_threads_and_images_by_whole_numbers(model, name, value):
    with pytest.raises(ValueError, match=f"{name} is .*; expected a whole number of at least 1"):
        model.predict(IMAGES, **{name: value})


def test_a_whole_number_of_numpy_is_one(model):
    assert model.predict(IMAGES, np.int64(1), threads=np.int32(1)).shape == (1, 10)


@pytest.mark.parametrize("value", ["x", None, 1.5, -1])
@pytest.mark.parametrize("call", [lambda seed: tv.create_model("deit_shapes", seed=seed),
                                  lambda seed: load_data("shapes", 8, seed)])  # fmt: skip
def test_a_seed_is_a_whole_number(call, value):
    with pytest.raises(ValueError, match="seed is .*; expected a whole number of at least 0"):
        call(value)


@pytest.mark.parametrize("value", ["2", None, 1.5])
def test_packed_models_count_threads_by_whole_numbers(value):
    with pytest.raises(ValueError, match="load_packed: threads is .*; expected a whole number"):
        tv.load_packed("none", threads=value)


@pytest.mark.parametrize("value", ["2", None, 1.5, 0])
@pytest.mark.parametrize("name", ["threads", "accumulate"])
def test_a_parallel_model_counts_threads_and_parts_by_whole_numbers(model, name, value):
    """Without a part the gradients of a batch would be 0."""
    with pytest.raises(ValueError, match=f"ParallelModel: {name} is .*; expected a whole number"):
        ParallelModel(model, **{"threads": 1, name: value})


@pytest.mark.parametrize("value", ["0.1", None, 2.5, -1, -0.5, True, np.nan, np.inf, [8]])
def test_validation_is_a_number_of_images_or_a_fraction(value):
    with pytest.raises(ValueError, match="validation is .*; expected a number of images, or a fr"):
        load_data("shapes", value)


@pytest.mark.parametrize("value", [5, ["a"], "ab"])
@pytest.mark.parametrize("write", [tv.export, export_onnx])
def test_what_is_added_to_a_file_is_a_dictionary(model, tmp_path, write, value):
    with pytest.raises(ValueError, match="extra is .*, expected a dictionary"):
        write(model, tmp_path / "x", extra=value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [np.float32(1), np.nan, {1, 2}])
def test_what_is_added_to_an_onnx_graph_is_json(model, tmp_path, value):
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match="export: a cannot be written as JSON"):
        export_onnx(model, tmp_path / "x", extra={"a": value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("field", ["name", "plan", "epochs", "lr", "warmup", "temperature",
                                   "hard", "freeze"])  # fmt: skip
@pytest.mark.parametrize("value", [None, [1]])
def test_fields_of_a_stage_have_their_types(field, value):
    with pytest.raises(ValueError, match=f"{field} is "):
        Stage(**{"name": "a", "plan": "float", "epochs": 1, field: value})


@pytest.mark.parametrize("value", [None, "2"])
def test_a_recipe_has_an_augmentation_of_its_type(value):
    with pytest.raises(ValueError, match="recipe: augment is .*; expected an Augment"):
        Recipe(augment=value)


@pytest.mark.parametrize("value", [None, "ab", (0.9, "x"), (0.9,)])
def test_betas_are_two_numbers(value):
    with pytest.raises(ValueError, match="betas are .*; expected two numbers"):
        Recipe(betas=value)


@pytest.mark.parametrize("value", [None, "99"])
def test_a_percentage_is_a_number(model, value):
    with pytest.raises(ValueError, match="percent is .*; expected a number"):
        tv.calibrate(model, IMAGES, "percentile", value)


@pytest.mark.parametrize("value", [None, 3])
def test_a_model_is_named(value):
    with pytest.raises(ValueError, match="model is .*; expected a name, such as deit_shapes"):
        tv.create_model(value)


PATHS = {
    "load_packed": lambda model, path: tv.load_packed(path),
    "load_model": lambda model, path: tv.load_model(path),
    "load_checkpoint": lambda model, path: tv.load_checkpoint(path),
    "pretrained": lambda model, path: tv.pretrained(path),
    "read_safetensors": lambda model, path: tv.checkpoints.read_safetensors(path),
    "save_safetensors": lambda model, path: tv.save_safetensors({"a": IMAGES}, path),
    "save_checkpoint": tv.save_checkpoint,
    "export": lambda model, path: tv.export(tv.quantize(model, "ternary"), path),
}
MODELS = {
    "save_checkpoint": lambda model: tv.save_checkpoint(model, "none.npz"),
    "export": lambda model: tv.export(model, "none.safetensors"),
    "quantize": lambda model: tv.quantize(model, "ternary"),
    "export_onnx": lambda model: export_onnx(model, "none.onnx"),
    "calibrate": lambda model: tv.calibrate(model, IMAGES),
    "transfer": lambda model: tv.transfer(model, {}),
    "run": lambda model: tv.train.run(model, [], None, "none"),
    "evaluate": lambda model: tv.train.evaluate(model, None),
    "ParallelModel": lambda model: tv.train.ParallelModel(model, 1),
}
STAGE = Stage("a", "float", 1)


@pytest.mark.parametrize("value", [None, 3, ["a"], b"a"])
@pytest.mark.parametrize("call", PATHS.values(), ids=PATHS)
def test_a_path_is_a_text_or_a_path(model, call, value):
    with pytest.raises(ValueError, match="path is .*; expected a text or a Path"):
        call(model, value)


@pytest.mark.parametrize("kind", [None, "deit_shapes", "pair"])
@pytest.mark.parametrize("call", MODELS.values(), ids=MODELS)
def test_a_model_is_one_of_ours_and_not_a_pair(model, call, kind):
    value = (model, {}) if kind == "pair" else kind
    with pytest.raises(ValueError, match="model is a (NoneType|str|tuple); expected a model, as"):
        call(value)


@pytest.mark.parametrize("value", [None, 3, [1]])
def test_weights_have_names(model, value):
    with pytest.raises(ValueError, match="arrays are a .*; expected {name: array}"):
        tv.transfer(model, value)


@pytest.mark.parametrize("value", ["x", None, 1.5])
def test_a_new_head_is_drawn_by_a_whole_number(model, value):
    with pytest.raises(ValueError, match="seed is .*; expected a whole number of at least 0"):
        tv.pretrained(model.state_dict(), seed=value)


@pytest.mark.parametrize("value", [None, 3, ["shapes"]])
def test_a_data_set_is_named(value):
    with pytest.raises(ValueError, match="data set is .*; expected a name, such as shapes"):
        load_data(value)


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("stages", None, "stages is a NoneType; expected a list of Stage"),
        ("stages", STAGE, "stages is a Stage; expected a list of Stage"),
        ("stages", ["a"], "stages holds 'a'; expected a Stage"),
        ("stages", [STAGE, None], "stages holds None; expected a Stage"),
        ("data", None, "data is a NoneType; expected the splits that load_data returns"),
        ("data", "shapes", "data is a str; expected the splits"),
        ("data", (None, None, None), "the train split is a NoneType; expected an ImageSet"),
        ("out_dir", None, "out_dir is None; expected a text or a Path"),
        ("recipe", 3, "recipe is 3; expected a Recipe"),
        ("recipe", {}, "recipe is {}; expected a Recipe"),
        ("command", None, "command is None; expected text"),
        ("command", ["tervit"], r"command is \['tervit'\]; expected text"),
    ],
)
def test_a_run_says_which_argument_is_of_a_wrong_type(model, images, argument, value, words):
    arguments = {"stages": [STAGE], "data": (images, None, images), "out_dir": "none"}
    with pytest.raises(ValueError, match=words):
        tv.train.run(model, **arguments | {argument: value})
