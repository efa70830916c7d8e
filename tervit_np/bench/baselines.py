"""A ternary layer, and the same layer in NumPy, PyTorch, onnxruntime and ggml: the baselines.

Each maps float32 tokens to float32 outputs with scales and bias, except for `PRODUCT_ONLY`: these
multiply integers without scales, or (ggml) add no bias and pad inputs to a multiple of 256. PyTorch
has several engines for dynamic 8-bit layers; the fastest for a shape is its baseline.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.bench.peak import fraction_of_peak, peak_candidate, scale_peak
from tervit_np.bench.timing import Times, interleaved
from tervit_np.kernels import Panels, pack, ternary_linear

SHAPES = (  # tokens, inputs, outputs: one token, DeiT-Tiny, DeiT-Small, DeiT-Base, eight images
    (1, 384, 1536),
    (65, 192, 768),
    (197, 192, 576),
    (197, 384, 1536),
    (197, 768, 3072),
    (1576, 384, 1536),
)
PRODUCT_ONLY = ("torch _int_mm", "onnxruntime MatMulInteger", "ggml TQ2_0")
DYNAMIC = "torch int8"  # the names of PyTorch's dynamic 8-bit layers begin with it


class Comparison(NamedTuple):
    """The times of all candidates for one shape."""

    tokens: int
    inputs: int
    outputs: int
    times: dict[str, Times]

    def ratio(self, baseline: str) -> float:
        """How many times faster the ternary layer is than a baseline (see `fastest`)."""
        return fastest(self.times, baseline).median / self.times["ternary"].median

    @property
    def operations(self) -> float:
        """The number of multiplications and additions."""
        return 2.0 * self.tokens * self.inputs * self.outputs

    @property
    def speed(self) -> float:
        """10^9 operations per second."""
        return 1e-9 * self.operations / self.times["ternary"].median

    @property
    def fraction_of_peak(self) -> float | None:
        """The fraction of the time that dot products alone would take; None without a peak."""
        return fraction_of_peak(self.times, "ternary")


def fastest(times: dict[str, Times], baseline: str) -> Times:
    """Return the times of a baseline, or the fastest of those whose names begin with it.

    Raises
    ------
    KeyError
        If it was not timed.
    """
    forms = [value for name, value in times.items() if name.startswith(baseline)]
    if not forms:
        raise KeyError(baseline)
    return min(forms, key=lambda value: value.median)


class Problem(NamedTuple):
    """A ternary layer, and tokens as its input."""

    x: Array  # float32 (M, I)
    packed: Panels
    weight: Array  # float32 (O, I): the same weights, dequantized
    bias: Array


def random_problem(tokens: int, inputs: int, outputs: int) -> Problem:
    """Return a random ternary layer and random tokens."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 2, (outputs, inputs)).astype(np.int8)
    scale = rng.uniform(0.01, 0.1, outputs).astype(np.float32)
    x = rng.normal(size=(tokens, inputs)).astype(np.float32)
    bias = rng.normal(size=outputs).astype(np.float32)
    return Problem(x, pack(codes, scale), codes * scale[:, None], bias)


def compare(shapes: Any = SHAPES, rounds: int = 41) -> Iterator[Comparison]:
    """Time all installed candidates for every shape, on one thread."""
    for shape in shapes:
        problem = random_problem(*shape)
        candidates = {
            **_numpy(problem), **_torch(problem), **_onnxruntime(problem), **_ggml(problem)
        }  # fmt: skip
        tokens, inputs, outputs = shape
        row = Comparison(tokens, inputs, outputs, {})
        times = interleaved(candidates | peak_candidate(row.operations), rounds)
        yield row._replace(times=scale_peak(times, row.operations))


def _numpy(problem: Problem) -> dict[str, Callable[[], Any]]:
    x, packed, weight, bias = problem
    return {
        "ternary": lambda: ternary_linear(x, packed, bias),
        "numpy float32": lambda: x @ weight.T + bias,
    }


def _torch(problem: Problem) -> dict[str, Callable[[], Any]]:
    if find_spec("torch") is None:
        return {}
    import torch

    torch.set_num_threads(1)
    x, weight, bias = (torch.from_numpy(a) for a in (problem.x, problem.weight, problem.bias))
    linear = torch.nn.functional.linear
    half = [t.bfloat16() for t in (x, weight, bias)]

    candidates = {
        "torch float32": inference(linear, x, weight, bias),
        "torch bfloat16": inference(lambda *args: linear(*args).float(), *half),
    }
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    forms = dynamic_forms(torch.nn.Sequential(layer))
    candidates |= {name: inference(form, x) for name, form in forms.items()}
    with suppress(Exception):  # it does not support all shapes
        q = torch.randint(-127, 128, x.shape, dtype=torch.int8)
        codes = torch.randint(-1, 2, weight.shape, dtype=torch.int8).t()
        torch._int_mm(q, codes)
        candidates[PRODUCT_ONLY[0]] = inference(torch._int_mm, q, codes)
    return candidates


def inference(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    """Prepare a call of PyTorch without a backward pass, for which it would keep tensors."""
    import torch

    def call() -> Any:
        with torch.inference_mode():
            return function(*args)

    return call


def dynamic_forms(module: Any) -> dict[str, Any]:
    """Quantize a module's linear layers dynamically to 8 bits, with each engine of PyTorch."""
    import warnings

    import torch

    engines = [name for name in torch.backends.quantized.supported_engines if name != "none"]
    if "x86" in engines:  # the others are slow on x86
        engines = ["x86", "fbgemm", "onednn"]
    before, forms = torch.backends.quantized.engine, {}
    quantization: Any = torch.ao.quantization
    for engine in engines:
        with suppress(Exception), warnings.catch_warnings():  # this build may lack the engine
            warnings.simplefilter("ignore")
            torch.backends.quantized.engine = engine
            form = quantization.quantize_dynamic(module, {torch.nn.Linear})
            forms[f"{DYNAMIC} {engine}"] = form
    torch.backends.quantized.engine = before
    return forms


def _ggml(problem: Problem) -> dict[str, Callable[[], Any]]:
    from tervit_np.bench import ggml

    call = ggml.prepare_product(problem.x, problem.weight)
    return {} if call is None else {PRODUCT_ONLY[2]: call}


def _onnxruntime(problem: Problem) -> dict[str, Callable[[], Any]]:
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        return {}
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).integers(-1, 2, problem.weight.T.shape).astype(np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, problem.x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    q = np.random.default_rng(1).integers(0, 255, problem.x.shape).astype(np.uint8)
    return {PRODUCT_ONLY[1]: lambda: session.run(None, {"x": q})}
