"""Initial values of all parameters.

    scheme "deit"     the authors': matrices, tokens and positions N(0, 0.02^2)
    scheme "xavier"   matrices U(-a, a) with a = sqrt(6 / (fan_in + fan_out)), head N(0, 0.01^2),
                      tokens and positions N(0, 0.02^2); better for small models from scratch

In both, biases are 0, gamma of LayerNorm is 1 and beta 0. The patch embedding and the convolutions
have PyTorch's default: weight and bias U(-b, b) with b = 1 / sqrt(fan_in). The authors write
"truncated normal", but truncate at an absolute 2, a hundred standard deviations: a plain normal.

The head is small so that the first loss is ln C. With Xavier values it would be near 3.0 for ten
classes instead of 2.30, and the first steps would only undo that.
"""

import math

import numpy as np

from tervit_np.models.limits import check_choice
from tervit_np.nn import LayerNorm, Module

SCHEMES = ("deit", "xavier")
_POSITIONS = ("cls_token", "dist_token", "pos_embed", "relative_position_bias_table")


def initialize(model: Module, scheme: str, rng: np.random.Generator) -> None:
    """Fill all parameters in their official order, drawing in float64.

    Raises
    ------
    ValueError
        If the scheme is unknown.
    """
    check_choice("init", scheme, SCHEMES)
    norms = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, LayerNorm)}
    fan_in = 1
    for name, param in model.named_params():
        shape = param.shape
        if name in norms:
            param.data.fill(1)
        elif name.rpartition(".")[2] in _POSITIONS:
            param.data[...] = rng.normal(0, 0.02, shape)
        elif name.startswith("patch_embed.") and ".norm." not in name:
            if name.endswith(".weight"):
                fan_in = math.prod(shape[1:])  # also used by the bias, the next parameter
            param.data[...] = rng.uniform(-1, 1, shape) / math.sqrt(fan_in)
        elif len(shape) < 2:
            param.data.fill(0)
        elif scheme == "deit":
            param.data[...] = rng.normal(0, 0.02, shape)
        elif name.startswith("head"):
            param.data[...] = rng.normal(0, 0.01, shape)
        else:
            bound = math.sqrt(6 / (shape[0] + shape[1]))
            param.data[...] = rng.uniform(-bound, bound, shape)
