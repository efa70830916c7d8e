"""The record of a finished comparison as one JSON file, the source of all tables and figures."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tervit_np.analysis.comparison.plan import ComparisonPlan, Contrast
from tervit_np.analysis.comparison.reading import plan_from_table
from tervit_np.analysis.comparison.statistics import Summary, summarize
from tervit_np.files import write_text
from tervit_np.json_files import Each, load_json

FORMAT = "tervit_np comparison 1"
_TESTED = {
    "arm": str,
    "seed": int,
    "accuracy": float,
    "test_accuracy": float,
    "stages": [{"start_accuracy": float}],
}
_SCHEMA = {
    "format": str,
    "plan": dict,
    "search": [{"multiplier": float}],
    "multipliers": Each(float),
    "tested": [_TESTED],
    "data": {"train": int, "validation": int, "test": int},
    "environment": Each(str),
}


@dataclass(frozen=True)
class Record:
    """A finished comparison."""

    plan: ComparisonPlan
    # Trials: arm, multiplier, seed, stages, validation accuracy and loss, and CPU seconds if known.
    search: list[dict[str, Any]]
    multipliers: dict[str, float]  # chosen, by arm
    tested: list[dict[str, Any]]  # trials as above, with test_accuracy and test_loss
    data: dict[str, int]  # images of each split
    environment: dict[str, str]

    def accuracies(self, arm: str, key: str = "test_accuracy") -> list[float]:
        """Return an arm's accuracies in percent, in the order of the plan's seeds."""
        return [100 * trial[key] for trial in self._trials(arm)]

    def untrained(self, arm: str) -> list[float]:
        """Return validation accuracies in percent at the start of the last stage, once quantized.

        Empty for an arm of one stage, which starts from initial weights.
        """
        stages = [trial["stages"] for trial in self._trials(arm)]
        return [100 * s[-1]["start_accuracy"] for s in stages if len(s) > 1]

    def check(self) -> None:
        """Raise ValueError if a trial, a multiplier or the test split is missing."""
        if self.data["test"] < 1:
            raise ValueError(f"data.test is {self.data['test']}; expected at least one image")
        for arm in self.plan.arms:
            if arm.name not in self.multipliers:
                raise ValueError(f"arm {arm.name!r} has no multiplier")
            seeds = {trial["seed"] for trial in self.tested if trial["arm"] == arm.name}
            for seed in self.plan.seeds:
                if seed not in seeds:
                    raise ValueError(f"arm {arm.name!r} has no trial with seed {seed}")

    def _trials(self, arm: str) -> list[dict[str, Any]]:
        by_seed = {trial["seed"]: trial for trial in self.tested if trial["arm"] == arm}
        return [by_seed[seed] for seed in self.plan.seeds]

    def differences(self, contrast: Contrast) -> list[float]:
        """Return a contrast in percentage points, seed by seed."""
        of, against = map(self._means, (contrast.of, contrast.against))
        return [a - b for a, b in zip(of, against, strict=True)]

    def _means(self, arms: tuple[str, ...]) -> list[float]:
        """Average the accuracies of some arms, seed by seed."""
        accuracies = [self.accuracies(arm) for arm in arms]
        return [sum(seed) / len(seed) for seed in zip(*accuracies, strict=True)]

    def difference(self, contrast: Contrast) -> Summary:
        """Summarize a contrast over seeds."""
        return summarize(self.differences(contrast))


def write_record(record: Record, path: Path) -> None:
    """Write a record atomically."""
    fields = {**vars(record), "plan": record.plan.describe()}
    write_text(path, json.dumps({"format": FORMAT, **fields}, indent=1) + "\n")


def read_record(path: str | Path) -> Record:
    """Read a record from its file, or from the folder of a comparison.

    Raises
    ------
    ValueError
        If there is no record, or it is damaged.
    """
    path = Path(path)
    path = path / "comparison.json" if path.is_dir() else path
    try:
        fields = load_json(path, _SCHEMA)
        if fields.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        record = Record(**{**fields, "plan": plan_from_table(fields["plan"])})
        record.check()
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; a finished comparison writes it") from None
    except (ValueError, TypeError) as error:  # TypeError: an unknown field
        raise ValueError(f"{path} is not a record of a comparison: {error}") from None
    return record
