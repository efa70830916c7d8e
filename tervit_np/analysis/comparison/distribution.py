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
from tervit_np.analysis.comparison.trials import Trial, Trials
from tervit_np.train.divergence import Diverged


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
        If a trial cannot be trained; tasks that have not begun are cancelled. One that diverges is
        stored as such (trials.py), and the stages after it are left out.
    """
    waiting = _tasks(trials, wanted)
    finished, running = {""}, dict[Future[bool], _Task]()
    try:
        while waiting or running:
            for task in [task for task in waiting.values() if task.before in finished]:
                running[_submit(trials, task, executor)] = waiting.pop(task.key)
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                try:
                    is_trained = future.result()
                except ValueError as error:
                    raise ValueError(f"{task.trial}: {error}") from None
                if is_trained:
                    finished.add(task.key)
                else:
                    _drop_after(waiting, task.key)
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
        parts = trials.parts_to_train(trial)
        for stages, steps in zip(parts, trials.steps(trial.arm), strict=False):
            key = trials.key(trial.seed, stages)
            tasks.setdefault(key, _Task(trial, stages, key, before, steps))
            before = key
    return tasks


def _drop_after(waiting: dict[str, _Task], key: str) -> None:
    """Remove the tasks that would begin where this one should have ended."""
    for task in [task for task in waiting.values() if task.before == key]:
        if waiting.pop(task.key, None) is not None:
            _drop_after(waiting, task.key)


def _submit(trials: Trials, task: _Task, executor: Executor) -> "Future[bool]":
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
) -> bool:
    """Train the last of these stages into the folder of a comparison; those before are there.

    Returns False if it diverges.
    """
    trials = Trials(plan, folder, threads=threads, workers=workers, quiet=True)
    try:
        trials.train_last(seed, stages)
    except Diverged:
        return False
    return True
