"""Run graphs in onnx's reference evaluator and, if it is installed, in onnxruntime."""

import importlib.util

import numpy as np
import pytest

from tests.rounding import generator

onnx = pytest.importorskip("onnx", reason="writes ONNX graphs, for which onnx is not installed")
from onnx import TensorProto, helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from tervit_np.deploy.onnx_file.writing import OPSET  # noqa: E402

RUNTIMES = ("reference", "onnxruntime")
EXACT = "session.qdq_matmulnbits_accuracy_level"  # "1": float32 products, no 8-bit tokens


def run(model, runtime, **inputs):
    """Run a ModelProto.  -> its first output."""
    if runtime == "reference":
        return ReferenceEvaluator(model).run(None, inputs)[0]
    if importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("runs onnxruntime, which is not installed")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry(EXACT, "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, inputs)[0]


def model_of_graph(graph, output, **inputs):
    """Make a ModelProto of a Graph that computes `output` from arrays of these shapes."""
    graph.nodes.append(helper.make_node("Identity", [output], ["y"]))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape)
              for name, x in inputs.items()]  # fmt: skip
    found = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    body = helper.make_graph(graph.nodes, "part", values, [found], list(graph.constants.values()))
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 13
    return model


def results(graph, output, **inputs):
    """Run a Graph in the reference evaluator.  -> its output."""
    return run(model_of_graph(graph, output, **inputs), "reference", **inputs)


def normal(*shape):
    return generator(3).normal(size=shape).astype(np.float32)
