"""Divergence of a training: where it began, and what usually helps."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_tools.terminal import shell_word
from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.param import Param
from tervit_np.train.overflow import is_usable, overflowing_operator
from tervit_np.train.parallel import Loss
from tervit_np.train.stages import Stage

_HIGH = 10  # times the loss of guessing, at the end of a stage
_EXPLODED = 100  # times the loss of guessing, in a step


class Diverged(ValueError):
    """Training met NaN, infinity or numbers beyond use; the message says where and what to do.

    `problem` is the message without the command that continues a run.
    """

    def __init__(self, problem: str, command: str = "") -> None:
        super().__init__(problem + command)
        self.problem = problem

    def with_folder(self, folder: Path) -> "Diverged":
        """Add how to continue from the last checkpoint of a run."""
        return Diverged(
            self.problem,
            "; the last checkpoint is from before: `tervit train --resume "
            f"{shell_word(folder)} --lower-lr 0.1` continues from it at a tenth of the rate",
        )


def origin(
    model: Classifier,
    images: Array,
    loss: Loss,
    rng: np.random.Generator,
    accumulate: int = 1,
) -> str:
    """Name what was unusable first in a step on these images; "" if nothing was.

    Looks at images and weights, then takes the step again and looks at each operator's output, in
    the order of the forward and the backward pass.
    """
    if not is_usable(images):
        return "the images"
    if name := _first(model.named_params(), lambda param: param.data):
        return f"the weight {name}"
    return overflowing_operator(model, images, loss, rng, accumulate)


def unusable(stage: Stage, step: int, total: int, what: str) -> ValueError:
    """Return the error that says where numbers became unusable, and what usually helps.

    It is Diverged unless the images are to blame, for which no learning rate helps.
    """
    where = _where(stage, step, total)
    if what == "the images":
        return ValueError(
            f"{where}: the images contain NaN or infinity; check mean and std of the data set"
        )
    problem = f"{what or 'the gradient'} became NaN, infinite or too large"
    return Diverged(f"{where}: {problem}, at {_advice(stage)}")


def has_exploded(loss: float, classes: int) -> bool:
    """Whether the loss of one batch is so far above that of guessing that training is over."""
    return loss > _EXPLODED * max(math.log(classes), 1)


def exploded(stage: Stage, step: int, total: int, loss: float, classes: int) -> Diverged:
    """Return the error that says at which step the loss exploded, and what usually helps."""
    return Diverged(
        f"{_where(stage, step, total)}: the loss exploded to {loss:.3g}, where guessing has "
        f"{math.log(classes):.2f}, at {_advice(stage)}"
    )


def high_loss(stage: Stage, loss: float, classes: int) -> str:
    """Say that a stage has ended with a loss far above that of guessing; "" if it has not."""
    guessing = math.log(classes)
    if loss < _HIGH * max(guessing, 1):
        return ""
    return (
        f"stage {stage.name} ended with a test loss of {loss:.3g}, where guessing has "
        f"{guessing:.2g}: a peak learning rate of {stage.lr:g} is probably too high"
    )


def _where(stage: Stage, step: int, total: int) -> str:
    return f"stage {stage.name}, step {step + 1} of {total}"


def _advice(stage: Stage) -> str:
    lower = f"{min(stage.lr / 10, Stage.lr):g}"  # at most the default
    return f"a peak learning rate of {stage.lr:g}; a lower one, such as lr = {lower}, usually helps"


def _first(params: list[tuple[str, Param]], array: Callable[[Param], Array]) -> str:
    return next((name for name, param in params if not is_usable(array(param))), "")
