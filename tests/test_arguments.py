"""Arguments of a wrong type are refused in one sentence, where they are given."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.train import Recipe, Stage, load_data

IMAGES = np.zeros((1, 3, 32, 32), np.float32)


@pytest.fixture(scope="module")
def model():
    return tv.create_model("deit_shapes", depth=1)


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
    with pytest.raises(ValueError, match="model is .*; expected a name, such as deit"):
        tv.create_model(value)
