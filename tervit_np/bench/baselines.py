"""The same linear layer by others: NumPy, PyTorch in four precisions, onnxruntime, ggml.

Each gets float32 tokens and gives float32 outputs with scales and bias applied, except for those in
`BARE`: integers in and out, or (ggml) no bias and inputs padded to a multiple of 256. PyTorch has
several engines for its dynamic 8-bit layers; the fastest on a shape is its rival there.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.bench.peak import peak, scaled, share
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
BARE = ("torch _int_mm", "onnxruntime MatMulInteger", "ggml TQ2_0")  # that do less
DYNAMIC = "torch int8"  # what names of PyTorch's dynamic 8-bit layers begin with


class Comparison(NamedTuple):
    """One shape, all candidates."""

    tokens: int
    inputs: int
    outputs: int
    times: dict[str, Times]

    def ratio(self, rival: str) -> float:
        """How many times faster the ternary layer is than a rival; DYNAMIC is its fastest form."""
        return fastest(self.times, rival).median / self.times["ternary"].median

    @property
    def operations(self) -> float:
        """Multiplications and additions."""
        return 2.0 * self.tokens * self.inputs * self.outputs

    @property
    def speed(self) -> float:
        """Billions of operations in a second."""
        return 1e-9 * self.operations / self.times["ternary"].median

    @property
    def share(self) -> float | None:
        """The share of the time that dot products alone would take, where there are such."""
        return share(self.times, "ternary")


def fastest(times: dict[str, Times], rival: str) -> Times:
    """Return the times of a rival, or of its fastest form.

    Raises
    ------
    KeyError
        If it was not timed.
    """
    forms = [found for name, found in times.items() if name.startswith(rival)]
    if not forms:
        raise KeyError(rival)
    return min(forms, key=lambda found: found.median)


class Layer(NamedTuple):
    """A ternary layer and tokens for it."""

    x: Array  # float32 (M, I)
    packed: Panels
    weight: Array  # float32 (O, I): the same weights multiplied out
    bias: Array


def layer(tokens: int, inputs: int, outputs: int) -> Layer:
    """Draw a layer."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 2, (outputs, inputs)).astype(np.int8)
    scale = rng.uniform(0.01, 0.1, outputs).astype(np.float32)
    x = rng.normal(size=(tokens, inputs)).astype(np.float32)
    bias = rng.normal(size=outputs).astype(np.float32)
    return Layer(x, pack(codes, scale), codes * scale[:, None], bias)


def compare(shapes: Any = SHAPES, rounds: int = 41) -> Iterator[Comparison]:
    """Time every candidate that is installed on every shape, on one thread."""
    for shape in shapes:
        drawn = layer(*shape)
        candidates = {**_ours(drawn), **_torch(drawn), **_onnxruntime(drawn), **_ggml(drawn)}
        tokens, inputs, outputs = shape
        row = Comparison(tokens, inputs, outputs, {})
        times = interleaved(candidates | peak(row.operations), rounds)
        yield row._replace(times=scaled(times, row.operations))


def _ours(drawn: Layer) -> dict[str, Callable[[], Any]]:
    x, packed, weight, bias = drawn
    return {
        "ternary": lambda: ternary_linear(x, packed, bias),
        "numpy float32": lambda: x @ weight.T + bias,
    }


def _torch(drawn: Layer) -> dict[str, Callable[[], Any]]:
    if find_spec("torch") is None:
        return {}
    import torch

    torch.set_num_threads(1)
    x, weight, bias = (torch.from_numpy(a) for a in (drawn.x, drawn.weight, drawn.bias))
    linear = torch.nn.functional.linear
    half = [t.bfloat16() for t in (x, weight, bias)]

    def run(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
        def call() -> Any:
            with torch.inference_mode():
                return function(*args)

        return call

    candidates = {
        "torch float32": run(linear, x, weight, bias),
        "torch bfloat16": run(lambda *args: linear(*args).float(), *half),
    }
    whole = torch.nn.Linear(weight.shape[1], weight.shape[0])
    whole.load_state_dict({"weight": weight, "bias": bias})
    forms = dynamic_forms(torch.nn.Sequential(whole))
    candidates |= {name: run(form, x) for name, form in forms.items()}
    with suppress(Exception):  # shapes that it does not take
        codes = torch.randint(-127, 128, x.shape, dtype=torch.int8)
        other = torch.randint(-1, 2, weight.shape, dtype=torch.int8).t()
        torch._int_mm(codes, other)
        candidates[BARE[0]] = run(torch._int_mm, codes, other)
    return candidates


def dynamic_forms(module: Any) -> dict[str, Any]:
    """Give a float module's linear layers 8 bits, by each engine of PyTorch that is here."""
    import warnings

    import torch

    engines = [name for name in torch.backends.quantized.supported_engines if name != "none"]
    if "x86" in engines:  # the others are slow on these processors
        engines = ["x86", "fbgemm", "onednn"]
    before, forms = torch.backends.quantized.engine, {}
    quantization: Any = torch.ao.quantization
    for engine in engines:
        with suppress(Exception), warnings.catch_warnings():  # one that this build lacks
            warnings.simplefilter("ignore")
            torch.backends.quantized.engine = engine
            form = quantization.quantize_dynamic(module, {torch.nn.Linear})
            forms[f"{DYNAMIC} {engine}"] = form
    torch.backends.quantized.engine = before
    return forms


def _ggml(drawn: Layer) -> dict[str, Callable[[], Any]]:
    from tervit_np.bench import ggml

    call = ggml.product(drawn.x, drawn.weight)
    return {} if call is None else {BARE[2]: call}


def _onnxruntime(drawn: Layer) -> dict[str, Callable[[], Any]]:
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        return {}
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).integers(-1, 2, drawn.weight.T.shape).astype(np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, drawn.x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    codes = np.random.default_rng(1).integers(0, 255, drawn.x.shape).astype(np.uint8)
    return {BARE[1]: lambda: session.run(None, {"x": codes})}
