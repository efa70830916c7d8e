"""Which pairs of quantizers give integers, which a kernel can multiply instead of floats."""

from tervit_np.quant.protocol import Quantizer
from tervit_np.quant.uniform import UniformAct


def is_integer_matmul(weight: Quantizer, act: Quantizer) -> bool:
    """Tell whether weights are ternary and each token is a scale times 8-bit integers."""
    return weight.packing == "ternary" and is_int8_per_token(act)


def is_int8_per_token(act: Quantizer) -> bool:
    """Tell whether each token becomes a scale times integers from -127 to 127."""
    return isinstance(act, UniformAct) and (act.bits, act.kind, act.per) == (
        8,
        "symmetric",
        "token",
    )
