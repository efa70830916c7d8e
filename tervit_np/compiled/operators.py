"""All compiled twins, as dispatch.py hands them to operators.

They are not in the `__init__` of the package. If it imported a module of its own while another
thread imports that module and then the package, as kernels/ may, each would wait for the other, and
Python 3.14 ends that with an error.
"""

from tervit_np.compiled.attention import attention_backward, attention_mix, attention_probs
from tervit_np.compiled.bf16_matmul import linear_backward_bf16
from tervit_np.compiled.conv import col2im, im2col
from tervit_np.compiled.fakequant import fake_quant_rows, fake_quant_rows_minmax, fake_quant_static
from tervit_np.compiled.gelu import gelu, gelu_backward, gelu_tanh, gelu_tanh_backward
from tervit_np.compiled.layernorm import layernorm, layernorm_backward
from tervit_np.compiled.linear import linear, linear_backward
from tervit_np.compiled.optimizer import adamw_, ema_, square_sum
from tervit_np.compiled.orthogonal import newton_schulz
from tervit_np.compiled.softmax import softmax, softmax_backward
from tervit_np.compiled.ternarize import ternarize_rows

__all__ = [
    "adamw_",
    "attention_backward",
    "attention_mix",
    "attention_probs",
    "col2im",
    "ema_",
    "fake_quant_rows",
    "fake_quant_rows_minmax",
    "fake_quant_static",
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
    "im2col",
    "layernorm",
    "layernorm_backward",
    "linear",
    "linear_backward",
    "linear_backward_bf16",
    "newton_schulz",
    "softmax",
    "softmax_backward",
    "square_sum",
    "ternarize_rows",
]
