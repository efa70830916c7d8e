"""Which layer overflowed first, when a step of training meets NaN, infinity or huge numbers."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.nn.module import Module
from tervit_np.param import Param
from tervit_np.train.stages import Stage

_HIGH = 10  # times the loss of guessing
_HUGE = 1e30  # squares of such numbers are infinite in float32


class Diverged(ValueError):
    """Training met NaN, infinity or numbers beyond use; the message says where and what to do."""

    def after(self, model: Path | None) -> "Diverged":
        """Add how to begin again from the model of the stage before, if there is one."""
        advice = f"; --weights {model} begins a new run after the stage before"
        return Diverged(f"{self}{advice if model else ''}")


def origin(model: Classifier, images: Array) -> str:
    """Name what overflows first in a step on these images; "" if nothing does.

    Looks at images and weights, then at the output of each layer of a forward pass, then at the
    gradients that the step has left, in the order of the backward pass.
    """
    if not _is_usable(images):
        return "the images"
    params = model.named_params()
    if name := _first(params, lambda param: param.data):
        return f"the weight {name}"
    if name := _overflowing_layer(model, images):
        return f"the output of {name}"
    name = _first(params[::-1], lambda param: param.grad)
    return f"the gradient of {name}" if name else ""


def describe(stage: Stage, step: int, total: int, what: str) -> str:
    """Say where training diverged, and what usually helps."""
    where = f"stage {stage.name}, step {step + 1} of {total}"
    if what == "the images":
        return f"{where}: the images contain NaN or infinity; check mean and std of the data set"
    lower = f"{min(stage.lr / 10, Stage.lr):g}"  # at most the default
    plan = stage.plan if isinstance(stage.plan, str) else stage.name
    return (
        f"{where}: {what or 'the gradient'} became NaN, infinite or too large, at a peak learning "
        f"rate of {stage.lr:g}; a lower one usually helps: "
        f"--stages {plan}:{stage.epochs:g}@{lower}, or lr = {lower} in a plan"
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


def _first(params: list[tuple[str, Param]], array: Callable[[Param], Array]) -> str:
    return next((name for name, param in params if not _is_usable(array(param))), "")


def _is_usable(x: Array) -> bool:
    """Whether all numbers are finite and not huge."""
    return x.size == 0 or bool(np.abs(x).max() < _HUGE)  # False for NaN


def _overflowing_layer(model: Classifier, images: Array) -> str:
    """Run a forward pass and name the first layer whose output, or whose input, is unusable."""
    found: list[str] = []
    with ExitStack() as stack, np.errstate(all="ignore"), suppress(ValueError, FloatingPointError):
        for name, module in model.named_modules():
            if name and not any(True for _ in module.children()):
                stack.enter_context(_watched(name, module, found))
        model.forward(images)
    return found[0] if found else ""


@contextmanager
def _watched(name: str, module: Module, found: list[str]) -> Iterator[None]:
    """Add the name to `found` when the module's output is unusable, or it refuses its input."""
    layer: Any = module
    forward = layer.forward

    def watched(*args: Any, **options: Any) -> Any:
        try:
            result = forward(*args, **options)
        except ValueError:
            found.append(name)
            raise
        if not _is_usable(result[0]):
            found.append(name)
        return result

    layer.forward = watched
    try:
        yield
    finally:
        del layer.forward
