"""Plan files that the stages of a comparison name: plan = "mixed.toml", next to the comparison.

Their rules replace the name, so that the record of a comparison needs no other file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tervit_np.models import build
from tervit_np.models.registry import named_config, override
from tervit_np.quant import Plan
from tervit_np.quant.plan_file import check_fits, read_plan_file
from tervit_np.quant.spec import plan_to_spec


def insert_plan_files(table: dict[str, Any], folder: Path) -> dict[str, Plan]:
    """Replace, in the table of a comparison, each plan file by its rules.  -> {file: plan}.

    Raises
    ------
    ValueError
        If a file is missing or invalid.
    """
    plans: dict[str, Plan] = {}
    for stage in _stages(table):
        name = stage.get("plan")
        if isinstance(name, str) and name.endswith(".toml"):
            if name not in plans:
                plans[name] = read_plan_file(folder / name)
            stage["plan"] = plan_to_spec(plans[name])
    return plans


def check_plan_files(plans: dict[str, Plan], model: str, config: dict[str, Any]) -> None:
    """Check that plans fit the layers of a model.

    Raises
    ------
    ValueError
        If one does not, or there is no such model.
    """
    if plans:
        built = build(override(named_config(model), config), None)
        for name, plan in plans.items():
            try:
                check_fits(plan, built.quantizable(), built.norms())
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None


def _stages(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the tables of all stages; what is not a table is refused later, with its place."""
    for arm in _tables(table.get("arms")):
        yield from _tables(arm.get("stages"))


def _tables(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
