"""What a training step minimises.

no teacher      cross-entropy with the (smoothed, mixed) targets
a teacher       (1 - w) cross-entropy + w distillation, on the same logits
two heads       class head: cross-entropy; distillation head: the teacher (without one, targets)
"""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.losses import cross_entropy, distillation, hard_distillation
from tervit_np.train.stages import Stage


def objective(
    logits: Any, targets: Array, teacher_logits: Array | None, stage: Stage
) -> tuple[float, Any]:
    """Return the loss, a mean over the batch, and its gradient in the shape of `logits`."""
    on_class, on_teacher = logits if isinstance(logits, tuple) else (logits, logits)
    loss, dclass = cross_entropy(on_class, targets)
    if teacher_logits is None:
        if not isinstance(logits, tuple):
            return loss, dclass
        second, dteacher = cross_entropy(on_teacher, targets)
        w = 0.5
    else:
        w = stage.teacher_weight
        if stage.hard:
            second, dteacher = hard_distillation(on_teacher, teacher_logits)
        else:
            second, dteacher = distillation(on_teacher, teacher_logits, stage.temperature)
    total = (1 - w) * loss + w * second
    if isinstance(logits, tuple):
        return total, ((1 - w) * dclass, w * dteacher)
    return total, (1 - w) * dclass + w * dteacher


def mean_logits(logits: Any) -> Array:
    """Return one array of logits: the mean of a distilled model's two heads."""
    return np.asarray((logits[0] + logits[1]) / 2 if isinstance(logits, tuple) else logits)
