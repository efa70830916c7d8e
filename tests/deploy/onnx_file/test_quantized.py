import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.deploy.onnx_file.quantized import linear, quantize_activations
from tervit_np.nn import Linear
from tervit_np.quant import (
    IDENTITY,
    Blend,
    LSQAct,
    LSQPlusAct,
    StaticAct,
    Ternary,
    UniformAct,
    UniformWeight,
)
from tests.checks import ROUNDOFF32, fill
from tests.deploy.onnx_file.running import RUNTIMES, model_of_graph, normal, onnx, results, run
from tests.rounding import assert_same, generator

pytestmark = pytest.mark.rounding
TOKENS = normal(3, 4, 10)
TOKENS[0, 1] = 0  # no scale
TOKENS[0, 2] = np.abs(TOKENS[0, 2])  # min-max grids that begin at 0
TOKENS[1, 0] = [127, 0.5, 1.5, 2.5, -0.5, -1.5, 126.5, -126.5, 3, 0]  # halves, on a step of 1


@pytest.mark.parametrize("kind", ["symmetric", "minmax"])
@pytest.mark.parametrize("per", ["token", "tensor"])
@pytest.mark.parametrize("bits", [8, 3])
def test_tokens_round_as_in_numpy(kind, per, bits):
    quantizer, graph = UniformAct(bits, kind, per), Graph()
    with tv.backend("numpy"):
        expected = quantizer.forward(TOKENS)[0]
    np.testing.assert_array_equal(
        results(graph, quantize_activations(graph, "x", quantizer), x=TOKENS), expected
    )


@pytest.mark.parametrize("quantizer", [StaticAct(8, 0.01), StaticAct(8, 1.0), StaticAct(3, 0.4)])
def test_static_values_round_as_in_numpy(quantizer):
    """To codes from -127, which QuantizeLinear would extend to -128."""
    graph = Graph()
    with tv.backend("numpy"):
        expected = quantizer.forward(TOKENS)[0]
    assert expected.min() == -np.float32(quantizer.clip) or quantizer.scale == 1
    np.testing.assert_array_equal(
        results(graph, quantize_activations(graph, "x", quantizer), x=TOKENS), expected
    )


@pytest.mark.parametrize("offset", [0.0, 0.3, -2.5])
def test_values_of_a_grid_with_an_offset_round_as_in_numpy(offset):
    quantizer, graph = LSQPlusAct(4), Graph()
    quantizer.prepare(TOKENS)
    quantizer.with_scale(0.2)
    quantizer.params()["offset"].data[...] = offset
    expected = quantizer.forward(TOKENS)[0]
    np.testing.assert_array_equal(
        results(graph, quantize_activations(graph, "x", quantizer), x=TOKENS), expected
    )


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("quantizer", "stored"),
    [
        (Ternary(), "INT2"),
        (Ternary("tensor"), "INT2"),
        (Ternary("group5"), "INT2"),
        (UniformWeight(4, "group2"), "INT4"),
        (UniformWeight(8), "INT8"),
        (UniformWeight(4, "tensor"), "INT4"),
        (IDENTITY, "FLOAT"),
    ],
)
def test_linear_computes_what_the_layer_does(quantizer, stored, runtime):
    """Also with a number of outputs that fills no whole bytes."""
    layer = fill(Linear(10, 7, weight_quant=quantizer, act_quant=UniformAct()), generator())
    graph = Graph()
    model = model_of_graph(graph, linear(graph, "x", "fc", layer), x=TOKENS)
    assert_same(run(model, runtime, x=TOKENS), layer.forward(TOKENS)[0], ROUNDOFF32)
    types = {constant.name: constant.data_type for constant in model.graph.initializer}
    name = "fc.weight" if stored == "FLOAT" else "fc.codes"
    assert types[name] == getattr(onnx.TensorProto, stored)


def test_quantizers_without_onnx_operators_are_refused():
    layer = Linear(10, 7, weight_quant=Blend(Ternary()))
    with pytest.raises(ValueError, match="fc has weights .* no packed form to write: .* ramp"):
        linear(Graph(), "x", "fc", layer)
    with pytest.raises(ValueError, match="a static quantizer has no scale yet"):
        quantize_activations(Graph(), "x", StaticAct(8))
    with pytest.raises(ValueError, match="activations .* cannot be expressed"):
        quantize_activations(Graph(), "x", Ternary())


@pytest.mark.parametrize("rule", [UniformAct, StaticAct, LSQAct, LSQPlusAct])
def test_inputs_of_a_class_of_ones_own_are_refused(rule):
    """They were written as those of the class from which theirs derives."""
    own = type("Own", (rule,), {})()
    with pytest.raises(ValueError, match="cannot be expressed in ONNX operators"):
        quantize_activations(Graph(), "x", own)
