"""Read JSON that may be damaged, edited or hostile, and check it against a schema.

A schema is made of Python values:

    str, int, float, bool, dict, list   a value of this type; an int is also a float, a bool neither
    [schema]                            a list of such values
    {"name": schema, ...}               an object with at least these fields
    Each(schema)                        an object with any names and such values
    AnyOf(schema, ...)                  one of these, for example AnyOf(str, None)
    None                                null
"""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from tervit_np.files import read_bounded

LONGEST = 1_500_000  # bytes of JSON, which take up to twenty times as many in memory
_SHOWN = 60  # characters of a value in a message


class Each(NamedTuple):
    """An object with any names."""

    schema: Any


class AnyOf(tuple[Any, ...]):
    """Alternatives."""

    def __new__(cls, *schemas: Any) -> "AnyOf":
        """Make the tuple of its arguments."""
        return super().__new__(cls, schemas)


def read_json(path: Path, schema: Any) -> Any:
    """Read a JSON file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is not JSON, or not of this schema; the message is one sentence.
    """
    try:
        return load_json(path, schema)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def load_json(path: Path, schema: Any, longest: int = LONGEST) -> Any:
    """Read and check a JSON file of at most `longest` bytes; ValueError does not name the file."""
    return parse_json(read_bounded(path, longest), schema, longest)


def parse_json(text: str | bytes, schema: Any, longest: int = LONGEST) -> Any:
    """Parse JSON and check it; ValueError says what is wrong."""
    if len(text) > longest:
        raise ValueError(f"it has {len(text)} bytes, expected at most {longest}")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if problem := mismatch(value, schema):
        raise ValueError(problem)
    return value


def mismatch(value: Any, schema: Any, where: str = "") -> str:
    """Say where a value differs from a schema first; "" if it does not."""
    if isinstance(schema, AnyOf):
        problems = [mismatch(value, each, where) for each in schema]
        return "" if "" in problems else problems[0]
    if isinstance(schema, dict | Each):
        return _object_mismatch(value, schema, where)
    if isinstance(schema, list):
        if not isinstance(value, list):
            return _expected(where, "a list", value)
        return _first(mismatch(v, schema[0], f"{where}[{i}]") for i, v in enumerate(value))
    return "" if _is_a(value, schema) else _expected(where, _name(schema), value)


def _object_mismatch(value: Any, schema: dict[str, Any] | Each, where: str) -> str:
    if not isinstance(value, dict):
        return _expected(where, "an object", value)
    if isinstance(schema, Each):
        return _first(mismatch(v, schema.schema, _join(where, key)) for key, v in value.items())
    missing = [name for name in schema if name not in value]
    if missing:
        return f"{_join(where, missing[0])} is missing"
    return _first(mismatch(value[name], each, _join(where, name)) for name, each in schema.items())


def _is_a(value: Any, kind: Any) -> bool:
    if kind is None or value is None:
        return kind is value
    if kind is float:
        return type(value) in (int, float) and _is_finite(value)
    return type(value) is kind


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer above 1e308
        return False


def _first(problems: Any) -> str:
    return next((problem for problem in problems if problem), "")


def _name(schema: Any) -> str:
    names = {str: "text", int: "an integer", float: "a finite number", bool: "true or false"}
    return names.get(schema, "null" if schema is None else f"a {schema.__name__}")


def _join(where: str, name: str) -> str:
    return f"{where}.{_cut(name)}" if where else _cut(name)


def _expected(where: str, expected: str, value: Any) -> str:
    return f"{where or 'it'} is {short_json(value)}; expected {expected}"


def short_json(value: Any) -> str:
    """Return the beginning of a value as JSON."""
    return _cut(_kind(value) if isinstance(value, list | dict) else json.dumps(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _kind(value: list[Any] | dict[str, Any]) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else "an object"


def first_difference(one: Any, other: Any, where: str = "") -> tuple[str, str, str] | None:
    """Return where two JSON values differ first, and the beginning of both; None if they agree."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        pairs = [(_join(where, key), one.get(key), other.get(key)) for key in keys]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other else (where, short_json(one), short_json(other))
    differences = (first_difference(a, b, path) for path, a, b in pairs)
    return next((difference for difference in differences if difference), None)
