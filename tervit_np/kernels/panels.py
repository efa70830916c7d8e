"""Ternary weights packed two bits each, in the order in which the kernels read them; 8-bit tokens.

    packed uint8 (P, Q, 64)   P panels of 64 outputs, Q steps of 4 inputs

A byte holds four weights in four slots: slot s is bits 2s and 2s + 1. Byte b of a step holds, in
slot s, the weight of output b // 4 + 16 s of the panel and of input b % 4 of the step. A weight t
is stored as t + 1 (zero point 1), so the bits 11 do not occur. Outputs are padded to a multiple of
64 and inputs to a multiple of 4 with zero weights.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.backends import backend_name

PANEL, STEP, SLOTS = 64, 4, 4
_SMALLEST = float(np.finfo(np.float32).tiny)  # with all digits
MAX_INPUTS = 132_104  # sums of weights times 4^3: 4^3 * 2 * 127 * MAX_INPUTS < 2^31


class Panels(NamedTuple):
    """A packed ternary layer."""

    packed: Array  # uint8 (P, Q, 64)
    scale: Array  # float32 (64 P,), zero beyond the outputs
    outputs: int
    inputs: int
    input_scale: float = 0.0  # of all inputs, if it is static; 0: each token has its own

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.packed.nbytes + self.scale.nbytes


class QuantizedTokens(NamedTuple):
    """Activations of 8 bits, one scale per token."""

    q: Array  # int8 (M', I'), padded with zeros to whole tiles and steps
    scale: Array  # float32 (M',)
    row_sums: Array  # int32 (M',): the sum of each token's q


def pack(codes: Array, scale: Array, input_scale: float = 0.0) -> Panels:
    """Pack ternary codes.  int8 (out, in), float32 (out,) or () -> panels.

    `input_scale` is that of static inputs, 0 if each token has its own.

    Raises
    ------
    ValueError
        If shapes do not fit, a code is not -1, 0 or 1, a scale is not finite, `input_scale` is
        neither 0 nor a scale (`check_input_scale`), or there are more inputs than 32-bit sums can
        hold.
    """
    check_input_scale(input_scale)
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.size == 0 or codes.shape[1] > MAX_INPUTS:
        raise ValueError(f"pack: codes are {codes.shape}, expected (out, in), in <= {MAX_INPUTS}")
    if codes.dtype.kind != "i" or codes.min() < -1 or codes.max() > 1:
        raise ValueError("pack: expected codes that are integers -1, 0 or 1")
    outputs, inputs = codes.shape
    scale = np.asarray(scale, np.float32)
    if scale.shape not in ((), (outputs,)) or not np.isfinite(scale).all():
        raise ValueError(f"pack: scale is {scale.shape}, expected {(outputs,)} finite numbers")
    scales = np.zeros(-(-outputs // PANEL) * PANEL, np.float32)
    scales[:outputs] = scale
    packed = _pack_codes(np.ascontiguousarray(codes, np.int8))  # one type to compile for
    return Panels(packed, scales, outputs, inputs, input_scale)


def check_input_scale(input_scale: float) -> None:
    """Raise ValueError unless a scale of inputs is 0, for one of each token, or as in StaticAct.

    In float32 another one is 0 or infinite, has few digits, or makes infinite products with 127.
    """
    if input_scale != 0 and not _SMALLEST <= input_scale < 1e30:
        raise ValueError(f"pack: input_scale is {input_scale}; expected 0 or a positive number "
                         "with all digits in float32, below 1e30")  # fmt: skip


def check_integers(name: str, q: Array, inputs: int) -> None:
    """Raise ValueError unless tokens are int8 (M, inputs), which all variants read as such."""
    if q.ndim != 2 or q.shape[1] != inputs or q.dtype != np.int8:
        raise ValueError(f"{name}: x is {q.dtype} {q.shape}, expected int8 (tokens, {inputs})")


def _pack_codes(codes: Array) -> Array:
    """Pack four codes into each byte.  int8 (out, in) -> uint8 (P, Q, 64)."""
    if backend_name() == "numba":
        from tervit_np.kernels.packing import pack_rows

        packed: Array = pack_rows(codes)[0]
        return packed
    outputs, inputs = codes.shape
    panels, steps = -(-outputs // PANEL), -(-inputs // STEP)
    padded = np.ones((panels * PANEL, steps * STEP), np.uint8)
    padded[:outputs, :inputs] = codes + 1
    slots = padded.reshape(panels, SLOTS, PANEL // SLOTS, steps, STEP)
    bits = slots.transpose(1, 0, 3, 2, 4).reshape(SLOTS, panels, steps, PANEL)
    joined: Array = bits[0] | bits[1] << 2 | bits[2] << 4 | bits[3] << 6
    return joined


def unpack(panels: Panels) -> Array:
    """Return the codes.  -> int8 (out, in); ValueError as unpack_stored."""
    return unpack_stored(panels).astype(np.int8) - np.int8(1)


def unpack_stored(panels: Panels) -> Array:
    """Return the codes as they are stored, t + 1.  -> uint8 (out, in).

    Raises
    ------
    ValueError
        If a pair of bits is 11, which stands for no weight.
    """
    count, steps, _ = panels.packed.shape
    bits = np.stack([panels.packed >> 2 * s & 3 for s in range(SLOTS)])
    if (bits == 3).any():
        raise ValueError("unpack: found the bits 11, which stand for no weight: damaged data")
    slots = bits.reshape(SLOTS, count, steps, PANEL // SLOTS, STEP).transpose(1, 0, 3, 2, 4)
    stored: Array = slots.reshape(count * PANEL, steps * STEP)[: panels.outputs, : panels.inputs]
    return stored


def quantize_tokens(x: Array, mr: int = 1, input_scale: float = 0.0) -> QuantizedTokens:
    """Quantize each token: q = round(x / s), s = max|x| / 127.  float32 (M, I) -> tokens.

    Tokens are padded to a multiple of `mr`, the rows of a tile. q equals that of `UniformAct(8)`;
    with a static `input_scale` as s, that of `StaticAct(8, s)`.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, or so large that its scale is.
    """
    count, inputs = x.shape
    q = np.zeros((-(-count // mr) * mr, -(-inputs // STEP) * STEP), np.int8)
    scale = np.zeros(len(q), np.float32)
    largest = np.abs(x).max(axis=1, initial=0)
    scale[:count] = input_scale or largest / np.float32(127)
    with np.errstate(over="ignore"):
        if not np.isfinite(np.maximum(largest, scale[:count] * np.float32(127))).all():
            raise ValueError("quantize: a value is NaN or infinite, or too large for a scale")
        step = np.where(scale[:count] == 0, 1, scale[:count])[:, None]
        rounded = np.rint(x / step)
    q[:count, :inputs] = np.where(scale[:count, None] == 0, 0, np.clip(rounded, -127, 127))
    return QuantizedTokens(q, scale, q.sum(axis=1, dtype=np.int32))
