"""Numbers of settings: NumPy's as Python's, which JSON can store, and of the kind declared.

Who varies a setting takes its values from `np.arange` or `labels.max() + 1`: np.int64(3) is 3.
Text, or 3.5 where a whole number is meant, would end a training in an error far from the setting.
"""

import sys
from dataclasses import fields
from typing import Any, TypeGuard

import numpy as np

_KINDS = {bool: "true or false", int: "a whole number", float: "a number"}


def use_plain_numbers(settings: Any) -> None:
    """Replace NumPy's numbers in the fields of a frozen dataclass, also in tuples, in place."""
    for name, value in vars(settings).items():
        object.__setattr__(settings, name, plain(value))


def wrong_kind(settings: Any) -> str:
    """Say which field of a dataclass is not true or false, whole or a number, as it is declared.

    Returns "" if there is none; fields of other types are not looked at.
    """
    for field in fields(settings):
        kind, value = field.type, getattr(settings, field.name)
        whole = kind is float and type(value) is int and is_finite_number(value)
        if kind in _KINDS and not (type(value) is kind or whole):
            return f"{field.name} is {value!r}; expected {_KINDS[kind]}"
    return ""


def whole_number(name: str, value: Any, least: int) -> int:
    """Return an argument as an int; ValueError if it is not a whole number of at least `least`."""
    number = plain(value)
    if type(number) is not int or number < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}")
    return number


def is_finite_number(value: Any) -> TypeGuard[float]:
    """Tell whether a value is a number, neither true nor false, that a finite float can hold.

    Python's integers have no limit: 10**400 is below infinity, and float(10**400) an OverflowError.
    """
    number = plain(value)
    return type(number) in (int, float) and abs(number) <= sys.float_info.max


def plain(value: Any) -> Any:
    """Return a number of NumPy, also in tuples, as Python's, and anything else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(map(plain, value)) if type(value) is tuple else value
