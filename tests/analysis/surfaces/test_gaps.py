import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.sensitivity import measure
from tervit_np.analysis.surfaces import LossHessian
from tervit_np.analysis.surfaces.gaps import KINDS, gaps, quantized, quantized_as
from tervit_np.losses import cross_entropy


def loss(model, sample):
    return cross_entropy(model.predict(sample[0]), sample[1])[0]


@pytest.mark.rounding
@pytest.mark.parametrize("own", ["float", "ternary"])
def test_gaps_are_differences_of_losses(tiny, clear_sample, own):
    sample = clear_sample(*(quantized(tiny(), plan) for plan in KINDS.values()))
    found = gaps(tiny(own), *sample)
    assert found.loss == pytest.approx(loss(tiny(), sample), abs=1e-6)
    assert [gap.name for gap in found.gaps] == list(KINDS)
    for gap, plan in zip(found.gaps, ["int8", None, "ternary"], strict=True):
        assert gap.gap == pytest.approx(gap.loss - found.loss)
        if plan is not None:
            assert gap.loss == pytest.approx(loss(tiny(plan), sample), abs=1e-6)
    layer, channel = found.gaps[1:]
    assert channel.saved == pytest.approx(layer.loss - channel.loss, abs=1e-6)
    assert found.gaps[0].saved == pytest.approx(-found.gaps[0].gap)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, -1], "labels from -1 to 1, expected 0 to 2"),
        ([0, 1, 3], "labels from 0 to 3, expected 0 to 2"),
        ([0.0, 1.0, 2.0], "labels are float64, expected whole numbers"),
        ([0, 1], "3 images with labels"),
    ],
)
def test_labels_are_classes_of_the_model(tiny, sample, labels, words):
    """As an index -1 would be the last class, and the loss that of wrong answers."""
    images, labels = sample[0][:3], np.array(labels)
    with pytest.raises(ValueError, match=words):
        gaps(tiny(), images, labels)
    with pytest.raises(ValueError, match=words):
        LossHessian(tiny(dtype="float64"), images, labels)
    with pytest.raises(ValueError, match=words):
        measure(tiny(), images, labels)


def test_gaps_have_errors_and_8_bits_the_smallest(tiny, sample):
    found = gaps(tiny(), *sample)
    layer, channel = found.gaps[1:]
    assert all(0 < gap.error < 0.5 for gap in found.gaps)
    assert 0 < channel.saved_error < layer.error + channel.error
    assert abs(found.gaps[0].gap) < 0.1 * abs(layer.gap)


def test_layer_wise_means_one_scale_for_a_matrix(tiny):
    model = quantized(tiny(), KINDS["ternary, layer-wise"])
    layer = model.blocks[0].attn.qkv
    w_hat = layer.weight_quant.forward(layer.weight.data)[0]
    assert len(np.unique(np.abs(w_hat))) == 2
    assert model.head.weight_quant.bits == 8


def ends_of_inputs(model):
    return {name: p.data.item() for name, p in model.quantizer_params() if "act_quant" in name}


def test_learned_inputs_get_the_scales_of_the_other_model(tiny, sample):
    other, plain = tiny("ternary-int8-lsq"), tiny(seed=4)
    tv.calibrate(other, sample[0])
    copied = quantized_as(plain, other)
    assert ends_of_inputs(copied) == ends_of_inputs(other)
    np.testing.assert_array_equal(copied.head.weight.data, plain.head.weight.data)
    copied.blocks[0].attn.qkv.act_quant.params()["end"].data[...] = 9
    assert 9 not in ends_of_inputs(other).values()


def test_learned_inputs_keep_the_scales_that_they_have(tiny, sample):
    other, own = tiny("ternary-int8-lsq"), tiny("ternary-int8-lsq", seed=4)
    tv.calibrate(other, sample[0])
    tv.calibrate(own, 2 * sample[0])
    assert ends_of_inputs(quantized_as(own, other)) == ends_of_inputs(own)


def test_the_model_does_not_change(tiny, sample):
    model = tiny("ternary")
    before = model.state_dict()
    gaps(model, *sample)
    assert isinstance(model.blocks[0].attn.qkv.weight_quant, tv.quant.Ternary)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_gaps_do_not_use_what_the_model_has_learned(tiny, sample):
    """A kind of the model's own rule kept its scales, and the gap was that of a trained model."""
    model = tiny("lsq")
    for _, param in model.quantizer_params():
        param.data *= 2
    kinds = {"lsq": tv.quant.named_plan("lsq")}
    assert gaps(model, *sample, kinds=kinds) == gaps(tiny(), *sample, kinds=kinds)


@pytest.mark.rounding
def test_a_kind_with_calibrated_inputs_has_the_scales_of_the_model(tiny, sample, clear_sample):
    plan = tv.quant.named_plan("ternary").with_static_inputs()
    model = tiny(plan)
    tv.calibrate(model, sample[0])
    sample = clear_sample(model)
    (gap,) = gaps(model, *sample, kinds={"own": plan}).gaps
    assert gap.loss == pytest.approx(loss(model, sample), abs=1e-6)
