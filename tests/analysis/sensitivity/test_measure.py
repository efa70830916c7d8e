"""Each number is the difference of two losses, here with quantizers that are set by hand."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.sensitivity import KINDS, answers_with, layer_names, measure, mixed_plan
from tervit_np.analysis.sensitivity.choice import size_with
from tervit_np.analysis.sizes import sizes
from tervit_np.analysis.surfaces.runner import Runner, image_logits, image_losses
from tervit_np.quant import IDENTITY, Ternary, UniformAct, UniformWeight
from tests.rounding import generator


@pytest.fixture(scope="module")
def model():
    config = tv.DeiTConfig(8, 4, 3, 8, 2, 2, pool="mean", init="xavier")
    model = tv.DeiT(config, generator(0))
    model.head.weight.data[...] = generator(1).normal(size=model.head.weight.shape)
    return model


@pytest.fixture(scope="module")
def sample():
    rng = generator(2)
    return rng.normal(size=(24, 3, 8, 8)).astype("f"), rng.integers(0, 3, 24)


@pytest.fixture(scope="module")
def measured(model, sample):
    return measure(model, *sample)


def losses_with(model, sample, quantizers):
    """Losses and accuracy with {layer: weight quantizer}, all others float."""
    for name, layer in model.quantizable():
        chosen = quantizers.get(name)
        layer.weight_quant = chosen or IDENTITY
        layer.act_quant = UniformAct(8) if chosen else IDENTITY
    losses = image_losses(model, *sample).astype(float)
    accuracy = (image_logits(model, sample[0]).argmax(axis=1) == sample[1]).mean()
    tv.quantize(model, "float")
    return losses, accuracy


def is_effect(effect, change, accuracy):
    assert effect.change == pytest.approx(change.mean(), abs=1e-9)
    assert effect.error == pytest.approx(change.std(ddof=1) / np.sqrt(len(change)), abs=1e-9)
    assert effect.accuracy == accuracy


def test_a_rise_is_that_of_one_layer_alone(model, sample, measured):
    base, accuracy = losses_with(model, sample, {})
    assert (measured.loss, measured.accuracy) == (pytest.approx(base.mean()), accuracy)
    quantizers = {"8 bits": UniformWeight(8), "4 bits": UniformWeight(4), "ternary": Ternary()}
    assert set(quantizers) == set(KINDS)
    for layer in measured.layers:
        for kind, quantizer in quantizers.items():
            losses, accuracy = losses_with(model, sample, {layer.name: quantizer})
            is_effect(layer.rise[kind], losses - base, accuracy)


def test_a_relief_is_the_fall_by_one_layer_in_8_bits(model, sample, measured):
    names = [layer.name for layer in measured.layers]
    ternary, accuracy = losses_with(model, sample, {name: Ternary() for name in names})
    is_effect(measured.ternary, ternary - losses_with(model, sample, {})[0], accuracy)
    for layer in measured.layers:
        rest = {name: Ternary() for name in names if name != layer.name}
        losses, accuracy = losses_with(model, sample, rest | {layer.name: UniformWeight(8)})
        is_effect(layer.relief, ternary - losses, accuracy)


def test_layers_come_in_the_order_of_the_network_and_have_weights(model, measured):
    names = [name for name, layer in model.quantizable() if layer.weight is not None]
    assert [layer.name for layer in measured.layers] == names == layer_names(model)
    assert not any(name.endswith("products") for name in names)


def test_the_result_does_not_depend_on_the_quantizers_of_the_model(model, sample, measured):
    tv.quantize(model, "ternary-layer")
    try:
        assert measure(model, *sample) == measured
        assert {repr(q.weight_quant) for _, q in model.quantizable()} > {"float"}
    finally:
        tv.quantize(model, "float")


@pytest.mark.parametrize("count", [0, 3, 10])
def test_sizes_are_those_of_the_quantized_model(model, measured, count):
    names = layer_names(model)
    eight, rest = names[:count], names[count:]
    tv.quantize(model, mixed_plan({"8 bits": eight, "ternary": rest}))
    assert size_with(measured, eight) == sizes(model).stored
    tv.quantize(model, "float")


def test_a_planted_sensitive_layer_is_found(model, sample):
    """A row with one large weight loses all others in three values, and nothing in 8 bits."""
    planted = tv.DeiT(model.config, generator(0))
    planted.load_state_dict(model.state_dict())
    weight = dict(planted.quantizable())["blocks.1.mlp.fc2"].weight.data
    weight[...] = 0.05 * generator(3).normal(size=weight.shape)
    weight[:, 0] = 2.0
    planted.head.weight.data *= 3
    found = {layer.name: layer for layer in measure(planted, *sample).layers}["blocks.1.mlp.fc2"]
    rises = {kind: abs(effect.change) for kind, effect in found.rise.items()}
    assert rises["8 bits"] < rises["ternary"] / 5


def test_a_stopped_measurement_goes_on_where_it_stopped(model, sample, measured, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from tervit_np.analysis.surfaces import PartialResults

    class Stopped(Exception):
        pass

    seen = []

    def stop_after_ten(name, passes, is_new):
        seen.append(is_new)
        if len(seen) == 10:
            raise Stopped

    partial = PartialResults(tmp_path / "p")
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(Stopped):
            measure(model, *sample, Runner(pool, partial, stop_after_ten))
        seen.append("again")
        result = measure(model, *sample, Runner(pool, partial, lambda *args: seen.append(args[2])))
    again = seen[seen.index("again") + 1 :]
    assert again.count(False) >= 10
    assert True in again
    assert result == measured


def test_answers_of_a_plan_are_those_of_the_quantized_model(model, sample):
    plan = mixed_plan({"4 bits": ["head"], "ternary": ["blocks.0.attn.qkv"]})
    wanted, accuracy = losses_with(
        model, sample, {"head": UniformWeight(4), "blocks.0.attn.qkv": Ternary()}
    )
    loss, fraction = answers_with(model, plan, *sample)
    assert (loss, fraction) == (pytest.approx(wanted.mean(), abs=1e-7), accuracy)
