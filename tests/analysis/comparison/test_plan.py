from dataclasses import replace

import pytest

from tervit_np.analysis.comparison.plan import Arm, Contrast, scale_rates
from tervit_np.train import Stage


def arm(name, *epochs):
    return Arm(name, tuple(Stage(f"s{i}", "float", e) for i, e in enumerate(epochs)))


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        ([arm("a", 1)], "at least two arms; the plan has 1"),
        ([arm("a", 1), arm("b", 1.5)], "'b' trains for 1.5 epochs in total, 'a' for 1;"),
        ([arm("a", 2), arm("b")], "'b' has no stages"),
        ([arm("a", 2), arm("a", 2)], "two arms are called 'a'"),
        ([arm("a", 1), Arm("b", (Stage("s", "float", 1, teacher="t"),))], "teacher 't' is not"),
        ([arm("a", 2), Arm("b", (Stage("s", "float", 1),) * 2)], "stage names repeat: s, s"),
    ],
)
def test_unequal_or_broken_arms_are_refused(plan, arms, words):
    with pytest.raises(ValueError, match=words):
        replace(plan, arms=tuple(arms), baseline="a")


def test_budgets_are_compared_as_decimals(plan):
    arms = arm("a", 0.3), arm("b", 0.1, 0.2)  # 0.1 + 0.2 != 0.3 in binary
    assert replace(plan, arms=arms, baseline="b").arms[1].epochs == 0.3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "/../../../../escaped"}, "the plan's name .* cannot name a file"),
        ({"name": ".."}, "the plan's name"),
        ({"name": "a\0b"}, "the plan's name"),
        ({"name": "C:\\x"}, "the plan's name"),
        ({"name": "aux"}, "the plan's name"),
        ({"name": ""}, "the plan's name"),
        ({"baseline": "none"}, "baseline: there is no arm 'none'; the arms are direct; progr"),
        ({"contrasts": (Contrast("c", ("direct",), ("x",)),)}, "contrast 'c': there is no arm 'x'"),
        ({"contrasts": (Contrast("c", (), ("layer",)),)}, "contrast 'c' needs arms in both"),
        ({"multipliers": ()}, "multipliers is .*expected one or more"),
        ({"multipliers": (1, 0)}, "all must be positive"),
        ({"multipliers": (1, float("nan"))}, "all must be positive"),
        ({"search_seeds": ()}, "search_seeds is"),
        ({"seeds": (1, 1)}, r"seeds is \[1, 1\]; expected one or more, all different"),
        ({"seeds": (-1,)}, "at least 0"),
        ({"images": -1}, "at least 0"),
        ({"validation": 0}, "validation at least 1"),
        ({"fixed_rates": ("flaot",)}, "fixed_rates: there is no stage 'flaot'; the stages are"),
    ],
)
def test_an_invalid_field_is_refused(plan, change, words):
    with pytest.raises(ValueError, match=words):
        replace(plan, **change)


def test_a_multiplier_scales_all_rates_and_nothing_else(plan):
    first = plan.arms[1]
    for one, two in zip(first.stages, scale_rates(first, 0.5), strict=True):
        assert two == replace(one, lr=one.lr / 2)


def test_a_multiplier_leaves_fixed_rates_alone(plan):
    first = plan.arms[1]
    one, *others = scale_rates(first, 0.5, (first.stages[0].name,))
    assert one == first.stages[0]
    assert others == list(scale_rates(first, 0.5)[1:])


def test_without_contrasts_every_arm_is_compared_with_the_baseline(plan):
    assert [(q.of, q.against) for q in plan.questions] == [
        (("progressive",), ("direct",)),
        (("layer",), ("direct",)),
    ]
    asked = Contrast("asked", ("layer",), ("progressive",))
    assert replace(plan, contrasts=(asked,)).questions == (asked,)
