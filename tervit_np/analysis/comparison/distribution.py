"""Train the trials of a comparison on an executor: several at a time, to the same bits as in turn.

A task is one stage of one trial, and is submitted when the stage before it is finished. Trials that
begin with the same stages share these tasks. Tasks communicate through the folder of the comparison
alone, so an executor may run them in processes or on other machines that see the same folder.
"""

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path
from typing import NamedTuple

from tervit_np import train
from tervit_np.analysis.comparison.plan import ComparisonPlan
from tervit_np.analysis.comparison.trials import Trial, Trials, prefixes


class _Task(NamedTuple):
    """The last of these stages, of a trial with this seed."""

    trial: Trial
    stages: tuple[train.Stage, ...]
    key: str
    before: str  # key of the stage before; "" if there is none
    steps: int


def train_stages(trials: Trials, wanted: Sequence[Trial], executor: Executor) -> None:
    """Train all stages of trials that are not stored.

    Raises
    ------
    ValueError
        If a trial cannot be trained; tasks that have not begun are cancelled.
    """
    waiting = _tasks(trials, wanted)
    finished, running = {""}, dict[Future[None], _Task]()
    try:
        while waiting or running:
            for task in [task for task in waiting.values() if task.before in finished]:
                running[_submit(trials, task, executor)] = waiting.pop(task.key)
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                try:
                    future.result()
                except ValueError as error:
                    raise ValueError(f"{task.trial}: {error}") from None
                finished.add(task.key)
                trials.progress.finish(str(task.trial), task.steps)
    finally:
        for future in running:
            future.cancel()


def _tasks(trials: Trials, wanted: Sequence[Trial]) -> dict[str, _Task]:
    """List the stages of trials by key, shared ones once."""
    tasks: dict[str, _Task] = {}
    for trial in wanted:
        if trials.is_stored(trial):
            continue
        before = ""
        for stages, steps in zip(prefixes(trial.stages), trials.steps(trial.arm), strict=True):
            key = trials.key(trial.seed, stages)
            tasks.setdefault(key, _Task(trial, stages, key, before, steps))
            before = key
    return tasks


def _submit(trials: Trials, task: _Task, executor: Executor) -> "Future[None]":
    return executor.submit(
        train_stage,
        trials.plan,
        trials.folder,
        trials.threads,
        trials.workers,
        task.trial.seed,
        task.stages,
    )


def train_stage(
    plan: ComparisonPlan,
    folder: Path,
    threads: int,
    workers: int,
    seed: int,
    stages: tuple[train.Stage, ...],
) -> None:
    """Train the last of these stages into the folder of a comparison; those before are there."""
    Trials(plan, folder, threads=threads, workers=workers, quiet=True).train_last(seed, stages)
