"""A ternary layer on packed weights, on whichever rung of the naive this processor reaches.

    y = s q (a t)^T + b     q = round(x / s) 8-bit by token, t in {-1, 0, 1}, a by output

All rungs compute the same integers. `TERVIT_KERNEL` chooses one by name.
"""

from functools import cache
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.isa import check_supported, selected_variant
from tervit_np.kernels.panels import MOST_INPUTS, Panels, QuantizedTokens, quantize_tokens, unpack

_NONE = np.empty(0, np.float32)


def ternary_linear(
    x: Array,
    packed: Panels,
    bias: Array | None = None,
    variant: str | None = None,
    threads: int = 1,
) -> Array:
    """Round the tokens to 8 bits and multiply.  float32 (M, in) -> float32 (M, out).

    Threads share the panels of outputs; below some hundred tokens one is as fast.

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not finite, or the rung does not run here.
    """
    x = np.ascontiguousarray(x, np.float32)
    if x.ndim != 2 or x.shape[1] != packed.inputs:
        raise ValueError(f"ternary_linear: x is {x.shape}, expected (tokens, {packed.inputs})")
    if bias is not None and np.shape(bias) != (packed.outputs,):
        raise ValueError(f"ternary_linear: bias is {np.shape(bias)}, expected ({packed.outputs},)")
    variant = selected_variant() if variant is None else check_supported(variant)
    offset = _NONE if bias is None else np.ascontiguousarray(bias, np.float32)
    if variant in ("numpy", "loop", "vector"):
        tokens = quantize_tokens(x)
        sums = integer_product(tokens.codes[:, : packed.inputs], packed, variant)
        y = sums.astype(np.float32) * tokens.scale[:, None] * packed.scale[: packed.outputs]
        return y if bias is None else y + offset
    from tervit_np.kernels.ternary_gemm import quantize_and_multiply

    out: Array
    if threads == 1:
        out = quantize_and_multiply(_processor(variant, len(x), packed), x, packed, offset)
    else:
        out = _by_panels(variant, x, packed, offset, threads)
    return out[: len(x), : packed.outputs]


def _by_panels(variant: str, x: Array, packed: Panels, bias: Array, threads: int) -> Array:
    """Let each thread multiply some panels.  -> (M', 64 P)."""
    from tervit_np.kernels.ternary_gemm import linear, prepared

    processor, panels = _processors(variant)[0], len(packed.codes)
    tokens, offset, out = prepared(processor, x, packed, bias)

    def work(me: int) -> None:
        first, last = panels * me // threads, panels * (me + 1) // threads
        linear(processor, tokens, packed, offset, out, first, last)

    _team(threads).run(work, [])
    made: Array = out
    return made


@cache
def _team(threads: int) -> Any:
    from tervit_np.kernels.team import Team

    return Team(threads)


def integer_product(x: Array, packed: Panels, variant: str) -> Array:
    """Multiply codes alone.  int8 (M, in) -> int32 (M, out), the same on every rung.

    Raises
    ------
    ValueError
        If the rung does not run here.
    """
    check_supported(variant)
    if variant == "numpy":  # integers up to 2^53 are exact in float64, which BLAS is made for
        return (x.astype(np.float64) @ unpack(packed).T.astype(np.float64)).astype(np.int32)
    if variant in ("loop", "vector"):
        from tervit_np.kernels import naive

        out = np.empty((len(x), packed.outputs), np.int32)
        getattr(naive, variant)(x, unpack(packed), out)
        return out
    from tervit_np.kernels.ternary_gemm import linear

    processor = _processor(variant, len(x), packed)
    codes = np.zeros(
        (-(-len(x) // processor.rows) * processor.rows, 4 * packed.codes.shape[1]), np.int8
    )
    codes[: len(x), : packed.inputs] = x
    tokens = QuantizedTokens(
        codes, np.ones(len(codes), np.float32), codes.sum(axis=1, dtype=np.int32)
    )
    out = np.empty((len(codes), len(packed.scale)), np.int32)
    linear(processor, tokens, packed, packed.scale, out, 0, len(packed.codes))
    return out[: len(x), : packed.outputs]


def integer_path_is_faster(inputs: int) -> bool:
    """Tell whether the rung in force beats the BLAS product of floats, and can hold such sums."""
    return inputs <= MOST_INPUTS and selected_variant() in ("avx2", "vnni256", "vnni512")


def ternary_matmul_from_floats(x_hat: Array, w_hat: Array, bias: Array | None) -> Array:
    """Multiply what was rounded: scales times integers.  (M, I), (O, I), (O,) -> (M, O).

    The integers are recovered from the rows' largest values, so both need nothing but their floats.
    """
    from tervit_np.kernels.packing import pack_rows
    from tervit_np.kernels.ternary_gemm import quantize_and_multiply

    outputs, inputs = w_hat.shape
    panels, scale = pack_rows(np.ascontiguousarray(w_hat))
    packed = Panels(panels, scale, outputs, inputs)
    offset = _NONE if bias is None else bias
    out = quantize_and_multiply(
        _processor(selected_variant(), len(x_hat), packed), x_hat, packed, offset
    )
    return np.ascontiguousarray(out[: len(x_hat), :outputs])


def _processor(variant: str, tokens: int, packed: Panels) -> Any:
    """Return the tile for so many tokens."""
    many, one = _processors(variant)
    alone = tokens == 1 and one is not None and len(packed.codes) >= one.panels
    return one if alone else many


@cache
def _processors(variant: str) -> Any:
    """Return a rung's tiles for many tokens and for one, None where they are the same."""
    from tervit_np.kernels.microkernel import GEMV_TILES, TILES

    return TILES[variant], GEMV_TILES.get(variant)
