"""Numbers of stored records by name, FILE#PATH, for pages that quote them.

    docs/results.json#command=tervit train/stages/stage=ternary/end    the mean over seeds
    docs/comparisons/main.json#contrast/progressive against direct/low

A step of a path is a key, an index, or KEY=VALUE, which selects elements of a list.
"""

import json
import math
from pathlib import Path
from typing import Any

from tervit_np.analysis.comparison import Contrast, read_record
from tervit_np.analysis.comparison.statistics import Summary, summarize

ROOT = Path(__file__).parents[1]


def stored_number(source: str) -> float:
    """Return what FILE#PATH leads to, the mean if that are several numbers.

    Raises
    ------
    KeyError
        If it leads nowhere.
    """
    file, _, path = source.partition("#")
    if path.startswith("contrast/"):
        _, name, field = path.split("/")
        number: float = getattr(contrast(ROOT / file, name), field)
        return number
    elements = stored(source)
    return math.fsum(map(float, elements)) / len(elements)


def stored(source: str) -> list[Any]:
    """Return what FILE#PATH leads to; KeyError if that is nothing."""
    file, _, path = source.partition("#")
    elements = [json.loads((ROOT / file).read_text(encoding="utf-8"))]
    for step in path.split("/") if path else ():
        elements = [inner for element in elements for inner in follow(element, step)]
    if not elements:
        raise KeyError(source)
    return elements


def follow(element: Any, step: str) -> list[Any]:
    """Return the elements that one step of a path leads to."""
    name, equals, value = step.partition("=")
    if isinstance(element, dict):
        if equals and step not in element:
            return [element] if str(element[name]) == value else []
        return [element[step]]
    if not equals and name.isdecimal():
        return [element[int(name)]]
    return [inner for inner in element if name in inner and str(inner[name]) == value]


def contrast(file: Path, name: str) -> Summary:
    """Return a contrast of a comparison, in points, or that of "ARM against BASELINE"."""
    record = read_record(file)
    base = record.plan.baseline
    arms = [Contrast(f"{a.name} against {base}", (a.name,), (base,)) for a in record.plan.arms]
    contrasts = {c.name: c for c in (*arms, *record.plan.questions)}
    return record.difference(contrasts[name])


def minus(training: str, other: str) -> Summary:
    """Return the difference of two stored trainings over seeds, in points; as `contrast` does."""
    left, right = map(by_seed, (training, other))
    if left.keys() != right.keys():
        raise ValueError(f"seeds {sorted(left)} and {sorted(right)}; pairs need the same seeds")
    return summarize([left[seed] - right[seed] for seed in sorted(left)])


def by_seed(source: str) -> dict[int, float]:
    """Return what FILE#command=COMMAND/... leads to, by the seed of the training."""
    seeds = stored(f"{source.split('/stages/')[0]}/seed")
    return dict(zip(seeds, stored(source), strict=True))


def paired(file: str, arm: str, other: str) -> Summary:
    """Return the difference of two arms over seeds, in points; as `contrast` does."""
    seeds = stored(f"{file}#seeds")[0].values()
    differences = [
        100 * (seed["arms"][arm]["accuracy"] - seed["arms"][other]["accuracy"]) for seed in seeds
    ]
    return summarize(differences)
