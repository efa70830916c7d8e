"""Measurements of the integer kernels: against rivals, against the processor's limits."""

from tervit_np.bench.baselines import Comparison, compare
from tervit_np.bench.models import ModelComparison, compare_models
from tervit_np.bench.timing import Times, interleaved
from tervit_np.bench.variants import Rung, climb

__all__ = [
    "Comparison",
    "ModelComparison",
    "Rung",
    "Times",
    "climb",
    "compare",
    "compare_models",
    "interleaved",
]
