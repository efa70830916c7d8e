"""The file of a finished stage: its model, and the data that it was trained and tested on."""

from pathlib import Path

from data_tools import LabelledSet
from tervit_np.checkpoints import save_checkpoint
from tervit_np.models import Classifier
from tervit_np.train.stages import Stage
from tervit_np.train.static_scales import plan_to_store


def save_stage(
    model: Classifier, stage: Stage, test: LabelledSet, accuracy: float, file: Path
) -> None:
    """Save a stage's model with its plan, its classes and how pictures are normalised.

    `accuracy` is that on the test split, a fraction. OSError if the file cannot be written.
    """
    extra = {
        "stage": stage.name,
        "data": test.name,
        "classes": list(test.classes),
        "mean": list(test.mean),
        "std": list(test.std),
        "test_accuracy": accuracy,
    }
    save_checkpoint(model, file, plan=plan_to_store(model, stage.quantizers), extra=extra)
