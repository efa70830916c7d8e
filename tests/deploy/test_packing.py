"""A model in memory, put on packed kernels as it is now."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.blocks import PackedBlocks
from tervit_np.deploy.layers import PackedLinear
from tervit_np.deploy.packing import packed_copy
from tests.checks import BACKENDS
from tests.deploy.test_packed import CASES, DEIT, clear_images_of, images_of, model_of
from tests.rounding import assert_same, assert_same_layers


@pytest.mark.rounding
@CASES
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_copy_answers_as_the_model_does(config, backend):
    model = model_of(config)
    images = clear_images_of(model)
    with tv.backend(backend):
        copy = packed_copy(model)
        assert_same(copy.predict(images), model.predict(images))
        assert_same_layers(copy, model, images)


def test_it_is_the_file_without_the_file(tmp_path):
    model, images = model_of(DEIT), images_of(DEIT)
    tv.export(model, tmp_path / "x")
    np.testing.assert_array_equal(
        packed_copy(model).predict(images), tv.load_packed(tmp_path / "x").predict(images)
    )


def test_the_model_stays_what_it_was():
    model, images = model_of(DEIT), images_of(DEIT)
    before = model.predict(images)
    copy = packed_copy(model)
    assert isinstance(copy.blocks, PackedBlocks)
    assert isinstance(copy.head, PackedLinear)
    copied = copy.predict(images)
    np.testing.assert_array_equal(model.predict(images), before)
    for _, param in model.named_params():  # nor does the copy follow the model
        param.data += 1
    np.testing.assert_array_equal(copy.predict(images), copied)


@pytest.mark.parametrize("plan", ["float", "int8"])
def test_models_without_ternary_layers_stay_themselves(plan):
    assert packed_copy(model_of(DEIT, plan)) is None
