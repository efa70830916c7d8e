"""Trials: one arm, one multiplier, one seed; trained once, stored at once, stages shared.

A trial never sees the test split: `train.run` is given the validation split in its place, so every
number that a trial can report, and every choice made from them, is of validation pictures.

Each stage is kept in a run folder that is named after everything its bits depend on (model, data,
recipe, seed, threads, backend, and all stages up to it). Two trials that begin with the same stages
therefore find them trained, and go on from them to the same bits as if each had trained its own.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_tools.imageset import random_split
from tervit_np import train
from tervit_np.analysis.comparison.plan import Arm, Comparison, scaled
from tervit_np.analysis.comparison.progress import Progress
from tervit_np.files import write_text
from tervit_np.models import Classifier, create_model
from tervit_np.train.folder import MUST_AGREE, RunFolder
from tervit_np.train.run_config import make_run_config


@dataclass(frozen=True)
class Trial:
    """What is trained once."""

    arm: Arm
    multiplier: float
    seed: int

    @property
    def stages(self) -> tuple[train.Stage, ...]:
        """The arm's stages at the trial's rates."""
        return scaled(self.arm, self.multiplier)

    def __str__(self) -> str:
        return f"{self.arm.name}, rates x {self.multiplier:g}, seed {self.seed}"


class Trials:
    """Trains trials into `folder`, or reads what is stored there."""

    def __init__(
        self, plan: Comparison, folder: Path, *, threads: int, workers: int, quiet: bool
    ) -> None:
        self.plan, self.folder = plan, folder
        self.threads, self.workers = threads, workers
        self.data = data_without_test(plan)
        self.epoch_steps = len(self.data.train) // plan.recipe.batch_size
        self._check_steps()
        self.progress = Progress(quiet)

    def result(self, trial: Trial) -> dict[str, Any]:
        """Train a trial, unless it is stored.  -> its record, accuracies of validation pictures."""
        path = self.folder / "trials" / f"{self._key(trial.seed, trial.stages)}.json"
        if not (path.exists() and self.model_file(trial).exists()):
            self.progress.begin(str(trial))
            try:
                run, results = self._train(trial.seed, trial.stages)
            except ValueError as error:
                raise ValueError(f"{trial}: {error}") from None
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(_measured(results), indent=1))
            run.checkpoint.unlink()  # no arm goes on from here: all have the same length
        # Named here: an arm may have been renamed since, and two arms may be the same training.
        name = {"arm": trial.arm.name, "multiplier": trial.multiplier, "seed": trial.seed}
        return {**json.loads(path.read_text()), **name}

    def model_file(self, trial: Trial) -> Path:
        """Where the trained model of a trial lies."""
        return self._run(trial.seed, trial.stages).stage_file(trial.arm.last)

    def describe_data(self) -> dict[str, int]:
        """Count the pictures that trials see."""
        return {"train": len(self.data.train), "validation": len(self.data.test)}

    def expect(self, trials: Iterable[Trial]) -> None:
        """Tell the progress what these trials take, counting shared stages once."""
        lengths: dict[str, int] = {}
        stored: set[str] = set()
        for trial in trials:
            keys = [self._key(trial.seed, part) for part in _beginnings(trial.stages)]
            lengths |= dict(zip(keys, self._steps(trial.arm), strict=True))
            if (self.folder / "trials" / f"{keys[-1]}.json").exists():
                stored |= set(keys)
        self.progress.expect(sum(n for key, n in lengths.items() if key not in stored))

    def _check_steps(self) -> None:
        """Refuse stages that are no whole numbers of steps where rounding makes budgets differ."""
        first, *others = self.plan.arms
        for arm in others:
            mine, its = sum(self._steps(arm)), sum(self._steps(first))
            if mine != its:
                raise ValueError(
                    f"arm {arm.name!r} takes {mine} steps, {first.name!r} takes {its}: an epoch "
                    f"has {self.epoch_steps} steps, and parts of epochs are rounded to steps; "
                    "choose epochs that leave budgets equal"
                )

    def _steps(self, arm: Arm) -> list[int]:
        """Count the steps of each stage, as `train.run` does."""
        return [max(round(stage.epochs * self.epoch_steps), 1) for stage in arm.stages]

    def _train(
        self, seed: int, stages: tuple[train.Stage, ...]
    ) -> tuple[RunFolder, list[train.StageResult]]:
        """Train the last of these stages after the others, each where it was not trained before."""
        run = self._run(seed, stages)
        begun = (run.path / "run.json").exists()
        if not begun and len(stages) > 1:
            run.begin_after(self._train(seed, stages[:-1])[0], self._request(seed, stages))
            begun = True
        results = train.run(
            self._model(seed),
            stages,
            self.data,
            run.path,
            begun,
            recipe=self.plan.recipe,
            seed=seed,
            threads=self.threads,
            workers=self.workers,
            quiet=True,
            on_step=self.progress.step,
        )
        return run, results

    def _run(self, seed: int, stages: tuple[train.Stage, ...]) -> RunFolder:
        return RunFolder(self.folder / "stages" / self._key(seed, stages))

    def _key(self, seed: int, stages: tuple[train.Stage, ...]) -> str:
        request = self._request(seed, stages)
        text = json.dumps([request[key] for key in MUST_AGREE])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _request(self, seed: int, stages: tuple[train.Stage, ...]) -> dict[str, Any]:
        return make_run_config(
            self._model(seed), stages, self.plan.recipe, self.data, seed, self.threads, ""
        )

    def _model(self, seed: int) -> Classifier:
        """Make a fresh model: the same for all arms of a seed."""
        images = self.data.train
        config = {"image_size": images.size, **self.plan.config}
        return create_model(self.plan.model, num_classes=len(images.classes), seed=seed, **config)


def data_without_test(plan: Comparison) -> train.Data:
    """Load the training pictures and, in the place of the test split, the validation pictures."""
    images, val, _ = train.load_data(plan.data, plan.validation)
    assert val is not None  # a plan holds at least one picture out
    if plan.images > len(images):
        raise ValueError(f"images is {plan.images}; {images.name} has {len(images)} to train on")
    if plan.images not in (0, len(images)):
        images = images.take(random_split(len(images), plan.images, 0)[1])
    return train.Data(images, None, val)


def _beginnings(stages: tuple[train.Stage, ...]) -> list[tuple[train.Stage, ...]]:
    return [stages[: i + 1] for i in range(len(stages))]


def _measured(results: list[train.StageResult]) -> dict[str, Any]:
    """Return what a trial stores as JSON."""
    return {
        "stages": [result._asdict() for result in results],
        "accuracy": results[-1].accuracy,
        "loss": results[-1].loss,
    }
