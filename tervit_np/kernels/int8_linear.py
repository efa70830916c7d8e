"""Layers with 8-bit weights: the patch embedding, the convolutions of a stem, the heads.

    y = s a (q w^T) + b      q = round(x / s) 8-bit by token, w int8 codes, a by output

The dot product instruction takes unsigned bytes on one side, so the kernel multiplies q + 128 (zero
point 128) and subtracts 128 sum_k w[n, k], the compensation of output n.
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.int8_weights import Int8Weights, unpack_int8
from tervit_np.kernels.isa import for_tokens, has_tile, selected_variant
from tervit_np.kernels.panels import check_integers, quantize_tokens


def int8_linear(x: Array, layer: Int8Weights, bias: Array | None = None) -> Array:
    """Quantize the tokens to 8 bits and multiply.  float32 (M, in) -> float32 (M, out).

    Raises
    ------
    ValueError
        If a shape does not fit, or a value is not finite.
    """
    x = np.ascontiguousarray(x, np.float32)
    if x.ndim != 2 or x.shape[1] != layer.inputs:
        raise ValueError(f"int8_linear: x is {x.shape}, expected (tokens, {layer.inputs})")
    padded_bias = np.zeros(len(layer.scale), np.float32)
    if bias is not None:
        if np.shape(bias) != (layer.outputs,):
            raise ValueError(f"int8_linear: bias is {np.shape(bias)}, expected ({layer.outputs},)")
        padded_bias[: layer.outputs] = bias
    variant = selected_variant()  # once: another thread may select another backend
    if has_tile(variant):
        return _in_compiled_code(variant, x, layer, padded_bias)
    tokens = quantize_tokens(x, input_scale=layer.input_scale)
    sums = tokens.q[:, : layer.inputs].astype(np.float64) @ unpack_int8(layer).T
    scale = layer.scale[: layer.outputs]
    y = sums.astype(np.float32) * tokens.scale[:, None] * scale + padded_bias[: layer.outputs]
    return y


def int8_product(q: Array, layer: Int8Weights, variant: str) -> Array:
    """Multiply integers alone.  int8 (M, in) -> int32 (M, out), the same in every variant.

    Raises
    ------
    ValueError
        If `q` is not int8 (M, in).
    """
    check_integers("int8_product", q, layer.inputs)
    if not has_tile(variant):  # float64 is exact for integers up to 2^53
        sums: Array = q.astype(np.float64) @ unpack_int8(layer).T
        return sums.astype(np.int32)
    from tervit_np.kernels import int8_gemm

    padded = np.zeros((len(q), 4 * layer.packed.shape[0]), np.int8)
    padded[:, : layer.inputs] = q
    product: Array = int8_gemm.multiply_int8(padded, layer)
    return product


def _in_compiled_code(variant: str, x: Array, layer: Int8Weights, bias: Array) -> Array:
    """Multiply in vector registers or, for many tokens, on the matrix unit if there is one."""
    from tervit_np.compiled.amx import MatrixTile
    from tervit_np.kernels import int8_gemm
    from tervit_np.kernels.tiles import TILES

    tile = TILES[for_tokens(variant, len(x))]
    if not isinstance(tile, MatrixTile):
        return int8_gemm.quantize_and_multiply_int8(x, layer, bias)
    out = int8_gemm.quantize_and_multiply_int8_on_tiles(tile, x, layer, bias)
    return np.ascontiguousarray(out[: len(x), : layer.outputs])
