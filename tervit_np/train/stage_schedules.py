"""How the learning rate runs over a list of stages, and how the last one's weights are rounded.

    each     each stage has a warm-up, a cosine and a fresh optimizer
    fused    one schedule over all stages: the rate rises in the first, falls in the last and is
             constant between; the optimizer goes on

Fused is the "cooldown fusion" of Dremov et al. 2025, "Compute-Optimal Quantization-Aware Training":
a rate that falls before the weights are quantized falls too early. The warm-up of 0.15 of the first
stage is ours, as are the defaults of `Stage`, which "each" has.
"""

from collections.abc import Sequence
from dataclasses import replace

from tervit_np.train.stage_checks import check_ramp
from tervit_np.train.stages import Stage

SCHEDULES = ("each", "fused")
FUSED_WARMUP = 0.15  # of the first stage
_OWN = Stage("own", "float", 1)  # the schedule of a stage by itself


def with_schedule(stages: Sequence[Stage], schedule: str) -> list[Stage]:
    """Return stages with one of SCHEDULES; under "fused" all have the rate of the first.

    Raises
    ------
    ValueError
        If the schedule is unknown.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}; expected one of {', '.join(SCHEDULES)}")
    own = [
        replace(stage, warmup=_OWN.warmup, final_lr=_OWN.final_lr, optimizer="fresh")
        for stage in stages
    ]
    if schedule == "each":
        return own
    return [
        replace(
            stage,
            lr=own[0].lr,
            warmup=0.0 if i else FUSED_WARMUP,
            final_lr=1.0 if i < len(own) - 1 else _OWN.final_lr,
            optimizer="keep" if i else "fresh",
        )
        for i, stage in enumerate(own)
    ]


def with_ramp(stages: Sequence[Stage], ramp: float) -> list[Stage]:
    """Return stages of which the last fades its weight quantizers in, over this fraction of it.

    Raises
    ------
    ValueError
        If the fraction is not between 0 and 1, or the last stage has no weight quantizers.
    """
    ramped = [*stages[:-1], replace(stages[-1], ramp=ramp)]
    check_ramp(ramped)
    return ramped
