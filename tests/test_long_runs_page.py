"""docs/long_runs.md says what docs/ranks_zen2.json stores."""

import json
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_quotes_the_stored_rates():
    page = " ".join((DOCS / "long_runs.md").read_text(encoding="utf-8").split())
    rows = json.loads((DOCS / "ranks_zen2.json").read_text(encoding="utf-8"))["rows"]
    (_, one, _), (_, two, _) = (sorted(row["images/s"]) for row in rows)
    assert [row["ranks"] for row in rows] == [1, 2]
    assert f"{two:.0f} images a second against {one:.0f} of one rank, {two / one:.2f} times" in page
