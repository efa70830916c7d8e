"""Two-bit weights as the kernels read them, and tokens as bytes.

    codes uint8 (P, Q, 64)    P panels of 64 outputs, Q steps of 4 inputs
    byte b of a step          output b // 4 + 16 s of the panel, input b % 4, bits 2 s and 2 s + 1

Outputs are padded to 64 with rows of zero weights, inputs to 4 with zero weights; code 1 is zero.
The pair of bits 11 is no weight.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.backends import backend_name

PANEL, STEP, GROUPS = 64, 4, 4
MOST_INPUTS = 132_104  # 4^3 times 2 times 127 times more could overflow 32 bits


class Panels(NamedTuple):
    """A ternary layer, packed."""

    codes: Array  # uint8 (P, Q, 64)
    scale: Array  # float32 (64 P,), zero beyond the outputs
    outputs: int
    inputs: int

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.codes.nbytes + self.scale.nbytes


class QuantizedTokens(NamedTuple):
    """Activations of 8 bits, rounded token by token."""

    codes: Array  # int8 (M', I'), padded with zeros to whole tiles
    scale: Array  # float32 (M',)
    sums: Array  # int32 (M',): of each token's codes


def pack(codes: Array, scale: Array) -> Panels:
    """Pack ternary codes.  int8 (out, in), float32 (out,) or () -> panels.

    Raises
    ------
    ValueError
        If shapes do not fit, a code is none of -1, 0, 1, a scale is not finite, or there are more
        inputs than 32-bit sums can hold.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.size == 0 or codes.shape[1] > MOST_INPUTS:
        raise ValueError(f"pack: codes are {codes.shape}, expected (out, in), in <= {MOST_INPUTS}")
    if codes.dtype.kind != "i" or codes.min() < -1 or codes.max() > 1:
        raise ValueError("pack: codes are the integers -1, 0 and 1 alone")
    outputs, inputs = codes.shape
    scale = np.asarray(scale, np.float32)
    if scale.shape not in ((), (outputs,)) or not np.isfinite(scale).all():
        raise ValueError(f"pack: scale is {scale.shape}, expected {(outputs,)} finite numbers")
    scales = np.zeros(-(-outputs // PANEL) * PANEL, np.float32)
    scales[:outputs] = scale
    return Panels(_panels(codes), scales, outputs, inputs)


def _panels(codes: Array) -> Array:
    """Put two bits after two.  int8 (out, in) -> uint8 (P, Q, 64)."""
    if backend_name() == "numba":
        from tervit_np.kernels.packing import pack_rows

        packed: Array = pack_rows(codes)[0]
        return packed
    outputs, inputs = codes.shape
    panels, steps = -(-outputs // PANEL), -(-inputs // STEP)
    padded = np.ones((panels * PANEL, steps * STEP), np.uint8)
    padded[:outputs, :inputs] = codes + 1
    parts = padded.reshape(panels, GROUPS, PANEL // GROUPS, steps, STEP)
    bits = parts.transpose(1, 0, 3, 2, 4).reshape(GROUPS, panels, steps, PANEL)
    joined: Array = bits[0] | bits[1] << 2 | bits[2] << 4 | bits[3] << 6
    return joined


def unpack(packed: Panels) -> Array:
    """Return the codes.  -> int8 (out, in).

    Raises
    ------
    ValueError
        If a pair of bits is 11, which no weight has.
    """
    panels, steps, _ = packed.codes.shape
    bits = np.stack([packed.codes >> 2 * s & 3 for s in range(GROUPS)])
    if (bits == 3).any():
        raise ValueError("unpack: the bits 11 are no weight; the panels are damaged")
    parts = bits.reshape(GROUPS, panels, steps, PANEL // GROUPS, STEP).transpose(1, 0, 3, 2, 4)
    codes = parts.reshape(panels * PANEL, steps * STEP)[: packed.outputs, : packed.inputs]
    return codes.astype(np.int8) - np.int8(1)


def quantize_tokens(x: Array, rows: int = 1) -> QuantizedTokens:
    """Round each token to 8 bits: q = round(x / s), s = max|x| / 127.  float32 (M, I) -> tokens.

    `rows` is the number of tokens in a tile, to whole multiples of which the tokens are padded. The
    same codes as `UniformAct(8)`.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, or so large that its scale is.
    """
    count, inputs = x.shape
    codes = np.zeros((-(-count // rows) * rows, -(-inputs // STEP) * STEP), np.int8)
    scale = np.zeros(len(codes), np.float32)
    scale[:count] = np.abs(x).max(axis=1, initial=0) / np.float32(127)
    with np.errstate(over="ignore"):
        if not np.isfinite(scale * np.float32(127)).all():
            raise ValueError("quantize: a value is NaN or infinite, or too large for a scale")
    step = np.where(scale[:count] == 0, 1, scale[:count])[:, None]
    rounded = np.rint(x / step)
    codes[:count, :inputs] = np.where(scale[:count, None] == 0, 0, np.clip(rounded, -127, 127))
    return QuantizedTokens(codes, scale, codes.sum(axis=1, dtype=np.int32))
