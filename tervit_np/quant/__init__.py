"""Quantizers, one rule a file, and the plan that says which layer gets which."""

from tervit_np.quant.blend import Blend
from tervit_np.quant.identity import IDENTITY, Identity
from tervit_np.quant.integers import is_integer_matmul, rounds_to_integers
from tervit_np.quant.plan import PLANS, Plan, Quantizable, named_plan, plan_table
from tervit_np.quant.protocol import Codes, Convention, Quantizer
from tervit_np.quant.ternarize import TernaryTensor, ternarize
from tervit_np.quant.ternary import Ternary
from tervit_np.quant.uniform import UniformAct, UniformWeight

__all__ = [
    "IDENTITY",
    "PLANS",
    "Blend",
    "Codes",
    "Convention",
    "Identity",
    "Plan",
    "Quantizable",
    "Quantizer",
    "Ternary",
    "TernaryTensor",
    "UniformAct",
    "UniformWeight",
    "conventions",
    "named_plan",
    "is_integer_matmul",
    "plan_table",
    "rounds_to_integers",
    "ternarize",
]


def conventions() -> dict[str, Convention]:
    """Return the convention table: quantizer name -> boundary, ties, scale, clip."""
    return {q.__name__: q.convention for q in (Identity, Ternary, UniformWeight, UniformAct, Blend)}
