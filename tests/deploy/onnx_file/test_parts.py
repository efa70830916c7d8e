import pytest

from tervit_np.deploy.onnx_file import parts
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.nn import Block, Conv3Stem, ConvStem, PatchEmbed
from tervit_np.quant import Plan, Ternary, UniformAct, UniformWeight, named_plan
from tests.checks import ROUNDOFF32, fill
from tests.deploy.onnx_file.running import results
from tests.rounding import assert_same, clear_images, generator

pytestmark = pytest.mark.rounding
PRODUCTS = Plan([(r".*(qkv|proj|fc1|fc2)", Ternary(), UniformAct()),
                 (r".*products", UniformWeight(), UniformAct())])  # fmt: skip


def quantized(module, plan):
    plan.apply([(f"blocks.0.{name}", layer) for name, layer in module.quantizable()])
    return fill(module, generator())


@pytest.mark.parametrize("gelu", ["erf", "tanh"])
@pytest.mark.parametrize("plan", [named_plan("float"), named_plan("ternary"), PRODUCTS])
def test_block_computes_what_the_module_does(gelu, plan):
    module, graph = quantized(Block(12, 3, 20, 0.0, gelu), plan), Graph()
    x = clear_images([module], 2, (5, 12))
    found = results(graph, parts.block(graph, "x", "blocks.0", module), x=x)
    assert_same(found, module.forward(x)[0])


@pytest.mark.parametrize("act", [None, UniformAct()])
def test_patches_computes_what_the_module_does(act):
    module, graph = fill(PatchEmbed(4, 10), generator()), Graph()
    if act is not None:
        module.proj.weight_quant, module.proj.act_quant = UniformWeight(), act
    images = clear_images([module], 2, (3, 8, 8))
    y = parts.patches(graph, "images", "proj", module.proj, (3, 8, 8))
    assert_same(results(graph, y, images=images), module.forward(images)[0], ROUNDOFF32)


@pytest.mark.parametrize("act", [None, UniformAct()])
@pytest.mark.parametrize("stem", [lambda: ConvStem(8, 12), lambda: Conv3Stem(12)])
def test_conv_stem_computes_what_the_module_does(act, stem):
    module, graph = fill(stem(), generator()), Graph()
    if act is not None:
        for layer in (module.conv1, module.conv2, module.proj):
            layer.weight_quant, layer.act_quant = UniformWeight(), act
    images = clear_images([module], 2, (3, 16, 16))
    y = parts.conv_stem(graph, "images", "stem", module, 16)
    assert_same(results(graph, y, images=images), module.forward(images)[0])
