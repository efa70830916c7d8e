"""The integer engine: ternary and 8-bit layers on packed weights, and whole blocks of them.

Every layer also has a path in NumPy, which runs without Numba. `import tervit_np` does not import
this package; its first use does.
"""

from tervit_np.kernels.grouped_linear import GroupedWeights, grouped_linear, pack_groups
from tervit_np.kernels.int8_linear import int8_linear
from tervit_np.kernels.int8_weights import Int8Weights, pack_int8
from tervit_np.kernels.isa import VARIANTS, has_tile, runnable, selected_variant, supported
from tervit_np.kernels.panels import Panels, QuantizedTokens, pack, quantize_tokens, unpack
from tervit_np.kernels.ternary_linear import (
    fits_integers,
    integer_product,
    multiply_floats,
    pack_floats,
    ternary_linear,
)

__all__ = [
    "GroupedWeights",
    "Int8Weights",
    "Panels",
    "QuantizedTokens",
    "VARIANTS",
    "grouped_linear",
    "has_tile",
    "int8_linear",
    "fits_integers",
    "integer_product",
    "multiply_floats",
    "pack",
    "pack_floats",
    "pack_groups",
    "pack_int8",
    "quantize_tokens",
    "runnable",
    "selected_variant",
    "supported",
    "ternary_linear",
    "unpack",
]
