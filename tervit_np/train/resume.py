"""Everything a run needs in one value, and how it is rebuilt from a run folder."""

from typing import Any, NamedTuple

import numpy as np

from data_tools import Augment
from tervit_np.models import Classifier, build, config_from
from tervit_np.quant.spec import plan_from_spec
from tervit_np.train.loop import Data
from tervit_np.train.presets import load_data
from tervit_np.train.stages import Recipe, Stage


class RunArguments(NamedTuple):
    """The arguments of `run`."""

    model: Classifier
    stages: list[Stage]
    data: Data
    recipe: Recipe
    seed: int
    threads: int
    command: str


def run_arguments_from(request: dict[str, Any]) -> RunArguments:
    """Rebuild the arguments of `run` from run.json.

    Raises
    ------
    ValueError
        If the request is damaged, or its data set is not here.
    """
    try:
        recipe = dict(request["recipe"])
        augment = Augment(**recipe.pop("augment"))
        recipe["betas"] = tuple(recipe["betas"])
        data = request["data"]
        model = request["model"]
        return RunArguments(
            build(
                config_from(model["model"], model["config"]),
                np.random.default_rng(0),
                model["dtype"],
            ),
            [stage_from(stage) for stage in request["stages"]],
            load_data(data["name"], data["val"], request["seed"]),
            Recipe(**recipe, augment=augment),
            request["seed"],
            request["threads"],
            request["command"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"run.json is damaged: {error}") from None


def stage_from(fields: dict[str, Any]) -> Stage:
    """Rebuild a stage from `Stage.describe()`."""
    plan = fields["plan"]
    return Stage(**fields | {"plan": plan if isinstance(plan, str) else plan_from_spec(plan)})
