"""The integer engine: ternary and 8-bit layers on packed weights, and whole blocks of them.

It has a path in NumPy as well, and so works without Numba. Loaded on first use.
"""

from tervit_np.kernels.int8_linear import Int8Weights, int8_linear, pack_int8
from tervit_np.kernels.isa import VARIANTS, has_tile, selected_variant, supported
from tervit_np.kernels.panels import Panels, QuantizedTokens, pack, quantize_tokens, unpack
from tervit_np.kernels.ternary_linear import (
    integer_path_is_faster,
    integer_product,
    ternary_linear,
    ternary_matmul_from_floats,
)

__all__ = [
    "Int8Weights",
    "Panels",
    "VARIANTS",
    "QuantizedTokens",
    "supported",
    "selected_variant",
    "int8_linear",
    "ternary_matmul_from_floats",
    "has_tile",
    "integer_product",
    "integer_path_is_faster",
    "pack",
    "pack_int8",
    "quantize_tokens",
    "ternary_linear",
    "unpack",
]
