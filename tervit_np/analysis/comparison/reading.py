"""Read a plan from TOML or JSON, and check the names and types of its fields.

Missing fields take the data set's preset (`tervit_np.train.PRESETS`): its model and its recipe. The
plan of a stage is a name, a list of rules, or a plan file next to the comparison's.
"""

from collections.abc import Callable
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from data_tools import Augment
from tervit_np.analysis.comparison.plan import Arm, ComparisonPlan, Contrast
from tervit_np.analysis.comparison.plan_files import check_plan_files, insert_plan_files
from tervit_np.toml_files import read_toml
from tervit_np.train import Recipe, Stage, preset_for
from tervit_np.train.resume import stage_from

T = TypeVar("T")
Reader: TypeAlias = Callable[[str, Any], Any]


def read_plan(path: str | Path) -> ComparisonPlan:
    """Read a plan from a TOML file.

    Raises
    ------
    ValueError
        If there is no such file, it is not TOML, or the plan is invalid.
    """
    path = Path(path)
    table = read_toml(path)
    try:
        files = insert_plan_files(table, path.parent)
        plan = plan_from_table(table)
        check_plan_files(files, plan.model, plan.config)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return plan


def plan_from_table(table: dict[str, Any]) -> ComparisonPlan:
    """Build a plan from the table of a TOML or JSON file.

    Raises
    ------
    ValueError
        If a field is unknown, missing, of the wrong type, or invalid.
    """
    _check_fields("the plan", table, ComparisonPlan)
    for key in ("name", "data", "arms", "baseline", "multipliers", "search_seeds", "seeds"):
        if key not in table:
            raise ValueError(f"{key} is missing")
    preset = preset_for(_text("data", table["data"]))
    fields = {"model": preset.model, "recipe": {}, "config": preset.config} | table
    readers: dict[str, Reader] = dict.fromkeys(
        ("name", "model", "data", "baseline", "about"), _text
    )
    readers |= {
        "arms": lambda key, value: tuple(_arm(arm) for arm in _list(key, value, dict)),
        "contrasts": lambda key, value: tuple(_contrast(c) for c in _list(key, value, dict)),
        "multipliers": lambda key, value: _list(key, value, (int, float)),
        "search_seeds": lambda key, value: _list(key, value, int),
        "seeds": lambda key, value: _list(key, value, int),
        "fixed_rates": lambda key, value: _list(key, value, str),
        "widen": _integer,
        "images": _integer,
        "validation": _integer,
        "recipe": lambda key, value: _recipe(preset.recipe, _table(key, value)),
        "config": _table,
    }
    return ComparisonPlan(**{key: readers[key](key, value) for key, value in fields.items()})


def _arm(table: dict[str, Any]) -> Arm:
    _check_fields("an arm", table, Arm)
    name = _text("an arm's name", table.get("name"))
    stages = _list(f"arm {name!r}: stages", table.get("stages"), dict)
    return Arm(name, tuple(_stage(f"arm {name!r}", stage) for stage in stages))


def _stage(where: str, table: dict[str, Any]) -> Stage:
    _check_fields(f"{where}: a stage", table, Stage)
    for key in ("name", "plan", "epochs"):
        if key not in table:
            raise ValueError(f"{where}: a stage needs name, plan and epochs; {key} is missing")
    _text(f"{where}: a stage's name", table["name"])
    try:
        return stage_from(table)
    except TypeError as error:  # text in place of a number
        raise ValueError(f"{where}, stage {table['name']}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _contrast(table: dict[str, Any]) -> Contrast:
    _check_fields("a contrast", table, Contrast)
    name = _text("a contrast's name", table.get("name"))
    of, against = (
        _list(f"contrast {name!r}: {key}", table.get(key), str) for key in ("of", "against")
    )
    return Contrast(name, of, against)


def _recipe(base: Recipe, table: dict[str, Any]) -> Recipe:
    """Override the preset's recipe by the fields of the table."""
    _check_fields("recipe", table, Recipe)
    augment = _table("recipe: augment", table.get("augment", {}))
    _check_fields("recipe: augment", augment, Augment)
    changes = {**table, "augment": replace(base.augment, **augment)}
    if "betas" in changes:
        changes["betas"] = _list("recipe: betas", changes["betas"], (int, float))
    try:
        return replace(base, **changes)
    except TypeError as error:
        raise ValueError(f"recipe: {error}") from None


def _check_fields(what: str, table: dict[str, Any], kind: Any) -> None:
    """Refuse a field that the dataclass does not have."""
    names = [field.name for field in dataclass_fields(kind)]
    for key in table:
        if key not in names:
            raise ValueError(f"{what} has no field {key!r}; its fields are {', '.join(names)}")


def _list(key: str, value: Any, kind: type[T] | tuple[type[T], ...]) -> tuple[T, ...]:
    names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
    if not _is_list_of(value, kind):
        raise ValueError(f"{key} is {value!r}; expected a list of {names}")
    return tuple(value)


def _is_list_of(value: Any, kind: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(item, kind) and not isinstance(item, bool) for item in value
    )


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r}; expected text")
    return value


def _integer(key: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}; expected an integer")
    return value


def _table(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r}; expected a table")
    return value
