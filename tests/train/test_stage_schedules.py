from dataclasses import replace

import pytest

from tervit_np.quant import IDENTITY, Plan, TernaryGamma
from tervit_np.quant.plan import NORMS
from tervit_np.train import PRESETS, Stage, with_ramp, with_schedule
from tervit_np.train.stage_checks import check_stages

CIFAR10 = list(PRESETS["cifar10"].stages)


def test_the_fused_schedule_is_that_of_the_cifar10_preset():
    rates = 4e-3, 1, 2
    plain = [Stage(s.name, s.plan, s.epochs, lr=x) for s, x in zip(CIFAR10, rates, strict=True)]
    assert with_schedule(plain, "fused") == CIFAR10
    assert with_schedule(CIFAR10, "fused") == CIFAR10


def test_each_stage_may_have_a_schedule_of_its_own():
    """The rates and all else stay."""
    stages = [replace(CIFAR10[0], freeze="head"), replace(CIFAR10[2], lr=1e-3, teacher="float")]
    expected = [
        Stage("float", "float", 3, lr=4e-3, freeze="head"),
        Stage("ternary", "ternary", 7.5, lr=1e-3, teacher="float"),
    ]
    assert with_schedule(stages, "each") == expected


def test_one_fused_stage_rises_and_falls():
    (stage,) = with_schedule([Stage("ternary", "ternary", 2)], "fused")
    assert (stage.warmup, stage.final_lr, stage.optimizer) == (0.15, 0.01, "fresh")


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="schedule is 'one'; expected one of each, fused"):
        with_schedule(CIFAR10, "one")


def test_the_last_stage_alone_is_ramped():
    assert with_ramp(CIFAR10, 0.5) == [*CIFAR10[:2], replace(CIFAR10[2], ramp=0.5)]
    with pytest.raises(ValueError, match="stage ternary: ramp must be between 0 and 1"):
        with_ramp(CIFAR10, 1.5)


@pytest.mark.parametrize("plan", ["float", "float-int4", Plan([(NORMS, TernaryGamma(), IDENTITY)])])
def test_a_ramp_needs_weight_quantizers(model, plan):
    """Inputs and gammas do not fade in, so a ramp without weight quantizers would do nothing."""
    stages = [Stage("float", "float", 1), Stage("last", plan, 1)]
    words = "stage last: ramp is 0.5, and its plan has no weight quantizers"
    with pytest.raises(ValueError, match=words):
        with_ramp(stages, 0.5)
    ramped = [stages[0], replace(stages[1], ramp=0.5)]
    with pytest.raises(ValueError, match=words):
        check_stages(model, ramped)
    check_stages(model, ramped, resume=True)  # an older run goes on as it began
