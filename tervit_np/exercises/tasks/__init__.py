"""The exercises, in their order."""

from data_tools.spelling import did_you_mean
from tervit_np.exercises.exercise import Exercise
from tervit_np.exercises.tasks.adamw import ADAMW
from tervit_np.exercises.tasks.attention_backward import ATTENTION_BACKWARD
from tervit_np.exercises.tasks.bfloat16 import BFLOAT16
from tervit_np.exercises.tasks.block_backward import BLOCK_BACKWARD
from tervit_np.exercises.tasks.cross_entropy import CROSS_ENTROPY
from tervit_np.exercises.tasks.distillation import DISTILLATION
from tervit_np.exercises.tasks.exact_interval import EXACT_INTERVAL
from tervit_np.exercises.tasks.gelu_backward import GELU_BACKWARD
from tervit_np.exercises.tasks.layernorm_backward import LAYERNORM_BACKWARD
from tervit_np.exercises.tasks.linear_backward import LINEAR_BACKWARD
from tervit_np.exercises.tasks.numerical_gradient import NUMERICAL_GRADIENT
from tervit_np.exercises.tasks.pack import PACK
from tervit_np.exercises.tasks.patchify import PATCHIFY
from tervit_np.exercises.tasks.quantize_minmax import QUANTIZE_MINMAX
from tervit_np.exercises.tasks.quantize_symmetric import QUANTIZE_SYMMETRIC
from tervit_np.exercises.tasks.softmax import SOFTMAX
from tervit_np.exercises.tasks.softmax_backward import SOFTMAX_BACKWARD
from tervit_np.exercises.tasks.split_heads import SPLIT_HEADS
from tervit_np.exercises.tasks.ste_with_clip import STE_WITH_CLIP
from tervit_np.exercises.tasks.ternarize import TERNARIZE
from tervit_np.exercises.tasks.ternary_product import TERNARY_PRODUCT
from tervit_np.exercises.tasks.trust_mask import TRUST_MASK

EXERCISES = (
    SOFTMAX,
    CROSS_ENTROPY,
    NUMERICAL_GRADIENT,
    LINEAR_BACKWARD,
    GELU_BACKWARD,
    LAYERNORM_BACKWARD,
    SOFTMAX_BACKWARD,
    PATCHIFY,
    SPLIT_HEADS,
    ATTENTION_BACKWARD,
    BLOCK_BACKWARD,
    ADAMW,
    QUANTIZE_SYMMETRIC,
    QUANTIZE_MINMAX,
    TERNARIZE,
    EXACT_INTERVAL,
    STE_WITH_CLIP,
    DISTILLATION,
    PACK,
    TERNARY_PRODUCT,
    BFLOAT16,
    TRUST_MASK,
)


def find_exercise(name: str) -> Exercise:
    """Return an exercise by name; ValueError suggests the nearest name or lists all."""
    by_name = {exercise.name: exercise for exercise in EXERCISES}
    if name not in by_name:
        near = did_you_mean(name, by_name) or f"; known: {', '.join(by_name)}"
        raise ValueError(f"unknown exercise {name!r}{near}")
    return by_name[name]
