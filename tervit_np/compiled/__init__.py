"""Compiled twins of operators, in Numba: what NumPy does slowly, in one pass over memory.

A twin (float32, rows of C-contiguous arrays) computes what the NumPy lines of its operator compute,
and a test holds both equal. It is faster because a row is read once, stays in the L1 cache through
all steps, and is written once. Loaded on first use, by dispatch.py.
"""

from tervit_np.compiled.bias import add_bias_, column_sum
from tervit_np.compiled.conv import col2im, im2col
from tervit_np.compiled.fakequant import fake_quant_rows, fake_quant_rows_minmax
from tervit_np.compiled.gelu import gelu, gelu_backward, gelu_tanh, gelu_tanh_backward
from tervit_np.compiled.layernorm import layernorm, layernorm_backward
from tervit_np.compiled.optimizer import adamw_, ema_, square_sum
from tervit_np.compiled.softmax import softmax, softmax_backward
from tervit_np.compiled.ternarize import ternarize_rows

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
    "softmax",
    "softmax_backward",
    "square_sum",
    "ternarize_rows",
]
