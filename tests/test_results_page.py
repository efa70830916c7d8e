"""The findings of docs/results.md are those of the stored comparison."""

from pathlib import Path

import pytest

from tervit_np.analysis.comparison import read_record

DOCS = Path(__file__).parents[1] / "docs"
TEXT = " ".join((DOCS / "results.md").read_text(encoding="utf-8").split())
FINDINGS = TEXT.split("## Findings")[1].split(" ## ")[0]


@pytest.fixture(scope="module")
def differences():
    record = read_record(DOCS / "comparisons" / "main.json")
    return {contrast.name: record.difference(contrast) for contrast in record.plan.questions}


def test_progressive_against_direct_is_quoted(differences):
    found = differences["progressive against direct"]
    assert f"{found.mean:.1f} ± {found.std:.1f} points" in FINDINGS


def test_the_planned_contrast_is_quoted_before_the_later_one(differences):
    planned = differences["channel-wise against layer-wise"]
    later = differences["the same, where float comes first"]
    low, high = planned.mean - planned.margin, planned.mean + planned.margin
    interval = f"95 % interval {low:.2f} to {high:.2f}"
    first = FINDINGS.index(f"{planned.mean:.2f} ± {planned.std:.2f} points, {interval}")
    assert first < FINDINGS.index(f"{abs(later.mean):.1f} ± {later.std:.1f} points")
