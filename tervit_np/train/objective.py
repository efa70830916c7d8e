"""The loss that a training step minimises.

no teacher      cross-entropy with the (smoothed, mixed) targets
a teacher       (1 - w) cross-entropy + w distillation, of the same logits
two heads       (1 - w) cross-entropy of the class head + w distillation of the other head;
                without a teacher, the mean of both heads' cross-entropies (ours: DeiT's code
                then trains the class head alone)
"""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.losses import cross_entropy, distillation, hard_distillation
from tervit_np.models import Logits
from tervit_np.train.stages import Stage


def objective(
    logits: Logits, targets: Array, teacher_logits: Array | None, stage: Stage
) -> tuple[float, Logits]:
    """Return the loss, a mean over the batch, and its gradient in the shape of `logits`."""
    class_logits, distilled_logits = logits if isinstance(logits, tuple) else (logits, logits)
    class_loss, dclass = cross_entropy(class_logits, targets)
    if teacher_logits is None:
        if not isinstance(logits, tuple):
            return class_loss, dclass
        second_loss, dsecond = cross_entropy(distilled_logits, targets)
        w = 0.5
    else:
        w = stage.teacher_weight
        if stage.hard:
            second_loss, dsecond = hard_distillation(distilled_logits, teacher_logits)
        else:
            second_loss, dsecond = distillation(distilled_logits, teacher_logits, stage.temperature)
    loss = (1 - w) * class_loss + w * second_loss
    if isinstance(logits, tuple):
        return loss, ((1 - w) * dclass, w * dsecond)
    return loss, (1 - w) * dclass + w * dsecond


def mean_logits(logits: Logits) -> Array:
    """Return one array of logits: the mean of a distilled model's two heads."""
    return np.asarray((logits[0] + logits[1]) / 2 if isinstance(logits, tuple) else logits)
