"""Packed layers, compared with the linear layers, projections and convolutions they replace."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.layers import packed_layer
from tervit_np.nn import Conv2d, Linear, PatchProjection
from tervit_np.quant import StaticAct, Ternary, UniformAct, UniformWeight
from tests.checks import BACKENDS, relative_error

CASES = {
    "linear": (lambda: Linear(20, 33), (2, 5, 20)),
    "no bias": (lambda: Linear(20, 33, bias=False), (2, 5, 20)),
    "projection": (lambda: PatchProjection(3, 4, 18), (2, 3, 12, 8)),
    "convolution": (lambda: Conv2d(3, 10, 3, 2, 1), (2, 9, 8, 3)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("quantizer", [Ternary(), UniformWeight(8), UniformWeight(4, "tensor")],
                         ids=["ternary", "8 bits", "4 bits"])  # fmt: skip
@pytest.mark.parametrize("act", [UniformAct(8), StaticAct(8, 0.015)], ids=["dynamic", "static"])
@pytest.mark.parametrize("case", CASES)
def test_packed_layers_compute_what_the_layers_do(backend, case, quantizer, act):
    make, shape = CASES[case]
    layer, rng = make(), np.random.default_rng(0)
    layer.weight.data[...] = rng.normal(size=layer.weight.shape)
    if layer.bias is not None:
        layer.bias.data[...] = rng.normal(size=layer.bias.shape)
    layer.weight_quant, layer.act_quant = quantizer, act
    x = rng.normal(size=shape).astype(np.float32)
    packed = packed_layer(layer, quantizer.encode(layer.weight.data))
    with tv.backend(backend):
        found, cache = packed.forward(x)
        expected = layer.forward(x)[0]
    assert found.shape == expected.shape
    assert cache is None
    assert relative_error(found, expected) < 1e-6
