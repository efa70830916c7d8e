"""The loop over the stages of a run, the same for every list of them.

    for each stage:  set its quantizers, evaluate, train its epochs, evaluate, save the model

The evaluation before training shows the drop that quantization alone causes. The test set is used
at the start and at the end of a stage only; every choice is made on the validation split.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from data_tools.counted import counted
from data_tools.terminal import note
from tervit_np.checkpoints import load_model
from tervit_np.models import Classifier, quantize
from tervit_np.train.batches import Batches
from tervit_np.train.checkpoint import Saved
from tervit_np.train.divergence import Diverged, high_loss
from tervit_np.train.evaluate import Evaluation, evaluate
from tervit_np.train.folder import RunFolder
from tervit_np.train.interrupt import Interrupted, StopRequest
from tervit_np.train.metrics import stage_record
from tervit_np.train.progress import TrainingProgress
from tervit_np.train.ranks import Ranks
from tervit_np.train.splits import Data
from tervit_np.train.stage_file import save_stage
from tervit_np.train.stage_time import StageTime
from tervit_np.train.stages import Recipe, Stage, StageResult
from tervit_np.train.static_scales import set_static_scales
from tervit_np.train.trainer import StageTrainer, model_arrays

LOG_EVERY = 20  # steps


@dataclass
class StageLoop:
    """The state of one training through all stages."""

    model: Classifier
    stages: list[Stage]
    data: Data
    folder: RunFolder
    recipe: Recipe
    seed: int
    threads: int
    quiet: bool
    workers: int
    ranks: Ranks
    results: list[StageResult] = field(default_factory=list)
    start: tuple[float, float] = (0.0, 0.0)  # test accuracy and loss at the start of the stage
    time: StageTime = field(default_factory=StageTime)  # spent in the stage

    def __post_init__(self) -> None:
        self.batches = Batches(self.data.train, self.recipe, self.seed, self.workers, self.ranks)
        self.epoch_steps = self.batches.steps
        self.lengths = [stage.steps(self.epoch_steps) for stage in self.stages]
        self.steps_before = [sum(self.lengths[:index]) for index in range(len(self.stages))]
        self.progress = TrainingProgress(sum(self.lengths), self.quiet)

    def run(
        self, saved: Saved | None, stop: StopRequest, on_step: Callable[[int], None] | None
    ) -> list[StageResult]:
        """Run the remaining stages."""
        first = step = 0
        if saved is None:
            quantize(self.model, "float")  # a run starts from latent weights alone
        else:
            first, step = saved.position["stage"], saved.position["step"]
            self.results = [StageResult(*result) for result in saved.position["results"]]
        previous: StageTrainer | None = None
        for index in range(first, len(self.stages)):
            trainer = self._begin_stage(index, previous, saved if index == first else None)
            for done in range(step + 1, self.lengths[index] + 1):
                try:
                    self._step(index, done, trainer)
                    if on_step is not None:
                        on_step(self.steps_before[index] + done)
                    if self.ranks.any(stop.requested):
                        self._interrupt(index, done, trainer)
                except Diverged as error:
                    raise error.with_folder(self.folder.path) from None
            self._end_stage(index, trainer)
            previous, step = trainer, 0
        return self.results

    def _begin_stage(
        self, index: int, previous: StageTrainer | None, saved: Saved | None
    ) -> StageTrainer:
        """Prepare a stage: go on from the saved step, or evaluate before the first one."""
        if saved is not None:
            self._restore_model(index, saved)
        trainer = self._make_trainer(index, saved)
        if saved is not None and saved.position["step"] > 0:
            trainer.load(saved.arrays, saved.position)
            self.start = tuple(saved.position["start"])
            self.time = StageTime(saved.position["seconds"], saved.position["cpu_seconds"])
            return trainer
        if self.stages[index].optimizer == "keep" and index > 0:
            state = previous.state() if previous is not None else saved
            assert state is not None  # the stage before this one ran now, or was saved
            trainer.keep_optimizer(*state)
        self._test_before_training(self.stages[index], trainer)
        return trainer

    def _restore_model(self, index: int, saved: Saved) -> None:
        """Load a saved model, with what the quantizers of the stage that trained it have learned.

        A checkpoint before the first step of a stage is that of the stage before.
        """
        trained = index if saved.position["step"] > 0 else index - 1
        quantize(self.model, self.stages[trained].quantizers if trained >= 0 else "float")
        self.model.load_state_dict(model_arrays(saved.arrays))

    def _make_trainer(self, index: int, saved: Saved | None) -> StageTrainer:
        """Quantize the model as the stage has it, load its teacher."""
        stage = self.stages[index]
        quantize(self.model, stage.quantizers)
        teacher = None
        if stage.teacher is not None:
            teacher = load_model(self.folder.stage_file(stage.teacher))[0]
        set_static_scales(self.model, self.data.train, self.seed, index, saved)
        return StageTrainer(
            self.model, stage, self.recipe, total=self.lengths[index], threads=self.threads,
            teacher=teacher, ranks=self.ranks,
        )  # fmt: skip

    def _test_before_training(self, stage: Stage, trainer: StageTrainer) -> None:
        """Measure the drop that quantization alone causes."""
        with trainer.with_averaged_weights():
            start = self._test()
        self.start, self.time = (start.accuracy, start.loss), StageTime()
        self.progress.print(
            f"{stage.name}: {counted(stage.epochs, 'epoch')}; test accuracy before training "
            f"{100 * start.accuracy:.1f} %{start.kernel_note}"
        )

    def _test(self) -> Evaluation:
        return evaluate(self.model, self.data.test, threads=self.threads, ranks=self.ranks)

    def _step(self, index: int, done: int, trainer: StageTrainer) -> None:
        """Take step number `done` of a stage; log it, and validate and save after an epoch."""
        stage, total = self.stages[index].name, self.steps_before[index] + done
        ends_epoch, is_last = done % self.epoch_steps == 0, done == self.lengths[index]
        with self.time.running():
            fraction = (total - 1) / sum(self.lengths)
            images, targets, rng = self.batches.draw(index, done - 1, fraction)
            loss, norm = trainer.step(done - 1, images, targets, rng)
            epoch, epochs = (ceil(n / self.epoch_steps) for n in (done, self.lengths[index]))
            self.progress.step(f"{stage} {epoch}/{epochs}", total, len(images), loss)
            if done % LOG_EVERY == 0 or is_last:
                record = {"epoch": done / self.epoch_steps, "loss": loss, "grad_norm": norm}
                record |= {"lr": trainer.optimizer.lr, "rate": round(self.progress.rate, 1)}
                self.folder.log(kind="step", stage=stage, step=total, stage_step=done, **record)
            if ends_epoch or is_last:
                trainer.check_weights(done - 1)
                self._validate(stage, total, trainer)
        if ends_epoch and not is_last:
            self._save(index, done, trainer)

    def _validate(self, stage: str, total: int, trainer: StageTrainer) -> None:
        if self.data.val is None:
            return
        with trainer.with_averaged_weights():
            val = evaluate(self.model, self.data.val, threads=self.threads, ranks=self.ranks)
        self.folder.log(
            kind="eval", stage=stage, step=total, split="val", loss=val.loss, accuracy=val.accuracy
        )

    def _interrupt(self, index: int, done: int, trainer: StageTrainer) -> None:
        trainer.check_weights(done - 1)  # every resumed run would diverge at once
        self._save(index, done, trainer)
        raise Interrupted(
            f"stopped in stage {self.stages[index].name} after step {done} of "
            f"{self.lengths[index]}; everything is saved; continue with:\n"
            f"  tervit train --resume {self.folder.word}"
        )

    def _end_stage(self, index: int, trainer: StageTrainer) -> None:
        """Evaluate and save the stage's model; a resumed run continues with the next stage."""
        stage = self.stages[index]
        trainer.finish()
        end = self._test()
        problem = high_loss(stage, end.loss, self.model.config.num_classes)
        if problem and self.ranks.rank == 0:
            note(problem)
        result = StageResult(stage.name, *self.start, end.accuracy, end.loss)
        self.results.append(result)
        file, test = self.folder.stage_file(stage.name), self.data.test
        self.ranks.first(lambda: save_stage(self.model, stage, test, end.accuracy, file))
        self.folder.log(**stage_record(stage.describe(), result, **vars(self.time)))
        accuracy = f"{100 * end.accuracy:.1f} %{end.kernel_note}"
        self.progress.print(f"{stage.name}: test accuracy {accuracy}")
        self._save(index + 1, 0, trainer)

    def _save(self, index: int, done: int, trainer: StageTrainer) -> None:
        arrays, counters = trainer.state()
        self.ranks.require_same(list(arrays.values()))
        position = {"stage": index, "step": done, "results": self.results}
        position |= {"start": self.start, **vars(self.time)}
        self.folder.save(Saved(arrays, {**counters, **position}))
