"""8-bit weights as the kernels read them.

    packed int8 (Q, 4 O')    Q steps of 4 inputs, O' outputs; the inputs of an output are adjacent

Outputs are padded to 16 and inputs to 4, with zeros.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.panels import STEP, check_input_scale

UNIT = 16  # outputs are padded to whole vectors of any CPU
MAX_INPUTS = 65_793  # 255 * 128 * MAX_INPUTS < 2^31


class Int8Weights(NamedTuple):
    """An 8-bit layer, packed: four inputs of an output next to each other."""

    packed: Array  # int8 (Q, 4 O'), Q steps of 4 inputs
    scale: Array  # float32 (O',), zero beyond the outputs
    compensation: Array  # int32 (O',): 128 times the sum of each output's codes
    outputs: int
    inputs: int
    input_scale: float = 0.0  # of all inputs, if it is static; 0: each token has its own


def pack_int8(codes: Array, scale: Array, input_scale: float = 0.0) -> Int8Weights:
    """Pack 8-bit codes.  int8 (out, in), float32 (out,) or () -> Int8Weights.

    `input_scale` is that of static inputs, 0 if each token has its own.

    Raises
    ------
    ValueError
        If codes are not int8 (out, in), the scale has another shape or is not finite, `input_scale`
        is neither 0 nor a scale (`check_input_scale`), or there are more inputs than 32-bit sums
        can hold.
    """
    check_input_scale(input_scale)
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.size == 0 or codes.dtype != np.int8:
        raise ValueError(f"pack_int8: codes are {codes.dtype} {codes.shape}, not int8 (out, in)")
    outputs, inputs = codes.shape
    if inputs > MAX_INPUTS:
        raise ValueError(f"pack_int8: {inputs} inputs; at most {MAX_INPUTS} can be summed")
    scale = np.asarray(scale, np.float32)
    if scale.shape not in ((), (outputs,)) or not np.isfinite(scale).all():
        raise ValueError(f"pack_int8: scale is {scale.shape}, expected {(outputs,)} finite numbers")
    steps, columns = -(-inputs // STEP), -(-outputs // UNIT) * UNIT
    padded = np.zeros((columns, steps * STEP), np.int8)
    padded[:outputs, :inputs] = codes
    scales = np.zeros(columns, np.float32)
    scales[:outputs] = scale
    packed = padded.reshape(columns, steps, STEP).transpose(1, 0, 2).reshape(steps, columns * STEP)
    compensation = 128 * padded.sum(axis=1, dtype=np.int32)
    packed = np.ascontiguousarray(packed)
    return Int8Weights(packed, scales, compensation, outputs, inputs, input_scale)


def unpack_int8(layer: Int8Weights) -> Array:
    """Return the codes.  -> int8 (out, in)."""
    steps, columns = layer.packed.shape[0], len(layer.scale)
    codes = layer.packed.reshape(steps, columns, STEP).transpose(1, 0, 2).reshape(columns, -1)
    return np.ascontiguousarray(codes[: layer.outputs, : layer.inputs])
