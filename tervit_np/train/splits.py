"""The three splits of a data set."""

from typing import NamedTuple

import data_tools
from data_tools import ImageSet, StreamedSet
from data_tools.plain_numbers import is_finite_number, whole_number


class Data(NamedTuple):
    """The three splits of a data set; `val` may be None if nothing is chosen."""

    train: ImageSet | StreamedSet
    val: ImageSet | StreamedSet | None
    test: ImageSet | StreamedSet


def load_data(name: str, validation: float = 1000, seed: int = 0) -> Data:
    """Load the splits of a data set; hold images out if it has no validation split.

    `validation` is their number, or below 1 the fraction of the training images. They are drawn by
    the seed, of each class its share.

    Raises
    ------
    ValueError
        If the set is unknown, absent, damaged or too small, or has one class only, `validation` is
        neither a whole number nor a fraction, or the seed is not a whole number of at least 0.
    """
    seed = whole_number("seed", seed, 0)
    _check_validation(validation)
    train, test = data_tools.load(name, "train"), data_tools.load(name, "test")
    if len(train.classes) < 2:
        raise ValueError(f"{name} has one class, {train.classes[0]!r}; expected at least two")
    if validation == 0:
        return Data(train, None, test)
    try:
        return Data(train, data_tools.load(name, "val"), test)
    except data_tools.NoSuchSplit:
        count = max(1, round(validation * len(train))) if 0 < validation < 1 else int(validation)
        rest, held_out = train.hold_out(count, seed)
        return Data(rest, held_out, test)


def _check_validation(validation: float) -> None:
    """Raise ValueError unless it is a number of images, or a fraction of them."""
    is_number = is_finite_number(validation) and validation >= 0
    if not is_number or (validation > 1 and validation % 1):
        raise ValueError(
            f"validation is {validation!r}; expected a number of images, or a fraction below 1"
        )
