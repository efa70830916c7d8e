"""Whole models: the logits of their graphs, the contents of their files, and refusals."""

import json

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.onnx_file import export_onnx, writing
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.deploy.onnx_file.quantized import linear
from tervit_np.models import Classifier
from tervit_np.nn import Linear
from tervit_np.quant import IDENTITY, Plan, Ternary, UniformWeight
from tests.checks import ROUNDOFF32
from tests.deploy.onnx_file.running import RUNTIMES, model_of_graph, onnx, run
from tests.deploy.test_packed import (
    CASES,
    DEIT,
    SHIFTED,
    STEM,
    clear_images_of,
    images_of,
    model_of,
)
from tests.rounding import assert_same, generator, layer_inputs


@pytest.mark.rounding
@CASES
@pytest.mark.parametrize("plan", ["float", "int8", "ternary", "ternary-static"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_graph_gives_the_logits_of_the_model(config, plan, runtime):
    model = model_of(config, plan)
    images = clear_images_of(model)
    found = run(writing.onnx_model(model, {}), runtime, images=images)
    assert_same(found, model.predict(images))


@pytest.mark.parametrize("config", [DEIT, SHIFTED], ids=["deit", "swin"])
def test_the_graph_of_a_float64_model_is_in_float32(config):
    """Its constants were float64, which no operator of the graph combines with float32 images."""
    model = tv.models.build(config, generator(), "float64")
    images = images_of(config)
    found = run(writing.onnx_model(model, {}), "reference", images=images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, model.predict(images), atol=1e-5)


@pytest.mark.rounding
def test_the_graph_of_a_swin_after_a_stem_gives_its_logits(monkeypatch):
    monkeypatch.setattr("tervit_np.nn.Conv3Stem.WIDTHS", (3, 5))
    model = model_of(STEM)
    images = clear_images_of(model)
    assert_same(
        run(writing.onnx_model(model, {}), "reference", images=images), model.predict(images)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shorter"),
    [
        ("deit_small_patch16_224", {"depth": 3}),
        ("swin_tiny_patch4_window7_224", {"depths": (2, 1, 1, 1)}),
    ],
)
def test_the_graph_of_a_full_width_model_gives_its_logits(name, shorter):
    """The whole model with inputs in floats, of which no code can flip; rounded, layer by layer.

    No image is clear of a million roundings.
    """
    images = images_of(tv.models.CONFIGS[name], 1)
    model, rng = tv.create_model(name, **shorter), generator()
    for param in (param for _, param in model.named_params()):
        param.data += rng.normal(0, 0.02, param.shape).astype(np.float32)
    plan = Plan([(r"(blocks|layers)\..*", Ternary(), IDENTITY), (".*", UniformWeight(), IDENTITY)])
    graph = writing.onnx_model(tv.quantize(model, plan), {})
    for runtime in RUNTIMES:
        assert_same(run(graph, runtime, images=images), model.predict(images))
    inputs = layer_inputs(tv.quantize(model, "ternary"), images)
    for name, layer in model.quantizable():
        if isinstance(layer, Linear):
            (x,), graph = inputs[name], Graph()
            graph = model_of_graph(graph, linear(graph, "x", name, layer), x=x)
            for runtime in RUNTIMES:
                assert_same(run(graph, runtime, x=x), layer.forward(x)[0], 2 * ROUNDOFF32, name)


def test_the_graph_takes_any_number_of_images():
    model = model_of(DEIT)
    graph = writing.onnx_model(model, {})
    for count in (1, 4):
        assert run(graph, "reference", images=images_of(DEIT, count)).shape == (count, 5)


def test_the_file_holds_two_bits_a_ternary_weight(tmp_path):
    """DeiT-Tiny: two bits for each ternary weight, a byte for the others, the graph itself."""
    model = tv.quantize(tv.create_model("deit_tiny_patch16_224"), "ternary")
    export_onnx(model, tmp_path / "x.onnx", extra={"classes": ["a"], "mean": [0.5]})
    quantizers = {f"{name}.weight": layer.weight_quant for name, layer in model.quantizable()}
    bits = {key: {Ternary: 2, UniformWeight: 8}[type(q)] for key, q in quantizers.items()
            if "products" not in key}  # fmt: skip
    stored = sum(param.size * bits.get(name, 32) / 8 for name, param in model.named_params())
    assert stored < (tmp_path / "x.onnx").stat().st_size < 1.1 * stored
    read = onnx.load(tmp_path / "x.onnx")
    texts = {entry.key: json.loads(entry.value) for entry in read.metadata_props}
    assert texts["classes"] == ["a"]
    assert {rule[1]["rule"] for rule in texts["plan"]} == {"Ternary", "UniformWeight"}
    assert [opset.version for opset in read.opset_import] == [25]


def test_export_onnx_refuses_what_it_cannot_write(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="Classifier is neither a DeiT nor a Swin"):
        other = Classifier()
        other.config = DEIT
        writing.onnx_model(other, {})
    monkeypatch.setattr(onnx.defs, "onnx_opset_version", lambda: 24)
    with pytest.raises(ImportError, match="opsets up to 24; 2-bit integers need opset 25"):
        export_onnx(model_of(DEIT), tmp_path / "x.onnx")
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="not installed: pip install onnx"):
        export_onnx(model_of(DEIT), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


class Doubled(Linear):
    def forward(self, x):
        y, cache = super().forward(x)
        return 2 * y, cache


def test_a_model_with_a_class_of_ones_own_is_refused(tmp_path):
    """The graph had the operators of the class from which it derives."""
    model = model_of(DEIT, "float")
    model.head.__class__ = Doubled
    with pytest.raises(ValueError, match=r"has the class tests\.deploy.*Doubled"):
        export_onnx(model, tmp_path / "x.onnx")
