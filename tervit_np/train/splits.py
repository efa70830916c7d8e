"""The three splits of a data set."""

from typing import NamedTuple

import data_tools
from data_tools import ImageSet, StreamedSet


class Data(NamedTuple):
    """The three splits of a data set; `val` may be None if nothing is chosen."""

    train: ImageSet | StreamedSet
    val: ImageSet | StreamedSet | None
    test: ImageSet | StreamedSet


def load_data(name: str, validation: int = 1000, seed: int = 0) -> Data:
    """Load the splits of a data set; hold `validation` images out if it has no validation split.

    Raises
    ------
    ValueError
        If the set is unknown, absent, damaged or too small, or has one class only.
    """
    train, test = data_tools.load(name, "train"), data_tools.load(name, "test")
    if len(train.classes) < 2:
        raise ValueError(f"{name} has one class, {train.classes[0]!r}; expected at least two")
    if validation == 0:
        return Data(train, None, test)
    try:
        return Data(train, data_tools.load(name, "val"), test)
    except data_tools.NoSuchSplit:
        rest, held_out = train.hold_out(validation, seed)
        return Data(rest, held_out, test)
