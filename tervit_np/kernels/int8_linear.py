"""Layers with 8-bit weights: the patch embedding, the convolutions of a stem, the heads.

    y = s a (q w^T) + b      q = round(x / s) 8-bit by token, w int8 codes, a by output

The dot product instruction takes unsigned bytes on one side, so the kernel multiplies q + 128 (zero
point 128) and subtracts 128 sum_k w[n, k], the compensation of output n.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.isa import has_tile, selected_variant
from tervit_np.kernels.panels import STEP, quantize_tokens

UNIT = 16  # outputs are padded to whole vectors of any CPU
MAX_INPUTS = 65_793  # 255 * 128 * MAX_INPUTS < 2^31


class Int8Weights(NamedTuple):
    """An 8-bit layer, packed: four inputs of an output next to each other."""

    packed: Array  # int8 (Q, 4 O'), Q steps of 4 inputs
    scale: Array  # float32 (O',), zero beyond the outputs
    compensation: Array  # int32 (O',): 128 times the sum of each output's codes
    outputs: int
    inputs: int


def pack_int8(codes: Array, scale: Array) -> Int8Weights:
    """Pack 8-bit codes.  int8 (out, in), float32 (out,) or () -> Int8Weights.

    Raises
    ------
    ValueError
        If codes are not int8 (out, in), or there are more inputs than 32-bit sums can hold.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.size == 0 or codes.dtype != np.int8:
        raise ValueError(f"pack_int8: codes are {codes.dtype} {codes.shape}, not int8 (out, in)")
    outputs, inputs = codes.shape
    if inputs > MAX_INPUTS:
        raise ValueError(f"pack_int8: {inputs} inputs; at most {MAX_INPUTS} can be summed")
    steps, columns = -(-inputs // STEP), -(-outputs // UNIT) * UNIT
    padded = np.zeros((columns, steps * STEP), np.int8)
    padded[:outputs, :inputs] = codes
    scales = np.zeros(columns, np.float32)
    scales[:outputs] = scale
    packed = padded.reshape(columns, steps, STEP).transpose(1, 0, 2).reshape(steps, columns * STEP)
    compensation = 128 * padded.sum(axis=1, dtype=np.int32)
    return Int8Weights(np.ascontiguousarray(packed), scales, compensation, outputs, inputs)


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
        padded_bias[: layer.outputs] = bias
    if has_tile(selected_variant()):
        from tervit_np.kernels.int8_gemm import quantize_and_multiply_int8

        return quantize_and_multiply_int8(x, layer, padded_bias)
    tokens = quantize_tokens(x)
    sums = tokens.q[:, : layer.inputs].astype(np.float64) @ unpack_int8(layer).T
    scale = layer.scale[: layer.outputs]
    y = sums.astype(np.float32) * tokens.scale[:, None] * scale + padded_bias[: layer.outputs]
    return y


def unpack_int8(layer: Int8Weights) -> Array:
    """Return the codes.  -> int8 (out, in)."""
    steps, columns = layer.packed.shape[0], len(layer.scale)
    codes = layer.packed.reshape(steps, columns, STEP).transpose(1, 0, 2).reshape(columns, -1)
    return np.ascontiguousarray(codes[: layer.outputs, : layer.inputs])
