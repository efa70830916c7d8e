"""A ternary layer on packed weights, in the selected variant of the kernels.

    y = s q (a t)^T + b     q = round(x / s) 8-bit by token, t in {-1, 0, 1}, a by output

All variants compute the same integers. `TERVIT_KERNEL` selects one by name.
"""

import os
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.isa import (
    check_supported,
    for_tokens,
    has_tile,
    selected_variant,
)
from tervit_np.kernels.panels import (
    MAX_INPUTS,
    Panels,
    QuantizedTokens,
    check_integers,
    quantize_tokens,
    unpack,
    unpack_stored,
)

if TYPE_CHECKING:
    from tervit_np.compiled.amx import MatrixTile
    from tervit_np.kernels.team import Team
    from tervit_np.kernels.tiles import Tile

_NO_BIAS = np.empty(0, np.float32)


def ternary_linear(
    x: Array,
    packed: Panels,
    bias: Array | None = None,
    variant: str | None = None,
    threads: int = 1,
) -> Array:
    """Quantize the tokens to 8 bits and multiply.  float32 (M, in) -> float32 (M, out).

    Threads divide the outputs among them; below about a hundred tokens one thread is as fast.

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not finite, `threads` is below 1, or this CPU cannot run
        the variant.
    """
    if threads < 1:
        raise ValueError(f"ternary_linear: threads is {threads}; expected at least 1")
    x = np.ascontiguousarray(x, np.float32)
    bias = None if bias is None else np.ascontiguousarray(bias, np.float32)
    _check_shapes("ternary_linear", x, packed, bias)
    bias = _NO_BIAS if bias is None else bias
    variant = selected_variant() if variant is None else check_supported(variant)
    if not has_tile(variant):
        tokens = quantize_tokens(x, input_scale=packed.input_scale)
        sums = integer_product(tokens.q[:, : packed.inputs], packed, variant)
        y = scale_sums(sums, tokens.scale, packed.scale[: packed.outputs])
        return y + bias if len(bias) else y
    if threads == 1:
        out = _gemm().quantize_and_multiply(_tile(variant, len(x), packed), x, packed, bias)
    else:
        out = _with_threads(variant, x, packed, bias, threads)
    return out[: len(x), : packed.outputs]


def _check_shapes(name: str, x: Array, packed: Panels, bias: Array | None) -> None:
    """Raise ValueError if compiled loops would go beyond the end of an array."""
    if x.ndim != 2 or x.shape[1] != packed.inputs:
        raise ValueError(f"{name}: x is {x.shape}, expected (tokens, {packed.inputs})")
    if bias is not None and bias.shape != (packed.outputs,):
        raise ValueError(f"{name}: bias is {bias.shape}, expected ({packed.outputs},)")


def _with_threads(variant: str, x: Array, w: Panels, bias: Array, threads: int) -> Array:
    """Multiply, each thread a range of panels.  -> (M', 64 P)."""
    (tile, _), panels = _tiles(for_tokens(variant, len(x))), len(w.packed)
    tokens, padded_bias, out = _gemm().pack_inputs(tile, x, w, bias)

    def work(thread_id: int) -> None:
        start, stop = panels * thread_id // threads, panels * (thread_id + 1) // threads
        _gemm().linear(tile, tokens, w, padded_bias, out, start, stop)

    _team(threads, os.getpid()).run(work, [])
    return out


@cache
def _team(threads: int, process: int) -> "Team":
    """Return the team of a process; a forked one makes its own, as threads do not run on there.

    Several callers may use it at once, since `work` above has no barrier.
    """
    from tervit_np.kernels.team import Team

    return Team(threads)


def integer_product(x: Array, packed: Panels, variant: str) -> Array:
    """Multiply integers alone.  int8 (M, in) -> int32 (M, out), the same in every variant.

    The integers are those of tokens, -127 to 127.

    Raises
    ------
    ValueError
        If `x` is not int8 (M, in), or this CPU cannot run the variant.
    """
    check_integers("integer_product", x, packed.inputs)
    check_supported(variant)
    if variant == "numpy":
        return integer_sums(x, unpack_stored(packed))
    if not has_tile(variant):
        from tervit_np.kernels import naive

        out = np.empty((len(x), packed.outputs), np.int32)
        getattr(naive, variant)(x, unpack(packed), out)
        return out
    tile = _tile(variant, len(x), packed)
    inputs = -(-4 * packed.packed.shape[1] // tile.inputs) * tile.inputs
    q = np.zeros((-(-len(x) // tile.mr) * tile.mr, inputs), np.int8)
    q[: len(x), : packed.inputs] = x
    tokens = QuantizedTokens(q, np.ones(len(q), np.float32), q.sum(axis=1, dtype=np.int32))
    out = np.empty((len(q), len(packed.scale)), np.int32)
    _gemm().linear(tile, tokens, packed, packed.scale, out, 0, len(packed.packed))
    return out[: len(x), : packed.outputs]


def integer_sums(q: Array, stored: Array) -> Array:
    """Sum q t, where t is stored as t + 1.  int8 (M, K), uint8 (N, K) -> int32 (M, N)."""
    # exercise ternary_product: the sums of q t, int32 (M, N), from q and stored = t + 1
    # BLAS multiplies floats only; float64 is exact for integers up to 2^53.
    sums = (q.astype(np.float64) @ stored.T.astype(np.float64)).astype(np.int32)
    return sums - q.sum(axis=1, dtype=np.int32, keepdims=True)


def scale_sums(sums: Array, token_scale: Array, weight_scale: Array) -> Array:
    """Turn integer sums into real numbers.  int32 (M, N), (M,), (N,) -> float32 (M, N)."""
    # exercise ternary_product: y, float32 (M, N), from the sums and the scales
    y: Array = sums.astype(np.float32) * token_scale[:, None] * weight_scale
    return y


def fits_integers(inputs: int) -> bool:
    """Tell whether the kernels can sum so many inputs.

    Where they are no faster than floats they are used all the same, for the same bits.
    """
    return inputs <= MAX_INPUTS


def pack_floats(w_hat: Array, input_scale: float = 0.0) -> Panels:
    """Pack a dequantized weight: each row is its largest magnitude times -1, 0, 1.  (O, I)."""
    from tervit_np.kernels.packing import pack_rows

    packed, scale = pack_rows(np.ascontiguousarray(w_hat))
    outputs, inputs = w_hat.shape
    return Panels(packed, scale, outputs, inputs, input_scale)


def multiply_floats(x_hat: Array, panels: Panels, bias: Array | None) -> Array:
    """Multiply dequantized tokens as integers times scales.  (M, I), panels, (O,) -> (M, O).

    The integers of a token are recovered from its largest magnitude, or by the static scale.

    Raises
    ------
    ValueError
        If a shape does not fit, or a value is not finite.
    """
    _check_shapes("multiply_floats", x_hat, panels, bias)
    variant = selected_variant()
    if not has_tile(variant):
        return ternary_linear(x_hat, panels, bias)
    tile = _tile(variant, len(x_hat), panels)
    out = _gemm().quantize_and_multiply(tile, x_hat, panels, _NO_BIAS if bias is None else bias)
    return np.ascontiguousarray(out[: len(x_hat), : panels.outputs])


def _tile(variant: str, tokens: int, w: Panels) -> "Tile | MatrixTile":
    """Return the tile for so many tokens: for one token, the GEMV tile if it fits the panels."""
    tile, gemv = _tiles(for_tokens(variant, tokens))
    return gemv if tokens == 1 and gemv is not None and len(w.packed) >= gemv.panels else tile


@cache
def _gemm() -> ModuleType:
    """Return the compiled kernels: an import in each call would take a microsecond."""
    from tervit_np.kernels import ternary_gemm

    return ternary_gemm


@cache
def _tiles(variant: str) -> "tuple[Tile | MatrixTile, Tile | None]":
    """Return a variant's tile for many tokens, and its GEMV tile if it has one."""
    from tervit_np.kernels.tiles import GEMV_TILES, TILES

    return TILES[variant], GEMV_TILES.get(variant)
