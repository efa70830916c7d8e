import numpy as np

from tervit_np.deploy.onnx_file.graph import Graph
from tests.deploy.onnx_file.running import normal, results

X = normal(2, 6, 5)


def test_concat_joins_slices():
    graph = Graph()
    parts = [graph.slice("x", 1, 4, 6), graph.slice("x", 1, 0, 4, 2)]
    found = results(graph, graph.concat(parts, 1), x=X)
    np.testing.assert_array_equal(found, np.concatenate([X[:, 4:6], X[:, 0:4:2]], axis=1))


def test_take_removes_the_axis():
    graph = Graph()
    np.testing.assert_array_equal(results(graph, graph.take("x", 1, 3), x=X), X[:, 3])


def test_a_constant_is_stored_once():
    graph = Graph()
    graph.reshape(graph.reshape("x", -1, 5), -1, 5)
    assert list(graph.constants) == ["[-1, 5]"]
    assert [node.name for node in graph.nodes] == ["Reshape 0", "Reshape 1"]
