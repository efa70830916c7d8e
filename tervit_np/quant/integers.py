"""Which pairs of quantizers give integers, which a kernel can multiply instead of floats."""

from tervit_np.quant.learned_act import PACT, LSQAct
from tervit_np.quant.protocol import Quantizer
from tervit_np.quant.spec import is_registered
from tervit_np.quant.static import StaticAct
from tervit_np.quant.uniform import UniformAct

_ON_A_STATIC_GRID = (StaticAct, LSQAct, PACT)


def is_integer_matmul(weight: Quantizer, act: Quantizer) -> bool:
    """Tell whether one sum of integers, times scales, is an output of the layer.

    It is where weights are ternary, with one scale for each output channel or one for all, and each
    token is a scale times 8-bit integers. Of a class derived from a rule this is not known; weights
    of one that is in `RULES` are what its `packing` says.
    """
    is_ternary = weight.packing == "ternary" and is_registered(weight)
    return is_ternary and is_int8_activation(act)


def is_int8_activation(act: Quantizer) -> bool:
    """Tell whether each token becomes a scale, its own or a fixed one, times -127 to 127.

    The kernels round inputs themselves. A class derived from a rule may round them otherwise, also
    one in `RULES`, where a reader finds it: inputs have no `packing` that could say so.
    """
    if type(act) in _ON_A_STATIC_GRID:
        return act.bits == 8
    return type(act) is UniformAct and (act.bits, act.kind, act.per) == (8, "symmetric", "token")


def fixed_scale(act: Quantizer) -> float:
    """Return the scale of static inputs, 0 if each token has its own.

    Raises
    ------
    ValueError
        If the inputs are static and not calibrated.
    """
    return act.require_scale() if isinstance(act, StaticAct) else 0.0
