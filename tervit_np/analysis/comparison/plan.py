"""The plan of a comparison: arms, seeds and a grid of learning rates, checked before training.

An arm is a list of stages. All arms train for the same number of epochs in total and have the same
trials: the plan has one grid of multipliers, each of which scales the learning rates of an arm's
stages, except those that the plan names for all arms, and one list of search seeds. A plan cannot
give an arm a longer budget or a search of its own; if the grid grows, it grows for all.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from data_tools.counted import counted
from tervit_np.train import Recipe, Stage
from tervit_np.train.names import check_file_name


@dataclass(frozen=True)
class Arm:
    """One way of training."""

    name: str
    stages: tuple[Stage, ...]

    @property
    def epochs(self) -> float:
        """The budget: epochs of all stages."""
        return round(sum(stage.epochs for stage in self.stages), 9)

    @property
    def last(self) -> str:
        """Name of the last stage, whose model is compared."""
        return self.stages[-1].name


@dataclass(frozen=True)
class Contrast:
    """The mean of some arms minus the mean of others, seed by seed."""

    name: str
    of: tuple[str, ...]
    against: tuple[str, ...]


@dataclass(frozen=True)
class ComparisonPlan:
    """Arms and how they are compared.

    Raises
    ------
    ValueError
        If budgets differ, names repeat or are unknown, or the grid or the seeds are invalid.
    """

    name: str
    model: str
    data: str
    arms: tuple[Arm, ...]
    baseline: str  # an arm's name
    multipliers: tuple[float, ...]  # of the learning rates of an arm
    search_seeds: tuple[int, ...]  # for choosing the multiplier on the validation split
    seeds: tuple[int, ...]  # for comparing on the test split
    fixed_rates: tuple[str, ...] = ()  # stages, by name, whose rates the multipliers leave alone
    widen: int = 0  # how often the grid may grow beyond an end where an arm's best multiplier is
    contrasts: tuple[Contrast, ...] = ()  # none: every arm against the baseline
    images: int = 0  # training images, drawn once for all trials; 0 for all
    validation: int = 1000  # training images held out if the set has no validation split
    recipe: Recipe = field(default_factory=Recipe)
    config: dict[str, Any] = field(default_factory=dict)  # overrides of the model's configuration
    about: str = ""

    def __post_init__(self) -> None:
        check_file_name("the plan's name", self.name)  # of its folder, runs/compare-NAME
        _check_arms(self.arms)
        names = [arm.name for arm in self.arms]
        named = {"baseline": [self.baseline]}
        named |= {f"contrast {c.name!r}": [*c.of, *c.against] for c in self.contrasts}
        for where, arms in named.items():
            for name in arms:
                if name not in names:
                    known = "; ".join(names)
                    raise ValueError(f"{where}: there is no arm {name!r}; the arms are {known}")
        for contrast in self.contrasts:
            if not contrast.of or not contrast.against:
                raise ValueError(f"contrast {contrast.name!r} needs arms in both of and against")
        if not all(m > 0 for m in self.multipliers):
            raise ValueError(f"multipliers are {list(self.multipliers)}; all must be positive")
        for key in ("multipliers", "search_seeds", "seeds"):
            values = getattr(self, key)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{key} is {list(values)}; expected one or more, all different")
        if min(*self.seeds, *self.search_seeds, self.images) < 0 or self.validation < 1:
            raise ValueError("seeds and images are at least 0, validation at least 1")
        stages = {stage.name for arm in self.arms for stage in arm.stages}
        for name in self.fixed_rates:
            if name not in stages:
                known = ", ".join(sorted(stages))
                raise ValueError(f"fixed_rates: there is no stage {name!r}; the stages are {known}")
        if self.widen < 0 or (self.widen and len(self.multipliers) < 2):
            raise ValueError(
                f"widen is {self.widen}; expected at least 0, and 0 for a single multiplier"
            )

    @property
    def questions(self) -> tuple[Contrast, ...]:
        """The contrasts, or every arm against the baseline."""
        others = [arm.name for arm in self.arms if arm.name != self.baseline]
        return self.contrasts or tuple(
            Contrast(f"{name} against {self.baseline}", (name,), (self.baseline,))
            for name in others
        )

    def describe(self) -> dict[str, Any]:
        """Return the plan as JSON, in the layout of the TOML file."""
        fields = {key: value for key, value in vars(self).items() if key not in ("arms", "recipe")}
        arms = [{"name": a.name, "stages": [s.describe() for s in a.stages]} for a in self.arms]
        contrasts = [asdict(c) for c in self.contrasts]
        return {**fields, "recipe": self.recipe.describe(), "contrasts": contrasts, "arms": arms}


def _check_arms(arms: tuple[Arm, ...]) -> None:
    """Refuse empty arms, repeated names, unequal budgets and unknown teachers."""
    if len(arms) < 2:
        raise ValueError(f"a comparison needs at least two arms; the plan has {len(arms)}")
    for i, arm in enumerate(arms):
        if not arm.stages:
            raise ValueError(f"arm {arm.name!r} has no stages")
        if arm.name in [other.name for other in arms[:i]]:
            raise ValueError(f"two arms are called {arm.name!r}")
        if arm.epochs != arms[0].epochs:
            raise ValueError(
                f"arm {arm.name!r} trains for {counted(arm.epochs, 'epoch')} in total, "
                f"{arms[0].name!r} for {arms[0].epochs:g}; a comparison needs equal budgets"
            )
        names = [stage.name for stage in arm.stages]
        if len({name.casefold() for name in names}) < len(names):
            raise ValueError(f"arm {arm.name!r}: stage names repeat: {', '.join(names)}")
        for j, stage in enumerate(arm.stages):
            if stage.teacher is not None and stage.teacher not in names[:j]:
                raise ValueError(
                    f"arm {arm.name!r}, stage {stage.name}: its teacher {stage.teacher!r} is not "
                    "an earlier stage"
                )


def scale_rates(arm: Arm, multiplier: float, fixed: tuple[str, ...] = ()) -> tuple[Stage, ...]:
    """Return an arm's stages with their learning rates multiplied, except those of `fixed`."""
    return tuple(
        stage if stage.name in fixed else replace(stage, lr=stage.lr * multiplier)
        for stage in arm.stages
    )
