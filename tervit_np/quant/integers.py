"""Which pairs of quantizers give integers, which a kernel can multiply instead of floats."""

from tervit_np.quant.offset_act import LSQPlusAct
from tervit_np.quant.protocol import Quantizer
from tervit_np.quant.spec import is_registered
from tervit_np.quant.static import StaticAct
from tervit_np.quant.uniform import UniformAct


def is_integer_matmul(weight: Quantizer, act: Quantizer) -> bool:
    """Tell whether one sum of integers, times scales, is an output of the layer.

    It is where weights are ternary, with one scale for each output channel or one for all, and each
    token is a scale times 8-bit integers. Of a class derived from a rule this is not known.
    """
    is_ternary = weight.packing == "ternary" and is_registered(weight)
    return is_ternary and is_int8_activation(act)


def is_int8_activation(act: Quantizer) -> bool:
    """Tell whether each token becomes a scale, its own or a fixed one, times -127 to 127."""
    if not is_registered(act):
        return False
    if isinstance(act, StaticAct):
        return act.bits == 8 and not isinstance(act, LSQPlusAct)
    if not isinstance(act, UniformAct):
        return False
    return (act.bits, act.kind, act.per) == (8, "symmetric", "token")


def fixed_scale(act: Quantizer) -> float:
    """Return the scale of static inputs, 0 if each token has its own.

    Raises
    ------
    ValueError
        If the inputs are static and not calibrated.
    """
    return act.require_scale() if isinstance(act, StaticAct) else 0.0
