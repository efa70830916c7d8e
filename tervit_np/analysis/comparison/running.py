"""From a plan to a record, in four steps that cannot change places.

    1  search     every arm, every multiplier, every search seed
    2  choose     an arm's multiplier: the best mean accuracy on validation pictures
    3  train      every arm at its multiplier, every seed
    4  test       every model of step 3, once

Only step 4 looks at the test split, and nothing is chosen after it. What it measures is stored at
once and never measured again.
"""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import data_tools
from data_tools import LabelledSet
from tervit_np.analysis.comparison.plan import Comparison
from tervit_np.analysis.comparison.record import Record, write_record
from tervit_np.analysis.comparison.trials import Trial, Trials
from tervit_np.checkpoints import load_model
from tervit_np.environment import environment
from tervit_np.files import write_text
from tervit_np.train import Interrupted, evaluate


def compare(
    plan: Comparison,
    folder: str | Path,
    *,
    threads: int = 1,
    workers: int = 2,
    quiet: bool = False,
) -> Record:
    """Run a comparison, or what of it is not yet in the folder; write its record there.

    Raises
    ------
    ValueError
        If the plan does not fit its data or its model.
    Interrupted
        After Ctrl-C; what is trained is kept, the trial that ran to its last step.
    """
    trials = Trials(plan, Path(folder), threads=threads, workers=workers, quiet=quiet)
    guess = dict.fromkeys((arm.name for arm in plan.arms), plan.multipliers[0])
    trials.expect(searched(plan) + final(plan, guess))
    try:
        search = [trials.result(trial) for trial in searched(plan)]
        multipliers = choose(plan, search)
        trials.expect(final(plan, multipliers))
        trained = [trials.result(trial) for trial in final(plan, multipliers)]
    except Interrupted:
        raise Interrupted(
            f"stopped in the trial {trials.progress.trial}; all that is trained is kept in "
            f"{folder}; give the same command again to continue"
        ) from None
    test = data_tools.load(plan.data, "test")  # from here on nothing is trained or chosen
    tested = [
        {**record, **_tested(trials, trial, test)}
        for record, trial in zip(trained, final(plan, multipliers), strict=True)
    ]
    data = {**trials.describe_data(), "test": len(test)}
    record = Record(plan, search, multipliers, tested, data, environment())
    write_record(record, Path(folder) / "comparison.json")
    return record


def searched(plan: Comparison) -> list[Trial]:
    """List the trials of the search: the same number for every arm."""
    return [Trial(a, m, s) for s in plan.search_seeds for m in plan.multipliers for a in plan.arms]


def final(plan: Comparison, multipliers: dict[str, float]) -> list[Trial]:
    """List the trials that are compared."""
    return [Trial(arm, multipliers[arm.name], seed) for seed in plan.seeds for arm in plan.arms]


def choose(plan: Comparison, search: list[dict[str, Any]]) -> dict[str, float]:
    """Choose each arm's multiplier by mean validation accuracy, among equals by mean loss."""

    def quality(arm: str, multiplier: float) -> tuple[float, float]:
        same = [t for t in search if (t["arm"], t["multiplier"]) == (arm, multiplier)]
        return fmean(t["accuracy"] for t in same), -fmean(t["loss"] for t in same)

    return {
        arm.name: max(plan.multipliers, key=lambda m: quality(arm.name, m)) for arm in plan.arms
    }


def _tested(trials: Trials, trial: Trial, test: LabelledSet) -> dict[str, float]:
    """Measure a trained model on the test split, unless it has been measured."""
    file = trials.model_file(trial)
    stored = trials.folder / "tested" / f"{file.parent.name}.json"
    if not stored.exists():
        measured = evaluate(load_model(file)[0], test, threads=trials.threads)
        stored.parent.mkdir(exist_ok=True)
        numbers = {"test_accuracy": measured.accuracy, "test_loss": measured.loss}
        write_text(stored, json.dumps(numbers))
    return dict(json.loads(stored.read_text()))
