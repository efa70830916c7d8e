"""Rewrite the measured part of docs/sensitivity.md, from docs/mixed_plans.json.

python benchmarks/mixed_plans.py       train and evaluate; stores docs/mixed_plans.json
python docs/make_sensitivity.py        rewrite the page
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from page_parts import rewrite, table  # noqa: E402

from tervit_np.analysis.comparison.statistics import summarize  # noqa: E402

STORE, PAGE = DOCS / "mixed_plans.json", DOCS / "sensitivity.md"
ARMS = {
    "all_ternary": "none",
    "paper": "patch embedding and head, as the paper's sizes count",
    "random": "drawn at random",
    "sensitive": "chosen by `tervit sensitivity`",
}
SCORES = ("random", "rise", "relief", "mean of both")


def measured(stored: dict[str, Any]) -> str:
    """Return the part of the page that quotes numbers."""
    seeds = [stored["seeds"][key] for key in sorted(stored["seeds"], key=int)]
    return "\n\n".join(
        [
            "Loss and accuracy, untrained:",
            _untrained(seeds).rstrip(),
            "A quarter of the way, and two smaller plans, before and after training:",
            _trained(seeds).rstrip(),
            "Differences of the trained accuracies, of the same seed:",
            _differences(seeds),
            f"Seeds {', '.join(sorted(stored['seeds'], key=int))}; ± is the standard deviation "
            "over them. An accuracy is of 2,000 test pictures,\nwhich alone give it a standard "
            "error of 0.5 points. `docs/mixed_plans.json` has the numbers.",
            "",
        ]
    )


def _untrained(seeds: list[dict[str, Any]]) -> str:
    """Return the table of plans that are not trained: mean loss and accuracy."""
    shares = sorted({plan["share"] for plan in seeds[0]["untrained"]})
    head = ["layers chosen by", *(f"{100 * share:.0f} % of the way" for share in shares)]
    rows = []
    for score in SCORES:
        cells = []
        for share in shares:
            plans = [
                [p for p in seed["untrained"] if (p["share"], p["score"]) == (share, score)]
                for seed in seeds
            ]
            loss, accuracy = (
                fmean(fmean(p[key] for p in of_seed) for of_seed in plans)
                for key in ("loss", "accuracy")
            )
            cells.append(f"{loss:.2f}, {100 * accuracy:.1f} %")
        rows.append([score, *cells])
    return table([head, *rows])


def _trained(seeds: list[dict[str, Any]]) -> str:
    """Return the table of the plans that are trained."""
    rows = [["layers in 8 bits", "kB", "untrained, %", "trained, %"]]
    rows += [["(float, where all began)", "", "", _mean(seed["float"] for seed in seeds)]]
    for arm, words in ARMS.items():
        results = [seed["arms"][arm] for seed in seeds]
        rows.append(
            [
                words,
                f"{fmean(result['bytes'] for result in results) / 1e3:.1f}",
                _mean(results, "start_accuracy"),
                _mean(results),
            ]
        )
    return table(rows)


def _mean(results: Iterable[dict[str, Any]], key: str = "accuracy") -> str:
    total = summarize([100 * result[key] for result in results])
    return f"{total.mean:.1f} ± {total.std:.1f}"


def _differences(seeds: list[dict[str, Any]]) -> str:
    """Return a sentence for each difference of trained accuracies, paired by seed."""
    lines = []
    for other, words in (
        ("random", "random layers with the same bytes"),
        ("paper", "the paper's choice"),
        ("all_ternary", "three values everywhere"),
    ):
        points = [
            100 * (seed["arms"]["sensitive"]["accuracy"] - seed["arms"][other]["accuracy"])
            for seed in seeds
        ]
        total = summarize(points)
        low, high = total.mean - total.margin, total.mean + total.margin
        lines.append(
            f"* chosen layers against {words}: {total.mean:+.2f} points, 95 % interval {low:+.2f} "
            f"to {high:+.2f}{'' if low > 0 or high < 0 else ', which contains 0'}"
        )
    return "\n".join(lines)


def remade(page: str) -> str:
    """Return the page with its measured part made anew."""
    return rewrite(page, "measured", measured(json.loads(STORE.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    PAGE.write_text(remade(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
