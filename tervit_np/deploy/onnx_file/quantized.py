"""A quantized linear layer in standard operators.

    weights   integers and DequantizeLinear with one scale for each output: INT2 where the codes
              are ternary, INT4 or INT8 where they have more bits
    tokens    s = max|x| / 127,  x_hat = clip(round(x / s), -127, 127) s,  written out

No operator of ONNX rounds each token by its own maximum to a symmetric grid, so a few small ones
do. Round takes halves to even, as NumPy does.

Weights lie by outputs, as in the model, and a Transpose stands between DequantizeLinear and MatMul.
onnxruntime (1.32) fuses the two, where it can, into MatMulNBits, which rounds the tokens once more,
to a grid of its own: an error of 1e-2, for 8-bit layers still, unless the session's option
`session.qdq_matmulnbits_accuracy_level` is "1". Ternary layers stay apart from that; fused, they
would even be wrong where the number of outputs is no multiple of 4.
"""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.nn.linear import Conv2d
from tervit_np.quant import Identity, Ternary, UniformAct, UniformWeight


def linear(graph: Graph, x: str, name: str, layer: Any) -> str:
    """y = x_hat w_hat^T + b.  (..., I) -> (..., O)."""
    product = graph.op("MatMul", rounded(graph, x, layer.act_quant), _weight(graph, name, layer))
    if layer.bias is None:
        return product
    return graph.op("Add", product, graph.constant(f"{name}.bias", layer.bias.data))


def _weight(graph: Graph, name: str, layer: Any) -> str:
    """Store the weights of a layer by outputs, (O, I).  -> float32 (I, O)."""
    quantizer = layer.weight_quant
    if isinstance(quantizer, Identity):
        stored = graph.constant(f"{name}.weight", _matrix(layer, layer.weight.data))
        return graph.transpose(stored, 1, 0)
    if not isinstance(quantizer, Ternary | UniformWeight):
        raise ValueError(f"onnx: no operators are known for weights {quantizer!r}, found in {name}")
    codes, scale, _ = quantizer.encode(layer.weight.data)
    codes = _matrix(layer, codes).astype(_narrowest(int(quantizer.bits)))
    w_hat = graph.op(
        "DequantizeLinear",
        graph.constant(f"{name}.codes", codes),
        graph.constant(f"{name}.scale", scale.astype(np.float32)),
        axis=0,
    )
    return graph.transpose(w_hat, 1, 0)


def _matrix(layer: Any, weights: Array) -> Array:
    """Lay weights out as the rows of x find them.  (O, ...) -> (O, I)."""
    if isinstance(layer, Conv2d):
        weights = weights.transpose(0, 2, 3, 1)  # im2col's order
    return weights.reshape(len(weights), -1)


def _narrowest(bits: int) -> Any:
    """Return the smallest integer type of ONNX that holds so many bits."""
    import ml_dtypes  # comes with onnx

    return ml_dtypes.int2 if bits <= 2 else ml_dtypes.int4 if bits <= 4 else np.int8


def rounded(graph: Graph, x: str, quantizer: Any) -> str:
    """Round activations as `UniformAct` does.  (..., D) -> x_hat (..., D)."""
    if isinstance(quantizer, Identity):
        return x
    if not isinstance(quantizer, UniformAct):
        raise ValueError(f"onnx: no operators are known for activations {quantizer!r}")
    return (_symmetric if quantizer.kind == "symmetric" else _minmax)(graph, x, quantizer)


def _symmetric(graph: Graph, x: str, quantizer: UniformAct) -> str:
    op, limit = graph.op, 2 ** (quantizer.bits - 1) - 1
    largest = _over_group(graph, "ReduceMax", op("Abs", x), quantizer)
    scale = op("Div", largest, graph.real(limit))
    codes = op("Round", op("Div", x, _not_zero(graph, scale)))
    codes = op("Clip", codes, _bound(graph, -limit), _bound(graph, limit))
    return op("Mul", codes, scale)


def _minmax(graph: Graph, x: str, quantizer: UniformAct) -> str:
    op, levels = graph.op, 2**quantizer.bits - 1
    nothing, most = _bound(graph, 0), _bound(graph, levels)
    low = op("Min", _over_group(graph, "ReduceMin", x, quantizer), nothing)
    high = op("Max", _over_group(graph, "ReduceMax", x, quantizer), nothing)
    scale = op("Div", op("Sub", high, low), graph.real(levels))
    safe = _not_zero(graph, scale)
    zero = op("Clip", op("Round", op("Div", op("Neg", low), safe)), nothing, most)
    codes = op("Clip", op("Add", op("Round", op("Div", x, safe)), zero), nothing, most)
    return op("Mul", op("Sub", codes, zero), scale)


def _over_group(graph: Graph, kind: str, x: str, quantizer: UniformAct) -> str:
    """Reduce over a token, or over everything."""
    axes = (graph.whole(-1),) if quantizer.per == "token" else ()
    return graph.op(kind, x, *axes, keepdims=1)


def _not_zero(graph: Graph, scale: str) -> str:
    """Return a scale to divide by: 1 where all values are zero."""
    return graph.op("Where", graph.op("Equal", scale, graph.real(0)), graph.real(1), scale)


def _bound(graph: Graph, value: int) -> str:
    """Store a number without axes, as Clip wants its ends."""
    return graph.constant(f"bound {value}", np.array(value, np.float32))
