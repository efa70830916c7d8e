"""Trials: one arm, one multiplier, one seed; trained once, stored at once, stages shared.

A trial never sees the test split: `train.run` gets the validation split in its place, so every
number of a trial, and every choice made from it, comes from validation images.

The folder of a stage is named by a hash of everything that its bits depend on (model, data, recipe,
seed, backend, and all stages up to it). Trials that begin with the same stages therefore
share them, and continue to the same bits as if each had trained all of its stages.

A stage that diverges is stored, too, as diverged.json in its folder: at these rates, every
repetition would end there. All trials that share it have diverged.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_tools.counted import counted
from data_tools.imageset import random_split
from tervit_np import train
from tervit_np.analysis.comparison.plan import Arm, ComparisonPlan, scale_rates
from tervit_np.analysis.comparison.progress import Progress
from tervit_np.analysis.comparison.stored import (
    divergence,
    read_trial,
    store_divergence,
    store_trial,
)
from tervit_np.models import Classifier, create_model
from tervit_np.train.batches import epoch_steps
from tervit_np.train.divergence import Diverged
from tervit_np.train.folder import MUST_AGREE, RunFolder
from tervit_np.train.run_config import make_run_config
from tervit_np.train.stage_checks import check_stages


@dataclass(frozen=True)
class Trial:
    """An arm trained with one multiplier and one seed."""

    arm: Arm
    multiplier: float
    seed: int
    fixed_rates: tuple[str, ...] = ()  # stages, by name, that the multiplier leaves alone

    @property
    def stages(self) -> tuple[train.Stage, ...]:
        """The arm's stages at the trial's rates."""
        return scale_rates(self.arm, self.multiplier, self.fixed_rates)

    def __str__(self) -> str:
        return f"{self.arm.name}, rates x {self.multiplier:g}, seed {self.seed}"


class Trials:
    """Trains trials into `folder`, or reads the stored ones."""

    def __init__(
        self, plan: ComparisonPlan, folder: Path, *, threads: int, workers: int, quiet: bool
    ) -> None:
        self.plan, self.folder = plan, folder
        self.threads, self.workers = threads, workers
        self.data = data_without_test(plan)
        self.epoch_steps = epoch_steps(len(self.data.train), plan.recipe.batch_size)
        self._check_steps()
        self.progress = Progress(quiet)
        self._config = self._run_config(0, ())  # what all trials have in common, for `key`

    def check_arms(self) -> None:
        """Check that the model can train the stages of every arm; ValueError names the arm."""
        model = self._model(0)
        for arm in self.plan.arms:
            try:
                check_stages(model, arm.stages)
            except ValueError as error:
                raise ValueError(f"arm {arm.name!r}, {error}") from None

    def result(self, trial: Trial) -> dict[str, Any]:
        """Train a trial, unless it is stored.  -> its record, with validation accuracies.

        The record of a trial that diverged has, instead of these, the problem as "diverged".
        """
        # Names are not stored: an arm may be renamed, and two arms may be the same training.
        names = {"arm": trial.arm.name, "multiplier": trial.multiplier, "seed": trial.seed}
        path = self._result_file(trial)
        if not self.is_stored(trial):
            self.progress.start_trial(str(trial))
            try:
                run, results = self._train(trial.seed, trial.stages)
            except Diverged as error:
                return {**names, "diverged": error.problem}
            except ValueError as error:
                raise ValueError(f"{trial}: {error}") from None
            store_trial(path, run, results)
            run.checkpoints.remove()  # arms have equal length: none continues from here
        return {**read_trial(path), **names}

    def model_file(self, trial: Trial) -> Path:
        """Path of the trained model of a trial."""
        return self.stage_folder(trial.seed, trial.stages).stage_file(trial.arm.last)

    def describe_data(self) -> dict[str, int]:
        """Count the images of trials."""
        return {"train": len(self.data.train), "validation": len(self.data.test)}

    def announce(self, trials: Iterable[Trial]) -> None:
        """Set the progress to the steps that these trials still need, shared stages once."""
        lengths: dict[str, int] = {}
        stored: set[str] = set()
        for trial in trials:
            parts = self.parts_to_train(trial)
            keys = [self.key(trial.seed, part) for part in parts]
            lengths |= dict(zip(keys, self.steps(trial.arm), strict=False))
            if self.is_stored(trial):
                stored |= set(keys)
        self.progress.set_remaining(sum(n for key, n in lengths.items() if key not in stored))

    def _check_steps(self) -> None:
        """Refuse arms whose budgets differ once their epochs are rounded to steps."""
        first, *others = self.plan.arms
        for arm in others:
            steps, expected = sum(self.steps(arm)), sum(self.steps(first))
            if steps != expected:
                raise ValueError(
                    f"arm {arm.name!r} takes {counted(steps, 'step')}, {first.name!r} takes "
                    f"{expected}: an epoch has {counted(self.epoch_steps, 'step')}, and fractions "
                    "are rounded to steps; choose epochs that leave budgets equal"
                )

    def steps(self, arm: Arm) -> list[int]:
        """Count the steps of each stage."""
        return [stage.steps(self.epoch_steps) for stage in arm.stages]

    def _train(
        self, seed: int, stages: tuple[train.Stage, ...]
    ) -> tuple[RunFolder, list[train.StageResult]]:
        """Train the stages that are not stored.  -> folder and results of all stages."""
        if len(stages) > 1 and not self._begun(seed, stages):
            self._train(seed, stages[:-1])
        return self.train_last(seed, stages)

    def train_last(
        self, seed: int, stages: tuple[train.Stage, ...]
    ) -> tuple[RunFolder, list[train.StageResult]]:
        """Train the last stage; those before it are finished.  -> folder, results of all.

        Raises
        ------
        Diverged
            If it diverges, now or when it was trained before.
        """
        run = self.stage_folder(seed, stages)
        if problem := divergence(run):
            raise Diverged(problem)
        try:
            return run, self._train_into(run, seed, stages)
        except Diverged as error:
            store_divergence(run, error.problem)
            raise

    def _train_into(
        self, run: RunFolder, seed: int, stages: tuple[train.Stage, ...]
    ) -> list[train.StageResult]:
        """Train the last stage in its folder, from the folder of the stage before."""
        if not self._begun(seed, stages) and run.path.exists():
            shutil.rmtree(run.path)  # a finished trial whose results were deleted
        resume = self._begun(seed, stages)
        if not resume and len(stages) > 1:
            before = self.stage_folder(seed, stages[:-1])
            run.begin_after(before, self._run_config(seed, stages))
            resume = True
        return train.run(
            self._model(seed),
            stages,
            self.data,
            run.path,
            resume,
            recipe=self.plan.recipe,
            seed=seed,
            threads=self.threads,
            workers=self.workers,
            quiet=True,
            on_step=self.progress.step,
        )

    def _begun(self, seed: int, stages: tuple[train.Stage, ...]) -> bool:
        """Whether a training of these stages can continue."""
        run = self.stage_folder(seed, stages)
        return run.config_file.exists() and run.checkpoints.exist

    def parts_to_train(self, trial: Trial) -> list[tuple[train.Stage, ...]]:
        """List the beginnings of a trial's stages, up to one that has diverged."""
        parts = []
        for part in prefixes(trial.stages):
            if divergence(self.stage_folder(trial.seed, part)):
                break
            parts.append(part)
        return parts

    def is_stored(self, trial: Trial) -> bool:
        """Whether a trial is trained and its results are stored."""
        return self._result_file(trial).exists() and self.model_file(trial).exists()

    def _result_file(self, trial: Trial) -> Path:
        return self.folder / "trials" / f"{self.key(trial.seed, trial.stages)}.json"

    def stage_folder(self, seed: int, stages: tuple[train.Stage, ...]) -> RunFolder:
        """Return the folder of the last of these stages, trained or not."""
        return RunFolder(self.folder / "stages" / self.key(seed, stages))

    def key(self, seed: int, stages: tuple[train.Stage, ...]) -> str:
        """Return the hash that names the folder of the last of these stages."""
        own = {"seed": seed, "stages": [stage.describe() for stage in stages]}
        config = self._config | own
        text = json.dumps([config[key] for key in MUST_AGREE])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _run_config(self, seed: int, stages: tuple[train.Stage, ...]) -> dict[str, Any]:
        return make_run_config(
            self._model(seed), stages, self.plan.recipe, self.data, seed, self.threads, ""
        )

    def _model(self, seed: int) -> Classifier:
        """Build the initial model, the same for all arms of a seed."""
        images = self.data.train
        config = {"image_size": images.size, **self.plan.config}
        return create_model(self.plan.model, num_classes=len(images.classes), seed=seed, **config)


def data_without_test(plan: ComparisonPlan) -> train.Data:
    """Load training images and, in place of the test split, validation images."""
    images, val, _ = train.load_data(plan.data, plan.validation)
    assert val is not None  # a plan has at least one validation image
    if plan.images > len(images):
        raise ValueError(f"images is {plan.images}; {images.name} has {len(images)} to train on")
    if plan.images not in (0, len(images)):
        images = images.take(random_split(len(images), plan.images, 0)[1])
    return train.Data(images, None, val)


def prefixes(stages: tuple[train.Stage, ...]) -> list[tuple[train.Stage, ...]]:
    """List the beginnings of a list of stages, each of which has a folder."""
    return [stages[: i + 1] for i in range(len(stages))]
