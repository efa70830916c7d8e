"""Layers of 8-bit weights, which the patch embedding, a stem and the heads are.

    y = s a (q w^T) + b      q = round(x / s) 8-bit by token, w int8 codes, a by output

The dot product of bytes wants one side unsigned, so q is moved up by 128 and 128 times the sum of
an output's weights is taken off again.
"""

from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.isa import has_tile, selected_variant
from tervit_np.kernels.panels import STEP, quantize_tokens

UNIT = 16  # outputs are padded to whole registers of any processor
MOST_INPUTS = 65_793  # 255 times 128 times more could overflow 32 bits


class EightBit(NamedTuple):
    """An 8-bit layer, four inputs of an output side by side."""

    codes: Array  # int8 (Q, 4 O'), Q steps of 4 inputs
    scale: Array  # float32 (O',), zero beyond the outputs
    sums: Array  # int32 (O',): 128 times the sum of each output's codes
    outputs: int
    inputs: int


def pack_eight_bit(codes: Array, scale: Array) -> EightBit:
    """Lay codes out.  int8 (out, in), float32 (out,) or () -> EightBit.

    Raises
    ------
    ValueError
        If shapes do not fit, a code is no int8, or there are more inputs than 32-bit sums can hold.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.size == 0 or codes.dtype != np.int8:
        raise ValueError(
            f"pack_eight_bit: codes are {codes.dtype} {codes.shape}, not int8 (out, in)"
        )
    outputs, inputs = codes.shape
    if inputs > MOST_INPUTS:
        raise ValueError(f"pack_eight_bit: {inputs} inputs; at most {MOST_INPUTS} can be summed")
    steps, wide = -(-inputs // STEP), -(-outputs // UNIT) * UNIT
    padded = np.zeros((wide, steps * STEP), np.int8)
    padded[:outputs, :inputs] = codes
    scales = np.zeros(wide, np.float32)
    scales[:outputs] = scale
    laid = padded.reshape(wide, steps, STEP).transpose(1, 0, 2).reshape(steps, wide * STEP)
    sums = 128 * padded.sum(axis=1, dtype=np.int32)
    return EightBit(np.ascontiguousarray(laid), scales, sums, outputs, inputs)


def eight_bit_linear(x: Array, layer: EightBit, bias: Array | None = None) -> Array:
    """Round the tokens to 8 bits and multiply.  float32 (M, in) -> float32 (M, out).

    Raises
    ------
    ValueError
        If a shape does not fit, or a value is not finite.
    """
    x = np.ascontiguousarray(x, np.float32)
    if x.ndim != 2 or x.shape[1] != layer.inputs:
        raise ValueError(f"eight_bit_linear: x is {x.shape}, expected (tokens, {layer.inputs})")
    offset = np.zeros(len(layer.scale), np.float32)
    if bias is not None:
        offset[: layer.outputs] = bias
    if has_tile(selected_variant()):
        from tervit_np.kernels.int8_gemm import quantize_and_multiply_int8

        y: Array = quantize_and_multiply_int8(x, layer, offset)
        return y
    tokens = quantize_tokens(x)
    sums = tokens.q[:, : layer.inputs].astype(np.float64) @ unpack_eight_bit(layer).T
    scale = layer.scale[: layer.outputs]
    y = sums.astype(np.float32) * tokens.scale[:, None] * scale + offset[: layer.outputs]
    return y


def unpack_eight_bit(layer: EightBit) -> Array:
    """Return the codes.  -> int8 (out, in)."""
    steps, wide = layer.codes.shape[0], len(layer.scale)
    codes = layer.codes.reshape(steps, wide, STEP).transpose(1, 0, 2).reshape(wide, -1)
    unpacked: Any = codes[: layer.outputs, : layer.inputs]
    return np.ascontiguousarray(unpacked)
