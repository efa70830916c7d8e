"""The sizes and options that a model may have.

The limits are far above the sizes of any model that one can train here. A configuration from a
damaged file or a slip of the keyboard is refused by them, instead of filling the memory.
"""

from collections.abc import Sequence
from typing import Any

MAX_SIZE = {
    "image_size": 2**14,
    "patch_size": 2**14,
    "num_classes": 2**20,
    "dim": 2**16,
    "depth": 2**10,
    "heads": 2**16,
    "window": 2**14,
}
MAX_STAGES = 10
MAX_MLP_RATIO = 256


def as_tuple(field: str, values: Any) -> tuple[Any, ...]:
    """Return the sizes of all stages as a tuple; ValueError if it is a single one."""
    try:
        return tuple(values)
    except TypeError:
        raise ValueError(
            f"{field} is {values!r}, expected a size for each stage, such as (2, 4)"
        ) from None


def check_choice(field: str, choice: Any, known: Sequence[str]) -> None:
    """Raise ValueError unless an option is one of the known words."""
    if choice not in known:
        raise ValueError(f"{field} is {choice!r}; expected one of {', '.join(known)}")


def check_size(field: str, size: Any) -> None:
    """Raise ValueError unless a size is an integer from 1 to the largest one for its field."""
    if type(size) is not int or size < 1:
        raise ValueError(f"{field} is {size!r}, expected a positive integer")
    if size > MAX_SIZE[field]:
        raise ValueError(f"{field} is {size}, expected at most {MAX_SIZE[field]}")


def check_mlp_ratio(ratio: Any, dim: int) -> None:
    """Raise ValueError unless the MLP has at least one hidden unit and at most 256 dim."""
    if not isinstance(ratio, int | float) or not ratio <= MAX_MLP_RATIO:
        raise ValueError(f"mlp_ratio is {ratio!r}, expected a number up to {MAX_MLP_RATIO}")
    if ratio * dim < 1:
        raise ValueError(f"mlp_ratio is {ratio}; the MLP would have no hidden units")


def check_drop_path(rate: Any) -> None:
    """Raise ValueError unless a rate is at least 0 and below 1."""
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise ValueError(f"drop_path is {rate!r}, expected at least 0 and below 1")
