"""A plan out of a table, as TOML and JSON give it: every field known, every type right.

What is left out is the data set's preset (`tervit_np.train.PRESETS`): its model and its recipe.
"""

import tomllib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from data_tools import Augment
from tervit_np.analysis.comparison.plan import Arm, Comparison, Contrast
from tervit_np.train import Recipe, Stage, preset_for
from tervit_np.train.resume import stage_from

T = TypeVar("T")
Reader: TypeAlias = Callable[[str, Any], Any]


def read_plan(path: str | Path) -> Comparison:
    """Read a plan from a TOML file.

    Raises
    ------
    ValueError
        If there is no such file, it is no TOML, or the plan is refused; the file is named.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected a plan in TOML") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    try:
        return comparison_from(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def comparison_from(table: dict[str, Any]) -> Comparison:
    """Make a plan of a table.

    Raises
    ------
    ValueError
        If a field is unknown, missing, of the wrong type, or refused by the plan.
    """
    _known("the plan", table, Comparison)
    for key in ("name", "data", "arms", "baseline", "multipliers", "search_seeds", "seeds"):
        if key not in table:
            raise ValueError(f"{key} is missing")
    preset = preset_for(_text("data", table["data"]))
    given = {"model": preset.model, "recipe": {}, "config": preset.config} | table
    readers: dict[str, Reader] = dict.fromkeys(
        ("name", "model", "data", "baseline", "about"), _text
    )
    readers |= {
        "arms": lambda key, value: tuple(_arm(arm) for arm in _list(key, value, dict)),
        "contrasts": lambda key, value: tuple(_contrast(c) for c in _list(key, value, dict)),
        "multipliers": lambda key, value: _list(key, value, (int, float)),
        "search_seeds": lambda key, value: _list(key, value, int),
        "seeds": lambda key, value: _list(key, value, int),
        "images": _whole,
        "validation": _whole,
        "recipe": lambda key, value: _recipe(preset.recipe, _table(key, value)),
        "config": _table,
    }
    return Comparison(**{key: readers[key](key, value) for key, value in given.items()})


def _arm(table: dict[str, Any]) -> Arm:
    _known("an arm", table, Arm)
    name = _text("an arm's name", table.get("name"))
    stages = _list(f"arm {name!r}: stages", table.get("stages"), dict)
    return Arm(name, tuple(_stage(f"arm {name!r}", stage) for stage in stages))


def _stage(where: str, table: dict[str, Any]) -> Stage:
    _known(f"{where}: a stage", table, Stage)
    for key in ("name", "plan", "epochs"):
        if key not in table:
            raise ValueError(f"{where}: a stage needs name, plan and epochs; {key} is missing")
    try:
        return stage_from(table)
    except TypeError as error:  # a text where a number is expected
        raise ValueError(f"{where}, stage {table['name']}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _contrast(table: dict[str, Any]) -> Contrast:
    _known("a contrast", table, Contrast)
    name = _text("a contrast's name", table.get("name"))
    of, against = (
        _list(f"contrast {name!r}: {key}", table.get(key), str) for key in ("of", "against")
    )
    return Contrast(name, of, against)


def _recipe(base: Recipe, table: dict[str, Any]) -> Recipe:
    """Override the preset's recipe by what the table gives."""
    _known("recipe", table, Recipe)
    augment = _table("recipe: augment", table.get("augment", {}))
    _known("recipe: augment", augment, Augment)
    given = {**table, "augment": replace(base.augment, **augment)}
    if "betas" in given:
        given["betas"] = _list("recipe: betas", given["betas"], (int, float))
    try:
        return replace(base, **given)
    except TypeError as error:
        raise ValueError(f"recipe: {error}") from None


def _known(what: str, table: dict[str, Any], kind: Any) -> None:
    """Refuse a field that the dataclass does not have."""
    names = [field.name for field in fields(kind)]
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
        raise ValueError(f"{key} is {value!r}; expected a text")
    return value


def _whole(key: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}; expected a whole number")
    return value


def _table(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r}; expected a table")
    return value
