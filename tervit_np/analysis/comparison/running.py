"""Run a comparison from plan to record, in four steps.

    1  search     train every arm with every multiplier and every search seed
    2  choose     for each arm the multiplier with the best mean accuracy on validation images, of
                  those at which no trial diverged; if that is at an end of the grid, the grid may
                  grow there, and step 1 is repeated
    3  train      every arm at its multiplier with every seed
    4  test       every model of step 3, once

Only step 4 reads the test split, and no choice follows it. Its results are stored at once and not
measured again.
"""

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from statistics import fmean
from typing import Any

import data_tools
from data_tools import LabelledSet
from data_tools.terminal import note
from tervit_np.analysis.comparison.distribution import train_stages
from tervit_np.analysis.comparison.plan import ComparisonPlan
from tervit_np.analysis.comparison.record import Record, write_record
from tervit_np.analysis.comparison.stored import read_stored
from tervit_np.analysis.comparison.trials import Trial, Trials
from tervit_np.checkpoints import load_model
from tervit_np.environment import environment
from tervit_np.files import make_folder, write_text
from tervit_np.train import Interrupted, evaluate
from tervit_np.train.folder import RunFolder

_TEST_RESULT = {"test_accuracy": float, "test_loss": float}


def compare(
    plan: ComparisonPlan,
    folder: str | Path,
    *,
    threads: int = 1,
    workers: int = 2,
    quiet: bool = False,
    executor: Executor | None = None,
) -> Record:
    """Run the parts of a comparison that are not stored in the folder; write its record there.

    With an `executor` of `concurrent.futures` it trains several stages at a time, to the same bits;
    each with so many `threads`. Its tasks must see the folder and the data.

    Raises
    ------
    ValueError
        If the plan does not fit its data or its model, another process uses the folder, or an arm
        diverges with every multiplier or, at the one chosen, with a seed that is compared.
    Interrupted
        After Ctrl-C; all training so far is stored, the running trial to its last step.
    """
    trials = Trials(plan, Path(folder), threads=threads, workers=workers, quiet=quiet)
    trials.check_arms()
    with RunFolder(folder).lock():
        try:
            return _compare(plan, trials, executor)
        finally:
            trials.progress.end()


def _compare(plan: ComparisonPlan, trials: Trials, executor: Executor | None) -> Record:
    """Run the four steps in a folder that is locked."""
    try:
        search, multipliers = search_rates(plan, trials, executor)
        _note_divergence(search)
        trials.announce(final_trials(plan, multipliers))
        if executor is not None:
            train_stages(trials, final_trials(plan, multipliers), executor)
        records = [trained(trials, trial) for trial in final_trials(plan, multipliers)]
        test = data_tools.load(plan.data, "test")  # no training and no choice after this line
        tested = [
            {**record, **_test_result(trials, trial, test)}
            for record, trial in zip(records, final_trials(plan, multipliers), strict=True)
        ]
    except KeyboardInterrupt:  # Interrupted is one
        raise Interrupted(
            f"stopped in the trial {trials.progress.trial}; {trials.folder} stores all training so "
            "far; repeat the command to continue"
        ) from None
    data = {**trials.describe_data(), "test": len(test)}
    record = Record(plan, search, multipliers, tested, data, environment())
    write_record(record, trials.folder / "comparison.json")
    return record


def search_rates(
    plan: ComparisonPlan, trials: Trials, executor: Executor | None = None
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Search the grid, and wider ones if the plan allows it.  -> all trials, the choice."""
    grid = plan.multipliers
    for remaining in range(plan.widen, -1, -1):
        assumed = dict.fromkeys((arm.name for arm in plan.arms), plan.multipliers[0])
        trials.announce(search_trials(plan, grid) + final_trials(plan, assumed))
        if executor is not None:
            train_stages(trials, search_trials(plan, grid), executor)
        search = [trials.result(trial) for trial in search_trials(plan, grid)]
        multipliers = choose_multipliers(plan, search)
        if not remaining or (wider := widened(grid, multipliers.values())) == tuple(grid):
            break
        grid = wider
    return search, multipliers


def widened(grid: Sequence[float], chosen: Iterable[float]) -> tuple[float, ...]:
    """Add a multiplier beyond each end of the grid that some arm chose, as far as the last step."""
    ordered, chosen = sorted(grid), set(chosen)
    low, high = ordered[0], ordered[-1]
    below = (low * low / ordered[1],) if low in chosen else ()
    above = (high * high / ordered[-2],) if high in chosen else ()
    return (*grid, *below, *above)


def search_trials(plan: ComparisonPlan, grid: Sequence[float] | None = None) -> list[Trial]:
    """List the trials of the search, as many for every arm; `grid` is the plan's by default."""
    multipliers = plan.multipliers if grid is None else grid
    return [
        Trial(arm, multiplier, seed, plan.fixed_rates)
        for seed in plan.search_seeds
        for multiplier in multipliers
        for arm in plan.arms
    ]


def final_trials(plan: ComparisonPlan, multipliers: dict[str, float]) -> list[Trial]:
    """List the trials whose models are compared."""
    return [
        Trial(arm, multipliers[arm.name], seed, plan.fixed_rates)
        for seed in plan.seeds
        for arm in plan.arms
    ]


def choose_multipliers(plan: ComparisonPlan, search: list[dict[str, Any]]) -> dict[str, float]:
    """Choose each arm's multiplier by mean validation accuracy; the mean loss breaks ties.

    A multiplier at which a trial of the arm diverged is not chosen; ValueError if that is all of
    them.
    """

    def seeds(arm: str, multiplier: float) -> list[dict[str, Any]]:
        return [t for t in search if (t["arm"], t["multiplier"]) == (arm, multiplier)]

    def quality(arm: str, multiplier: float) -> tuple[float, float]:
        trials = seeds(arm, multiplier)
        return fmean(t["accuracy"] for t in trials), -fmean(t["loss"] for t in trials)

    tried = dict.fromkeys(trial["multiplier"] for trial in search)  # in their order
    chosen = {}
    for arm in plan.arms:
        usable = [m for m in tried if not any("diverged" in t for t in seeds(arm.name, m))]
        if not usable:
            first = next(t for t in search if t["arm"] == arm.name and "diverged" in t)
            raise ValueError(
                f"arm {arm.name!r} diverged with every multiplier of the learning rates; give its "
                f"stages lower rates in the plan, or add lower multipliers ({_in_words(first)})"
            )
        chosen[arm.name] = max(usable, key=lambda m: quality(arm.name, m))
    return chosen


def _in_words(record: dict[str, Any]) -> str:
    """Say which trial diverged, and where."""
    name, multiplier, seed, problem = (
        record[key] for key in ("arm", "multiplier", "seed", "diverged")
    )
    return f"{name}, rates x {multiplier:g}, seed {seed}: {problem}"


def _note_divergence(search: list[dict[str, Any]]) -> None:
    """Say which trials of the search diverged."""
    for record in search:
        if "diverged" in record:
            note(f"{_in_words(record)}; this multiplier is not chosen for the arm")


def trained(trials: Trials, trial: Trial) -> dict[str, Any]:
    """Train a trial of the comparison; ValueError if it diverges, as a seed cannot be left out."""
    record = trials.result(trial)
    if "diverged" in record:
        raise ValueError(
            f"{_in_words(record)}; all seeds are compared, so give this arm lower rates or the "
            "plan lower multipliers; what is trained at other rates stays stored"
        )
    return record


def _test_result(trials: Trials, trial: Trial, test: LabelledSet) -> dict[str, float]:
    """Evaluate a trained model on the test split, unless the result is stored.

    A result on another number of pictures is not used: all models of a record have the same test.
    """
    file = trials.model_file(trial)
    stored = trials.folder / "tested" / f"{file.parent.name}.json"
    result: dict[str, Any] = {"images": None}
    if stored.exists():
        result = read_stored(stored, _TEST_RESULT)
    if result.pop("images", len(test)) != len(test):  # earlier versions did not store it
        evaluation = evaluate(load_model(file)[0], test, threads=trials.threads)
        make_folder(stored.parent)
        result = {"test_accuracy": evaluation.accuracy, "test_loss": evaluation.loss}
        write_text(stored, json.dumps(result | {"images": len(test)}))
    return result
