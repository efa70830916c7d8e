"""Progressive training: one loop for every list of stages.

    for each stage:  put its quantizers in, measure, train its epochs, measure, save the model

Measuring before training shows the drop that quantization alone causes. The test set is looked at
there only, at the start and the end of a stage; whatever is chosen is chosen on the validation
split.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from data_tools import ImageSet, StreamedSet
from tervit_np.arrays import Array
from tervit_np.blas import one_thread
from tervit_np.checkpoints import load_model, save_checkpoint
from tervit_np.models import Classifier, quantize
from tervit_np.train.batches import Batches
from tervit_np.train.evaluate import evaluate
from tervit_np.train.folder import RunFolder
from tervit_np.train.interrupt import Interrupted, StopRequest
from tervit_np.train.memory import keep_freed_memory
from tervit_np.train.progress import Progress
from tervit_np.train.run_config import make_run_config
from tervit_np.train.stages import Recipe, Stage
from tervit_np.train.trainer import StageTrainer, model_arrays

Saved: TypeAlias = tuple[dict[str, Array], dict[str, Any]]  # arrays, position
LOG_EVERY = 20  # steps


class Data(NamedTuple):
    """The three splits of a data set; `val` may be None where nothing is chosen."""

    train: ImageSet | StreamedSet
    val: ImageSet | StreamedSet | None
    test: ImageSet | StreamedSet


class StageResult(NamedTuple):
    """Test accuracy (a fraction) and loss around one stage."""

    stage: str
    start_accuracy: float  # quantizers in, not yet trained
    start_loss: float
    accuracy: float
    loss: float


def run(
    model: Classifier,
    stages: Sequence[Stage],
    data: Data,
    out_dir: str | Path,
    resume: bool = False,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    threads: int = 1,
    workers: int = 2,
    quiet: bool = False,
    command: str = "",
    on_step: Callable[[int], None] | None = None,
) -> list[StageResult]:
    """Train through all stages and leave a run folder behind; the model is trained in place.

    `workers` processes decode pictures that are not in memory; they change no bit of the result.
    `on_step` is called with the number of finished steps after each one.

    Raises
    ------
    ValueError
        If settings contradict each other, the folder holds another run, or a resumed run differs.
    Interrupted
        After Ctrl-C, when everything is saved.
    """
    recipe = recipe or Recipe()
    folder = RunFolder(out_dir)
    request = make_run_config(model, stages, recipe, data, seed, threads, command)
    saved = None
    if resume:
        folder.check_same_config(request)
        saved = folder.load()
    else:
        folder.begin(request)
    keep_freed_memory()
    this = _Run(model, list(stages), data, folder, recipe, seed, threads, quiet, workers)
    try:
        with one_thread(), StopRequest() as stop:
            return this.all(saved, lambda done: on_step is not None and on_step(done), stop)
    finally:
        this.batches.close()


@dataclass
class _Run:
    """The state of one call of `run`."""

    model: Classifier
    stages: list[Stage]
    data: Data
    folder: RunFolder
    recipe: Recipe
    seed: int
    threads: int
    quiet: bool
    workers: int
    results: list[StageResult] = field(default_factory=list)
    start: tuple[float, float] = (0.0, 0.0)  # test accuracy and loss at the stage's start
    seconds: float = 0.0  # spent in the stage

    def __post_init__(self) -> None:
        self.epoch_steps = len(self.data.train) // self.recipe.batch_size  # the rest is left out
        self.lengths = [max(round(s.epochs * self.epoch_steps), 1) for s in self.stages]
        self.progress = Progress(sum(self.lengths), self.quiet)
        self.batches = Batches(self.data.train, self.recipe, self.seed, self.workers)

    def all(
        self, saved: Saved | None, on_step: Callable[[int], Any], stop: StopRequest
    ) -> list[StageResult]:
        """Run the stages that are left."""
        first = step = 0
        if saved is not None:
            first, step = saved[1]["stage"], saved[1]["step"]
            self.results = [StageResult(*result) for result in saved[1]["results"]]
        before: StageTrainer | None = None
        for index in range(first, len(self.stages)):
            trainer = self._enter(index, before, saved if index == first else None)
            for done in range(step, self.lengths[index]):
                self._step(index, done, trainer)
                on_step(sum(self.lengths[:index]) + done + 1)
                if stop.requested:
                    self._save(index, done + 1, trainer)
                    raise Interrupted(
                        f"stopped in stage {self.stages[index].name} after step {done + 1} of "
                        f"{self.lengths[index]}; everything is saved; continue with:\n"
                        f"  tervit train --resume {self.folder.path}"
                    )
            self._leave(index, trainer)
            before, step = trainer, 0
        return self.results

    def _enter(self, index: int, before: StageTrainer | None, saved: Saved | None) -> StageTrainer:
        """Put the stage's quantizers in; restore what was saved, or measure the drop."""
        stage = self.stages[index]
        quantize(self.model, stage.quantizers)
        teacher = None
        if stage.teacher is not None:
            teacher = load_model(self.folder.stage_file(stage.teacher))[0]
        if saved is not None:
            self.model.load_state_dict(model_arrays(saved[0]))
        total = self.lengths[index]
        trainer = StageTrainer(self.model, stage, self.recipe, total, self.threads, teacher)
        if saved is not None and saved[1]["step"] > 0:
            trainer.load(*saved)
            self.start, self.seconds = tuple(saved[1]["start"]), saved[1]["seconds"]
            return trainer
        if stage.optimizer == "keep" and index > 0:
            last = before.state() if before is not None else saved
            assert last is not None  # a stage before this one ran now, or was saved
            trainer.load_optimizer(*last)
        with trainer.with_averaged_weights():
            start = evaluate(self.model, self.data.test, threads=self.threads)
        self.start, self.seconds = (start.accuracy, start.loss), 0.0
        self.progress.print(
            f"{stage.name}: {stage.epochs:g} epochs; test accuracy before training "
            f"{100 * start.accuracy:.1f} %{start.kernel_note}"
        )
        return trainer

    def _step(self, index: int, done: int, trainer: StageTrainer) -> None:
        """Take one step, log it, and at the end of an epoch validate and save."""
        began = time.monotonic()
        stage = self.stages[index]
        images, targets, rng = self.batches.draw(index, done)
        loss, norm = trainer.step(done, images, targets, rng)
        done += 1
        epoch, epochs = (ceil(n / self.epoch_steps) for n in (done, self.lengths[index]))
        self.progress.step(
            f"{stage.name} {epoch}/{epochs}", sum(self.lengths[:index]) + done, len(images), loss
        )
        position = {"stage": stage.name, "step": sum(self.lengths[:index]) + done}
        last = done == self.lengths[index]
        if done % LOG_EVERY == 0 or last:
            self.folder.log(
                kind="step",
                **position,
                stage_step=done,
                epoch=done / self.epoch_steps,
                loss=loss,
                lr=trainer.optimizer.lr,
                grad_norm=norm,
                rate=round(self.progress.rate, 1),
            )
        at_epoch = done % self.epoch_steps == 0
        if (at_epoch or last) and self.data.val is not None:
            with trainer.with_averaged_weights():
                val = evaluate(self.model, self.data.val, threads=self.threads)
            self.folder.log(
                kind="eval", **position, split="val", loss=val.loss, accuracy=val.accuracy
            )
        self.seconds += time.monotonic() - began
        if at_epoch and not last:
            self._save(index, done, trainer)

    def _leave(self, index: int, trainer: StageTrainer) -> None:
        """Measure and save the stage's model, and make its end the place to resume from."""
        stage = self.stages[index]
        trainer.finish()
        end = evaluate(self.model, self.data.test, threads=self.threads)
        result = StageResult(stage.name, *self.start, end.accuracy, end.loss)
        self.results.append(result)
        save_checkpoint(
            self.model,
            self.folder.stage_file(stage.name),
            plan=stage.quantizers,
            extra={
                "stage": stage.name,
                "data": self.data.test.name,
                "classes": list(self.data.test.classes),
                "mean": list(self.data.test.mean),
                "std": list(self.data.test.std),
                "test_accuracy": end.accuracy,
            },
        )
        self.folder.log(
            kind="stage",
            **stage.describe() | {"stage": stage.name},
            start={"test_accuracy": self.start[0], "test_loss": self.start[1]},
            end={"test_accuracy": end.accuracy, "test_loss": end.loss},
            seconds=round(self.seconds, 2),
        )
        self.progress.print(
            f"{stage.name}: test accuracy {100 * end.accuracy:.1f} %{end.kernel_note}"
        )
        self._save(index + 1, 0, trainer)

    def _save(self, index: int, done: int, trainer: StageTrainer) -> None:
        arrays, counters = trainer.state()
        self.folder.save(
            arrays,
            {
                **counters,
                "stage": index,
                "step": done,
                "results": self.results,
                "start": self.start,
                "seconds": self.seconds,
            },
        )
