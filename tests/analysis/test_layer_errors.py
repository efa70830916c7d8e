import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.layer_errors import GAUSSIAN, layer_errors
from tervit_np.quant import IDENTITY, Plan, Ternary
from tests.rounding import generator


def model(plan):
    config = tv.DeiTConfig(8, 4, 3, 16, 2, 2, init="xavier")
    return tv.quantize(tv.DeiT(config, generator(0), "float64"), plan)


IMAGES = generator(1).normal(size=(20, 3, 8, 8))


def test_a_layer_is_measured_on_the_inputs_of_the_float_model():
    """By hand for a layer in the second block, whose inputs no other rounding has changed."""
    rounded = model("ternary")
    floats = model("float")
    seen = {}
    layer = dict(floats.quantizable())["blocks.1.mlp.fc1"]
    forward = layer.forward
    layer.forward = lambda x: seen.setdefault("x", x) is None or forward(x)
    floats.forward(IMAGES)
    y = forward(seen["x"])[0]
    y_hat = dict(rounded.quantizable())["blocks.1.mlp.fc1"].forward(seen["x"])[0]
    found = {error.layer: error for error in layer_errors(rounded, IMAGES)}["blocks.1.mlp.fc1"]
    assert found.output == pytest.approx(np.linalg.norm(y_hat - y) / np.linalg.norm(y), rel=1e-9)


def test_a_layer_that_is_not_rounded_has_no_error():
    plan = Plan([(r"blocks\.0\.mlp\.fc2", Ternary(), IDENTITY)])
    errors = {error.layer: error for error in layer_errors(model(plan), IMAGES)}
    assert [name for name, error in errors.items() if error.weight > 0] == ["blocks.0.mlp.fc2"]
    assert [name for name, error in errors.items() if error.output > 0] == ["blocks.0.mlp.fc2"]
    assert "blocks.0.attn.products" not in errors  # it has no weight


def test_the_model_is_left_as_it_was():
    rounded = model("ternary")
    before = rounded.predict(IMAGES)
    layer_errors(rounded, IMAGES)
    np.testing.assert_array_equal(rounded.predict(IMAGES), before)


def test_normal_weights_have_the_least_error_of_three_values():
    w = generator(2).normal(size=(4, 50_000))
    w_hat = Ternary(threshold="exact").forward(w)[0]
    assert np.linalg.norm(w_hat - w) / np.linalg.norm(w) == pytest.approx(GAUSSIAN, abs=3e-3)


def test_no_images_have_no_error():
    """Every output had an error of 0."""
    with pytest.raises(ValueError, match="found 0 images"):
        layer_errors(model("ternary"), IMAGES[:0])
