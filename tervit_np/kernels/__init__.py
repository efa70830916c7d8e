"""Compiled code, in Numba: twins of what NumPy does slowly, and the integer products.

The twins (float32, rows of C-contiguous arrays) compute what the NumPy lines of their operator
compute, and a test holds both equal. What is gained is memory traffic: a row is read once, kept in
the nearest cache through all its steps, and written once.

The integer products run ternary layers from packed weights; they have a path in NumPy as well and
so are here without Numba too. Loaded on first use.
"""

import importlib.util

from tervit_np.kernels.eight_bit import EightBit, eight_bit_linear, pack_eight_bit
from tervit_np.kernels.panels import Panels, Tokens, pack, round_tokens, unpack
from tervit_np.kernels.processor import RUNGS, available, chosen, has_tile
from tervit_np.kernels.ternary import (
    grid_linear,
    integer_product,
    integers_are_faster,
    ternary_linear,
)

if importlib.util.find_spec("numba") is not None:
    from tervit_np.kernels.bias import add_bias_, column_sum
    from tervit_np.kernels.conv import col2im, im2col
    from tervit_np.kernels.fakequant import fake_quant_rows, fake_quant_rows_minmax
    from tervit_np.kernels.gelu import gelu, gelu_backward, gelu_tanh, gelu_tanh_backward
    from tervit_np.kernels.layernorm import layernorm, layernorm_backward
    from tervit_np.kernels.optimizer import adamw_, ema_, square_sum
    from tervit_np.kernels.softmax import softmax, softmax_backward
    from tervit_np.kernels.ternarize import ternarize_rows

__all__ = [
    "EightBit",
    "Panels",
    "RUNGS",
    "Tokens",
    "available",
    "chosen",
    "eight_bit_linear",
    "grid_linear",
    "has_tile",
    "integer_product",
    "integers_are_faster",
    "pack",
    "pack_eight_bit",
    "round_tokens",
    "ternary_linear",
    "unpack",
    "adamw_",
    "add_bias_",
    "col2im",
    "column_sum",
    "ema_",
    "fake_quant_rows",
    "fake_quant_rows_minmax",
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
    "im2col",
    "layernorm",
    "layernorm_backward",
    "softmax",
    "softmax_backward",
    "square_sum",
    "ternarize_rows",
]
