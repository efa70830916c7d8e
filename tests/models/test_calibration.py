"""Static scales of whole models, found on pictures."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.models.calibration import MAX_VALUES, Observer
from tervit_np.quant import (
    CALIBRATIONS,
    PLANS,
    Plan,
    StaticAct,
    Ternary,
    UniformAct,
    UniformWeight,
    find_scale,
    named_plan,
)
from tests.golden.golden import SWIN_CASES

DEIT = tv.DeiTConfig(16, 8, 3, 12, 2, 2)
CONV = tv.DeiTConfig(16, 8, 3, 12, 1, 2, stem="conv", distilled=True)
CASES = pytest.mark.parametrize(
    "config", [DEIT, CONV, SWIN_CASES["four stages"]], ids=["deit", "conv", "swin"]
)


def model_of(config=DEIT, plan="int8-static", dtype="float32"):
    rng = np.random.default_rng(0)
    model = tv.models.build(config, rng, dtype)
    for _, param in model.named_params():
        param.data += rng.normal(0, 0.1, param.shape)
    return tv.quantize(model, plan)


def images_of(config=DEIT, count=5):
    size = config.image_size
    return np.random.default_rng(1).normal(size=(count, 3, size, size)).astype(np.float32)


def inputs_of(model, images):
    """Return what each layer's activation quantizer gets, by the name of the layer."""
    seen = {}

    class Recorder(tv.quant.Identity):
        def __init__(self, name):
            self.name = name

        def forward(self, w, keep_residual=False):
            seen[self.name] = w
            return w, None

    layers = {n: m for n, m in model.quantizable() if isinstance(m.act_quant, StaticAct)}
    before = {name: layer.act_quant for name, layer in layers.items()}
    for name, layer in layers.items():
        layer.act_quant = Recorder(name)
    model.predict(images)
    for name, layer in layers.items():
        layer.act_quant = before[name]
    return seen


@CASES
@pytest.mark.parametrize("rule", CALIBRATIONS)
def test_every_static_layer_gets_the_scale_of_its_own_inputs(config, rule):
    model, images = model_of(config), images_of(config)
    inputs = inputs_of(model, images)
    found = tv.calibrate(model, images, rule, 95)
    assert set(found) == set(inputs)
    for name, layer in model.quantizable():
        if name in found:
            expected = StaticAct(8, find_scale(inputs[name], 8, rule, 95))
            assert layer.act_quant.scale == found[name].scale == expected.scale
            assert found[name].largest == np.abs(inputs[name]).max()
            assert found[name].clipped == (np.abs(inputs[name]) > expected.clip).mean()
            assert found[name].end == expected.clip
    assert np.isfinite(model.predict(images)).all()


@pytest.mark.parametrize("bits", [4, 8])
def test_a_calibrated_model_is_near_the_one_with_float_inputs(bits):
    weights = named_plan("ternary").rules
    images, float_inputs = images_of(), Plan([(p, w, tv.quant.Identity()) for p, w, _ in weights])
    static = Plan([(p, w, StaticAct(bits)) for p, w, _ in weights])
    model = model_of(plan=static)
    tv.calibrate(model, images, "least-squares")
    difference = np.abs(model.predict(images) - model_of(plan=float_inputs).predict(images)).max()
    assert 0 < difference < {4: 0.5, 8: 0.05}[bits]


def test_calibration_depends_on_all_pictures_and_not_on_their_order():
    images = images_of(count=130)  # three batches
    images[97] *= 5
    one = tv.calibrate(model_of(), images)
    two = tv.calibrate(model_of(), images[::-1])
    without = tv.calibrate(model_of(), np.delete(images, 97, 0))
    assert one == two
    name = "patch_embed.proj"
    assert one[name].largest == np.abs(images).max() > without[name].largest


def test_calibration_may_be_repeated():
    """Scales of an earlier calibration do not count."""
    model, images = model_of(), images_of()
    tv.calibrate(model, 100 * images)
    assert tv.calibrate(model, images) == tv.calibrate(model_of(), images)


def test_scales_are_stored_in_checkpoints(tmp_path):
    model, images = model_of(plan="ternary-static"), images_of()
    tv.calibrate(model, images)
    tv.save_checkpoint(model, tmp_path / "x.npz")
    again = tv.load_model(tmp_path / "x.npz")[0]
    np.testing.assert_array_equal(again.predict(images), model.predict(images))
    scales = [[layer.act_quant for _, layer in m.quantizable()] for m in (model, again)]
    assert repr(scales[0]) == repr(scales[1])


def test_models_of_both_dtypes_have_scales_in_float32():
    for dtype in ("float32", "float64"):
        found = tv.calibrate(model_of(dtype=dtype), images_of().astype(dtype))
        assert all(each.scale == np.float32(each.scale) for each in found.values())


def test_an_observer_keeps_the_largest_of_a_sample():
    x = np.random.default_rng(0).normal(size=(64, 50)).astype(np.float32)
    x[40, 3] = -9
    observer = Observer()
    observer.count = 100
    y, cache = observer.forward(x)
    assert y is x
    assert cache is None
    assert (len(observer.values()), observer.values().max()) == (101, 9)
    assert np.isin(observer.values(), np.abs(x)).all()
    observer.count = 10**6
    observer.forward(x)
    assert len(observer.values()) == 101 + x.size


def test_large_inputs_are_sampled(monkeypatch):
    monkeypatch.setattr("tervit_np.models.calibration.MAX_VALUES", 1000)
    images = images_of(count=100)
    sampled, whole = tv.calibrate(model_of(), images, "percentile", 90), None
    monkeypatch.setattr("tervit_np.models.calibration.MAX_VALUES", MAX_VALUES)
    whole = tv.calibrate(model_of(), images, "percentile", 90)
    for name, layer in whole.items():
        assert sampled[name].largest == layer.largest
        assert sampled[name].end == pytest.approx(layer.end, rel=0.15)
        assert sampled[name].clipped == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rule": "entropy"}, "rule is 'entropy'"),
        ({"percent": 0}, "percent is 0"),
        ({"images": images_of(count=0)}, "calibrate: there are no images"),
        ({"images": images_of()[:, :, :8]}, "images are .*; this model expects"),
        (
            {"images": 0 * images_of()},
            "calibrate: the inputs of patch_embed.proj: all values are 0",
        ),
        ({"images": images_of() * np.nan}, "the inputs of patch_embed.proj: a value is NaN or inf"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_and_changes_nothing(change, words):
    model = model_of()
    with pytest.raises(ValueError, match=words):
        tv.calibrate(model, **{"images": images_of()} | change)
    assert all(layer.act_quant.scale is None for _, layer in model.quantizable()
               if isinstance(layer.act_quant, StaticAct))  # fmt: skip
    assert sum(isinstance(layer.act_quant, StaticAct) for _, layer in model.quantizable()) == 10


def test_models_without_static_inputs_are_refused(tmp_path):
    model = model_of(plan="int8")
    with pytest.raises(
        ValueError, match="no layer has static inputs; choose a plan such as int8-st"
    ):
        tv.calibrate(model, images_of())
    tv.export(model, tmp_path / "x")
    with pytest.raises(ValueError, match="is packed and has no latent weights"):
        tv.calibrate(tv.load_packed(tmp_path / "x").model, images_of())


def test_the_products_of_attention_are_refused():
    model = model_of(plan=Plan([(".*", Ternary(), StaticAct(8))]))
    with pytest.raises(
        ValueError, match=r"attn\.products: q, k, v and the probabilities share a qu"
    ):
        tv.calibrate(model, images_of())


def test_a_model_that_is_not_calibrated_says_so():
    with pytest.raises(ValueError, match="has no scale yet: calibrate the model with pictures"):
        model_of().predict(images_of())


@pytest.mark.parametrize("name", ["int8", "int4", "ternary", "ternary-layer"])
def test_static_plans_differ_in_their_inputs_alone(name):
    dynamic, static = named_plan(name), named_plan(f"{name}-static")
    assert [repr(rule[:2]) for rule in static.rules] == [repr(rule[:2]) for rule in dynamic.rules]
    assert {repr(act) for _, _, act in static.rules} == {"int8 static (not calibrated)"}
    assert repr(static.with_static_inputs()) == repr(static)


def test_inputs_that_are_not_symmetric_stay_dynamic():
    minmax = UniformAct(8, "minmax")
    plan = Plan([("a", Ternary(), minmax), ("b", Ternary(), UniformAct(4, per="tensor"))])
    acts = [act for _, _, act in plan.with_static_inputs().rules]
    assert acts[0] is minmax
    own = type("Own", (UniformAct,), {})()
    assert Plan([("a", Ternary(), own)]).with_static_inputs().rules[0][2] is own
    assert repr(acts[1]) == "int4 static (not calibrated)"
    assert repr(PLANS["float"].with_static_inputs()) == "float"
    for name in ("float-static", "int8-static-static", "int9-static", "-static"):
        with pytest.raises(ValueError, match=f"unknown plan '{name.removesuffix('-static')}"):
            named_plan(name)


class HalfAct(StaticAct):
    """Static inputs of a user, of which the model gets half."""

    def forward(self, w, keep_residual=False):
        w_hat, cache = super().forward(w, keep_residual)
        return w_hat / 2, cache


def test_calibration_keeps_the_class_of_static_inputs():
    """It put the rule of the package in the place of one that derives from it."""
    model = model_of(plan=Plan([("head", UniformWeight(), HalfAct(4))]))
    found = tv.calibrate(model, images_of())
    act = model.head.act_quant
    assert (type(act), act.bits, act.scale) == (HalfAct, 4, found["head"].scale)
    with pytest.raises(ValueError, match="scale is -1"):
        act.with_scale(-1)
