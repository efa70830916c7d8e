"""A quantized linear layer in standard operators.

    weights   integer codes and DequantizeLinear with one scale for each output, or for each group
              of inputs: INT2 for ternary codes, INT4 or INT8 for more bits
    tokens    s = max|x| / 127, or static;  x_hat = clip(round(x / s), -127, 127) s,  in several
              operators

ONNX has no operator that quantizes each token symmetrically by its own maximum, and the codes of
its QuantizeLinear go down to -128. Its Round rounds halves to even, as NumPy does.

Weights are stored as in the model, (O, I), with a Transpose between DequantizeLinear and MatMul.
onnxruntime (1.32) fuses these into MatMulNBits in 8-bit layers. That operator quantizes the tokens
once more, to another grid, with an error of 1e-2, unless the session's option
`session.qdq_matmulnbits_accuracy_level` is "1". Ternary layers are not fused; if they were, layers
whose number of outputs is not a multiple of 4 would even give wrong results.
"""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.nn.linear import Conv2d
from tervit_np.nn.quantized_layer import effective_bias
from tervit_np.quant import PACT, Identity, LSQAct, LSQPlusAct, StaticAct, UniformAct
from tervit_np.quant.uniform import largest_code


def linear(graph: Graph, x: str, name: str, layer: Any) -> str:
    """y = x_hat w_hat^T + b.  (..., I) -> (..., O)."""
    x_hat = quantize_activations(graph, x, layer.act_quant)
    product = graph.op("MatMul", x_hat, _dequantized_weight(graph, name, layer))
    if (bias := effective_bias(layer)) is None:
        return product
    return graph.op("Add", product, graph.constant(f"{name}.bias", bias))


def _dequantized_weight(graph: Graph, name: str, layer: Any) -> str:
    """Store a weight as integers (O, I), and dequantize it.  -> float32 (I, O)."""
    quantizer = layer.weight_quant
    if isinstance(quantizer, Identity):
        weight = graph.constant(f"{name}.weight", _as_matrix(layer, layer.weight.data))
        return graph.transpose(weight, 1, 0)
    if not quantizer.packing:
        raise ValueError(
            f"onnx: {name} has weights {quantizer!r}, which have no packed form to write: "
            f"{quantizer.no_packed_form}"
        )
    codes, scale, _ = quantizer.encode(layer.weight.data)
    if scale.ndim == 2 and isinstance(layer, Conv2d):
        raise ValueError(
            f"onnx: {name} is a convolution with weights {quantizer!r}; groups are cut in another "
            "order than ONNX multiplies, so give it one scale for each channel"
        )
    codes = _as_matrix(layer, codes).astype(_smallest_integer_type(quantizer.code_bits))
    blocks = {"axis": 0} if scale.ndim < 2 else {"axis": 1, "block_size": _group(codes, scale)}
    w_hat = graph.op(
        "DequantizeLinear",
        graph.constant(f"{name}.codes", codes),
        graph.constant(f"{name}.scale", scale),
        **blocks,
    )
    return graph.transpose(w_hat, 1, 0)


def _group(codes: Array, scale: Array) -> int:
    """Return the inputs of a group.  (O, I), (O, groups)."""
    return int(codes.shape[1] // scale.shape[1])


def _as_matrix(layer: Any, weights: Array) -> Array:
    """Reshape a weight to the order of the inputs.  (O, ...) -> (O, I)."""
    if isinstance(layer, Conv2d):
        weights = weights.transpose(0, 2, 3, 1)  # the order of im2col's columns
    return weights.reshape(len(weights), -1)


def _smallest_integer_type(bits: int) -> Any:
    """Return the smallest integer type of ONNX that has this many bits."""
    import ml_dtypes  # comes with onnx

    return ml_dtypes.int2 if bits <= 2 else ml_dtypes.int4 if bits <= 4 else np.int8


def quantize_activations(graph: Graph, x: str, quantizer: Any) -> str:
    """Quantize and dequantize activations as the quantizer does.  (..., D) -> x_hat (..., D)."""
    if isinstance(quantizer, Identity):
        return x
    kind = type(quantizer)  # a derived class may round otherwise
    if kind is LSQPlusAct:
        offset, scale = graph.float32(quantizer.offset), graph.float32(quantizer.require_scale())
        y_hat = _rounded(graph, graph.op("Sub", x, offset), scale, scale, quantizer.bits)
        return graph.op("Add", y_hat, offset)
    if kind in (StaticAct, LSQAct, PACT):
        scale = graph.float32(quantizer.require_scale())
        return _rounded(graph, x, scale, scale, quantizer.bits)
    if kind is not UniformAct:
        raise ValueError(f"onnx: activations {quantizer!r} cannot be expressed in ONNX operators")
    return (_symmetric if quantizer.kind == "symmetric" else _minmax)(graph, x, quantizer)


def _symmetric(graph: Graph, x: str, quantizer: UniformAct) -> str:
    """s = max|x| / limit,  x_hat = clip(round(x / s), -limit, limit) s."""
    max_magnitude = _reduce(graph, "ReduceMax", graph.op("Abs", x), quantizer)
    scale = graph.op("Div", max_magnitude, graph.float32(largest_code(quantizer.bits)))
    return _rounded(graph, x, _nonzero_scale(graph, scale), scale, quantizer.bits)


def _rounded(graph: Graph, x: str, divisor: str, scale: str, bits: int) -> str:
    """x_hat = clip(round(x / divisor), -Q, Q) scale."""
    op, limit = graph.op, largest_code(bits)
    q = op("Round", op("Div", x, divisor))
    q = op("Clip", q, _bound(graph, -limit), _bound(graph, limit))
    return op("Mul", q, scale)


def _minmax(graph: Graph, x: str, quantizer: UniformAct) -> str:
    """s = (high - low) / levels,  z = round(-low / s),  x_hat = (clip(round(x / s) + z) - z) s."""
    op, levels = graph.op, 2**quantizer.bits - 1
    zero, top = _bound(graph, 0), _bound(graph, levels)
    low = op("Min", _reduce(graph, "ReduceMin", x, quantizer), zero)
    high = op("Max", _reduce(graph, "ReduceMax", x, quantizer), zero)
    scale = op("Div", op("Sub", high, low), graph.float32(levels))
    divisor = _nonzero_scale(graph, scale)
    zero_point = op("Clip", op("Round", op("Div", op("Neg", low), divisor)), zero, top)
    q = op("Add", op("Round", op("Div", x, divisor)), zero_point)
    return op("Mul", op("Sub", op("Clip", q, zero, top), zero_point), scale)


def _reduce(graph: Graph, operator: str, x: str, quantizer: UniformAct) -> str:
    """Reduce over each token, or over the whole tensor."""
    axes = (graph.int64(-1),) if quantizer.per == "token" else ()
    return graph.op(operator, x, *axes, keepdims=1)


def _nonzero_scale(graph: Graph, scale: str) -> str:
    """Return a scale to divide by: 1 where the scale is 0, because all values are."""
    return graph.op("Where", graph.op("Equal", scale, graph.float32(0)), graph.float32(1), scale)


def _bound(graph: Graph, value: int) -> str:
    """Store a bound of Clip, which must be a number without axes."""
    return graph.constant(f"bound {value}", np.array(value, np.float32))
