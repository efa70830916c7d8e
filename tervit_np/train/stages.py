"""Training as data: a list of stages, each with a plan, a length and perhaps a teacher.

    float -> ternary                  [Stage("float", "float", 20), Stage("ternary", "ternary", 9)]
    float -> 8-bit -> ternary          the paper's progressive training
    float -> 8 -> 4 -> ternary         a longer bit schedule: one more stage
    ternary from scratch               [Stage("ternary", "ternary", 30)]
    ramped                             Stage("ternary", "ternary", 10, ramp=0.5)

All stages train the same latent weights. The paper gives neither epochs nor learning rates: every
default here is ours.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from data_tools import Augment
from data_tools.plain_numbers import use_plain_numbers, wrong_kind
from tervit_np.losses import is_temperature
from tervit_np.ops.mixed_precision import check_precision
from tervit_np.quant import Plan, named_plan
from tervit_np.quant.pattern import Pattern
from tervit_np.quant.spec import plan_to_spec
from tervit_np.train.adamw import check_betas
from tervit_np.train.names import check_file_name

OPTIMIZERS = ("adamw", "muon")
_MOST_EPOCHS = 1_000_000  # steps of 1e308 epochs would be infinite


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Raises
    ------
    ValueError
        If a number is out of range or an option unknown.
    """

    name: str  # of the stage and of its file, <name>.npz
    plan: str | Plan  # the argument of tv.quantize
    epochs: float
    lr: float = 2e-3  # peak
    warmup: float = 0.05  # fraction of the stage's steps
    final_lr: float = 0.01  # ratio to the peak
    teacher: str | None = None  # name of an earlier stage
    teacher_weight: float = 0.5
    temperature: float = 1.0
    hard: bool = False  # learn the teacher's arg-max, not its probabilities
    optimizer: str = "fresh"  # or "keep": continue with the optimizer state of the stage before
    ramp: float = 0.0  # fraction of the stage in which weight quantizers fade in
    freeze: str = ""  # regular expression; parameters whose names contain it are not trained

    def __post_init__(self) -> None:
        use_plain_numbers(self)
        for name in ("name", "freeze"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"stage {name} is {getattr(self, name)!r}; expected text")
        check_file_name("stage name", self.name)
        if self.name.casefold() in ("checkpoint", "checkpoint-1"):  # train/checkpoint.py
            raise ValueError(
                f"stage name {self.name!r} is that of a checkpoint; choose another one"
            )
        try:
            Pattern(self.freeze)
        except ValueError as error:
            raise ValueError(f"stage {self.name}: freeze: {error}") from None
        named_plan(self.plan)
        if problem := wrong_kind(self):
            raise ValueError(f"stage {self.name}: {problem}")
        if not 0 < self.epochs <= _MOST_EPOCHS:
            raise ValueError(
                f"stage {self.name}: epochs must be positive, and at most {_MOST_EPOCHS:,}"
            )
        if not 0 < self.lr < math.inf:
            raise ValueError(f"stage {self.name}: lr must be positive and finite")
        if not is_temperature(self.temperature):
            raise ValueError(f"stage {self.name}: temperature must be between 1e-6 and 1e6")
        if self.optimizer not in ("fresh", "keep"):
            raise ValueError(f"optimizer is {self.optimizer!r}; expected 'fresh' or 'keep'")
        for name in ("warmup", "final_lr", "teacher_weight", "ramp"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"stage {self.name}: {name} must be between 0 and 1")

    @property
    def quantizers(self) -> Plan:
        """The plan, looked up if it is a name."""
        return named_plan(self.plan)

    def steps(self, epoch_steps: int) -> int:
        """Count the steps, at least one, where an epoch has `epoch_steps`."""
        return max(round(self.epochs * epoch_steps), 1)

    def freezes(self, name: str) -> bool:
        """Tell whether a parameter is frozen: the pattern occurs in its name."""
        return bool(self.freeze) and Pattern(self.freeze).search(name)

    def describe(self) -> dict[str, Any]:
        """Return the stage as JSON."""
        plan = plan_to_spec(self.plan) if isinstance(self.plan, Plan) else self.plan
        fields = {key: value for key, value in vars(self).items() if key != "plan"}
        return {**fields, "plan": plan}


def float_twin(stages: Sequence[Stage]) -> list[Stage]:
    """Return the same stages with float weights and inputs, called float, float-2, float-3, ...

    They see as many pictures at the same learning rates: the model to compare a quantized one with.
    """
    names = [f"float-{i + 1}" if i else "float" for i in range(len(stages))]
    renamed = dict(zip((stage.name for stage in stages), names, strict=True))
    return [
        replace(
            stage,
            name=renamed[stage.name],
            plan="float",
            ramp=0.0,
            teacher=None if stage.teacher is None else renamed[stage.teacher],
        )
        for stage in stages
    ]


class StageResult(NamedTuple):
    """Test accuracy (a fraction) and loss before and after one stage."""

    stage: str
    start_accuracy: float  # quantized, before training
    start_loss: float
    accuracy: float
    loss: float


@dataclass(frozen=True)
class Recipe:
    """The settings that all stages have in common.

    Raises
    ------
    ValueError
        If a number is out of range or an option unknown.
    """

    batch_size: int = 64
    optimizer: str = "adamw"  # or "muon": matrices by Muon, the rest by AdamW
    muon_ratio: float = 2.5  # Muon's rate divided by the stage's, which is AdamW's
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    label_smoothing: float = 0.1
    ema: float = 0.0  # decay of the average; 0 for none
    precision: str = "float32"  # of the products of backward passes (ops/mixed_precision.py)
    accumulate: int = 1  # cuts a batch into so many times more parts (train/parallel.py)
    recompute: bool = False  # cache the inputs of blocks alone, run them again in the backward pass
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        use_plain_numbers(self)
        if problem := wrong_kind(self):
            raise ValueError(f"recipe: {problem}")
        if self.optimizer not in OPTIMIZERS:
            known = ", ".join(OPTIMIZERS)
            raise ValueError(f"recipe: optimizer is {self.optimizer!r}; expected one of {known}")
        check_precision(self.precision)
        if not isinstance(self.augment, Augment):
            raise ValueError(f"recipe: augment is {self.augment!r}; expected an Augment")
        check_betas(self.betas)
        for name, fits, expected in (
            ("muon_ratio", 0 < self.muon_ratio < math.inf, "a positive number"),
            ("accumulate", self.accumulate >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("clip_norm", self.clip_norm > 0, "a positive number"),
            ("weight_decay", self.weight_decay >= 0, "at least 0"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "at least 0 and below 1"),
            ("ema", 0 <= self.ema < 1, "at least 0 and below 1"),
        ):
            if not fits:
                value = getattr(self, name)
                raise ValueError(f"recipe: {name} is {value}; expected {expected}")

    def describe(self) -> dict[str, Any]:
        """Return the recipe as JSON."""
        return asdict(self)
