"""Which pairs of quantizers leave integers behind, for a kernel to add up instead of floats."""

from tervit_np.quant.protocol import Quantizer
from tervit_np.quant.ternary import Ternary
from tervit_np.quant.uniform import UniformAct


def is_integer_matmul(weight: Quantizer, act: Quantizer) -> bool:
    """Tell whether each row of weights is ternary and each token 8-bit integers up to 127."""
    return isinstance(weight, Ternary) and is_int8_per_token(act)


def is_int8_per_token(act: Quantizer) -> bool:
    """Tell whether each token becomes 8-bit integers up to 127."""
    return isinstance(act, UniformAct) and (act.bits, act.kind, act.per) == (
        8,
        "symmetric",
        "token",
    )
