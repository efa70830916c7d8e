"""The training step of one stage: gradients, clipping, optimizer, moving average, ramp."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from data_tools import elementary
from tervit_np.arrays import Array
from tervit_np.models import Classifier, Logits
from tervit_np.models.quantization import set_precision
from tervit_np.param import Param
from tervit_np.quant import Blend
from tervit_np.train.adamw import AdamW
from tervit_np.train.clip import clip_grad_norm
from tervit_np.train.divergence import exploded, has_exploded, origin, unusable
from tervit_np.train.ema import EMA
from tervit_np.train.muon import Muon
from tervit_np.train.objective import mean_logits, objective
from tervit_np.train.parallel import Loss, ParallelModel
from tervit_np.train.ranks import ONE, Ranks
from tervit_np.train.schedule import warmup_cosine
from tervit_np.train.stages import Recipe, Stage
from tervit_np.train.static_scales import scale_arrays


class StageTrainer:
    """Trains a quantized model for `total` steps."""

    def __init__(
        self,
        model: Classifier,
        stage: Stage,
        recipe: Recipe,
        total: int,
        threads: int,
        teacher: Classifier | None,
        ranks: Ranks = ONE,
    ) -> None:
        self.model, self.stage, self.recipe, self.total = model, stage, recipe, total
        self.teacher = teacher
        if stage.ramp:
            _insert_blends(model)
        model.recompute = recipe.recompute
        set_precision(model, recipe.precision)
        self.parallel = ParallelModel(model, threads, recipe.accumulate, ranks)
        layers = [layer for layer in _layers(model) if layer.weight is not None]
        self._weights = [(layer.weight, layer.weight_quant) for layer in layers]
        replicas = [replica.model for replica in self.parallel.replicas]
        self._blends = _blends([model, *replicas]) if stage.ramp else []
        self.params = [(n, p) for n, p in self.parallel.named_params if not stage.freezes(n)]
        if not self.params:
            raise ValueError(f"stage {stage.name}: freeze {stage.freeze!r} leaves nothing to train")
        self.optimizer = _optimizer(self.params, stage, recipe)
        self.average = EMA(self.params, recipe.ema) if recipe.ema else None

    def step(
        self, step: int, images: Array, targets: Array, rng: np.random.Generator
    ) -> tuple[float, float]:
        """Take step number `step` on a batch; return its loss and gradient norm.

        Raises
        ------
        Diverged
            If loss or gradient are no finite numbers, or the loss explodes; the weights stay.
        """
        stage = self.stage
        self.set_ramp(ramp_amount(step, stage.ramp * self.total))
        self.optimizer.lr = warmup_cosine(step, self.total, stage.lr, stage.warmup, stage.final_lr)

        def loss(logits: Logits, part: slice) -> tuple[float, Logits]:
            teacher_logits = None
            if self.teacher is not None:
                output, _ = self.teacher.forward(images[part], keep_cache=False)
                teacher_logits = mean_logits(output)
            return objective(logits, targets[part], teacher_logits, stage)

        value, norm = self._gradients(step, images, loss, rng)
        self.optimizer.step(self.parallel.each)
        for weight, quantizer in self._weights:
            quantizer.after_step(weight)
        if self.average is not None:
            self.average.update()
        return value, norm

    def _gradients(
        self, step: int, images: Array, loss: Loss, rng: np.random.Generator
    ) -> tuple[float, float]:
        """Fill the gradients and clip them.  -> loss, norm; Diverged unless both are usable."""
        stage, total, accumulate = self.stage, self.total, self.recipe.accumulate
        try:
            value = self.parallel.gradients(images, loss, rng)
        except ValueError as error:  # a quantizer refuses what it cannot round
            if what := origin(self.model, images, loss, rng, accumulate):
                raise unusable(stage, step, total, what) from error
            raise
        for weight, quantizer in self._weights:
            quantizer.before_step(weight)
        norm = clip_grad_norm(self.params, self.recipe.clip_norm)
        if not math.isfinite(value + norm):
            what = origin(self.model, images, loss, rng, accumulate)
            raise unusable(stage, step, total, what)
        classes = self.model.config.num_classes
        if has_exploded(value, classes):
            raise exploded(stage, step, total, value, classes)
        return value, norm

    def check_weights(self, step: int) -> None:
        """Raise Diverged if step number `step` has left a weight that is not finite."""
        for name, param in self.parallel.named_params:
            if not np.isfinite(param.data).all():
                raise unusable(self.stage, step, self.total, f"the weight {name}")

    def set_ramp(self, amount: float) -> None:
        """Set the amount of weight quantization, 0 to 1, in the model and its replicas."""
        for blend in self._blends:
            blend.amount = amount

    def finish(self) -> None:
        """Give the model the stage's result: averaged weights, plain quantizers."""
        self.parallel.close()
        if self.stage.ramp:
            _remove_blends(self.model)
        if self.average is not None:
            self.average.swap()

    @contextmanager
    def with_averaged_weights(self) -> Iterator[None]:
        """Evaluate inside: the model has the averaged weights and is fully quantized."""
        self.set_ramp(1.0)
        if self.average is not None:
            self.average.swap()
        try:
            yield
        finally:
            if self.average is not None:
                self.average.swap()

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return all arrays and counters on which the next step depends."""
        arrays = {f"model.{name}": array for name, array in self.model.named_arrays().items()}
        arrays |= scale_arrays(self.model)
        arrays |= {f"optimizer.{k}": a for k, a in self.optimizer.state_dict().items()}
        counters = {"optimizer_steps": self.optimizer.steps}
        if self.average is not None:
            arrays |= {f"average.{k}": a for k, a in self.average.average.items()}
            counters["average_steps"] = self.average.steps
        return arrays, counters

    def load(self, arrays: dict[str, Array], counters: dict[str, Any]) -> None:
        """Restore optimizer and average; the caller restores the model before."""
        self.optimizer.load_state_dict(
            _with_prefix("optimizer.", arrays), counters["optimizer_steps"]
        )
        if self.average is not None:
            self.average.load(_with_prefix("average.", arrays), counters["average_steps"])

    def keep_optimizer(self, arrays: dict[str, Array], counters: dict[str, Any]) -> None:
        """Continue with the moments of the stage before, for a stage with optimizer="keep".

        Those of parameters that were not trained there, such as new scales, start at 0, and so do
        those of scales that others share now.
        """
        state = self.optimizer.state_dict()
        before = _with_prefix("optimizer.", arrays)
        shapes = {name: array.shape for name, array in state.items()}
        state |= {name: a for name, a in before.items() if shapes.get(name) == a.shape}
        self.optimizer.load_state_dict(state, counters["optimizer_steps"])


def _optimizer(params: list[tuple[str, Param]], stage: Stage, recipe: Recipe) -> AdamW | Muon:
    decay = recipe.weight_decay
    if recipe.optimizer == "muon":
        return Muon(params, stage.lr, recipe.betas, decay, ratio=recipe.muon_ratio)
    return AdamW(params, stage.lr, recipe.betas, weight_decay=decay)


def ramp_amount(step: int, length: float) -> float:
    """Return the amount of weight quantization: sigmoid(16 t/T - 6), then 1 (TeTRA's ramp)."""
    return 1.0 if step >= length else 1 / (1 + float(elementary.exp(6 - 16 * step / length)))


def model_arrays(arrays: dict[str, Array]) -> dict[str, Array]:
    """Select the model's arrays from a saved state."""
    return _with_prefix("model.", arrays)


def _layers(model: Classifier) -> list[Any]:
    """Return the layers that take quantizers; one that stands in several places is there once."""
    return list(dict.fromkeys(layer for _, layer in model.quantizable()))


def _insert_blends(model: Classifier) -> None:
    for layer in _layers(model):
        layer.weight_quant = Blend(layer.weight_quant)


def _remove_blends(model: Classifier) -> None:
    for layer in _layers(model):
        layer.weight_quant = layer.weight_quant.inner


def _blends(models: list[Classifier]) -> list[Blend]:
    return [layer.weight_quant for model in models for layer in _layers(model)]


def _with_prefix(prefix: str, arrays: dict[str, Array]) -> dict[str, Array]:
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
