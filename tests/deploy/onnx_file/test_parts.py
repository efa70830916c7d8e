import numpy as np
import pytest

from tervit_np.deploy.onnx_file import parts
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.nn import Block, ConvStem, PatchEmbed
from tervit_np.quant import Plan, Ternary, UniformAct, UniformWeight, named_plan
from tests.checks import fill, relative_error
from tests.deploy.onnx_file.running import normal, results

RNG = np.random.default_rng(0)
PRODUCTS = Plan([(r".*(qkv|proj|fc1|fc2)", Ternary(), UniformAct()),
                 (r".*products", UniformWeight(), UniformAct())])  # fmt: skip


def quantized(module, plan):
    plan.apply([(f"blocks.0.{name}", layer) for name, layer in module.quantizable()])
    return fill(module, RNG)


@pytest.mark.parametrize("gelu", ["erf", "tanh"])
@pytest.mark.parametrize("plan", [named_plan("float"), named_plan("ternary"), PRODUCTS])
def test_a_block(gelu, plan):
    module, x, graph = quantized(Block(12, 3, 20, 0.0, gelu), plan), normal(2, 5, 12), Graph()
    found = results(graph, parts.block(graph, "x", "blocks.0", module), x=x)
    assert relative_error(found, module.forward(x)[0]) < 1e-6


@pytest.mark.parametrize("act", [None, UniformAct()])
def test_patches(act):
    module, images, graph = fill(PatchEmbed(4, 10), RNG), normal(2, 3, 8, 8), Graph()
    if act is not None:
        module.proj.weight_quant, module.proj.act_quant = UniformWeight(), act
    y = parts.patches(graph, "images", "proj", module.proj, (3, 8, 8))
    assert relative_error(results(graph, y, images=images), module.forward(images)[0]) < 1e-6


@pytest.mark.parametrize("act", [None, UniformAct()])
def test_the_convolutional_stem(act):
    module, images, graph = fill(ConvStem(8, 12), RNG), normal(2, 3, 16, 16), Graph()
    if act is not None:
        for layer in (module.conv1, module.conv2, module.proj):
            layer.weight_quant, layer.act_quant = UniformWeight(), act
    y = parts.conv_stem(graph, "images", "stem", module, 16)
    assert relative_error(results(graph, y, images=images), module.forward(images)[0]) < 1e-6
