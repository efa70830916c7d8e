"""NamedTuples of results as JSON, and back by their types.

NamedTuples become objects, arrays lists, numbers six digits. Reading follows the types, so a file
of another layout is refused. `renamed` gives fields whose name in the file is another one.
"""

from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np


def plain(value: Any, renamed: Mapping[str, str] | None = None) -> Any:
    """Convert NamedTuples, arrays and numbers to types that JSON has."""
    names = renamed or {}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {names.get(k, k): plain(each, renamed) for k, each in value._asdict().items()}
    if isinstance(value, dict):
        return {key: plain(each, renamed) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), renamed)
    if isinstance(value, list | tuple):
        return [plain(each, renamed) for each in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}")
    return value


def typed(kind: Any, value: Any, renamed: Mapping[str, str] | None = None) -> Any:
    """Convert back by the type.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        If a value is not of its type.
    """
    names, origin = renamed or {}, get_origin(kind)
    if hasattr(kind, "_fields"):
        keys = {name: names.get(name, name) for name in kind._fields}
        if set(value) != set(keys.values()):
            expected = sorted(keys.values())
            raise ValueError(f"{kind.__name__} has {sorted(value)}, expected {expected}")
        hints = get_type_hints(kind)
        return kind(**{n: typed(hints[n], value[key], renamed) for n, key in keys.items()})
    if origin is np.ndarray:
        return np.asarray(value, float)
    if origin is tuple:
        return tuple(typed(get_args(kind)[0], each, renamed) for each in value)
    if origin is dict:
        of = get_args(kind)[1]
        return {key: typed(of, each, renamed) for key, each in value.items()}
    if not isinstance(value, kind | int if kind is float else kind):
        raise ValueError(f"{value!r} is not a {kind.__name__}")
    return kind(value)
