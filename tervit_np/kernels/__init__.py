"""The integer engine: ternary and 8-bit layers on packed weights, and whole blocks of them.

It has a path in NumPy as well, and so works without Numba. Loaded on first use.
"""

from tervit_np.kernels.int8_linear import EightBit, eight_bit_linear, pack_eight_bit
from tervit_np.kernels.isa import VARIANTS, has_tile, selected_variant, supported
from tervit_np.kernels.panels import Panels, QuantizedTokens, pack, quantize_tokens, unpack
from tervit_np.kernels.ternary_linear import (
    integer_path_is_faster,
    integer_product,
    ternary_linear,
    ternary_matmul_from_floats,
)

__all__ = [
    "EightBit",
    "Panels",
    "VARIANTS",
    "QuantizedTokens",
    "supported",
    "selected_variant",
    "eight_bit_linear",
    "ternary_matmul_from_floats",
    "has_tile",
    "integer_product",
    "integer_path_is_faster",
    "pack",
    "pack_eight_bit",
    "quantize_tokens",
    "ternary_linear",
    "unpack",
]
