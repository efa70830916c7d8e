"""Quantizers, one rule per file, and the plan that assigns them to layers."""

from tervit_np.quant.blend import Blend
from tervit_np.quant.calibration import CALIBRATIONS, find_scale
from tervit_np.quant.dampened import Dampened
from tervit_np.quant.dorefa import DoReFa
from tervit_np.quant.freezing import Freezing
from tervit_np.quant.gamma import TernaryGamma
from tervit_np.quant.hadamard import Hadamard, HadamardAct
from tervit_np.quant.identity import IDENTITY, Identity
from tervit_np.quant.integers import fixed_scale, is_int8_activation, is_integer_matmul
from tervit_np.quant.lat import LAT
from tervit_np.quant.learned_act import PACT, LSQAct
from tervit_np.quant.lsq import LSQ
from tervit_np.quant.offset_act import LSQPlusAct
from tervit_np.quant.plan import Plan, Quantizable, plan_table
from tervit_np.quant.plan_file import read_plan_file, write_plan_file
from tervit_np.quant.plan_names import PLANS, named_plan
from tervit_np.quant.protocol import Convention, QuantizedTensor, Quantizer
from tervit_np.quant.qema import QEMA
from tervit_np.quant.quest import Quest
from tervit_np.quant.quest_act import QuestAct
from tervit_np.quant.seq import SEQ
from tervit_np.quant.sherry import Sherry
from tervit_np.quant.spec import RULES
from tervit_np.quant.static import StaticAct, static_twin
from tervit_np.quant.tequila import Tequila
from tervit_np.quant.ternarize import TernaryTensor, ternarize
from tervit_np.quant.ternary import Ternary
from tervit_np.quant.ttq import TTQ
from tervit_np.quant.uniform import UniformAct, UniformWeight

__all__ = [
    "IDENTITY",
    "PLANS",
    "RULES",
    "Blend",
    "QuantizedTensor",
    "Convention",
    "Dampened",
    "DoReFa",
    "Freezing",
    "Hadamard",
    "HadamardAct",
    "Identity",
    "Plan",
    "Quantizable",
    "Quantizer",
    "Quest",
    "QuestAct",
    "LAT",
    "LSQ",
    "LSQAct",
    "LSQPlusAct",
    "PACT",
    "QEMA",
    "SEQ",
    "TTQ",
    "Sherry",
    "Tequila",
    "Ternary",
    "TernaryGamma",
    "TernaryTensor",
    "UniformAct",
    "UniformWeight",
    "conventions",
    "named_plan",
    "is_integer_matmul",
    "plan_table",
    "is_int8_activation",
    "find_scale",
    "fixed_scale",
    "StaticAct",
    "static_twin",
    "CALIBRATIONS",
    "read_plan_file",
    "ternarize",
    "write_plan_file",
]


def conventions() -> dict[str, Convention]:
    """Return the convention table: quantizer name -> boundary, ties, scale, clip."""
    rules: list[type[Quantizer]] = [*RULES.values(), Blend]
    return {rule.__name__: rule.convention for rule in rules}
