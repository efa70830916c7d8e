"""Tiles for 64-bit Arm processors, whose 32 registers have 16 bytes, and their products of bytes.

Registers are counted so that no sum leaves one: sums, a step's weights, masks, and what is loaded.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir

from tervit_np.compiled.simd import I16, call, shuffle


class Neon(NamedTuple):
    """smull, addp and sadalp on 16 bytes: 12 sums, and room for products."""

    width: int = 16
    rows: int = 3
    panels: int = 1


class NeonOne(NamedTuple):
    """The same for one token."""

    width: int = 16
    rows: int = 1
    panels: int = 2


class SDot(NamedTuple):
    """sdot on 16 bytes: 20 sums, 4 weights, 3 masks, inputs in what is left of 32 registers."""

    width: int = 16
    rows: int = 5
    panels: int = 1


class SDotOne(NamedTuple):
    """The same for one token."""

    width: int = 16
    rows: int = 1
    panels: int = 4


class USDot(NamedTuple):
    """usdot on 16 bytes."""

    width: int = 16
    rows: int = 5
    panels: int = 1


class USDotOne(NamedTuple):
    """The same for one token."""

    width: int = 16
    rows: int = 1
    panels: int = 4


TILES = {  # for many tokens, and for one
    "neon": (Neon(), NeonOne()),
    "sdot": (SDot(), SDotOne()),
    "usdot": (USDot(), USDotOne()),
}
SIGNED = (Neon, NeonOne, SDot, SDotOne)  # both factors of their products have a sign


def dot_neon(builder: Any, sums: Any, left: Any, right: Any) -> Any:
    """sums_i += w_4i x_4i + ... + w_4i+3 x_4i+3: products, their pairs, pairs of those.

    Two products must fit 16 bits, as 2 x 128 x 127 does.
    """
    half = ir.VectorType(I16, 8)
    products = [
        call(builder, "llvm.aarch64.neon.smull.v8i16", half, shuffle(builder, left, lanes),
             shuffle(builder, right, lanes))
        for lanes in (range(8), range(8, 16))
    ]  # fmt: skip
    pairs = call(builder, "llvm.aarch64.neon.addp.v8i16", half, *products)
    fours = call(builder, "llvm.aarch64.neon.saddlp.v4i32.v8i16", sums.type, pairs)
    return builder.add(sums, fours)


def dot_sdot(builder: Any, sums: Any, left: Any, right: Any) -> Any:
    """The same in one instruction."""
    return call(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", sums.type, sums, left, right)


def dot_usdot(builder: Any, sums: Any, weights: Any, inputs: Any) -> Any:
    """The same, the weights without a sign."""
    return call(builder, "llvm.aarch64.neon.usdot.v4i32.v16i8", sums.type, sums, weights, inputs)


DOT: dict[Any, Callable[..., Any]] = {
    Neon: dot_neon, NeonOne: dot_neon, SDot: dot_sdot, SDotOne: dot_sdot,
    USDot: dot_usdot, USDotOne: dot_usdot,
}  # fmt: skip
