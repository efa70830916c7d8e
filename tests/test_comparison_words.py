"""Pages of comparisons say of leads, chance and missing differences what the records show."""

import math
import re
from pathlib import Path

import pytest

from tervit_np.analysis.comparison import read_record
from tervit_np.analysis.comparison.plan import Contrast

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("stages.md", "rules.md", "swin_and_photographs.md", "results.md")
SMALL = {  # leads of a point or two, and their repetitions
    ("zoo-more", "Tequila against TerViT"): ("tequila", "Tequila against TerViT"),
    ("depth2", "direct, ramp against direct"): ("ramp2", "ramp against at once"),
    ("cifar10", "4-bit inputs against 8-bit inputs"): (
        "cifar10-winners",
        "4-bit inputs against direct",
    ),
    ("cifar10", "BitNet against TerViT"): ("cifar10-winners", "BitNet against direct"),
    ("swin-cifar10", "ramp against direct"): ("swin-winners", "ramp against direct"),
    ("swin-cifar10", "groups against channels"): ("swin-winners", "groups of 32 against direct"),
    ("swin-cifar10", "BitNet against TerViT"): ("swin-winners", "BitNet against direct"),
    ("swin", "ramp against direct"): ("swin-ramp", "ramp against direct"),
    ("share", "all against a quarter"): ("share-fresh", "all against a quarter"),
}
LARGE = {
    ("last", name): ("fused", name)
    for name in (f"fused against direct, last {length}" for length in ("0.25", "0.5", "1", "2"))
}
REPEATED = SMALL | LARGE
COSTS = {
    ("share-long", "all against a quarter"): ("share-long-fresh", "all against a quarter"),
}
EARLIER = ("ramp", "ramp against at once")  # repeats a lead of an earlier record of zoo.toml
# Words for "no difference", which an interval that contains zero never shows.
NO_DIFFERENCE = r"brings? nothing|is not worse|is no better|does not matter|no effect|end together"


def record(name):
    return read_record(DOCS / "comparisons" / f"{name}.json")


def difference(name, contrast):
    found = record(name)
    (question,) = (q for q in found.plan.questions if q.name == contrast)
    return found.difference(question)


def text(page):
    return " ".join((DOCS / page).read_text(encoding="utf-8").split())


def test_every_lead_of_a_plan_is_repeated():
    repetitions = {name for name, _ in [*REPEATED.values(), *COSTS.values(), EARLIER]}
    names = {path.stem for path in (DOCS / "comparisons").glob("*.json")} - repetitions
    leads = {
        (name, question.name)
        for name in names
        for question in record(name).plan.questions
        if record(name).difference(question).low > 0
    }
    assert leads == set(REPEATED)


@pytest.mark.parametrize(("first", "again"), (REPEATED | COSTS).items())
def test_a_repetition_has_fresh_seeds_and_the_same_budget(first, again):
    first, again = record(first[0]).plan, record(again[0]).plan
    seeds = {*first.seeds, *first.search_seeds}
    assert not seeds & {*again.seeds, *again.search_seeds}
    assert len(again.seeds) == 5
    for field in ("model", "data", "config", "images", "validation", "recipe"):
        assert getattr(again, field) == getattr(first, field)
    assert again.arms[0].epochs == first.arms[0].epochs


def test_the_page_counts_leads_and_repetitions():
    leads = [difference(*first).mean for first in SMALL]
    held = [again for again in [*SMALL.values(), EARLIER] if difference(*again).low > 0]
    assert len(leads) + 1 == 10
    assert len(held) == 3
    words = (
        f"of ten leads of {min(leads):.1f} to {max(leads):.1f} points fresh seeds repeated three"
    )
    assert words in text("stages.md")
    assert all(difference(*again).low > 0 for again in LARGE.values())


def test_the_share_of_ternary_training_is_judged_by_its_rule():
    shares = ("a half", "three quarters", "all")
    short = [difference("share", f"{share} against a quarter") for share in shares]
    long = [difference("share-long", f"{share} against a quarter") for share in shares]
    assert not any(after.low > before.high for before, after in zip(short, long, strict=True))
    falls = [after.high < before.low for before, after in zip(short, long, strict=True)]
    assert falls == [False, True, True]
    fresh = difference("share-fresh", "all against a quarter")
    fresh_long = difference("share-long-fresh", "all against a quarter")
    assert fresh.low > 0 > fresh_long.high
    page = text("stages.md")
    ahead, behind = f"{short[2].mean:.1f}", f"{-long[2].mean:.1f}"
    words = f"{ahead} points ahead of a quarter in four epochs, and {behind} points behind in 24"
    assert words in page
    assert f"a mean of {short[1].mean:+.1f} and then {long[1].mean:+.1f}" in page
    words = f"{fresh.mean:.1f} points ahead in four epochs, {-fresh_long.mean:.1f} behind in 24"
    assert words in page
    words = (
        f"{ahead} points ahead of a ternary quarter in four epochs, 95 % interval "
        f"{short[2].low:.1f} to {short[2].high:.1f}, and {behind} behind in 24, "
        f"{long[2].low:.1f} to {long[2].high:.1f}"
    )
    assert words in text("results.md")


def test_the_standard_errors_of_the_test_pictures_are_quoted():
    one = 100 * math.sqrt(0.5 * 0.5 / record("main").data["test"])
    words = f"a standard error of {one:.1f} points, and the difference of two models one of "
    assert f"{words}{math.sqrt(2) * one:.1f}" in text("stages.md")


def test_plans_without_a_rule_are_named():
    plans = sorted((DOCS / "comparisons").glob("*.toml"))
    without = [p.name for p in plans if "Decided before the first run" not in p.read_text("utf-8")]
    assert without == ["distillation.toml", "finetune.toml", "main.toml"]
    named = text("stages.md").partition(" have no rule")[0][-60:]
    assert all(f"`{name}`" in named for name in without)


def test_two_repetitions_share_the_models_of_their_baseline():
    at_once = record("ramp").accuracies("at once")
    assert record("tequila").accuracies("TerViT") == at_once
    assert '"At once" is the same five models as TerViT' in text("rules.md")


def test_four_blocks_are_quoted_from_both_comparisons_beside_other_depths():
    found = [
        difference("depth2", "8-bit first against direct"),
        difference("rungs", "8-bit first against direct"),
        difference("main", "progressive against direct"),
    ]
    assert all(f.low < 0 < f.high for f in found)
    two, four, first = (f"{f.mean:+.1f}" for f in found)
    page = text("stages.md")
    assert f"where two blocks have {two}. Four have {four} in the comparison" in page
    assert f"and {first} in the first section" in page


def test_a_mean_over_rules_is_said_to_hide_their_differences():
    zoo = record("zoo")
    low = {
        name: zoo.difference(Contrast("", (name,), ("TerViT",)))
        for name in ("dampened", "Q-EMA", "freezing")
    }
    assert low["dampened"].high < 0 < low["Q-EMA"].high
    assert abs(low["freezing"].mean) < 0.1
    words = f"is four points behind, Q-EMA {-low['Q-EMA'].mean:.1f}, with an interval that contains"
    assert words in text("rules.md")


@pytest.mark.parametrize("page", PAGES)
def test_no_page_says_that_there_is_no_difference(page):
    assert not re.findall(NO_DIFFERENCE, text(page))
