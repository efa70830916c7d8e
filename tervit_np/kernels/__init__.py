"""Compiled twins of what NumPy does slowly, in Numba: float32, rows of C-contiguous arrays.

Nothing here is needed to understand the package: each function computes what the NumPy lines of
its operator compute, and a test holds both equal. What is gained is memory traffic: a row is read
once, kept in the nearest cache through all its steps, and written once. Loaded on first use.
"""

from tervit_np.kernels.bias import add_bias_, column_sum
from tervit_np.kernels.conv import col2im, im2col
from tervit_np.kernels.fakequant import fake_quant_rows, fake_quant_rows_minmax
from tervit_np.kernels.gelu import gelu, gelu_backward, gelu_tanh, gelu_tanh_backward
from tervit_np.kernels.layernorm import layernorm, layernorm_backward
from tervit_np.kernels.optimizer import adamw_, ema_, square_sum
from tervit_np.kernels.softmax import softmax_, softmax_backward_
from tervit_np.kernels.ternarize import ternarize_rows

__all__ = [
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
    "softmax_",
    "softmax_backward_",
    "square_sum",
    "ternarize_rows",
]
