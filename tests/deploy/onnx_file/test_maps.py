import numpy as np
import pytest

from tervit_np.deploy.onnx_file import maps
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.nn import PatchMerging, SwinBlock
from tests.checks import fill, relative_error
from tests.deploy.onnx_file.running import normal, results

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(("side", "window"), [(8, 4), (6, 3), (4, 7)])
def test_swin_block_computes_what_the_module_does(side, window, shifted):
    module = fill(SwinBlock(12, 3, side, window, shifted, 20, 0.0), RNG)
    x, graph = normal(2, side, side, 12), Graph()
    found = results(graph, maps.swin_block(graph, "x", "b", module, side), x=x)
    assert relative_error(found, module.forward(x)[0]) < 1e-6


def test_patch_merging_computes_what_the_module_does():
    module, x, graph = fill(PatchMerging(6), RNG), normal(2, 4, 4, 6), Graph()
    found = results(graph, maps.patch_merging(graph, "x", "m", module, 4), x=x)
    assert relative_error(found, module.forward(x)[0]) < 1e-6
