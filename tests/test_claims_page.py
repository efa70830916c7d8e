"""docs/claims.md is made from docs/claims.toml, and all its numbers are stored ones."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("claims", ROOT / "docs" / "make_claims.py")
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
CLAIMS = script.read()
EVERY = [claim for claims in CLAIMS.values() for claim in claims]
GOOD = CLAIMS["related"][0]
NAMES = r"CIFAR-10|DeiT-S|Swin-S|float32|8 bits|8-bit|4 bits|2 bits|95 %|leaves 0|contains 0"


def test_the_page_is_made_from_the_claims():
    assert script.PAGE.read_text(encoding="utf-8") == script.page(CLAIMS)


def test_no_claim_has_a_problem():
    assert {claim["item"]: script.problems(claim) for claim in EVERY} == {
        claim["item"]: [] for claim in EVERY
    }


def test_no_number_is_typed_by_hand():
    """Outside of {fields} a text has no digits but those of names."""
    for claim in EVERY:
        for key in ("number", "why"):
            text = re.sub(rf"\{{[^}}]*\}}|{NAMES}", "", claim.get(key, ""))
            assert not re.search(r"\d", text), (claim["item"], text)


def test_what_only_other_papers_report_is_not_said_to_be_in_the_abstract():
    """Which names neither 8-bit inputs nor a number of a DeiT, as docs/paper_map.toml knows."""
    for claim in CLAIMS["paper"]:
        if re.search(r"22\.4|74\.2|72\.9|8-bit inputs", claim["item"] + claim["source"]):
            assert "account" in claim["source"], claim["item"]


def test_planned_contrasts_come_first():
    for claim in EVERY:
        text = claim.get("number", "")
        if "known" in text:
            assert "lanned" not in text.split("known")[1]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"verdict": "true"}, "verdict is 'true'"),
        ({"command": ""}, "no command"),
        ({"verdict": "not testable here"}, "needs a number"),
        ({"number": "{nothing}"}, "number: KeyError('nothing')"),
        ({"records": ["docs/none.json"]}, "number: FileNotFoundError"),
        ({"see": ["docs/none.md"]}, "see: docs/none.md is not there"),
        ({"colour": "red"}, "unknown field colour"),
    ],
)
def test_a_fault_of_a_claim_is_found(change, problem):
    (found,) = script.problems({**GOOD, **change})
    assert found.startswith(problem)


def test_values_are_differences_and_pairs_of_arms():
    pair = script.value_of("docs/mixed_plans.json#paired/paper/all_ternary")
    assert pair.mean == pytest.approx((pair.low + pair.high) / 2)
    assert pair.mean == pytest.approx(0.3)


ADAMW = "docs/results.json#command=tervit train --preset cifar10-adamw{}/stages/stage={}/end".format


def test_trainings_are_subtracted_seed_by_seed():
    gain = script.value_of(f"{ADAMW(' --optimizer muon', 'ternary')} minus {ADAMW('', 'ternary')}")
    # 78.37 - 71.38 and 78.71 - 71.57; two numbers: margin 12.706 times half of their distance
    assert gain.mean == pytest.approx((6.99 + 7.14) / 2)
    assert gain.high - gain.mean == pytest.approx(12.7062 * 0.15 / 2, rel=1e-4)


def test_other_seeds_are_no_pairs():
    shapes = "docs/results.json#command=tervit train/stages/stage=ternary/end"
    with pytest.raises(ValueError, match="pairs need the same seeds"):
        script.value_of(f"{shapes} minus {ADAMW('', 'ternary')}")


def test_a_reproduced_difference_has_an_interval_above_0():
    """By the rule at the head of the page; "reproduced in part" asks it of one setting."""
    for claim in EVERY:
        if re.search(r"\b(beats?|helps?|faster|softens|should fall)\b", claim["item"]):
            found = [script.value_of(source) for source in claim.get("fields", {}).values()]
            gains = [f.low > 0 for f in found if isinstance(f, script.Summary)]
            if claim["verdict"] == "reproduced":
                assert gains and all(gains), claim["item"]
            elif claim["verdict"] == "not reproduced" and "fresh" not in claim["number"]:
                assert not any(gains), claim["item"]


def test_seeds_and_processor_are_those_of_the_record():
    assert script.settings({"records": ["docs/comparisons/main.json"]}) == [
        "seeds 0, 1, 2, 3, 4, AMD EPYC (Haswell)"
    ]
