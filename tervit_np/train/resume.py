"""The arguments of `run`, rebuilt from run.json."""

from typing import Any, NamedTuple

import numpy as np

from data_tools import Augment
from tervit_np.models import Classifier, build, config_from
from tervit_np.quant.spec import plan_from_spec
from tervit_np.train.splits import Data, load_data
from tervit_np.train.stages import Recipe, Stage


class RunArguments(NamedTuple):
    """Arguments of `run`."""

    model: Classifier
    stages: list[Stage]
    data: Data
    recipe: Recipe
    seed: int
    threads: int
    command: str


def run_arguments_from(run_config: dict[str, Any]) -> RunArguments:
    """Rebuild the arguments of `run` from run.json.

    Raises
    ------
    ValueError
        If the configuration is damaged, or its data set is absent.
    """
    try:
        recipe = dict(run_config["recipe"])
        augment = Augment(**recipe.pop("augment"))
        recipe["betas"] = tuple(recipe["betas"])
        data = run_config["data"]
        model = run_config["model"]
        return RunArguments(
            build(
                config_from(model["model"], model["config"]),
                np.random.default_rng(0),
                model["dtype"],
            ),
            [stage_from(stage) for stage in run_config["stages"]],
            load_data(data["name"], data["val"], run_config["seed"]),
            Recipe(**recipe, augment=augment),
            run_config["seed"],
            run_config["threads"],
            run_config["command"],
        )
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"run.json is damaged: {type(error).__name__} {error}") from None


def stage_from(fields: dict[str, Any]) -> Stage:
    """Rebuild a stage from `Stage.describe()`."""
    plan = fields["plan"]
    return Stage(**fields | {"plan": plan if isinstance(plan, str) else plan_from_spec(plan)})
