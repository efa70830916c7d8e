"""What the tables of a comparison do not show: how far a reader may trust their differences.

Of intervals of 95 % around differences that are all 0, one in twenty leaves 0 out. The count of
those that do is therefore printed beside the count that chance alone would give.
"""

import math

from tervit_np.analysis.comparison.plan import Contrast
from tervit_np.analysis.comparison.record import Record
from tervit_np.analysis.comparison.statistics import Summary, t_quantile

FEW = 5  # seeds below which a standard deviation is often far too small


def notes(record: Record) -> list[str]:
    """Say what the intervals cover, and how many leave 0 out."""
    return [_seeds(record), *_intervals(record), _pictures(record)]


def shown_differences(record: Record) -> list[Summary]:
    """Summarize every difference of both tables; one that both have, in either sense, once.

    The mean of some arms is the same in any order of their names.
    """
    plan = record.plan
    against = [Contrast("", (a.name,), (plan.baseline,)) for a in plan.arms]
    distinct = {
        frozenset((tuple(sorted(c.of)), tuple(sorted(c.against)))): c
        for c in (*against, *plan.questions)
    }
    return [record.difference(contrast) for sides, contrast in distinct.items() if len(sides) == 2]


def _seeds(record: Record) -> str:
    """Say what so many seeds can tell."""
    n = len(record.plan.seeds)
    if n == 1:
        return "One seed: no interval. Another seed may reverse every difference; train more seeds."
    widths = t_quantile(n - 1) / math.sqrt(n)
    text = f"{n} seeds: 95 % is Student's interval of the mean, ± {widths:.1f} standard deviations."
    if n < FEW:
        text += (
            f" A standard deviation of {n} numbers is itself uncertain: an interval that is narrow "
            "by luck looks like a finding."
        )
    return text


def _intervals(record: Record) -> list[str]:
    """Count the intervals that leave 0 out, and say what the others mean."""
    differences = shown_differences(record)
    if math.isnan(differences[0].margin):
        return []
    outside = sum(d.low > 0 or d.high < 0 for d in differences)
    return [
        f"Intervals that leave 0 out: {outside} of {len(differences)}. If no difference were real, "
        f"{0.05 * len(differences):.2g} would on average. Repeat a lead with fresh seeds before "
        "you claim it.",
        "An interval that contains 0 does not show that there is no difference: every value in it "
        "fits the runs.",
    ]


def _pictures(record: Record) -> str:
    """Say what no seed changes: pictures and rates."""
    error = max(
        100 * math.sqrt(p * (1 - p) / record.data["test"])
        for p in (trial["test_accuracy"] for trial in record.tested)
    )
    text = (
        f"All models see the same {record.data['train']:,} training and {record.data['test']:,} "
        "test pictures at the rates that were chosen; the intervals do not cover others."
    )
    if error == 0:  # where all or none are right it says nothing
        return text
    return (
        f"{text} The test pictures alone give an accuracy a standard error of up to {error:.1f} "
        "points."
    )
