"""The mathematics: pure pairs `y, cache = op(x, ...)` and `dx, ... = op_backward(dy, cache)`.

One operator, one file. No state, no modes, no global seed; dtype in = dtype out.
"""

from tervit_np.ops.attention import attention, attention_backward
from tervit_np.ops.conv import col2im, im2col
from tervit_np.ops.drop_path import drop_path, drop_path_backward
from tervit_np.ops.erf import erf
from tervit_np.ops.gelu import gelu, gelu_backward
from tervit_np.ops.layernorm import layernorm, layernorm_backward
from tervit_np.ops.linear import linear, linear_backward
from tervit_np.ops.merging import merge, merge_backward
from tervit_np.ops.mixed_precision import linear_backward_bf16
from tervit_np.ops.patches import patchify, unpatchify
from tervit_np.ops.pool import mean_pool, mean_pool_backward
from tervit_np.ops.relative_bias import (
    relative_bias,
    relative_bias_backward,
    relative_position_index,
)
from tervit_np.ops.softmax import softmax, softmax_backward
from tervit_np.ops.tokens import add_tokens, add_tokens_backward
from tervit_np.ops.window_attention import window_attention, window_attention_backward
from tervit_np.ops.windows import cyclic_shift, shift_mask, window_partition, window_reverse

__all__ = [
    "merge",
    "merge_backward",
    "window_partition",
    "relative_bias",
    "relative_bias_backward",
    "relative_position_index",
    "cyclic_shift",
    "shift_mask",
    "window_reverse",
    "window_attention",
    "window_attention_backward",
    "add_tokens",
    "add_tokens_backward",
    "attention",
    "attention_backward",
    "col2im",
    "drop_path",
    "drop_path_backward",
    "erf",
    "gelu",
    "gelu_backward",
    "im2col",
    "layernorm",
    "layernorm_backward",
    "linear",
    "linear_backward",
    "linear_backward_bf16",
    "mean_pool",
    "mean_pool_backward",
    "patchify",
    "softmax",
    "softmax_backward",
    "unpatchify",
]
