"""Whether a list of stages can be trained on a model, found out before anything is trained.

A mistake in the last stage would otherwise end a run after all others have been trained.
"""

import copy
import re
from collections.abc import Sequence

import numpy as np

from tervit_np.models import Classifier, build, quantize
from tervit_np.models.calibration import assume_scales
from tervit_np.quant import Identity
from tervit_np.quant.plan import is_for_norms
from tervit_np.train.stages import Stage


def check_stages(model: Classifier, stages: Sequence[Stage], resume: bool = False) -> None:
    """Check a list of stages by itself and on its model; the model stays as it is.

    Raises
    ------
    ValueError
        If `stages` is not a list of stages or an empty one, names repeat, a teacher is not an
        earlier stage, a plan does not fit the model (`check_plans`), or in a new run a `ramp` has
        nothing to fade in (`check_ramp`) or `freeze` is misspelt (`check_freeze`): an older run
        goes on as it began.
    """
    _check_types(stages)
    _check_names(stages)
    check_plans(model, stages)
    if not resume:
        check_ramp(stages)
        check_freeze(model, stages)


def _check_types(stages: Sequence[Stage]) -> None:
    if not isinstance(stages, Sequence):
        raise ValueError(f"train: stages is a {type(stages).__name__}; expected a list of Stage")
    for stage in stages:
        if not isinstance(stage, Stage):
            raise ValueError(f"train: stages holds {stage!r}; expected a Stage")


def _check_names(stages: Sequence[Stage]) -> None:
    names = [stage.name for stage in stages]
    if not names:
        raise ValueError("train: the list of stages is empty")
    if len({name.casefold() for name in names}) < len(names):  # some systems ignore the case
        raise ValueError(f"train: stage names repeat: {', '.join(names)}")
    for i, stage in enumerate(stages):
        if stage.teacher is not None and stage.teacher not in names[:i]:
            raise ValueError(
                f"stage {stage.name}: its teacher {stage.teacher!r} is not an earlier stage"
            )


def check_plans(model: Classifier, stages: Sequence[Stage]) -> None:
    """Run a new model like this one with each stage's quantizers on one picture of noise.

    A plan is tried for the shapes of layers, not for values: weights of a resumed run, for example,
    are still to be read. Static and learned scales of inputs, which calibration finds when a stage
    begins, are 1.

    Raises
    ------
    ValueError
        If a plan cannot quantize a layer, or the model is packed.
    """
    model.require_latent_weights()
    rng, size = np.random.default_rng(0), model.config.image_size
    fresh: Classifier | None = None
    for stage in [stage for stage in stages if stage.quantizers.rules]:
        fresh = build(model.config, rng, model.dtype) if fresh is None else quantize(fresh, "float")
        try:
            quantize(fresh, stage.quantizers)
            assume_scales(fresh)
            fresh.predict(rng.standard_normal((1, 3, size, size)).astype(model.dtype))
        except ValueError as error:
            reason = re.sub("^(plan|quantize|calibrate): ", "", str(error))
            raise ValueError(
                f"stage {stage.name}: its plan does not fit the model: {reason}"
            ) from None


def check_ramp(stages: Sequence[Stage]) -> None:
    """Refuse a ramp in a stage without weight quantizers: inputs and gammas do not fade in.

    Raises
    ------
    ValueError
        If there is such a stage.
    """
    for stage in stages:
        weights = [weight for _, weight, _ in stage.quantizers.rules if not is_for_norms(weight)]
        if stage.ramp and all(isinstance(weight, Identity) for weight in weights):
            raise ValueError(
                f"stage {stage.name}: ramp is {stage.ramp:g}, and its plan has no weight "
                "quantizers that could fade in; choose another plan, or leave the ramp out"
            )


def check_freeze(model: Classifier, stages: Sequence[Stage]) -> None:
    """Refuse a pattern that freezes all of a stage, or nothing in any stage: it is misspelt.

    Scales of quantizers, as of "weight_quant", are parameters in some stages alone.

    Raises
    ------
    ValueError
        If there is such a pattern.
    """
    own, found = [name for name, _ in model.named_params()], set()
    stages = [stage for stage in stages if stage.freeze]
    for stage in stages:
        names = own
        if sum(map(stage.freezes, own)) in (0, len(own)):
            quantized = quantize(copy.deepcopy(model), stage.quantizers)
            names = [name for name, _ in quantized.named_params()]
        frozen = sum(map(stage.freezes, names))
        if frozen == len(names):
            raise ValueError(f"stage {stage.name}: freeze {stage.freeze!r} leaves nothing to train")
        found |= {stage.freeze} if frozen else set()
    for stage in stages:
        if stage.freeze not in found:
            raise ValueError(
                f"freeze {stage.freeze!r} occurs in no parameter's name; names are such as "
                f"{', '.join(own[:: max(len(own) // 4, 1)])}"
            )
