"""What a report shows: the models of a run, evaluated, and the last one before it was trained."""

from typing import NamedTuple

import numpy as np

from data_tools import LabelledSet
from data_tools.wordnet import in_words
from tervit_np.analysis.run_record import RunRecord, StageRecord
from tervit_np.analysis.style import stage_colour
from tervit_np.analysis.surfaces import quantized_as
from tervit_np.arrays import Array
from tervit_np.checkpoints import load_model
from tervit_np.models import Classifier
from tervit_np.quant import Identity, Quantizer
from tervit_np.train.evaluate import Evaluation, evaluate


class Result(NamedTuple):
    """A model, its name on the page, and its evaluation on the test split."""

    name: str
    model: Classifier
    evaluation: Evaluation


class Results(NamedTuple):
    """The models of a run."""

    run: RunRecord
    stages: list[Result]  # the finished ones whose files are there
    missing: list[str]  # files of finished stages that are not there
    rounded: Result | None  # the weights of the stage before the last one, quantized as it is
    test: LabelledSet

    @property
    def last(self) -> Result:
        """The model that the run ended with."""
        return self.stages[-1]

    @property
    def shown(self) -> list[Result]:
        """The first model, the rounded one, and the last: what most of the page compares."""
        first = [] if len(self.stages) == 1 else self.stages[:1]
        return [*first, *([self.rounded] if self.rounded else []), self.last]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in words."""
        return in_words(self.test.classes)

    @property
    def readable(self) -> Array:
        """Indices of the test pictures that could be read."""
        return np.flatnonzero(self.last.evaluation.readable)

    @property
    def labels(self) -> Array:
        """True classes of the readable pictures."""
        labels: Array = self.test.labels[self.readable]
        return labels

    def predicted(self, result: Result) -> Array:
        """Return the classes that a model predicts for the readable pictures."""
        classes: Array = result.evaluation.logits[self.readable].argmax(axis=1)
        return classes

    def colour(self, stage: str) -> str:
        """Return the colour of a stage."""
        return stage_colour(stage, self.run.stage_names.index(stage))

    def record(self, result: Result) -> StageRecord:
        """Return the record of a stage."""
        return next(stage for stage in self.run.stages if stage.name == result.name)


def gather(run: RunRecord, test: LabelledSet, threads: int) -> Results:
    """Load and evaluate the models of a run.

    Raises
    ------
    ValueError
        If no stage is finished, or a file is damaged.
    """
    files = {stage.name: run.folder.stage_file(stage.name) for stage in run.stages}
    found = [name for name, file in files.items() if file.is_file()]
    if not found:
        raise ValueError(f"{run.folder.path}: no stage of this run is finished, nothing to report")
    models = {name: load_model(files[name])[0] for name in found}
    stages = [Result(n, m, evaluate(m, test, threads=threads)) for n, m in models.items()]
    missing = [file.name for name, file in files.items() if name not in found]
    return Results(run, stages, missing, _rounded(run, models, test, threads), test)


def _rounded(
    run: RunRecord, models: dict[str, Classifier], test: LabelledSet, threads: int
) -> Result | None:
    """Round the weights of the last stage but one as the last stage does; None if it is absent."""
    names = [stage.name for stage in run.stages]
    if len(names) < 2 or not all(name in models for name in names[-2:]):
        return None
    before, after = (models[name] for name in names[-2:])
    if not is_quantized(after):
        return None
    model = quantized_as(before, after)
    # No stage can have the second name, which is no file's.
    name = "rounded, not trained" if "rounded" in run.stage_names else "rounded"
    return Result(name, model, evaluate(model, test, threads=threads))


def is_quantized(model: Classifier) -> bool:
    """Tell whether any weight is quantized."""
    return any(not isinstance(layer.weight_quant, Identity) for _, layer in model.quantizable())


def is_ternary(model: Classifier) -> bool:
    """Tell whether any weight has three values."""
    return any(quant.is_ternary for quant in _weight_quantizers(model))


def weights_in_words(model: Classifier) -> str:
    """Describe the weights of a model: float, 8-bit, or of three values."""
    if is_ternary(model):
        return "three values"
    quantizers = _weight_quantizers(model)
    bits = {quant.bits for quant in quantizers if not isinstance(quant, Identity)}
    return f"{min(bits)} bits" if bits else "float"


def _weight_quantizers(model: Classifier) -> list[Quantizer]:
    return [layer.weight_quant for _, layer in model.quantizable() if layer.weight is not None]
