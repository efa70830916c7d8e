"""Timings of kernels and models: compared with other libraries and with the CPU's limits."""

from tervit_np.bench.baselines import Comparison, compare
from tervit_np.bench.models import ModelComparison, compare_models
from tervit_np.bench.timing import Times, interleaved
from tervit_np.bench.variants import VariantResult, VariantTable, time_variants

__all__ = [
    "Comparison",
    "ModelComparison",
    "Times",
    "VariantResult",
    "VariantTable",
    "compare",
    "compare_models",
    "interleaved",
    "time_variants",
]
