"""NumPy's numbers as Python's, which JSON can store and a check of types accepts.

Who varies a setting takes its values from `np.arange` or `labels.max() + 1`: np.int64(3) is 3.
"""

from typing import Any

import numpy as np


def use_plain_numbers(settings: Any) -> None:
    """Replace NumPy's numbers in the fields of a frozen dataclass, also in tuples, in place."""
    for name, value in vars(settings).items():
        object.__setattr__(settings, name, _plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return tuple(map(_plain, value)) if type(value) is tuple else value
