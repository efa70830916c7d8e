"""A packed copy of a model in memory."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.blocks import PackedBlocks
from tervit_np.deploy.layers import PackedLinear
from tervit_np.deploy.packing import packed_copy
from tervit_np.quant import (
    LAT,
    QEMA,
    RULES,
    LSQAct,
    Plan,
    Ternary,
    UniformAct,
    UniformWeight,
    is_integer_matmul,
)
from tests.checks import BACKENDS
from tests.deploy.test_packed import CASES, DEIT, clear_images_of, images_of, model_of
from tests.rounding import assert_same, assert_same_layers, generator


@pytest.mark.rounding
@CASES
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_packed_copy_predicts_what_the_model_does(config, backend):
    model = model_of(config)
    images = clear_images_of(model)
    with tv.backend(backend):
        copy = packed_copy(model)
        assert_same(copy.predict(images), model.predict(images))
        assert_same_layers(copy, model, images)


@pytest.mark.rounding
@pytest.mark.parametrize("rule", [QEMA(), LAT()], ids=repr)
def test_layers_that_stay_floats_keep_what_their_quantizers_remember(rule):
    """With inputs of 4 bits they are not packed, the layers of the other rule are."""
    plan = Plan([(".*fc1", rule, UniformAct(4)), (".*qkv", Ternary(), UniformAct(8))])
    model, rng = model_of(DEIT, plan), generator(3)
    for _, array in model.buffers():
        array[...] = rng.normal(size=array.shape) ** 2
    copy = packed_copy(model)
    layers = dict(model.quantizable())
    for name, layer in copy.quantizable():
        if name.endswith("fc1"):
            pair = layers[name], layer
            own, copied = (each.weight_quant.encode(each.weight.data).codes for each in pair)
            np.testing.assert_array_equal(copied, own)
    images = clear_images_of(model)
    assert_same(copy.predict(images), model.predict(images))


def test_a_packed_copy_equals_the_exported_and_loaded_model(tmp_path):
    model, images = model_of(DEIT), images_of(DEIT)
    tv.export(model, tmp_path / "x")
    np.testing.assert_array_equal(
        packed_copy(model).predict(images), tv.load_packed(tmp_path / "x").predict(images)
    )


class Halved(tv.DeiT):
    """A distilled model of a user, with a forward pass of its own."""

    def forward(self, images, **options):
        logits, cache = super().forward(images, **options)
        return tuple(head / 2 for head in logits), cache


class ReluMLP(tv.nn.MLP):
    def forward(self, x):
        hidden, _ = self.fc1.forward(x)
        return self.fc2.forward(np.maximum(hidden, 0))[0], None


class DoubledLinear(tv.nn.Linear):
    def forward(self, x):
        y, cache = super().forward(x)
        return 2 * y, cache


class ShiftedAct(UniformAct):
    def forward(self, w, keep_residual=False):
        w_hat, cache = super().forward(w, keep_residual)
        return w_hat + 1, cache


class TwoScales(Ternary):
    def forward(self, w, keep_residual=False):
        w_hat, cache = super().forward(w, keep_residual)
        return np.where(w_hat > 0, 2 * w_hat, w_hat), cache


def with_class(module, own_class):
    module.__class__ = own_class


def with_eps(model):
    model.blocks[0].norm2.eps = 1.0


def with_tanh(model):
    model.blocks[0].mlp.gelu_form = "tanh"


def without_a_block(model):
    del model.blocks[-1]


@pytest.mark.rounding
@pytest.mark.parametrize(
    "change",
    [
        lambda model: with_class(model.blocks[0].mlp, ReluMLP),
        lambda model: with_class(model.blocks[0].mlp.fc2, DoubledLinear),
        lambda model: with_class(model.head, DoubledLinear),
        with_eps,
        with_tanh,
        without_a_block,
    ],
    ids=["mlp", "linear", "head", "eps", "gelu", "depth"],
)
def test_a_packed_copy_keeps_what_a_user_has_changed(change):
    """It was built from the configuration, and so `evaluate` measured another model."""
    model = model_of(DEIT)
    change(model)
    images = clear_images_of(model)
    assert_same(packed_copy(model).predict(images), model.predict(images))


@pytest.mark.rounding
def test_a_packed_copy_has_the_class_of_its_model():
    model = model_of(DEIT)
    images = clear_images_of(model)
    with_class(model, Halved)
    assert_same(packed_copy(model).predict(images), model.predict(images))


@pytest.mark.parametrize("pair", [(TwoScales(), UniformAct()), (Ternary(), ShiftedAct())])
def test_integers_are_multiplied_for_known_rules_alone(pair):
    """What a derived class passes on need not be integers, whatever its parent's are."""
    assert is_integer_matmul(Ternary(), UniformAct())
    assert not is_integer_matmul(*pair)
    plan = Plan([(".*(qkv|proj|fc1|fc2)", *pair)])
    assert packed_copy(tv.quantize(tv.create_model("deit_shapes"), plan)) is None


def test_model_and_packed_copy_do_not_share_weights():
    model, images = model_of(DEIT), images_of(DEIT)
    before = model.predict(images)
    copy = packed_copy(model)
    assert isinstance(copy.blocks, PackedBlocks)
    assert isinstance(copy.head, PackedLinear)
    copied = copy.predict(images)
    np.testing.assert_array_equal(model.predict(images), before)
    for _, param in model.named_params():
        param.data += 1
    np.testing.assert_array_equal(copy.predict(images), copied)


@pytest.mark.parametrize("plan", ["float", "int8"])
def test_a_model_without_ternary_layers_has_no_packed_copy(plan):
    assert packed_copy(model_of(DEIT, plan)) is None


def test_inputs_of_a_rule_of_ones_own_are_rounded_by_it(monkeypatch, tmp_path):
    """In RULES, so that files find it, a kernel rounded the inputs as its parent does."""
    monkeypatch.setitem(RULES, "ShiftedAct", ShiftedAct)
    assert not is_integer_matmul(Ternary(), ShiftedAct())
    layer = tv.nn.Linear(8, 3, weight_quant=Ternary(), act_quant=ShiftedAct())
    rng = np.random.default_rng(0)
    layer.weight.data[...] = rng.normal(size=(3, 8))
    x = rng.normal(size=(5, 8)).astype(np.float32)
    expected = layer.act_quant.forward(x)[0] @ layer.weight_quant.forward(layer.weight.data)[0].T
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=1e-5, atol=1e-6)
    model, images = tv.models.build(DEIT, rng), images_of(DEIT)
    tv.quantize(model, Plan([(".*(qkv|proj|fc1|fc2)", UniformWeight(), ShiftedAct())]))
    tv.export(model, tmp_path / "x")
    loaded = tv.load_packed(tmp_path / "x").predict(images)
    np.testing.assert_array_equal(loaded, model.predict(images))
    tv.quantize(model, Plan([(".*fc1", Ternary(), ShiftedAct())]))
    with pytest.raises(ValueError, match="needs symmetric 8-bit inputs"):
        tv.export(model, tmp_path / "x")


class OwnLSQAct(LSQAct):
    """Inputs that learn by a rule of a user."""


def test_learned_inputs_of_a_class_of_ones_own_have_no_packed_form(monkeypatch, tmp_path):
    """They were exported as LSQ's, whatever the class makes of its end."""
    monkeypatch.setitem(RULES, "OwnLSQAct", OwnLSQAct)
    model = tv.quantize(tv.create_model("deit_shapes", depth=1), Plan([
        (".*fc1", UniformWeight(), OwnLSQAct())
    ]))  # fmt: skip
    tv.models.calibrate(model, np.random.default_rng(0).normal(size=(2, 3, 32, 32)))
    with pytest.raises(ValueError, match="fc1 has inputs .* with learned end"):
        tv.export(model, tmp_path / "x")
